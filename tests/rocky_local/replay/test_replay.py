"""Replay the recorded sequences of the real engine through `rocky-local` and compare case by case."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from support.forking import rocky_local

from .cases import PARTS, Case, read_sequences
from .compare import compare, compare_files
from .running import Replay, Replayed

SEQUENCES = read_sequences()
COMPARED = {case.name: (sequence, case) for sequence in SEQUENCES.values() for case in sequence.cases}


def _known_differences() -> dict[str, tuple[set[str], str]]:
    entries = tomllib.loads(Path(__file__).with_name("known_differences.toml").read_text())
    return {
        case: (set(entry["parts"]), entry["reason"])
        for entry in entries.get("difference", [])
        for case in entry["cases"]
    }


# The first case of a sequence runs the whole sequence.
pytestmark = pytest.mark.timeout(900)
KNOWN = _known_differences()


@pytest.fixture(scope="session")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Replayed]]:
    """Run each sequence once, when its first case is asked for."""
    done: dict[str, dict[str, Replayed]] = {}
    server = None if "ROCKY_REPLAY_ENGINE" in os.environ else rocky_local()

    def run(name: str) -> dict[str, Replayed]:
        if name not in done:
            folder = tmp_path_factory.mktemp(name.replace("/", "-"))
            done[name] = Replay(SEQUENCES[name], folder, server).run()
        return done[name]

    return run


@pytest.mark.parametrize(
    ("sequence", "case"),
    [
        pytest.param(sequence.name, case, id=name, marks=pytest.mark.xdist_group(sequence.name))
        for name, (sequence, case) in COMPARED.items()
    ],
)
def test_case_is_as_recorded(
    sequence: str, case: Case, replayed: Callable[[str], dict[str, Replayed]]
) -> None:
    result = replayed(sequence)[case.name]
    assert result.outcome is not None, result.problem
    if case.recorded is None:
        same = result.outcome.exit_code == case.exit_code
        found = {} if same else {"exit_code": f"{case.exit_code} -> {result.outcome}"}
    else:
        found = compare(case.recorded, result.outcome, root=result.root, ran_on=result.ran_on)
    files = "" if case.files is None else compare_files(case.files, result.outcome.files)
    found |= {"files": files} if files else {}
    allowed, _ = KNOWN.get(case.name, (set(), ""))
    unexpected = {part: diff for part, diff in found.items() if part not in allowed}
    assert not unexpected, "\n".join(f"== {part}\n{diff}" for part, diff in unexpected.items())
    now_equal = allowed - found.keys()
    assert not now_equal, (
        f"{case.name}: {sorted(now_equal)} match now; take them out of known_differences.toml"
    )


def test_known_differences_name_real_cases_and_give_reasons() -> None:
    for case, (parts, reason) in KNOWN.items():
        assert case in COMPARED, f"{case} is no compared case"
        assert parts, case
        assert parts <= set(PARTS), case
        assert len(reason) > 20, f"{case}: say why it differs"
