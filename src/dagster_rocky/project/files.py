"""What do a model's own files say: its SQL, its sidecar, its contract, and which version they are?"""

import hashlib
import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dagster_rocky.engine import config_file
from dagster_rocky.engine.model_folders import TEST_DEFINITIONS, files_below, is_model
from dagster_rocky.project.snapshot import KnownFiles, Model

_LOG = logging.getLogger("dagster_rocky")


@dataclass(frozen=True)
class ModelFile:
    """A model's file with what is next to it.

    Attributes:
        relative: Its path relative to the folder of `rocky.toml`.
        contract: The contract's file: beside the model, or in a folder of contracts.
        contract_applies: Whether it is beside the model, where the engine's `run` heeds it too.
        test_definitions: The tests that its sidecar may use by name.
    """

    path: Path
    relative: str
    text: str
    sidecar: Mapping[str, Any]
    contract: Path | None
    contract_applies: bool
    test_definitions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def code_version(self) -> str:
        """Changes when the model's SQL, sidecar or contract does."""
        return _version_of(self.path, self.contract)


def model_files(project_dir: Path, folders: Sequence[str], contracts_dir: str | None) -> dict[str, ModelFile]:
    """Model files by model name.

    Args:
        project_dir: The folder of `rocky.toml`.
        folders: The models' folders relative to it.
        contracts_dir: A folder of contracts apart from the models, relative to it.

    Returns:
        `.sql` and `.rocky` files with their sidecars and contracts.
    """
    files: dict[str, ModelFile] = {}
    for folder in folders:
        definitions = _test_definitions(project_dir, folder)
        for path in filter(is_model, files_below(project_dir / folder)):
            sidecar = read_table(path.with_suffix(".toml"), "descriptions and tags")
            name = str(sidecar.get("name", path.stem))
            beside = path.with_suffix(".contract.toml")
            contract = _contract_of(project_dir, beside, f"{name}.contract.toml", contracts_dir)
            files[name] = ModelFile(
                path=path,
                relative=path.relative_to(project_dir).as_posix(),
                text=path.read_text(encoding="utf-8-sig", errors="replace"),
                sidecar=sidecar,
                contract=contract,
                contract_applies=contract == beside,
                test_definitions=definitions,
            )
    return files


def read_table(path: Path, what: str) -> Mapping[str, Any]:
    """A TOML file beside a model; one that cannot be read is empty, and said.

    Args:
        path: The file; one that is not there is empty.
        what: What it would have told of the model.
    """
    if not path.is_file():
        return {}
    try:
        return config_file.read_toml(path)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        _LOG.warning("rocky: %s is left out of %s: %s", path, what, error)
        return {}


def current_code_version(
    project_dir: Path, model: Model | KnownFiles, contracts_dir: str | None = None
) -> str | None:
    """The code version of the files that a run of the model reads now, to hold against the snapshot's.

    Args:
        project_dir: The folder of `rocky.toml`.
        model: As the snapshot has it, or what is kept of it.
        contracts_dir: The component's folder of contracts.

    Returns:
        What `Model.code_version` would be after a refresh, or `None` when the file is gone or was never known.

    Example:
        ```python
        is_stale = current_code_version(project_dir, model) != model.code_version
        ```
    """
    path = project_dir / model.path if model.path else None
    if path is None or not path.is_file():
        return None
    apart = model.contract if model.contract and not model.contract_applies else f"{model.name}.contract.toml"
    return _version_of(
        path, _contract_of(project_dir, path.with_suffix(".contract.toml"), apart, contracts_dir)
    )


def _test_definitions(project_dir: Path, folder: str) -> Mapping[str, Any]:
    """Those of the models' folder, or of one above it: parts of `models` are tested as a whole."""
    root = project_dir / folder
    places = [
        place / TEST_DEFINITIONS for place in (root, *root.parents) if place.is_relative_to(project_dir)
    ]
    return read_table(next((path for path in places if path.is_file()), places[0]), "the model tests")


def _contract_of(project_dir: Path, beside: Path, apart: str, contracts_dir: str | None) -> Path | None:
    if beside.is_file():
        return beside
    path = project_dir / contracts_dir / apart if contracts_dir else None
    return path if path and path.is_file() else None


def _version_of(path: Path, contract: Path | None) -> str:
    sidecar = path.with_suffix(".toml")
    parts = [part.read_bytes() if part and part.is_file() else b"" for part in (path, sidecar, contract)]
    return hashlib.blake2b(b"\0".join(parts), digest_size=8).hexdigest()
