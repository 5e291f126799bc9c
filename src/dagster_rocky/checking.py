"""Is every `defs.yaml` of a project right? What `dg check yaml` and `dg check defs` ask, of each file."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import dagster as dg

from dagster_rocky._dagster import without_warnings
from dagster_rocky.component import RockyComponent
from dagster_rocky.yaml.documents import faults_of
from dagster_rocky.yaml.mistakes import Fault, WrongYaml

_FILES = ("defs.yaml", "defs.yml", "component.yaml")
_LOG = logging.getLogger("dagster_rocky")


@dataclass(frozen=True)
class Finding:
    """Something to mend.

    Attributes:
        file: The YAML file.
        line: The line in it, where it is known.
        field: For example `run.timeout_seconds`; empty where it is about the whole file.
        said: What is wrong, and what would be right.
        level: A warning does not keep the project from loading.

    Example:
        ```python
        str(Finding("defs.yaml", 3, "mode", "must be one of …"))  # 'defs.yaml:3: mode: must be one of …'
        ```
    """

    file: str
    line: int | None
    field: str
    said: str
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {f'{self.field}: ' if self.field else ''}{self.said}"


def check_project(folder: Path) -> tuple[list[Path], list[Finding]]:
    """Checks every component file of a `dg` project: that it is YAML, names a type, and that each component loads.

    `dg check yaml` looks at the last file of each component type only, and `dg check defs` ends at the first mistake.

    Args:
        folder: A folder in the project.

    Returns:
        The files that were looked at, and what is to mend in them.

    Raises:
        dagster.DagsterError: When there is no project there.
    """
    with _importable(folder), without_warnings():
        tree = dg.ComponentTree.for_project(folder)
        files = sorted(file for name in _FILES for file in tree.defs_module_path.rglob(name))
        broken = [_finding(fault, file) for file in files for fault in faults_of(file)]
        return files, broken or list(_loaded(tree, files))


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """The project's package can be imported without being installed, as `dg list defs` has it."""
    root = next(
        (at for at in (folder, *folder.parents) if (at / "pyproject.toml").exists()), folder
    ).absolute()
    added = [str(root), str(root / "src")]
    sys.path[:0] = added
    try:
        yield
    finally:
        for path in added:
            sys.path.remove(path)


def _loaded(tree: dg.ComponentTree, files: list[Path]) -> Iterator[Finding]:
    """Loads each component of each file, and builds the definitions of this package's."""
    known = {file.parent: file for file in files}
    for loc, decl in tree.find_root_decl().iterate_loc_component_decl_pairs():
        file = known.get(getattr(loc, "file_path", Path()))
        if file is None or getattr(loc, "instance_key", None) is None:
            continue
        warnings: list[str | Fault] = []
        try:
            with _heard(warnings):
                tree.load_structural_component_at_loc(loc)
                if issubclass(decl.component_type, RockyComponent):
                    tree.build_defs_at_path(loc)
        except Exception as error:
            yield from _findings(error, file)
        for said in warnings:
            fault = said if isinstance(said, Fault) else Fault(None, None, "", said.removeprefix("rocky: "))
            yield _finding(fault, file, "warning")


@contextmanager
def _heard(warnings: list[str | Fault]) -> Iterator[None]:
    """What this package warns of while a component loads; nothing of it is printed."""
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: warnings.append(_said(record))  # type: ignore[method-assign]
    propagated, _LOG.propagate = _LOG.propagate, False
    _LOG.addHandler(handler)
    try:
        yield
    finally:
        _LOG.removeHandler(handler)
        _LOG.propagate = propagated


def _said(record: logging.LogRecord) -> str | Fault:
    """A warning about the YAML with its place, any other as it is written."""
    about = record.args[0] if isinstance(record.args, tuple) and record.args else None
    return about if isinstance(about, Fault) else record.getMessage()


def _finding(fault: Fault, file: Path, level: Literal["error", "warning"] = "error") -> Finding:
    return Finding(fault.file or str(file), fault.line, fault.field, fault.said, level)


def _findings(error: BaseException, file: Path) -> Iterator[Finding]:
    """The mistakes in a chain of errors; without any, what its first cause says."""
    first = error
    while not isinstance(first, WrongYaml) and (cause := first.__cause__ or first.__context__):
        first = cause
    if isinstance(first, WrongYaml):
        for fault in first.faults:
            yield _finding(fault, file)
    else:
        said = first.description if isinstance(first, dg.Failure) else str(first)
        yield Finding(str(file), None, "", (said or type(first).__name__).strip())


def as_json(files: list[Path], findings: list[Finding]) -> dict[str, Any]:
    """The outcome for a program.

    Args:
        files: The files that were looked at.
        findings: What is to mend in them.
    """
    return {"files": [str(file) for file in files], "findings": [asdict(finding) for finding in findings]}
