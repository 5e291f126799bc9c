"""What a step leaves behind is what Dagster's plain way leaves, in fewer events.

The plain way is to yield `MaterializeResult` and `AssetCheckResult` as they are.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from dagster_rocky.step.recording import recorded

A, B, C, BELOW, GUARDED = (dg.AssetKey(["x", name]) for name in ("a", "b", "c", "below", "guarded"))
CHECKS = {A: ("counted", "fresh"), B: ("counted",), C: ("counted", "guard")}
DAYS = dg.StaticPartitionsDefinition(["mon", "tue", "wed"])


@dataclass(frozen=True)
class Case:
    """How the step and its runs are.

    Attributes:
        interleaved: Whether checks are told right behind their asset, or all at the end.
        failed: Checks that do not pass, with their severity.
        selection: What is run; everything when it is empty.
        partition: The run's partition.
        version: The data version that assets say they have.
        skipped: An asset that is not told.
        fails: Whether the step fails at its end.
    """

    interleaved: bool = False
    failed: dict[str, dg.AssetCheckSeverity] = field(default_factory=dict)
    selection: tuple[dg.AssetKey, ...] = ()
    partition: str | None = None
    version: str | None = None
    skipped: dg.AssetKey | None = None
    fails: bool = False


CASES = {
    "everything": Case(),
    "checks right behind their assets": Case(interleaved=True),
    "the step alone": Case(selection=(A, B, C)),
    "one asset and its downstream step": Case(selection=(B, BELOW)),
    "a check of severity error that does not block": Case(failed={"fresh": dg.AssetCheckSeverity.ERROR}),
    "a blocking check": Case(failed={"guard": dg.AssetCheckSeverity.ERROR}),
    "a blocking check that only warns": Case(failed={"guard": dg.AssetCheckSeverity.WARN}),
    "a partition": Case(partition="tue"),
    "a partition, interleaved": Case(partition="tue", interleaved=True, selection=(A, B, C)),
    "data versions of its own": Case(version="7"),
    "an asset without a result": Case(skipped=B),
    "a step that fails": Case(fails=True),
}


def told(context: dg.AssetExecutionContext, case: Case, now: int) -> Iterator[Any]:
    """What the step tells of the selected assets."""
    checks: list[dg.AssetCheckResult] = []
    for key in (A, B, C):
        if key not in context.selected_asset_keys or key == case.skipped:
            continue
        yield dg.MaterializeResult(
            asset_key=key,
            metadata={"rows": now, "name": key.path[-1]},
            data_version=dg.DataVersion(case.version) if case.version else None,
            tags={"mark": "7"} if key == A else None,
        )
        checks += [
            dg.AssetCheckResult(
                asset_key=key,
                check_name=name,
                passed=name not in case.failed,
                severity=case.failed.get(name, dg.AssetCheckSeverity.WARN),
                metadata={"of": key.path[-1]},
                description="counted",
            )
            for name in CHECKS[key]
            if dg.AssetCheckKey(key, name) in context.selected_asset_check_keys
        ]
        if case.interleaved:
            yield from checks
            checks.clear()
    yield from checks
    if case.fails:
        raise dg.Failure("on purpose")


def definitions(case: Case, way: Callable[..., Iterable[Any]], now: list[int]) -> dg.Definitions:
    days = DAYS if case.partition else None

    def spec(key: dg.AssetKey, *deps: dg.AssetKey, version: str | None = None) -> dg.AssetSpec:
        return dg.AssetSpec(key, deps=deps, skippable=True, partitions_def=days, code_version=version)

    @dg.multi_asset(
        specs=[spec(A, dg.AssetKey("outside"), version="1"), spec(B, A, version="2"), spec(C, A)],
        check_specs=[
            dg.AssetCheckSpec(name, asset=key, blocking=name == "guard")
            for key, names in CHECKS.items()
            for name in names
        ],
        can_subset=True,
    )
    def step(context: dg.AssetExecutionContext):
        yield from way(context.op_execution_context, told(context, case, now[0]))

    @dg.asset(key=BELOW, deps=[B], partitions_def=days)
    def below() -> None: ...

    @dg.asset(key=GUARDED, deps=[C], partitions_def=days)
    def guarded() -> None: ...

    return dg.Definitions(assets=[step, below, guarded])


def left_behind(case: Case, way: Callable[..., Iterable[Any]]) -> tuple[dict[str, Any], Counter[str]]:
    """Runs twice and reads all that the UI shows; ids become names. With it, the events of the last run."""
    now = [1]
    defs = definitions(case, way, now)
    job = defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        runs = []
        for number in (1, 2):
            now[0] = number
            chosen = job.get_subset(asset_selection=set(case.selection)) if case.selection else job
            runs.append(
                chosen.execute_in_process(
                    instance=instance, raise_on_error=False, partition_key=case.partition
                )
            )
        names = {result.run_id: f"run {number}" for number, result in enumerate(runs)}
        graph = defs.resolve_asset_graph()
        records = {}
        stored: dict[str, str] = {}
        for key in sorted(graph.get_all_asset_keys(), key=str):
            found = instance.fetch_materializations(key, limit=10, ascending=True).records
            for number, record in enumerate(found):
                stored[str(record.storage_id)] = f"{key.to_user_string()} {number}"
            records[key] = found
        left: dict[str, Any] = {}
        for key, found in records.items():
            left[f"materializations of {key.to_user_string()}"] = [
                (
                    names[record.run_id],
                    record.event_log_entry.step_key,
                    record.partition_key,
                    dict(record.asset_materialization.metadata),
                    {
                        tag: names.get(value, stored.get(value, value) if "pointer" in tag else value)
                        for tag, value in (record.asset_materialization.tags or {}).items()
                        if "dagster/data_version" not in tag and "input_data_version" not in tag
                    },
                    sorted(record.asset_materialization.tags or {}),
                )
                for record in found
            ]
            planned = instance.get_asset_records([key])
            left[f"record of {key.to_user_string()}"] = [
                names.get(record.asset_entry.last_run_id or "") for record in planned
            ]
        left["checks"] = {
            f"{check.asset_key.to_user_string()}:{check.name}": [
                (
                    names[entry.run_id],
                    entry.status.value,
                    _evaluation(entry.event, names, stored),
                    entry.partition,
                )
                for entry in instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
            ]
            for check in sorted(graph.asset_check_keys, key=str)
        }
        left["steps"] = [
            {
                stats.step_key: (stats.status, len(stats.materialization_events), stats.attempts)
                for stats in instance.get_run_step_stats(result.run_id)
            }
            for result in runs
        ]
        left["success"] = [result.success for result in runs]
        resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
        left["stale"] = {
            key.to_user_string(): (
                resolver.get_status(key, case.partition).value,
                [cause.reason for cause in resolver.get_stale_causes(key, case.partition)],
            )
            for key in (A, B, C, BELOW)
        }
        return left, Counter(event.event_type_value for event in runs[-1].all_events)


def _evaluation(entry: Any, names: dict[str, str], stored: dict[str, str]) -> Any:
    if entry is None or entry.dagster_event is None:
        return None
    found = entry.dagster_event.event_specific_data
    if not isinstance(found, dg.AssetCheckEvaluation):
        return type(found).__name__
    target = found.target_materialization_data
    return (
        (found.asset_key, found.check_name, found.passed, found.severity, found.blocking),
        (dict(found.metadata), found.description, found.partition),
        target and (names[target.run_id], stored[str(target.storage_id)], target.timestamp > 0),
    )


def plain(context: dg.OpExecutionContext, events: Iterator[Any]) -> Iterator[Any]:
    return events


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_missing_that_the_plain_way_leaves(name: str) -> None:
    case = CASES[name]
    expected, plain_events = left_behind(case, plain)
    found, events = left_behind(case, recorded)
    assert found == expected
    assert expected["materializations of x/a"] or case.selection
    for kind in set(plain_events) - {"STEP_OUTPUT"}:
        assert events[kind] == plain_events[kind], kind
    assert events["STEP_OUTPUT"] < plain_events["STEP_OUTPUT"]


def test_only_outputs_that_another_step_waits_for_are_yielded() -> None:
    _, alone = left_behind(Case(selection=(A, B, C)), recorded)
    assert not alone["STEP_OUTPUT"]
    _, followed = left_behind(Case(), recorded)
    # B, C and the check that guards C, and those of the two steps behind.
    assert followed["STEP_OUTPUT"] == 3 + 2


def test_a_blocking_check_that_fails_stops_the_steps_behind() -> None:
    left, _ = left_behind(CASES["a blocking check"], recorded)
    assert left["success"] == [False, False]
    assert not left["materializations of x/guarded"]


@pytest.mark.parametrize("interleaved", [False, True])
def test_records_are_looked_up_together(interleaved: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = dg.DagsterInstance.get_asset_records

    def counted(self: dg.DagsterInstance, keys: Any = None) -> Any:
        asked.append(len(keys))
        return real(self, keys)

    many = [dg.AssetKey(f"t{number}") for number in range(30)]

    @dg.multi_asset(
        specs=[dg.AssetSpec(key, skippable=True) for key in many],
        check_specs=[dg.AssetCheckSpec(name, asset=key) for key in many for name in ("one", "two")],
        can_subset=True,
    )
    def step(context: dg.AssetExecutionContext):
        made: list[Any] = [dg.MaterializeResult(asset_key=key) for key in many]
        checks: list[Any] = [
            dg.AssetCheckResult(asset_key=key, check_name=name, passed=True)
            for key in many
            for name in ("one", "two")
        ]
        if interleaved:
            pairs = zip(made, checks[::2], checks[1::2], strict=True)
            yield from recorded(context.op_execution_context, [one for pair in pairs for one in pair])
        else:
            yield from recorded(context.op_execution_context, made + checks)

    with dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setattr(dg.DagsterInstance, "get_asset_records", counted)
        assert dg.materialize([step], instance=instance).success
    assert asked == ([1] * 30 if interleaved else [30])


def test_no_line_of_the_log_lists_what_is_left_out():
    job = definitions(CASES["everything"], recorded, [1]).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        lines = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert result.success
    assert [line for line in lines if "expected outputs" in line] == []
