"""Read the recorded runs: which cases there are, in which order, and what each of them gave."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

RECORDINGS = Path(os.environ.get("ROCKY_RECORDINGS") or Path(__file__).parents[2] / "recordings")
PROJECTS = RECORDINGS / "projects"
# Cases with hooks that go on with the project of the one before.
_GOES_ON: dict[str, list[dict[str, Any]]] = {
    "hooks/chained_shape": [],
    "hooks/chained_intake_all": [],
    "hooks/chained_audit": [],
    "hooks/drift_run_after_column": [
        {"sql": "ALTER TABLE house_fern.humidity ADD COLUMN extra_note VARCHAR", "db": "greenhouse.duckdb"}
    ],
}
PARTS = ("exit_code", "stdout", "stderr", "messages", "tables", "files", "hooks")


@dataclass(frozen=True)
class Outcome:
    """What one engine process left behind, recorded or replayed."""

    exit_code: int
    stdout: str
    stderr: str
    messages: list[str] | None = None
    tables: list[dict[str, Any]] | None = None
    files: list[str] = field(default_factory=list)
    hooks: str | None = None


@dataclass(frozen=True)
class Case:
    """One recorded command.

    `before` lists what was done to the project since the previous case; `recorded` is None when the
    case only belongs to the sequence and its outputs were not kept: then only the exit code and the files that it
    left are known.
    """

    name: str
    argv: list[str]
    env: dict[str, str]
    before: list[dict[str, Any]]
    extra: dict[str, Any]
    exit_code: int
    files: list[str] | None
    recorded: Outcome | None

    @property
    def on_a_copy(self) -> bool:
        """Whether the command ran on a throw-away copy of the work directory."""
        return self.name.endswith(".pipes")

    @property
    def short_name(self) -> str:
        """The last part of the name."""
        return self.name.rsplit("/", 1)[-1]


@dataclass
class Sequence:
    """Cases from one fresh copy of a project up to the next."""

    name: str
    project: str
    cases: list[Case] = field(default_factory=list)


def _read_outcome(folder: Path) -> Outcome | None:
    if not (folder / "stdout").exists():
        return None
    messages, tables, hooks = (folder / name for name in ("messages.jsonl", "tables.json", "hooks.txt"))
    return Outcome(
        exit_code=int((folder / "exit_code").read_text()),
        stdout=(folder / "stdout").read_text(errors="replace"),
        stderr=(folder / "stderr").read_text(errors="replace"),
        messages=messages.read_text().splitlines() if messages.exists() else None,
        tables=json.loads(tables.read_text()) if tables.exists() else None,
        hooks=hooks.read_text() if hooks.exists() else None,
    )


@cache
def _exit_codes() -> dict[str, int]:
    lines = (RECORDINGS / "INDEX.tsv").read_text().splitlines()[1:]
    return {fields[0]: int(fields[3]) for fields in (line.split("\t") for line in lines)}


def _before_hooks(name: str, raw: dict[str, Any]) -> list[dict[str, Any]]:
    """What was done before a case with hooks: they were put into a project as its own first case found it."""
    if "copy_of" not in raw or name in _GOES_ON:
        return _GOES_ON.get(name, [])
    cases = [json.loads(path.read_text()) for path in RECORDINGS.glob(f"{raw['copy_of']}/*/argv.json")]
    first: list[dict[str, Any]] = min(cases, key=lambda case: case["seq"])["before"]
    return [*first, {"add_hooks": "rocky.toml"}]


def _read_case(path: Path) -> tuple[str, int, Case]:
    raw = json.loads(path.read_text())
    name = path.parent.relative_to(RECORDINGS).as_posix()
    project = name.rsplit("/", 1)[0]
    extra = {k: raw[k] for k in ("signal", "run_from_subdirectory", "stdout", "pipes") if k in raw}
    code = _exit_codes()[name]
    outcome = _read_outcome(path.parent)
    case = Case(
        name,
        raw["argv"],
        raw.get("env", {}),
        raw.get("before", _before_hooks(name, raw)),
        extra,
        code,
        raw.get("files_after"),
        outcome,
    )
    return project, raw["seq"], case


@cache
def read_sequences() -> dict[str, Sequence]:
    """Read all sequences, by name."""
    found = sorted(
        (_read_case(path) for path in RECORDINGS.glob("**/argv.json")),
        key=lambda entry: (entry[0], entry[1]),
    )
    sequences: list[Sequence] = []
    for project, _, case in found:
        main_of_a_copy = sequences and sequences[-1].cases[-1:] and sequences[-1].cases[-1].on_a_copy
        fresh = any("fresh_copy_of" in action for action in case.before) and not main_of_a_copy
        if not sequences or sequences[-1].project != project or fresh:
            number = sum(s.project == project for s in sequences) + 1
            sequences.append(Sequence(f"{project}-{number}", project))
        sequences[-1].cases.append(case)
    return {s.name: s for s in sequences}
