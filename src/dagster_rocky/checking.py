"""Is every `defs.yaml` of a project right? What `dg check yaml` and `dg check defs` ask, of each file."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import dagster as dg
import yaml

from dagster_rocky._dagster import without_warnings
from dagster_rocky.component import RockyComponent
from dagster_rocky.yaml.mistakes import WrongYaml, instead

_FILES = ("defs.yaml", "defs.yml", "component.yaml")
_KEYS = ("type", "attributes", "template_vars_module", "requirements", "post_processing")
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
        broken = [finding for file in files for finding in _broken(file)]
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


def _broken(file: Path) -> Iterator[Finding]:
    """Files that Dagster cannot take for components, for which it builds no tree at all."""
    try:
        documents: list[Any] = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        yield Finding(str(file), line, "", f"this is no YAML: {error.problem}.")
        return
    for document in documents:
        if not isinstance(document, dict):
            yield Finding(str(file), 1, "", "a component is a mapping: type: dagster_rocky.RockyComponent")
            continue
        lines = file.read_text(encoding="utf-8").splitlines()
        for key in [key for key in document if key not in _KEYS]:
            at = next((n for n, line in enumerate(lines, 1) if line.startswith(f"{key}:")), None)
            yield Finding(
                str(file), at, str(key), f"there is no such field. {instead(str(key), _KEYS, limit=0)}"
            )
        if "type" not in document:
            yield Finding(str(file), 1, "type", "is missing. For example: type: dagster_rocky.RockyComponent")
        elif isinstance(said := _unknown_type(str(document["type"])), str):
            at = next((n for n, line in enumerate(lines, 1) if line.startswith("type:")), None)
            yield Finding(str(file), at, "type", said)


def _unknown_type(name: str) -> str | None:
    """What is wrong with the name of one of this package's components; of others Dagster says it."""
    module, _, attribute = name.rpartition(".")
    if module == "dagster_rocky" and attribute != RockyComponent.__name__:
        return f"{module} has no component {attribute!r}. {instead(attribute, [RockyComponent.__name__], limit=0)}"
    return None


def _loaded(tree: dg.ComponentTree, files: list[Path]) -> Iterator[Finding]:
    """Loads each component of each file, and builds the definitions of this package's."""
    known = {file.parent: file for file in files}
    for loc, decl in tree.find_root_decl().iterate_loc_component_decl_pairs():
        file = known.get(getattr(loc, "file_path", Path()))
        if file is None or getattr(loc, "instance_key", None) is None:
            continue
        warnings: list[str] = []
        try:
            with _heard(warnings):
                tree.load_structural_component_at_loc(loc)
                if issubclass(decl.component_type, RockyComponent):
                    tree.build_defs_at_path(loc)
        except Exception as error:
            yield from _findings(error, file)
        for text in warnings:
            yield Finding(str(file), None, "", text.removeprefix("rocky: "), "warning")


@contextmanager
def _heard(warnings: list[str]) -> Iterator[None]:
    """What this package warns of while a component loads; nothing of it is printed."""
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: warnings.append(record.getMessage())  # type: ignore[method-assign]
    propagated, _LOG.propagate = _LOG.propagate, False
    _LOG.addHandler(handler)
    try:
        yield
    finally:
        _LOG.removeHandler(handler)
        _LOG.propagate = propagated


def _findings(error: BaseException, file: Path) -> Iterator[Finding]:
    """The mistakes in a chain of errors; without any, what its first cause says."""
    first = error
    while not isinstance(first, WrongYaml) and (cause := first.__cause__ or first.__context__):
        first = cause
    if isinstance(first, WrongYaml):
        for fault in first.faults:
            yield Finding(fault.file or str(file), fault.line, fault.field, fault.said)
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
