"""What the preview says would run is what runs."""

import dagster as dg
import pytest

from dagster_rocky.previewing import as_markdown, preview


@pytest.mark.parametrize(
    ("project", "selection", "partition"),
    [
        ("tenants", "*", None),
        ("tenants", 'key:"duckdb/lagoon/*"', None),
        ("tenants", 'key:"duckdb/lagoon/fleet/vessels" or key:"duckdb/northsea/fleet/vessels"', None),
        ("marts", 'key:"bakery/staging/stg_shops" or key:"bakery/marts/dim_shop"', None),
    ],
)
def test_what_is_previewed_is_what_runs(load, project, selection, partition):
    loaded = load(project, parallelism=2)
    keys = dg.AssetSelection.from_string(selection).resolve(loaded.graph)
    runs = list(preview(loaded.component, keys, [partition] if partition else []))
    assert loaded.calls() == [], "a preview starts no process"
    ran = loaded.run(selection, partition=partition)
    assert ran.success, ran.failures
    assert [run.command for run in runs] == loaded.calls()
    told = {name for run in runs for name in (*run.builds, *run.besides)}
    assert told == {key for key, _ in ran.materialized}
    assert all(run.why for run in runs)
    text = as_markdown(runs)
    assert all(name in text for name in told)


def test_partitions_are_previewed_and_asked_for(load):
    loaded = load("marts")
    keys = [dg.AssetKey(["bakery", "marts", "fct_hourly_oven"])]
    hours = [f"2026-05-01-0{hour}:00" for hour in (7, 8, 9)]
    (run,) = preview(loaded.component, keys, hours)
    assert run.command.endswith("--from 2026-05-01T07 --to 2026-05-01T09 --lookback 0")
    assert "partitions 2026-05-01T07 to 2026-05-01T09" in run.why
    with pytest.raises(dg.Failure, match="has partitions: name them with --partition"):
        list(preview(loaded.component, keys))


def test_statements_are_asked_of_the_engine(load):
    loaded = load("tenants")
    keys = [dg.AssetKey(["duckdb", "lagoon", "fleet", "vessels"])]
    (run,) = preview(loaded.component, keys, statements=True)
    assert any("vessels" in statement for statement in run.statements)
    assert "```sql" in as_markdown([run])
    assert run.besides == ("duckdb/lagoon/fleet/sailings",)
    assert "that no filter leaves out" in run.why
    assert loaded.calls() == []


def test_a_preview_refuses_what_the_run_would(load):
    loaded = load("marts", run={"shadow": "_try"})
    with pytest.raises(dg.Failure, match="no shadow of a model with time intervals"):
        list(
            preview(
                loaded.component, [dg.AssetKey(["bakery", "marts", "fct_hourly_oven"])], ["2026-05-01-07:00"]
            )
        )


def test_nothing_selected_is_nothing_to_run(load):
    assert list(preview(load("tenants").component, [])) == []
    assert as_markdown([]).startswith("Nothing to run")
