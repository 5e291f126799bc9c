"""History, advice and rules: one command of the engine for a step, chosen in the YAML, the same in all modes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dagster_rocky import RockyComponent
from dagster_rocky.graph.declared_checks import idle_rules
from dagster_rocky.observability.remarks import history_remarks, remarks_of
from dagster_rocky.project.refresh import refresh
from dagster_rocky.project.snapshot import ProjectSnapshot
from dagster_rocky.resource import RockyResource
from dagster_rocky.results import HistoryResult
from support.recorded import ENGINE, Loaded, logging_engine
from support.stand_in import MODES

PAGE = Path(__file__).parents[3] / "docs" / "observability.md"
CONFIG = """
[adapter]
type = "duckdb"
path = "crew.duckdb"

[budget]
max_duration_ms = {limit}

[mask]
pii = "hash"

[pipeline.people]
type = "transformation"
models = "models/**"
target = {{ adapter = "default", governance = {{ auto_create_schemas = true }} }}
"""
MODELS = {
    "masked": '[classification]\nemail = "pii"\n',
    "bare": 'retention = "90d"\n[classification]\nphone = "secret"\n',
    "plain": "",
}


def write_project(folder: Path, limit: int = 0) -> Path:
    models = folder / "models"
    models.mkdir(parents=True)
    (folder / "rocky.toml").write_text(CONFIG.format(limit=limit))
    (models / "_defaults.toml").write_text('[target]\ncatalog = "crew"\nschema = "hr"\n')
    for name, sidecar in MODELS.items():
        (models / f"{name}.sql").write_text("SELECT 'a' AS email, 'b' AS phone")
        (models / f"{name}.toml").write_text(sidecar)
    return folder


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> ProjectSnapshot:
    folder = write_project(tmp_path_factory.mktemp("snapshot") / "crew")
    return refresh(RockyResource(config_path=str(folder / "rocky.toml"), binary_path=str(ENGINE)))


@pytest.fixture
def crew(snapshot: ProjectSnapshot, tmp_path: Path) -> Callable[..., Loaded]:
    def load(limit: int = 0, **attributes: object) -> Loaded:
        folder = write_project(tmp_path / "crew", limit)
        component = RockyComponent(
            config_path=str(folder / "rocky.toml"), binary_path=str(logging_engine(folder)), **attributes
        )
        return Loaded(component, snapshot, folder)

    return load


def of_the_page() -> dict[str, object]:
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    attributes = yaml.safe_load(block)["attributes"]
    return {name: attributes[name] for name in ("metadata", "checks")}


def commands(loaded: Loaded) -> list[str]:
    path = loaded.folder / "calls"
    lines = [re.sub(r"\s+-o json|-c \S+ ", "", line) for line in path.read_text().splitlines()]
    path.unlink()
    return [line for line in lines if line != "--version"]


@pytest.mark.parametrize("mode", MODES)
def test_everything_of_the_page_is_one_command_each(crew, mode):
    loaded = crew(mode=mode, **of_the_page())
    ran = loaded.run()
    assert ran.success, ran.failures
    told = {name.removeprefix("crew/hr/"): (ran.checks[name], ran.severities[name]) for name in ran.checks}
    assert told == {
        "masked:compliance": (True, "WARN"),
        "bare:compliance": (False, "WARN"),
        "bare:retention": (False, "ERROR"),
        "masked:budget": (False, "WARN"),
        "bare:budget": (False, "WARN"),
        "plain:budget": (False, "WARN"),
    }
    assert sorted(ran.observed) == [
        (f"crew/hr/{name}", "What the engine remarks on it.") for name in sorted(MODELS)
    ]
    assert commands(loaded) == [
        "run --pipeline people",
        "compliance",
        "retention-status",
        "history",
        "optimize",
    ]
    for key, metadata in ran.metadata.items():
        assert isinstance(metadata["rocky/duration_seconds"], float), key


def test_a_rule_can_be_launched_alone_and_a_budget_is_kept(crew):
    loaded = crew(limit=10_000_000, checks={"rules": ["compliance", "budget"]})
    ran = loaded.run()
    assert {name: passed for name, passed in ran.checks.items() if name.endswith(":budget")} == {
        f"crew/hr/{name}:budget": True for name in MODELS
    }
    commands(loaded)
    alone = loaded.run_checks("crew/hr/bare:compliance")
    assert alone.success, alone.failures
    assert alone.checks == {"crew/hr/bare:compliance": False}
    assert commands(loaded) == ["compliance"]


def test_nothing_is_asked_that_nobody_chose(crew):
    loaded = crew()
    assert loaded.checks() == set()
    assert remarks_of(["column_schema"]) is None
    assert loaded.run().success
    assert commands(loaded) == ["run --pipeline people"]


def test_a_rule_that_the_project_does_not_have_is_said_at_load(snapshot):
    bare = snapshot.model_copy(update={"models": [], "budget": None})
    assert idle_rules(snapshot, ["compliance", "retention", "budget"]) == []
    assert [text.split("'")[1] for text in idle_rules(bare, ["budget", "compliance"])] == [
        "budget",
        "compliance",
    ]


BROKEN = """#!/bin/sh
case " $* " in *" compliance "*|*" history "*) echo "Error: the state is torn" >&2; exit 1;; esac
exec '{engine}' "$@"
"""


def test_what_cannot_be_asked_fails_no_step_and_passes_no_check(crew):
    loaded = crew(metadata=["history"], checks={"rules": ["compliance"]})
    Path(loaded.component.binary_path).write_text(BROKEN.format(engine=ENGINE))
    ran = loaded.run()
    assert ran.success, ran.failures
    assert ran.checks == {"crew/hr/masked:compliance": False, "crew/hr/bare:compliance": False}
    assert not ran.observed
    alone = loaded.run_checks("crew/hr/bare:compliance")
    assert not alone.success
    assert "the state is torn" in alone.failures[0]


def test_history_counts_builds_and_failures():
    past = {
        "runs": [
            {"models": [{"model_name": "day", "duration_ms": 500, "status": "success"}]},
            {"models": [{"model_name": "day", "duration_ms": 1500, "status": "success"}]},
            {
                "models": [
                    {"model_name": "day", "status": "failed"},
                    {"model_name": "new", "status": "failed"},
                ]
            },
        ]
    }
    assert history_remarks(HistoryResult.model_validate(past)) == {
        "day": {"rocky/history_builds": 3, "rocky/history_failures": 1, "rocky/history_mean_seconds": 1.0},
        "new": {"rocky/history_builds": 1, "rocky/history_failures": 1},
    }
