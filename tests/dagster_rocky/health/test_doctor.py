"""Does what the doctor finds stop a step before anything runs, and nothing else?"""

import json
from typing import Any

import dagster as dg
import pytest
from pydantic import ValidationError

from dagster_rocky.health.doctor import build_health_sensor, probe, require_in_range
from dagster_rocky.yaml.health import HealthOptions
from support.stand_in import write_engine

MODES = ["buffered", "streaming", "pipes"]


def doctor_says(overall: str, **statuses: str) -> str:
    checks = [
        {"name": n, "status": s, "message": f"{n} is {s}", "duration_ms": 1} for n, s in statuses.items()
    ]
    document = {
        "command": "doctor",
        "overall": overall,
        "checks": checks,
        "suggestions": ["Look at the adapter."],
    }
    code = 3 if overall == "critical" else 0
    return f"print(json.dumps(json.loads({json.dumps(json.dumps(document))}), indent=2)); sys.exit({code})"


@pytest.mark.parametrize("mode", MODES)
def test_a_healthy_project_is_run(load, mode: str) -> None:
    loaded = load("tenants", mode=mode, health={"doctor": "before_run", "engine_version": ">=1.0"})
    ran = loaded.run()
    assert ran.success, ran.failures
    assert loaded.calls()


@pytest.mark.parametrize("mode", MODES)
def test_a_critical_finding_stops_the_step_before_anything_runs(load, mode: str) -> None:
    loaded = load("tenants", mode=mode, health={"doctor": "before_run"})
    config = loaded.folder / "rocky.toml"
    config.write_text(config.read_text().replace("strategy", "strategem", 1) + "\n[oops\n")
    ran = loaded.run()
    assert not ran.success
    assert "doctor says critical" in ran.failures[0]
    assert "Nothing was run" in ran.failures[0]
    assert loaded.calls() == []


@pytest.mark.parametrize(
    ("checks", "overall"),
    [((), "critical"), (("config",), "healthy"), (("config", "state"), "warning"), (("auth",), "critical")],
)
def test_only_the_check_ups_that_are_named_count(tmp_path, checks: tuple[str, ...], overall: str) -> None:
    engine = write_engine(
        tmp_path, doctor_says("critical", config="healthy", state="warning", auth="critical")
    )
    health = probe(engine, checks)
    assert health.overall == overall
    assert {name for name, _, _ in health.findings} == set(checks or ("config", "state", "auth"))
    assert health.version == "1.71.0"


@pytest.mark.parametrize("body", ["sys.exit(1)", "print('no json')", "os.kill(os.getpid(), 9)"])
def test_an_engine_that_cannot_be_asked_is_critical_and_no_exception(tmp_path, body: str) -> None:
    assert probe(write_engine(tmp_path, body)).is_critical


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("1.71.0", ">=1.71,<2", True),
        ("1.70.9", ">=1.71,<2", False),
        ("2.0.0-rc1", "<2", False),
        ("1.80.0-rc1", ">=1.71", True),
    ],
)
def test_the_version_must_be_in_the_range(
    tmp_path, monkeypatch, version: str, wanted: str, fits: bool
) -> None:
    monkeypatch.setenv("STAND_IN_VERSION", version)
    engine = write_engine(tmp_path, "sys.exit(1)")
    if fits:
        require_in_range(engine, wanted)
        return
    with pytest.raises(dg.Failure) as caught:
        require_in_range(engine, wanted)
    assert f"is {version}, and health.engine_version asks for {wanted}" in (caught.value.description or "")


@pytest.mark.parametrize(("overall", "fails"), [("healthy", False), ("warning", False), ("critical", True)])
def test_the_sensor_fails_while_something_is_critical(tmp_path, overall: str, fails: bool) -> None:
    engine = write_engine(tmp_path, doctor_says(overall, auth=overall))
    sensor = build_health_sensor(engine, HealthOptions(doctor="sensor"), name="health")

    def tick() -> Any:
        with dg.build_sensor_context() as context:
            return sensor(context)

    if fails:
        with pytest.raises(dg.Failure, match="auth is critical"):
            tick()
    else:
        assert overall in tick().skip_message


def test_a_range_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"engine_version\n.*'new' is no range of versions"):
        HealthOptions(engine_version="new")
