"""Measures everything and writes the tables and the picture into docs/.

    python benchmarks/whole.py [SIZE ...]

With sizes of one's own, see `scale.py`, nothing is written: the picture has all of them. A limit that is missed stops
nothing; it is in the table, and the exit code says so at the end.
"""

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import report

HERE = Path(__file__).parent
STAGES = (("scale",),), (("execution", "planning"),), (("events",), ("rocky_local",))
"""One after the other. The last has two lanes beside each other: the events begin with minutes on one core, in which
nothing is told by the clock, as nothing is in the other lane."""
SECONDS = (235, 80, 265)
"""What each stage takes on two quiet cores, about; only what is shown as left is made of it."""


class Whole:
    """One run of everything.

    Args:
        sizes: Of `scale.py`; none for all of them, which are written.
    """

    def __init__(self, sizes: Sequence[str]) -> None:
        self._sizes = sizes
        self.took: dict[str, float] = {}
        self.missed: list[str] = []

    def lane(self, parts: Sequence[str]) -> None:
        """Runs parts one after the other."""
        for part in parts:
            began = time.time()
            given = self._sizes if part == "scale" and self._sizes else [] if self._sizes else ["--write"]
            report.say(f"begins: {part}")
            if not run([sys.executable, str(HERE / f"{part}.py"), *given]):
                self.missed.append(part)
            self.took[part] = time.time() - began
            report.say(f"ends: {part}, after {self.took[part]:.0f} s")


def run(command: list[str]) -> bool:
    """Whether a part kept its limits; of its stderr, which has Dagster's logs, only the end of an error is shown."""
    with tempfile.TemporaryFile("w+") as stderr:
        good = subprocess.run(command, stderr=stderr, check=False).returncode == 0
        stderr.seek(0)
        text = stderr.read()
    if not good and "Traceback" in text:
        sys.stdout.write("\n".join(text.splitlines()[-15:]) + "\n")
    return good


def main() -> int:
    """Prints everything; 0 when no limit is missed."""
    whole = Whole(sys.argv[1:])
    began, load = time.time(), os.getloadavg()[0]
    lanes = 2 if (os.cpu_count() or 1) > 1 else 1
    for number, stage in enumerate(STAGES):
        spent = time.time() - began
        pace = spent / sum(SECONDS[:number]) if number else 1
        left = pace * sum(SECONDS[number:])
        os.environ.update({report.BEGAN: str(began), report.EXPECTED: str(spent + left)})
        with ThreadPoolExecutor(lanes) as beside:
            list(beside.map(whole.lane, stage))
    total = time.time() - began
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = children.ru_utime + children.ru_stime
    parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in whole.took.items())
    report.say(f"{total:.0f} s in all, {used:.0f} s of processor time: {parts}")
    report.say(f"missed or failed: {', '.join(whole.missed) or 'nothing'}")
    if not sys.argv[1:]:
        versions = " and ".join(f"{name} {version(name.lower())}" for name in ("Dagster", "DuckDB"))
        report.replace(
            "machine",
            f"Measured on {datetime.now(UTC):%d %B %Y} in {total:.0f} s ({parts}), on {os.cpu_count()} cores that had "
            f"{load:.1f} processes to run before it began, with Python {platform.python_version()}, {versions}.",
        )
    return int(bool(whole.missed))


if __name__ == "__main__":
    sys.exit(main())
