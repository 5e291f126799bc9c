"""A shadow run writes beside the real tables, says so, and runs nothing that it would write to the real ones."""

import pytest

from dagster_rocky.deployment.branch import IS_BRANCH, PULL_REQUEST, branch_suffix

MODES = ["buffered", "streaming", "pipes"]
TABLES = "SELECT table_schema || '.' || table_name FROM information_schema.tables ORDER BY 1"
PULL_REQUEST_57 = {IS_BRANCH: "1", PULL_REQUEST: "57"}


def tables(loaded) -> set[str]:
    return {name for (name,) in loaded.sql(TABLES)}


@pytest.mark.parametrize("mode", MODES)
def test_a_branch_deployment_leaves_production_alone(load, mode: str, monkeypatch) -> None:
    for name, value in PULL_REQUEST_57.items():
        monkeypatch.setenv(name, value)
    loaded = load("tenants", mode=mode, run={"shadow": "branch_deployment"})
    before = tables(loaded)
    suffix = branch_suffix(PULL_REQUEST_57)

    branch = loaded.run()

    assert branch.success, branch.failures
    written = tables(loaded) - before
    assert written
    assert all(name.endswith(suffix) for name in written)
    assert len(branch.materialized) == len(loaded.specs())
    for key, facts in branch.metadata.items():
        assert facts["rocky/shadow"] == suffix, key
        assert facts["dagster/table_name"] == facts["rocky/shadow_of"] + suffix, key


@pytest.mark.parametrize("mode", MODES)
def test_one_launch_goes_to_the_real_tables_and_another_to_its_shadow(load, mode: str) -> None:
    loaded = load("tenants", mode=mode, run={"shadow": "__try"})
    before = tables(loaded)

    real = loaded.run(launch={"shadow": "off", "parallelism": 3})
    after_real = tables(loaded)
    other = loaded.run(launch={"shadow": "__other"})

    assert real.success, real.failures
    assert other.success, other.failures
    assert not any(name.endswith("__try") for name in after_real - before)
    assert not any("rocky/shadow" in facts for facts in real.metadata.values())
    assert {name for name in tables(loaded) - after_real if not name.endswith("__other")} == set()
    first, second = loaded.calls()
    assert "--parallel 3" in first
    assert "--shadow" not in first
    assert "--shadow-suffix __other" in second


@pytest.mark.parametrize(
    ("project", "selection", "partition", "reason"),
    [
        ("marts", "key:*daily*", "2026-05-02", "no shadow of a model with time intervals"),
        ("kinds", "key:museum/reference/countries", None, "seed files into their real tables"),
        ("kinds", "key:museum/main/tickets", None, "loads files into their real tables"),
        ("kinds", "key:museum/history/visitors_scd", None, "history of a snapshot"),
    ],
)
def test_what_has_no_shadow_is_refused_before_anything_runs(
    load, project: str, selection: str, partition: str | None, reason: str
) -> None:
    loaded = load(project)
    before = tables(loaded)

    refused = loaded.run(selection, partition=partition, launch={"shadow": "__try"})

    assert not refused.success
    assert reason in refused.failures[0]
    assert "Nothing was run" in refused.failures[0]
    assert loaded.calls() == []
    assert tables(loaded) == before
