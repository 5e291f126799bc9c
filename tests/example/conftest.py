"""The example project in a folder of its own, with its data, so that no test touches the repository's."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest

from support import forking, storages
from support.homes import make_home
from support.scripts import load_script

storages.share()
REPOSITORY = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LEFT_BEHIND = shutil.ignore_patterns(
    "*.duckdb*", ".dagster_home", ".rocky", ".rocky-state*", ".local_defs_state", "__pycache__"
)


@pytest.fixture(scope="session")
def seed_script() -> ModuleType:
    """The seeding script."""
    return load_script("example_project/seed.py")


@pytest.fixture(scope="session")
def seeded(seed_script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data, loaded once: copy it, do not change it."""
    database = tmp_path_factory.mktemp("seeded") / "flights.duckdb"
    assert seed_script.seed(database) == 9
    return database


@pytest.fixture
def example(seeded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example project with its data, and a Dagster home of its own."""
    project = tmp_path / "example_project"
    shutil.copytree(REPOSITORY / "example_project", project, ignore=LEFT_BEHIND)
    shutil.copy(seeded, project / "flights.duckdb")
    monkeypatch.setenv("DAGSTER_HOME", str(make_home(project / ".dagster_home")))
    places = [str(forking.rocky_local().script.parent), str(BIN), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(places))
    return project


@pytest.fixture
def materialized(example: Path) -> Callable[[], list[tuple[str, str | None]]]:
    """Tells what was materialized in this test's Dagster home: each asset and its partition, in order."""

    def tell() -> list[tuple[str, str | None]]:
        found = []
        with dg.DagsterInstance.get() as instance:
            for run in instance.get_run_records(ascending=True):
                for entry in instance.all_logs(run.dagster_run.run_id):
                    event = entry.dagster_event
                    if event is not None and event.event_type_value == "ASSET_MATERIALIZATION":
                        key = event.asset_key
                        assert key is not None
                        found.append((key.to_user_string(), event.partition))
        return found

    return tell


@pytest.fixture
def dg_command(example: Path) -> Callable[..., str]:
    """Runs `dg` in the example project and gives back its standard output."""

    def run(*arguments: str) -> str:
        done = forking.dg().run(arguments, cwd=example, env=os.environ, timeout=200)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        return done.stdout.decode()

    return run
