"""What the preview says would run is what runs."""

import dagster as dg
import pytest

from dagster_rocky.previewing.runs import as_markdown, preview


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


def test_what_only_the_run_knows_stays_a_placeholder(load):
    loaded = load("tenants", run={"idempotency_key": "once-{run_id}-{selection}"})
    (run,) = preview(loaded.component, loaded.component.graph.nodes)
    assert "--idempotency-key 'once-{run_id}-{selection}-" in run.command


def test_nothing_selected_is_nothing_to_run(load):
    assert list(preview(load("tenants").component, [])) == []
    assert as_markdown([]).startswith("Nothing to run")


class Jobs:
    """The preview job of a recorded project."""

    def __init__(self, loaded) -> None:
        self.loaded = loaded
        (self.job,) = (job for job in loaded.defs.jobs if job.name.endswith("_preview"))

    def run(self, **config):
        """The Markdown, or the failure's words."""
        (op,) = self.job.all_node_defs
        done = self.job.execute_in_process(
            run_config={"ops": {op.name: {"config": config}}}, raise_on_error=False
        )
        if done.success:
            (told,) = (e.step_output_data for e in done.all_events if e.event_type_value == "STEP_OUTPUT")
            return told.metadata["rocky/preview"].value
        (failed,) = done.get_step_failure_events()
        return failed.step_failure_data.user_failure_data.description


@pytest.fixture
def jobs(load):
    return lambda project, **attributes: Jobs(load(project, preview_job=True, **attributes))


def test_the_job_says_what_would_run_and_starts_no_engine(jobs):
    made = jobs("tenants", parallelism=2)
    told = made.run()
    keys = dg.AssetSelection.all().resolve(made.loaded.graph)
    assert told == as_markdown(list(preview(made.loaded.component, keys)))
    one = made.run(selection='key:"duckdb/lagoon/*"', filters=["table=vessels"])
    assert "- builds duckdb/lagoon/fleet/vessels" in one and "- builds duckdb/northsea" not in one
    assert made.loaded.calls() == [] and not (made.loaded.folder / "calls").exists()


def test_the_job_asks_for_statements_only_when_it_is_told_to(jobs):
    made = jobs("tenants")
    told = made.run(selection='key:"duckdb/lagoon/*"', statements=True)
    assert "```sql" in told
    calls = (made.loaded.folder / "calls").read_text()
    assert " plan " in calls and " run " not in calls


def test_the_job_takes_partitions(jobs):
    made = jobs("marts")
    hourly = 'key:"bakery/marts/fct_hourly_oven"'
    assert "--partition 2026-05-01T07" in made.run(selection=hourly, partitions=["2026-05-01-07:00"])
    assert "has partitions: name them" in made.run(selection=hourly)
    assert "has no partition '2026-05-01'; its last one is" in made.run(
        selection=hourly, partitions=["2026-05-01"]
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"selection": "key:("}, "selection: 'key:(' cannot be read"),
        ({"selection": "group:nowhere"}, "selects none of the component's assets"),
        ({"filters": ["lagoon"]}, "filters: 'lagoon' is no `key=value`"),
        ({"filters": ["id=nothing"]}, "with id=nothing selects none"),
    ],
)
def test_the_job_says_what_it_cannot_preview(jobs, config, said):
    assert said in jobs("tenants").run(**config)


def test_a_component_has_no_job_that_nobody_asked_for(load):
    assert not load("tenants").defs.jobs
