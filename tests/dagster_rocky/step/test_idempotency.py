"""A run that is started twice builds once, and a key that a killed run left behind is explained."""

import sys
from collections.abc import Callable
from types import SimpleNamespace

import dagster as dg
import pytest

from dagster_rocky import RockyResource
from dagster_rocky.step.idempotency import key_parts
from dagster_rocky.yaml.mistakes import Mistake
from support.recorded import ENGINE, Loaded, collect
from support.stand_in import PREAMBLE

LAGOON = 'key:"duckdb/lagoon/fleet/*"'
DAY = "2026-01-03"


def run_of(loaded: Loaded, selection: str, root: str, partition: str | None = None, **config: object):
    """One run of the work that began with the run `root`, before a Dagster that has not heard of the others."""
    job = dg.define_asset_job("tested", dg.AssetSelection.from_string(selection))
    job_def = dg.Definitions.merge(loaded.defs, dg.Definitions(jobs=[job])).resolve_job_def("tested")
    ops = {node.name: {"config": config} for node in job_def.nodes}
    result = job_def.execute_in_process(
        instance=dg.DagsterInstance.ephemeral(),
        tags={"dagster/root_run_id": root},
        partition_key=partition,
        run_config={"ops": ops} if config else None,
        raise_on_error=False,
    )
    return collect(result)


def copied_at(loaded: Loaded) -> list[str]:
    """When the engine copied each table last."""
    return sorted(mark.updated_at or "" for mark in loaded.component.resource.state().watermarks)


def test_a_copy_that_is_started_twice_is_made_once(load: Callable[..., Loaded], mode: str) -> None:
    loaded = load("tenants", mode=mode, run={"idempotency_key": "{root_run_id}-{selection}"})
    first = run_of(loaded, LAGOON, "work-1")
    made = copied_at(loaded)
    second = run_of(loaded, LAGOON, "work-1")

    assert first.success and second.success, second.failures
    assert first.materialized == second.materialized
    assert copied_at(loaded) == made
    for metadata in second.metadata.values():
        assert metadata["rocky/outcome"] == "unchanged"
        assert "finished the same request before" in metadata["rocky/reason"]

    assert run_of(loaded, LAGOON, "work-2").success
    assert copied_at(loaded) != made


def test_a_partition_that_is_started_twice_is_built_once(load: Callable[..., Loaded], mode: str) -> None:
    loaded = load("broken/partition_failure", mode=mode, run={"idempotency_key": "once-{partition}"})
    (name,) = loaded.specs()
    first = run_of(loaded, f'key:"{name}"', "work-1", DAY)
    second = run_of(loaded, f'key:"{name}"', "work-2", DAY)
    asked = run_of(loaded, f'key:"{name}"', "work-3", DAY, idempotency_key="off")

    assert first.success and second.success and asked.success, (first, second, asked)
    outcomes = [ran.metadata[name, DAY]["rocky/outcome"] for ran in (first, second, asked)]
    assert outcomes == ["materialized", "unchanged", "materialized"]
    keys = [call.partition("--idempotency-key ")[2].split(" ")[0] for call in loaded.calls()]
    assert keys[0].startswith(f"once-{DAY}-") and keys == [keys[0], keys[0], ""]


IN_FLIGHT = f"""#!{sys.executable} -SE
{PREAMBLE}
if "--idempotency-key" in sys.argv:
    key = sys.argv[sys.argv.index("--idempotency-key") + 1]
    say(result([], status="SkippedInFlight", skipped_by_run_id="run-0", idempotency_key=key)); sys.exit(0)
os.execv({str(ENGINE)!r}, sys.argv)
"""


def test_a_key_that_a_killed_run_left_is_explained_and_one_launch_goes_without(
    load: Callable[..., Loaded], mode: str
) -> None:
    loaded = load("tenants", mode=mode, run={"idempotency_key": "{root_run_id}"})
    (loaded.folder / "engine").write_text(IN_FLIGHT)
    refused = run_of(loaded, LAGOON, "work-1")
    assert not refused.success and refused.materialized == []
    said = refused.failures[0]
    assert "key 'work-1-" in said and "is held by run-0" in said
    assert "left its key claimed" in said and "24 hours" in said and "idempotency_key: off" in said

    ran = run_of(loaded, LAGOON, "work-1", idempotency_key="off")
    assert ran.success, ran.failures
    assert {m["rocky/launch_options"]["idempotency_key"] for m in ran.metadata.values()} == {"off"}


KILLED_ONCE = f"""#!{sys.executable} -SE
import os, pathlib, subprocess, sys
marker, engine = pathlib.Path(sys.argv[0]).with_name("killed"), {str(ENGINE)!r}
if "run" in sys.argv and not marker.exists():
    marker.touch()
    child = subprocess.Popen([engine, *sys.argv[1:]], stderr=subprocess.PIPE, text=True)
    for line in child.stderr:
        sys.stderr.write(line)
        if "b_heavy" in line:
            child.kill()
            os.kill(os.getpid(), 9)
os.execv(engine, [engine, *sys.argv[1:]])
"""


def test_models_that_were_killed_keep_their_key_and_their_rerun_says_so(load: Callable[..., Loaded]) -> None:
    loaded = load("slow", run={"idempotency_key": "{root_run_id}"})
    (loaded.folder / "engine").write_text(KILLED_ONCE)
    killed = run_of(loaded, "*", "work-1")
    again = run_of(loaded, "*", "work-1")
    assert not killed.success and not again.success
    assert "left its key claimed" in again.failures[0] and "idempotency_key: off" in again.failures[0]
    assert "left its key claimed" not in killed.failures[0]


def test_a_retry_of_the_step_does_not_meet_the_key_of_the_engine_that_was_killed(
    load: Callable[..., Loaded],
) -> None:
    loaded = load("slow", run={"idempotency_key": "{root_run_id}"}, retry={"max_retries": 1})
    (loaded.folder / "engine").write_text(KILLED_ONCE.replace('"b_heavy" in line', '"a_quick" in line'))
    ran = run_of(loaded, 'key:"*/a_quick"', "work-1")
    assert (loaded.folder / "killed").exists()
    assert ran.success, ran.failures
    assert [key.rsplit("/", 1)[-1] for key, _ in ran.materialized] == ["a_quick"]


def test_what_the_placeholders_stand_for() -> None:
    keys = [dg.AssetKey("b"), dg.AssetKey("a")]
    own = SimpleNamespace(run_id="run-2", run=SimpleNamespace(root_run_id=None, tags={}))
    again = SimpleNamespace(run_id="run-2", run=SimpleNamespace(root_run_id="run-1", tags={}))
    alone = {"run_id": "run-2", "root_run_id": "run-2", "partition": "none", "selection": "a"}
    assert key_parts(own, keys[1:]) == alone
    assert key_parts(again, keys[1:], [DAY]) == {**alone, "root_run_id": "run-1", "partition": DAY}
    many = key_parts(own, keys, ["x", "y"])
    assert many == key_parts(own, keys[::-1], ["y", "x"])
    assert many["selection"].startswith("2-") and many["partition"].startswith("2-")
    assert many["selection"] != key_parts(own, [dg.AssetKey("a"), dg.AssetKey("c")])["selection"]


def test_a_key_that_never_changes_is_refused_where_assets_have_no_partitions(
    load: Callable[..., Loaded],
) -> None:
    with pytest.raises(Mistake, match=r"duckdb/lagoon/fleet/\w+.* Add \{run_id\} or \{root_run_id\}"):
        load("tenants", run={"idempotency_key": "once-{partition}"})


def test_python_may_give_any_key(load: Callable[..., Loaded]) -> None:
    resource: RockyResource = load("tenants").component.resource
    first, second = (
        resource.run("id=in__lagoon__fleet", pipeline="landing", idempotency_key="{mine}") for _ in range(2)
    )
    assert first.idempotency_key == "{mine}" and second.skipped_idempotent
