"""What the tests cost, and those that an earlier commit had, against that commit's own run of them.

    python benchmarks/suite.py COMMIT [--write]

The commit is checked out beside the repository and tested there by its own `make test`, with what it asks to have
installed; then this repository runs all of its tests, and those of them that have the name of a test or a recorded
command of the commit. Nothing should run beside. It exits with 1 when a limit is missed.
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from report import Row, clock, say, tell

ROOT = Path(__file__).parents[1]
LIMIT = 240
"""Seconds on two cores."""


@dataclass(frozen=True)
class Suite:
    """One run of tests: how many passed and failed, the time by the clock and that of all processors, in seconds."""

    passed: int
    failed: int
    wall: float
    processor: float

    @property
    def each(self) -> float:
        """Seconds by the clock."""
        return self.wall / (self.passed + self.failed)

    def __str__(self) -> str:
        each = f"{1_000 * self.each:.0f} ms each"
        failed = f" ({self.failed} failed)" if self.failed else ""
        tests = f"{self.passed + self.failed:,}{failed}"
        return f"{clock(self.wall)} for {tests}, {each}, {self.processor:.0f} s of processor time"


def run(root: Path, **environment: str) -> Suite:
    """Runs the tests of a checkout as its `make test` does.

    Raises:
        SystemExit: With the end of their output when none of them passes.
    """
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    done = subprocess.run(
        ["make", "test"],
        cwd=root,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    wall, after = time.time() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed)", done.stdout)}
    if "passed" not in counts:
        raise SystemExit(done.stdout[-2_000:])
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Suite(counts["passed"], counts.get("failed", 0), wall, used)


def names_of(commit: str) -> set[str]:
    """The names of the tests of a commit, and of its recorded commands, of each its folder."""
    listed = subprocess.check_output(
        ["git", "ls-tree", "-r", "--name-only", commit, "tests"], cwd=ROOT, text=True
    )
    found = re.findall(r"^tests/recordings/(.+)/argv\.json$", listed, re.MULTILINE)
    sources = subprocess.check_output(
        ["git", "grep", "-h", "def test_", commit, "--", "tests"], cwd=ROOT, text=True
    )
    return {*found, *re.findall(r"def (test_\w+)", sources)}


def rows(commit: str) -> Iterator[Row]:
    """The commit's own run, then that of the same tests here, then that of all."""
    with tempfile.TemporaryDirectory() as folder:
        then, names = Path(folder) / "then", Path(folder) / "names"
        subprocess.run(["git", "worktree", "add", "-q", "--detach", str(then), commit], cwd=ROOT, check=True)
        try:
            subprocess.run(["make", "setup"], cwd=then, check=True, stdout=subprocess.DEVNULL)
            say(f"begins: the tests of {commit}")
            before = run(then)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(then)], cwd=ROOT, check=True)
        names.write_text("\n".join(sorted(names_of(commit))))
        say("begins: the same tests of today")
        same = run(ROOT, TESTS_TO_RUN=str(names))
    for what, suite in (("those of them that are there today", same), ("all tests of today", run(ROOT))):
        ratio = suite.each / before.each
        yield Row(
            what,
            f"{before}, at {commit}",
            f"{suite}: {ratio:.2f} ×",
            "4:00, 0.5 ×",
            not suite.failed and suite.wall <= LIMIT and ratio <= 0.5,
        )


if __name__ == "__main__":
    wanted = [word for word in sys.argv[1:] if not word.startswith("--")]
    if len(wanted) != 1:
        raise SystemExit(__doc__)
    sys.exit(tell("suite", rows(wanted[0]), write="--write" in sys.argv))
