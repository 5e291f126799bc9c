"""Every private Dagster API that is used still does what it is used for.

When one of these fails after an upgrade of Dagster: look for the new place of the API in Dagster's changelog, mend its
one wrapper in `dagster_rocky/_dagster/`, and raise the lower bound in `pyproject.toml` if the old place is gone.
"""

import ast
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.storage.defs_state.base import set_defs_state_storage
from dagster.components import DefsStateConfig
from dagster_shared.serdes.objects.models.defs_state_info import DefsStateManagementType
from upath import UPath

from dagster_rocky import _dagster

SOURCE = Path(_dagster.__file__).parent.parent
STATE_ROOMS = ["component.py", "project"]


def config(management: DefsStateManagementType, key: str = "RockyComponent[x]") -> DefsStateConfig:
    return DefsStateConfig(key=key, management_type=management, refresh_if_dev=True)


def test_each_wrapper_says_why_and_they_are_in_alphabetical_order():
    for module in (SOURCE / "_dagster").glob("*.py"):
        functions = [
            node
            for node in ast.parse(module.read_text()).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        ]
        assert [node.name for node in functions] == sorted(node.name for node in functions)
    for node in functions:
        assert "Private because" in (ast.get_docstring(node) or ""), f"{node.name} does not say why"


@pytest.mark.parametrize("room", STATE_ROOMS)
def test_the_state_is_handled_without_private_imports(room):
    path = SOURCE / room
    for file in [path] if path.is_file() else path.rglob("*.py"):
        assert not re.search(r"^\s*(from|import) dagster(\._|_shared)", file.read_text(), re.MULTILINE), file


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `dg` project whose package can be imported."""
    name = f"private_{uuid4().hex}"
    (tmp_path / name / "defs").mkdir(parents=True)
    for package in (tmp_path / name, tmp_path / name / "defs"):
        (package / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text(f'[tool.dg.project]\nroot_module = "{name}"\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_local_state_is_a_file_below_the_definitions_and_any_other_is_none(project):
    local = _dagster.local_state_path(config(DefsStateManagementType.LOCAL_FILESYSTEM), project)
    assert local is not None
    assert local.is_relative_to(project)
    assert local.parent.is_dir()
    assert not local.exists()
    versioned = config(DefsStateManagementType.VERSIONED_STATE_STORAGE)
    assert _dagster.local_state_path(versioned, project) is None


def test_the_last_good_state_is_the_stored_file_or_none(project):
    local = config(DefsStateManagementType.LOCAL_FILESYSTEM)
    with _dagster.last_good_state(local, project) as path:
        assert path is None
    stored = _dagster.local_state_path(local, project)
    assert stored is not None
    stored.write_text("{}")
    with _dagster.last_good_state(local, project) as path:
        assert path == stored


def test_the_latest_version_of_a_state_is_downloaded(tmp_path):
    uploaded, fetched = tmp_path / "uploaded", tmp_path / "fetched"
    uploaded.write_text("{}")
    assert not _dagster.download_latest_state("key", fetched)
    storage = dg.UPathDefsStateStorage(UPath(tmp_path / "storage"))
    instance = dg.DagsterInstance.ephemeral()
    storage.register_instance(instance)
    with set_defs_state_storage(storage):
        assert not _dagster.download_latest_state("key", fetched)
        storage.upload_state_from_path("key", version="1", path=uploaded)
        assert _dagster.download_latest_state("key", fetched)
        assert fetched.read_text() == "{}"
        storage.set_latest_version("key", "__local__")
        assert not _dagster.download_latest_state("key", fetched)


def test_a_run_goes_on_from_another_when_it_takes_over_its_steps():
    instance = dg.DagsterInstance.ephemeral()
    job = dg.build_reconstructable_job("support.failing", "make_job")
    first = dg.execute_job(job, instance)
    again = dg.execute_job(job, instance, reexecution_options=dg.ReexecutionOptions(first.run_id))
    resumed = dg.execute_job(
        job, instance, reexecution_options=dg.ReexecutionOptions.from_failure(first.run_id, instance)
    )
    goes_on = [
        _dagster.goes_on_from(instance, run, first.run_id)
        for result in (first, again, resumed)
        if (run := instance.get_run_by_id(result.run_id))
    ]
    assert goes_on == [False, False, True]


def test_a_step_says_what_is_needed_of_it_and_makes_its_materializations_itself():
    """What the step behind waits for, the tags of a materialization that has no output, and a check's target."""
    seen: dict[str, object] = {}
    kept, followed = dg.AssetKey("kept"), dg.AssetKey("followed")
    check = dg.AssetCheckKey(kept, "good")

    @dg.multi_asset(
        specs=[
            dg.AssetSpec("kept", skippable=True, code_version="3"),
            dg.AssetSpec("followed", skippable=True),
        ],
        check_specs=[dg.AssetCheckSpec("good", asset="kept")],
        can_subset=True,
    )
    def step(context: dg.AssetExecutionContext):
        op = context.op_execution_context
        seen["needed"] = _dagster.outputs_needed_later(op)
        result = dg.MaterializeResult(asset_key=kept, metadata={"rows": 1})
        (made,) = _dagster.materializations_of(op, kept, "kept", result)
        yield made
        _dagster.fetch_materialized(op, [kept])
        passed = dg.AssetCheckResult(asset_key=kept, check_name="good", passed=True)
        seen["target"] = _dagster.check_target(op, passed, check)
        yield dg.MaterializeResult(asset_key=followed)

    @dg.asset(deps=[followed])
    def behind() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([step, behind], instance=instance)
        (record,) = instance.fetch_materializations(kept, limit=9).records
    assert run.success
    assert seen["needed"] == {followed: "followed"}
    assert (record.asset_materialization.tags or {})["dagster/code_version"] == "3"
    assert (seen["target"].run_id, seen["target"].storage_id) == (run.run_id, record.storage_id)


@pytest.mark.parametrize("policy", [None, dg.RetryPolicy(max_retries=1)])
def test_an_interruption_is_shown_by_its_text_and_is_still_one(policy):
    shown = []

    @dg.op(retry_policy=policy)
    def stopped(context: dg.OpExecutionContext):
        try:
            raise _dagster.interruption("Cancelled: 1 of 2 finished")
        except Exception:
            shown.append("taken for an ordinary error")

    @dg.job
    def job():
        stopped()

    result = job.execute_in_process(raise_on_error=False)

    assert not shown
    (ended,) = [event for event in result.all_events if event.is_step_failure or event.is_step_up_for_retry][
        :1
    ]
    error = ended.event_specific_data.error
    if policy is None:
        assert (error.cls_name, error.message, error.stack) == (
            "DagsterExecutionInterruptedError",
            "Cancelled: 1 of 2 finished",
            [],
        )
    else:
        assert ended.is_step_up_for_retry


def test_a_sensor_knows_its_code_location():
    """`code_location_origin` of the context; should it go, look for the location's name in the tick's context."""
    from dagster._core.remote_origin import InProcessCodeLocationOrigin
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    target = LoadableTargetOrigin(module_name="flights")
    origin = InProcessCodeLocationOrigin(target, location_name="flights")
    context = dg.SensorEvaluationContext(
        instance_ref=None,
        last_tick_completion_time=None,
        last_run_key=None,
        cursor=None,
        repository_name="__repository__",
        code_location_origin=origin,
    )
    assert _dagster.code_location(context) == "__repository__@flights"
    assert _dagster.code_location(dg.build_sensor_context()) is None


def test_an_interruption_while_an_event_is_stored_is_kept_for_the_step(monkeypatch):
    stored, seen = dg.DagsterInstance.handle_new_event, []

    def interrupted_store(self, entry, **more):
        stored(self, entry, **more)
        if entry.dagster_event_type is dg.DagsterEventType.ASSET_OBSERVATION:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(dg.DagsterInstance, "handle_new_event", interrupted_store)

    @dg.multi_asset(specs=[dg.AssetSpec("orders", skippable=True)])
    def step(context: dg.AssetExecutionContext):
        with _dagster.interruptions_kept() as interruptions:
            yield dg.AssetObservation("orders")
            seen.append(interruptions.came)
            with pytest.raises(dg.DagsterExecutionInterruptedError):
                interruptions.raise_if_came()
            seen.append(interruptions.came)
            yield dg.AssetObservation("orders")
        yield dg.AssetObservation("orders")
        seen.append("not reached: what nobody acted on is Dagster's again")

    assert not dg.materialize([step], raise_on_error=False).success
    assert seen == [True, False]


def test_a_failure_is_shown_by_its_text_and_is_still_one():
    @dg.asset
    def orders() -> None:
        raise _dagster.failure("2 of 3 failed", {"rocky/outcomes": "table"}, allow_retries=False)

    result = dg.materialize([orders], raise_on_error=False)

    (ended,) = [event for event in result.all_events if event.is_step_failure]
    error, said = ended.step_failure_data.error, ended.step_failure_data.user_failure_data
    assert (error.cls_name, error.message, error.stack) == ("Failure", "2 of 3 failed", [])
    assert said.description == "2 of 3 failed"
    assert said.metadata["rocky/outcomes"].value == "table"
    with pytest.raises(dg.Failure, match="2 of 3 failed"):
        dg.materialize([orders])


@pytest.mark.parametrize("silent", [False, True])
def test_dagster_does_not_list_the_outputs_that_are_left_out(silent: bool):
    @dg.multi_asset(
        specs=[dg.AssetSpec("a", skippable=True)],
        check_specs=[dg.AssetCheckSpec(f"check_{number}", asset="a") for number in range(3)],
        can_subset=True,
    )
    def step(context: dg.AssetExecutionContext):
        if silent:
            _dagster.silence_omitted_outputs(context.op_execution_context)
        context.log.info("it did not yield anything else")
        yield dg.AssetMaterialization("a")

    @dg.asset(deps=["a"])
    def another(context: dg.AssetExecutionContext) -> None:
        context.log.info("this did not yield or return expected outputs {}")

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([step, another], instance=instance)
        lines = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert any("expected outputs {'" in line for line in lines) is not silent
    assert "it did not yield anything else" in lines


@pytest.mark.parametrize(
    "attributes",
    [
        {"deps": [dg.AssetDep("above"), dg.AssetDep("beside")]},
        {"metadata": {"more": 1}, "partitions_def": dg.DailyPartitionsDefinition("2026-01-01")},
    ],
    ids=["deps", "metadata and partitions"],
)
def test_a_changed_spec_is_the_one_that_dagster_makes(attributes):
    spec = dg.AssetSpec(
        ["x", "a"], group_name="g", kinds={"rocky"}, tags={"t": "v"}, owners=["team:data"], code_version="1"
    )
    changed = _dagster.changed_spec(spec, **attributes)
    assert changed == spec.replace_attributes(**attributes)
    assert changed.kinds == {"rocky"}
    assert changed.merge_attributes(tags={"u": "v"}).tags == {**spec.tags, "u": "v"}
    assert not spec.deps, "a spec that was changed is another one"


def test_definitions_keep_nothing_of_who_makes_them():
    """In a process of its own: what Dagster keeps is of the first ones that are made."""
    code = """
        import gc, weakref
        from dagster_rocky import _dagster
        class Project: pass
        def make():
            project = Project()
            _dagster.definitions(assets=[])
            return weakref.ref(project)
        kept = make()
        gc.collect()
        assert kept() is None, "Dagster keeps the project"
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
