"""A retry of a step asks the engine only for what is missing."""

import sys
from pathlib import Path

import dagster as dg
import pytest

from support.projects import ROCKY_LOCAL, definitions, engine_runs, make_project, recording_engine


@pytest.mark.parametrize("mode", ["buffered", "streaming", "pipes"])
def test_a_retry_asks_only_for_what_is_missing(tmp_path: Path, mode: str) -> None:
    config = make_project("broken/copy_partial", tmp_path)
    binary, calls = recording_engine(tmp_path)
    defs = definitions(config, binary, mode=mode, retry={"max_retries": 1})
    calls.unlink(missing_ok=True)

    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(raise_on_error=False)

    assert not result.success
    first, second = engine_runs(calls)
    assert "--filter" not in first
    assert second.split("--filter ")[1] in ("table=names", "id=raw__is__peaks")
    built = [e.asset_key.path[-1] for e in result.get_asset_materialization_events()]
    assert sorted(set(built)) == ["heights"]


HEALS = """#!{python}
import os, pathlib, sys
if "run" in sys.argv:
    if os.path.exists({marker!r}):
        import duckdb
        with duckdb.connect({warehouse!r}) as connection:
            for (view,) in connection.sql(
                "select schema_name || '.' || view_name from duckdb_views() where view_name = 'names'"
            ).fetchall():
                connection.execute("drop view " + view)
    pathlib.Path({marker!r}).touch()
os.execv({engine!r}, [{engine!r}, *sys.argv[1:]])
"""


@pytest.mark.parametrize("mode", ["buffered", "streaming", "pipes"])
def test_a_retry_that_succeeds_lets_downstream_assets_run(tmp_path: Path, mode: str) -> None:
    config = make_project("broken/copy_partial", tmp_path)
    binary = tmp_path / "engine"
    warehouse = next((tmp_path / "project").glob("*.duckdb"))
    binary.write_text(
        HEALS.format(
            python=sys.executable,
            marker=str(tmp_path / "ran"),
            warehouse=str(warehouse),
            engine=str(ROCKY_LOCAL),
        )
    )
    binary.chmod(0o755)
    defs = definitions(config, binary, mode=mode, retry={"max_retries": 1})

    @dg.asset(deps=list(defs.resolve_asset_graph().get_all_asset_keys()))
    def downstream() -> None:
        """Runs when everything before it is there."""

    merged = dg.Definitions.merge(defs, dg.Definitions(assets=[downstream]))
    result = merged.resolve_implicit_global_asset_job_def().execute_in_process(raise_on_error=False)

    assert result.success
    built = {e.asset_key.path[-1] for e in result.get_asset_materialization_events()}
    assert built == {"heights", "names", "downstream"}


@pytest.mark.parametrize("mode", ["buffered", "streaming", "pipes"])
def test_a_retry_over_a_range_tells_only_the_partitions_that_it_built(load, mode: str) -> None:
    loaded = load("broken/partition_failure", mode=mode, retry={"max_retries": 1})
    engine, warehouse = loaded.folder / "engine", next(loaded.folder.glob("*.duckdb"))
    mend = f"import duckdb; duckdb.connect('{warehouse}').execute(\"UPDATE survey.log SET v = '1' WHERE v = 'oops'\")"
    (loaded.folder / "mend.py").write_text(mend)
    ran_before = f"[ $(grep -c ' run ' '{loaded.folder / 'calls'}') -ge 2 ]"
    engine.write_text(
        engine.read_text().replace(
            "exec ", f"{ran_before} && '{sys.executable}' '{loaded.folder / 'mend.py'}'\nexec "
        )
    )

    ran = loaded.run('key:"atlas/drawn/daily"', partition_range=("2026-01-01", "2026-01-03"))

    assert ran.success, ran.failures
    assert len(loaded.calls()) == 2
    assert loaded.calls()[1].endswith("--partition 2026-01-02 --lookback 0")
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert [partition for _, partition in ran.materialized] == days
    assert sum("Built earlier" in text for _, text in ran.observed) == 2


@pytest.mark.parametrize("mode", ["buffered", "streaming", "pipes"])
def test_a_model_that_changed_since_the_refresh_is_recorded_as_what_was_run(load, mode: str) -> None:
    loaded = load("broken/runtime_contained", mode=mode)
    before = loaded.specs()["atlas/drawn/a_names"].code_version
    model = loaded.folder / "models" / "a_names.sql"
    model.write_text(model.read_text() + "\n-- edited\n")

    ran = loaded.run('key:"atlas/drawn/a_names"')

    assert ran.success, ran.failures
    latest = loaded.instance.get_latest_materialization_event(dg.AssetKey(["atlas", "drawn", "a_names"]))
    assert latest is not None and latest.asset_materialization is not None
    recorded = (latest.asset_materialization.tags or {})["dagster/code_version"]
    assert recorded != before
    assert (latest.asset_materialization.tags or {})["dagster/data_version"]
    told = [entry.user_message for entry in loaded.instance.all_logs(latest.run_id)]
    assert any("changed after the state was refreshed" in text for text in told)


@pytest.mark.parametrize("mode", ["buffered", "streaming", "pipes"])
def test_a_long_range_keeps_the_pieces_that_were_finished(load, mode: str) -> None:
    loaded = load("broken/partition_failure", mode=mode, partitions={"per_run": 1})
    engine = loaded.folder / "engine"
    second_run_dies = f"[ $(grep -c ' run ' '{loaded.folder / 'calls'}') -ge 2 ] && kill -9 $$\nexec "
    engine.write_text(engine.read_text().replace("exec ", second_run_dies))

    ran = loaded.run('key:"atlas/drawn/daily"', partition_range=("2026-01-03", "2026-01-04"))

    assert not ran.success
    assert len(loaded.calls()) == 2
    assert ran.materialized == [("atlas/drawn/daily", "2026-01-03")]
    assert "2026-01-04" in ran.failures[0]
