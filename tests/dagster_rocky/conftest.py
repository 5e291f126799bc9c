"""Recorded projects and stand-in engines as fixtures."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext

from dagster_rocky import RockyComponent
from dagster_rocky.project.refresh import refresh
from dagster_rocky.project.snapshot import ProjectSnapshot
from dagster_rocky.resource import RockyResource
from support import storages
from support.recorded import ENGINE, Loaded, copy_project, logging_engine
from support.stand_in import MODES, write_engine

storages.share()


@pytest.fixture(scope="session")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ProjectSnapshot]:
    """Snapshots of recorded projects, each made once."""
    made: dict[tuple[str, str | None], ProjectSnapshot] = {}

    def snapshot_of(name: str, contracts_dir: str | None = None) -> ProjectSnapshot:
        if (name, contracts_dir) not in made:
            folder = copy_project(name, tmp_path_factory.mktemp("snapshot") / name)
            resource = RockyResource(
                config_path=str(folder / "rocky.toml"), binary_path=str(ENGINE), contracts_dir=contracts_dir
            )
            made[name, contracts_dir] = refresh(resource)
        return made[name, contracts_dir]

    return snapshot_of


@pytest.fixture
def load(snapshots: Callable[..., ProjectSnapshot], tmp_path: Path) -> Callable[..., Loaded]:
    """Loads a recorded project with the attributes of a component."""

    def load_project(
        name: str, *, component: type[RockyComponent] = RockyComponent, **attributes: Any
    ) -> Loaded:
        folder = copy_project(name, tmp_path / name.replace("/", "_"))
        made = component(
            config_path=str(folder / "rocky.toml"), binary_path=str(logging_engine(folder)), **attributes
        )
        return Loaded(made, snapshots(name), folder)

    return load_project


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Each of the three run modes."""
    return str(request.param)


@pytest.fixture
def make_engine(tmp_path: Path) -> Callable[..., RockyResource]:
    """Makes an engine of the body of a Python script, on an empty project."""
    return lambda body, **settings: write_engine(tmp_path, body, **settings)


@pytest.fixture(autouse=True)
def quiet_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No colours, no backtraces, no variables of whoever runs the tests."""
    for name in ("RUST_BACKTRACE", "RUST_LOG", "ROCKY_IDEMPOTENCY_KEY", "DAGSTER_ROCKY_HOOK_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(
        "PATH", os.pathsep.join([str(ENGINE.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    )


@pytest.fixture(autouse=True)
def loaded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster remembers in the process that it loads for a run; the next test loads for the first time again."""
    monkeypatch.setattr(DefinitionsLoadContext, "_instance", None)
