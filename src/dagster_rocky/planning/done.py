"""What of a step's selection did earlier tries build already?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import dagster as dg

from dagster_rocky._dagster import goes_on_from


class BuiltBy(NamedTuple):
    """Which runs built something: Dagster's, and the engine's where it is known."""

    run_id: str
    engine_run_id: str | None = None


Done = Mapping[tuple[dg.AssetKey, str | None], BuiltBy]
"""Built assets and partitions, each with the runs that built it."""

_RESUMES = "dagster/is_resume_retry"
_RETRY_NUMBER = "dagster/retry_number"
_STRATEGY = "dagster/retry_strategy"
_ROOT = "dagster/root_run_id"
_PARENT = "dagster/parent_run_id"
_ALL_STEPS = "ALL_STEPS"


def built_earlier(
    context: dg.AssetExecutionContext,
    retry_scope: Literal["missing", "all"] = "missing",
    shadow_suffix: str | None = None,
) -> Done:
    """What earlier tries built: attempts of this step, and the runs that this run goes on with.

    A run goes on with others when it was re-executed from failure, or launched by Dagster's run retries; then all
    tries of the same work count, those beside it too. Re-executing all of a run starts anew. What a blocking check
    found wrong is not done, nor is what was only copied along with something else.

    Args:
        context: The step's.
        retry_scope: `all` asks for everything again.
        shadow_suffix: Of the tables that this run writes: only what was written there before counts.

    Returns:
        The selected assets, by partition, that need not be built again; empty on a first try.

    Example:
        ```python
        done = built_earlier(context)
        [(key.to_user_string(), partition) for key, partition in done]  # [("raw/orders", None)]
        built_earlier(context, "all")  # {}
        ```
    """
    if retry_scope == "all":
        return {}
    tries: list[tuple[str, str | None]] = [(run.run_id, None) for run in _tries_before(context)]
    if context.retry_number > 0:
        tries.append((context.run_id, context.get_step_execution_context().step.key))
    found: dict[tuple[dg.AssetKey, str | None], list[tuple[bool, BuiltBy]]] = {}
    verdicts: dict[tuple[dg.AssetKey, str | None], dict[str, bool]] = {}
    selected = context.selected_asset_keys
    for run_id, step_key in tries:
        for event in _events(context.instance, run_id, step_key):
            if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                check = event.asset_check_evaluation_data
                blocks = check.blocking and check.severity is dg.AssetCheckSeverity.ERROR
                unit = (check.asset_key, check.partition)
                verdicts.setdefault(unit, {})[check.check_name] = check.passed or not blocks
            elif event.asset_key is not None and event.asset_key in selected:
                metadata = _plain(event.step_materialization_data.materialization.metadata)
                same_place = metadata.get("rocky/shadow") == shadow_suffix
                if same_place and metadata.get("rocky/selected") is not False:
                    retold = metadata.get("rocky/outcome") == "unchanged"
                    found.setdefault((event.asset_key, event.partition), []).append(
                        (retold, BuiltBy(run_id, metadata.get("rocky/run_id")))
                    )
    refuted = {unit for unit, checks in verdicts.items() if not all(checks.values())}
    return {
        (key, partition): _builder(tellings)
        for (key, partition), tellings in found.items()
        if (key, partition) not in refuted and (key, None) not in refuted
    }


def _builder(tellings: Iterable[tuple[bool, BuiltBy]]) -> BuiltBy:
    """The run that built it last; tries after that may have told it again as unchanged."""
    told = list(tellings)
    return next((by for retold, by in reversed(told) if not retold), told[0][1])


def _events(instance: dg.DagsterInstance, run_id: str, step_key: str | None) -> Iterator[dg.DagsterEvent]:
    """Materializations and check results of a run, or of one of its steps, as they were told."""
    kinds = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
    for record in instance.all_logs(run_id, of_type=kinds):
        event = record.dagster_event
        if event is not None and (step_key is None or event.step_key == step_key):
            yield event


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(value, "value", value) for name, value in metadata.items()}


def _tries_before(context: dg.AssetExecutionContext) -> list[dg.DagsterRun]:
    """The other runs of the same work, oldest first."""
    own, instance = context.run, context.instance
    if not _goes_on(own, instance):
        return []
    root = own.root_run_id or own.tags.get(_ROOT)
    if root is None:
        return []
    records = instance.get_run_records(filters=dg.RunsFilter(tags={_ROOT: root}), ascending=True)
    group = {run.run_id: run for run in _ancestors(own, instance)}
    group |= {record.dagster_run.run_id: record.dagster_run for record in records}
    group.setdefault(own.run_id, own)
    start = _start_of(own, group, instance)
    return [
        run for run in group.values() if run.run_id != own.run_id and _start_of(run, group, instance) == start
    ]


def _ancestors(run: dg.DagsterRun, instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    """The runs that a run was made from, oldest first; those that Python made have no tag that says so."""
    line: list[dg.DagsterRun] = []
    parent = instance.get_run_by_id(_parent_of(run) or "")
    while parent is not None:
        line.insert(0, parent)
        parent = instance.get_run_by_id(_parent_of(parent) or "")
    return line


def _parent_of(run: dg.DagsterRun) -> str | None:
    return run.parent_run_id or run.tags.get(_PARENT)


def _goes_on(run: dg.DagsterRun, instance: dg.DagsterInstance) -> bool:
    """Whether a run only finishes what its parent began."""
    if run.tags.get(_RESUMES) == "true":
        return True
    if _RETRY_NUMBER in run.tags:
        return run.tags.get(_STRATEGY) != _ALL_STEPS
    return run.remote_job_origin is None and _takes_up_what_failed(run, instance)


def _takes_up_what_failed(run: dg.DagsterRun, instance: dg.DagsterInstance) -> bool:
    """Whether a run has just the steps that its parent did not finish.

    `dagster.execute_job` with `ReexecutionOptions.from_failure` leaves no other trace of what it was asked for.
    """
    parent, steps = _parent_of(run), set(run.step_keys_to_execute or ())
    if parent is None or not goes_on_from(instance, run, parent):
        return False
    ended: dict[dg.DagsterEventType, set[str | None]] = {
        dg.DagsterEventType.STEP_SUCCESS: set(),
        dg.DagsterEventType.STEP_FAILURE: set(),
    }
    for record in instance.all_logs(parent, of_type=set(ended)):
        if record.dagster_event is not None:
            ended[record.dagster_event.event_type].add(record.dagster_event.step_key)
    succeeded, failed = ended.values()
    return failed <= steps and not steps & succeeded


def _start_of(run: dg.DagsterRun, group: Mapping[str, dg.DagsterRun], instance: dg.DagsterInstance) -> str:
    """The run at which the work of this one began."""
    while _goes_on(run, instance) and (parent := _parent_of(run)):
        if parent not in group:
            return parent
        run = group[parent]
    return run.run_id
