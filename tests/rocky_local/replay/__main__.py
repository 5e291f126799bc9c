"""Print how many recorded commands `rocky-local` answers as the real engine did.

    PYTHONPATH=tests:tests/rocky_local python -m replay [PART OF A SEQUENCE'S NAME ...]

`ROCKY_RECORDINGS` names a folder with other recordings than those of the tests. A case is equal *to the letter* when
nothing differs but what differs between any two runs (times, durations, ids); it is equal *but for wording* when the
exit code, the tables, the files, the Pipes messages and the JSON are the same apart from sentences in it.
"""

from __future__ import annotations

import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from support.forking import rocky_local

from .cases import Case, Outcome, Sequence, read_sequences
from .compare import compare, compare_files
from .running import Replay, Replayed

_SENTENCE = re.compile(
    r'"(message|error|reason|suggestion|detail|unblock_hint|reasoning)": "(?:[^"\\]|\\.)*"', re.ASCII
)


def _without_sentences(outcome: Outcome) -> Outcome:
    """The outcome without anything that only people read."""
    start = outcome.stdout.find("{\n")
    kept = _SENTENCE.sub(r'"\1": ""', outcome.stdout[start:]) if start >= 0 else ""
    return replace(outcome, stdout=kept, stderr="")


def _differences(case: Case, found: Replayed, *, wording: bool) -> set[str]:
    if found.outcome is None:
        return {found.problem}
    files = {"files"} if case.files is not None and compare_files(case.files, found.outcome.files) else set()
    if case.recorded is None:
        return files | ({"exit_code"} if found.outcome.exit_code != case.exit_code else set())
    strip = (lambda outcome: outcome) if wording else _without_sentences
    parts = compare(strip(case.recorded), strip(found.outcome), root=found.root, ran_on=found.ran_on)
    return files | parts.keys()


def _replay(sequence: Sequence) -> list[tuple[Case, Replayed]]:
    with tempfile.TemporaryDirectory() as folder:
        found = Replay(sequence, Path(folder), rocky_local()).run()
    return [(case, found[case.name]) for case in sequence.cases]


def main(wanted: list[str]) -> None:
    """Replay the sequences that are wanted, all by default, and print the figures."""
    sequences = [s for s in read_sequences().values() if not wanted or any(part in s.name for part in wanted)]
    with ThreadPoolExecutor(2) as pool:
        cases = [entry for entries in pool.map(_replay, sequences) for entry in entries]
    whole = [(case, found) for case, found in cases if case.recorded is not None]
    letter = [(case.name, _differences(case, found, wording=True)) for case, found in cases]
    differing = {name: parts for name, parts in letter if parts}
    worded = {case.name for case, found in cases if _differences(case, found, wording=False)}
    for name, parts in differing.items():
        print(f"{'differs' if name in worded else 'wording'}  {name}: {', '.join(sorted(parts))}")
    for title, some in (("whole outputs", whole), ("all commands", cases)):
        names = [case.name for case, _ in some]
        same = sum(name not in differing for name in names)
        close = sum(name not in worded for name in names)
        shares = (
            f"{100 * same / len(names):.1f} % to the letter, {100 * close / len(names):.1f} % but for wording"
        )
        print(f"{title}: {len(names)}, {same} equal to the letter, {close} but for wording ({shares})")


if __name__ == "__main__":
    main(sys.argv[1:])
