"""How is what happened said to Dagster? The only place that makes its asset events."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_rocky import _dagster, results
from dagster_rocky.engine.news.drift import ColumnChange, column_changes
from dagster_rocky.engine.news.events import Built, Checked, Deviated, Drifted, Quarantined
from dagster_rocky.planning.done import BuiltBy
from dagster_rocky.planning.plan import Unit
from dagster_rocky.step.ledger import Status
from dagster_rocky.step.metadata import (
    BUILT_BY_RUN,
    COMPLETES,
    DURATION,
    EVALUATED,
    OUTCOME,
    REASON,
    RUN_ID,
    SELECTED,
    built_metadata,
    checked_metadata,
    severity_of,
    was_evaluated,
)
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset

StepEvent = (
    dg.MaterializeResult[Any]
    | dg.AssetMaterialization
    | dg.AssetCheckResult
    | dg.AssetCheckEvaluation
    | dg.AssetObservation
    | dg.Output[Any]
)

NOT_EVALUATED = "The engine could not evaluate this check: its query failed."
NO_RESULT = "The engine gave no result for this check, so it could not be evaluated: it has not passed."


def materialization(
    unit: Unit,
    status: Status,
    metadata: Mapping[str, Any],
    version: dg.DataVersion | None,
    tags: Mapping[str, str],
) -> dg.MaterializeResult[Any]:
    """A selected asset that was built or is unchanged, for all partitions of the run.

    Args:
        unit: The asset.
        status: Built, or unchanged.
        metadata: Under this package's keys.
        version: The data version that it keeps, if it does.
        tags: Versions that differ from what Dagster would record.
    """
    return dg.MaterializeResult(
        asset_key=unit.asset.asset_key,
        metadata={OUTCOME: status.value, **metadata},
        data_version=version,
        tags=dict(tags) or None,
    )


def partition_materialization(
    unit: Unit, status: Status, metadata: Mapping[str, Any], tags: Mapping[str, str]
) -> dg.AssetMaterialization:
    """One partition of a selected asset, told by its own key, with its versions in the tags."""
    return dg.AssetMaterialization(
        asset_key=unit.asset.asset_key,
        partition=unit.partition,
        metadata={OUTCOME: status.value, **metadata},
        tags=dict(tags),
    )


def extra_materialization(
    asset: EngineAsset, partition: str | None, metadata: Mapping[str, Any], tags: Mapping[str, str]
) -> dg.AssetMaterialization:
    """Something that the engine built though nobody selected it, reported as what it is."""
    return dg.AssetMaterialization(
        asset_key=asset.asset_key,
        partition=partition,
        description="Built by an engine run that could not be limited to the selection.",
        metadata={OUTCOME: Status.MATERIALIZED.value, SELECTED: False, **metadata},
        tags=dict(tags),
    )


def source_synced(key: dg.AssetKey, synced_at: str) -> dg.AssetMaterialization:
    """A source table that its own loader wrote again: conditions look at materializations of what nobody observes."""
    return dg.AssetMaterialization(
        asset_key=key,
        metadata={"rocky/last_sync_at": synced_at},
        tags={_dagster.DATA_VERSION_TAG: synced_at},
    )


def done_output(context: dg.OpExecutionContext, key: dg.AssetKey) -> dg.Output[Any]:
    """Lets steps downstream of an asset run whose materializations are told already, one by one."""
    return _dagster.output_without_materialization(context, key)


def built_earlier(key: dg.AssetKey, partition: str | None, by: BuiltBy) -> dg.AssetObservation:
    """What an earlier run or attempt built and this one did not ask for again."""
    return dg.AssetObservation(
        asset_key=key,
        partition=partition,
        description=f"Built earlier, by run {by.run_id}: not built again.",
        metadata={OUTCOME: Status.UNCHANGED.value, BUILT_BY_RUN: by.run_id, RUN_ID: by.engine_run_id or ""},
    )


def completion(unit: Unit, metadata: Mapping[str, Any]) -> dg.AssetObservation:
    """What only the end of the run knew of an asset whose materialization was told while it ran."""
    return dg.AssetObservation(
        asset_key=unit.asset.asset_key, partition=unit.partition, metadata={COMPLETES: True, **metadata}
    )


def left_out(unit: Unit, status: Status, reason: str) -> dg.AssetObservation:
    """A selected table that the project switched off, or that its source does not have."""
    return dg.AssetObservation(
        asset_key=unit.asset.asset_key,
        partition=unit.partition,
        description=reason[:1].upper() + reason[1:] + ".",
        metadata={OUTCOME: status.value, REASON: reason},
    )


def not_in_partition(key: dg.AssetKey, partition: str) -> dg.AssetObservation:
    """A selected asset that the source behind a partition does not have."""
    return dg.AssetObservation(
        asset_key=key,
        partition=partition,
        description=f"The source of partition {partition} does not have this table; there was nothing to build.",
        metadata={OUTCOME: Status.ABSENT.value},
    )


def outside_failure(key: dg.AssetKey, texts: Sequence[str]) -> dg.AssetObservation:
    """The engine failed at something that nobody selected, beside what it built."""
    return dg.AssetObservation(
        asset_key=key,
        description="The engine run that built this failed at something that was not selected.",
        metadata={"rocky/errors_outside_selection": [text[:2_000] for text in texts[:20]]},
    )


def check_result(asset: EngineAsset, declared: CheckDeclaration, event: Checked) -> dg.AssetCheckResult:
    """The result of a declared check, with the project's severity unless the component overrides it.

    One that could not be evaluated keeps its severity and blocks like a failed one.
    """
    return dg.AssetCheckResult(
        asset_key=asset.asset_key,
        check_name=declared.name,
        passed=event.passed,
        severity=dg.AssetCheckSeverity[declared.severity] if declared.severity else severity_of(event),
        metadata=checked_metadata(event),
        description=None if was_evaluated(event) else NOT_EVALUATED,
    )


def check_evaluation(
    result: dg.AssetCheckResult, key: dg.AssetCheckKey, *, blocking: bool, partition: str | None, target: Any
) -> dg.AssetCheckEvaluation:
    """What Dagster makes of a check's result, without its output; `target` is the materialization that it is about."""
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.passed,
        metadata=result.metadata,
        target_materialization_data=target,
        severity=result.severity,
        description=result.description,
        blocking=blocking,
        partition=partition,
    )


def check_output(name: str) -> dg.Output[Any]:
    """Lets the steps run that wait for a check."""
    return dg.Output(None, output_name=name)


def check_without_result(asset: EngineAsset, declared: CheckDeclaration) -> dg.AssetCheckResult:
    """A blocking check of a built asset for which the engine gave no result: it blocks like a failed one."""
    return dg.AssetCheckResult(
        asset_key=asset.asset_key,
        check_name=declared.name,
        passed=False,
        severity=dg.AssetCheckSeverity[declared.severity or declared.configured_severity],
        metadata={"rocky/check": declared.engine_name, EVALUATED: False},
        description=NO_RESULT,
    )


def merged_check_result(results: Sequence[tuple[str | None, dg.AssetCheckResult]]) -> dg.AssetCheckResult:
    """One result of several for the same check, one per partition: passed when all of them are."""
    if len(results) == 1:
        return results[0][1]
    failed = [result for _, result in results if not result.passed]
    worst = next(
        (r for r in failed if r.severity == dg.AssetCheckSeverity.ERROR), (failed or [results[0][1]])[0]
    )
    return dg.AssetCheckResult(
        asset_key=worst.asset_key,
        check_name=worst.check_name,
        passed=not failed,
        severity=worst.severity,
        metadata={
            **worst.metadata,
            "rocky/partitions_failed": [p or "" for p, result in results if not result.passed],
            "rocky/partitions_checked": len(results),
        },
        description=worst.description,
    )


def contract_result(
    asset_key: dg.AssetKey, check: CheckDeclaration, broken: Sequence["results.Diagnostic"]
) -> dg.AssetCheckResult:
    """A contract's check from what `compile` says against it; a mere warning fails it with severity WARN."""
    is_error = any(finding.severity == "Error" for finding in broken)
    severity = dg.AssetCheckSeverity.ERROR if is_error or not broken else dg.AssetCheckSeverity.WARN
    if check.severity:
        severity = dg.AssetCheckSeverity[check.severity]
    return dg.AssetCheckResult(
        asset_key=asset_key,
        check_name=check.name,
        passed=not broken,
        severity=severity,
        metadata={
            "rocky/check": check.engine_name,
            "rocky/diagnostics": [f"[{finding.code}] {finding.message}" for finding in broken],
        },
        description="; ".join(finding.suggestion for finding in broken if finding.suggestion) or None,
    )


def beside_result(
    key: dg.AssetKey,
    check: CheckDeclaration,
    *,
    passed: bool,
    severity: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    not_evaluated: str | None = None,
    description: str | None = None,
) -> dg.AssetCheckResult:
    """A check that the engine evaluated, or could not, with a command of its own beside its runs.

    Args:
        key: The asset's.
        check: The check.
        passed: Whether it held; never, where it was not evaluated.
        severity: What the engine gives a failure of it; the project's where the engine says nothing.
        metadata: What the engine told of it.
        not_evaluated: Why it could not be evaluated, if so.
        description: What was found, in words.
    """
    told = (
        check.configured_severity if severity is None else "WARN" if severity.startswith("warn") else "ERROR"
    )
    facts: dict[str, Any] = {"rocky/check": check.engine_name, **(metadata or {})}
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check.name,
        passed=passed and not_evaluated is None,
        severity=dg.AssetCheckSeverity[check.severity or told],
        metadata={**facts, EVALUATED: False, REASON: not_evaluated} if not_evaluated is not None else facts,
        description=f"Not evaluated: {not_evaluated}" if not_evaluated is not None else description,
    )


def remark(key: dg.AssetKey, metadata: Mapping[str, Any]) -> dg.AssetObservation:
    """What the engine says of an asset beside what it built: its history, its advice."""
    return dg.AssetObservation(asset_key=key, description="What the engine remarks on it.", metadata=metadata)


def undeclared_check(asset: EngineAsset, event: Checked) -> dg.AssetObservation:
    """A result for a check that the graph does not declare: told, and never a crash."""
    return dg.AssetObservation(
        asset_key=asset.asset_key,
        description=f"The engine evaluated {event.check!r}, which the graph does not declare: refresh the state.",
        metadata={"rocky/check_passed": event.passed, **checked_metadata(event)},
    )


def checks_not_evaluated(key: dg.AssetKey, names: Iterable[str], why: str) -> dg.AssetObservation:
    """Declared checks that have neither passed nor failed, and why."""
    return dg.AssetObservation(
        asset_key=key,
        description=why,
        metadata={EVALUATED: False, "rocky/checks_not_evaluated": sorted(names)},
    )


def drift(asset: EngineAsset, event: Drifted) -> Iterator[dg.AssetObservation]:
    """A changed source table and what the engine did about it: each column by itself, before and after."""
    told = {"rocky/drift_action": event.action, "rocky/drift_reason": event.reason}
    changes: Sequence[ColumnChange | None] = column_changes(event.reason) or [None]
    for change in changes:
        facts = {
            "rocky/drift_column": change.column if change else None,
            "rocky/type_before": change.before if change else None,
            "rocky/type_after": change.after if change else None,
        }
        yield dg.AssetObservation(
            asset_key=asset.asset_key,
            description=f"The source changed: {change or event.reason}",
            metadata={**told, **{key: value for key, value in facts.items() if value is not None}},
        )


def deviation(asset: EngineAsset, event: Deviated) -> dg.AssetObservation:
    """A row count far from its history."""
    names = {
        "current_count": "rocky/anomaly_row_count",
        "baseline_avg": "rocky/anomaly_baseline",
        "deviation_pct": "rocky/anomaly_deviation_percent",
    }
    return dg.AssetObservation(
        asset_key=asset.asset_key,
        description=f"Unusual row count: {event.reason}",
        metadata={"rocky/anomaly": event.reason, **_under(names, event.facts)},
    )


def quarantine(asset: EngineAsset, event: Quarantined) -> dg.AssetObservation:
    """Rows that a quality pipeline set apart, or why it could not."""
    names = {
        "mode": "rocky/quarantine_mode",
        "quarantine_table": "rocky/quarantine_table",
        "quarantined_rows": "rocky/quarantined_rows",
        "valid_table": "rocky/valid_table",
        "valid_rows": "rocky/valid_rows",
    }
    metadata = _under(names, event.facts)
    if event.ok:
        text = f"{event.facts.get('quarantined_rows') or 0} rows were quarantined."
    else:
        text = f"The rows could not be quarantined: {event.error or 'the engine gives no reason'}"
        metadata |= {OUTCOME: Status.FAILED.value, REASON: event.error}
    return dg.AssetObservation(asset_key=asset.asset_key, description=text, metadata=metadata)


def _under(names: Mapping[str, str], facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: facts[name] for name, key in names.items() if facts.get(name) is not None}


def whole_run(
    key: dg.AssetKey, built: Sequence[str], run_id: str | None, duration_ms: int | None
) -> dg.MaterializeResult[Any]:
    """An asset of the user's own that stands for everything that a run built."""
    metadata: dict[str, Any] = {"rocky/built": list(built), "rocky/tables": len(built)}
    if run_id:
        metadata[RUN_ID] = run_id
    if duration_ms is not None:
        metadata[DURATION] = duration_ms / 1000
    return dg.MaterializeResult(asset_key=key, metadata=metadata)


def runtime_materialization(event: Built) -> dg.AssetMaterialization:
    """Something that the engine built and the step does not declare, under the engine's own key."""
    return dg.AssetMaterialization(
        asset_key=dg.AssetKey(event.name.split("/")),
        partition=event.partition,
        metadata={OUTCOME: Status.MATERIALIZED.value, **built_metadata(event)},
    )


def runtime_check(event: Checked, name: str) -> dg.AssetCheckEvaluation:
    """A check that the engine evaluated and the step does not declare, under the engine's own key."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(event.name.split("/")),
        check_name=name,
        passed=event.passed,
        severity=severity_of(event),
        metadata={
            key: value
            if isinstance(value, dg.MetadataValue)
            else dg.MetadataValue.json(value)
            if isinstance(value, dict | list)
            else _plain(value)
            for key, value in checked_metadata(event).items()
        },
    )


def _plain(value: Any) -> dg.MetadataValue[Any]:
    if isinstance(value, bool):
        return dg.MetadataValue.bool(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    return dg.MetadataValue.float(value) if isinstance(value, float) else dg.MetadataValue.text(str(value))
