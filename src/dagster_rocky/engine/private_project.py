"""Which folder makes the engine build chosen models of a pipeline and nothing else (contract, section 15)?"""

import os
import re
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from dagster_rocky.engine import toml_edit
from dagster_rocky.engine.config_file import substitute
from dagster_rocky.engine.errors import RockyFailure
from dagster_rocky.engine.model_folders import TEST_DEFINITIONS
from dagster_rocky.engine.request import ChosenModel

_MODELS = "sel"
_DEFAULTS = "_defaults.toml"


def write_private_project(private: Path, config: Path, pipeline: str, models: Sequence[ChosenModel]) -> None:
    """Makes a project that is the given one with only the chosen models in one of its pipelines.

    The engine looks for models beside its config, and for everything else in its working directory, which stays the
    project's. So the DuckDB file, the run state and the plans are the project's own.

    Args:
        private: The config to write, in a folder that is this run's alone; the models are linked beside it.
        config: The project's `rocky.toml`.
        pipeline: The pipeline of the models.
        models: What to build.

    Raises:
        RockyFailure: Of kind `private_project`, when the project is written in a way that does not allow it; its models
            can still be run one by one.

    Example:
        ```python
        private = Path(tempfile.mkdtemp()) / "rocky.toml"
        chosen = [ChosenModel(name="stg_shops", path="models/stg_shops.sql")]
        write_private_project(private, project_dir / "rocky.toml", "marts", chosen)
        sorted(path.name for path in private.parent.rglob("*.sql"))  # ["stg_shops.sql"]
        ```
    """
    try:
        text = config.read_bytes().decode("utf-8")
        places = _places(pipeline)
        root = config.absolute().parent / _root(text, places)
        edited = toml_edit.set_value(text, places, f"{_MODELS}/**")
        private.write_bytes(edited.encode("utf-8"))
        _link_models(private.parent / _MODELS, root, config.absolute().parent, models)
    except (toml_edit.CannotEdit, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _cannot(config, pipeline, str(error)) from error
    except OSError as error:
        raise _cannot(config, pipeline, f"{error.strerror or error}: {error.filename}") from error


def _cannot(config: Path, pipeline: str, why: str) -> RockyFailure:
    return RockyFailure(
        "private_project",
        f"Several models of {pipeline!r} cannot be built in one engine run, because {config} cannot be copied in "
        f"part: {why}. They can be run one by one.",
    )


def _places(pipeline: str) -> list[toml_edit.Keys]:
    """Where `models` of a pipeline may stand: the spellings that are one and the same (contract, section 18)."""
    tables = ("pipeline", "pipelines")
    named: list[toml_edit.Keys] = [(table, pipeline, "models") for table in tables]
    bare: list[toml_edit.Keys] = [(table, "models") for table in tables] if pipeline == "default" else []
    return [*named, *bare]


def _root(text: str, places: Sequence[toml_edit.Keys]) -> str:
    """The folder of the pipeline's models, relative to the config's.

    Raises:
        CannotEdit: When the config takes in others, whose paths would no longer be right.
    """
    document = tomllib.loads(substitute(text.removeprefix("\ufeff")))
    if "imports" in document:
        raise toml_edit.CannotEdit("it imports other files")
    glob = "models/**"
    for place in places:
        inner: object = document
        for key in place:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, str):
            glob = inner
        elif isinstance(inner, list):
            raise toml_edit.CannotEdit("its models have several roots")
    return re.split(r"[*?\[]", glob, maxsplit=1)[0].rstrip("/") or "."


def _link_models(folder: Path, root: Path, project: Path, models: Sequence[ChosenModel]) -> None:
    """Links the models in the tree that they have, with all that the engine reads beside them."""
    folder.mkdir(mode=0o700)
    parents: set[Path] = {Path()}
    for model in models:
        source = Path(os.path.normpath(project / model.path))
        try:
            relative = source.relative_to(os.path.normpath(root))
        except ValueError:
            raise toml_edit.CannotEdit(f"{model.path} is not below {root}") from None
        if not source.is_file():
            raise toml_edit.CannotEdit(f"{model.path} is not there; refresh the component's state")
        parents.update(relative.parents)
        _link(source, folder / relative)
        contract = source.with_name(f"{source.stem}.contract.toml")
        if contract.is_file():
            _link(contract, folder / relative.with_name(contract.name))
        _sidecar(source.with_suffix(".toml"), folder / relative.with_suffix(".toml"), model, models)
    for source in _shared(root, parents):
        _link(source, folder / source.relative_to(root))


def _shared(root: Path, parents: set[Path]) -> Iterator[Path]:
    """What the engine reads for all models of a folder.

    Raises:
        CannotEdit: When a group has rules for all of its models.
    """
    for parent in sorted(parents):
        if (root / parent / _DEFAULTS).is_file():
            yield root / parent / _DEFAULTS
    if (root / TEST_DEFINITIONS).is_file():
        yield root / TEST_DEFINITIONS
    for group in sorted((root / "groups").glob("*.toml")):
        if toml_edit.parse(group.read_bytes().decode("utf-8")).get("enforce"):
            raise toml_edit.CannotEdit(f"the group {group.stem!r} has rules for all of its models")
        yield group


def _sidecar(source: Path, link: Path, model: ChosenModel, models: Sequence[ChosenModel]) -> None:
    """A link to the sidecar, or a copy that depends on chosen models only, in the order that the project has."""
    text = source.read_bytes().decode("utf-8") if source.is_file() else ""
    declared = toml_edit.parse(text).get("depends_on", [])
    chosen = {other.name for other in models}
    wanted = [name for name in declared if name in chosen]
    wanted += [name for name in model.after if name not in wanted]
    if wanted != declared:
        link.write_bytes(toml_edit.set_value(text, [("depends_on",)], wanted).encode("utf-8"))
    elif source.is_file():
        _link(source, link)


def _link(source: Path, link: Path) -> None:
    """A link, or a copy where the file system has none; a link that is there already stays."""
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if link.exists():
        return
    try:
        link.symlink_to(source.absolute())
    except OSError:
        shutil.copyfile(source, link)
