"""Engine events as Dagster events; the only place that makes them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_rocky.engine.news.events import Built, Checked, Drifted
from dagster_rocky.planning.plan import Unit
from dagster_rocky.results import Anomaly, Quarantine
from dagster_rocky.step.ledger import Status
from dagster_rocky.step.metadata import (
    EVALUATED,
    OUTCOME,
    built_metadata,
    checked_metadata,
    severity_of,
    was_evaluated,
)
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset, check_name

_DATA_VERSION_TAG = "dagster/data_version"
COMPLETES = "rocky/completes_materialization"


def materialization(unit: Unit, metadata: Mapping[str, Any]) -> dg.MaterializeResult[Any]:
    """A selected asset that the engine reported as built."""
    return dg.MaterializeResult(
        asset_key=unit.asset.asset_key, metadata={OUTCOME: Status.MATERIALIZED.value, **metadata}
    )


def partition_materialization(unit: Unit, metadata: Mapping[str, Any]) -> dg.AssetMaterialization:
    """One built partition of an asset whose other selected partitions were not all built."""
    return dg.AssetMaterialization(
        asset_key=unit.asset.asset_key,
        partition=unit.partition,
        metadata={OUTCOME: Status.MATERIALIZED.value, **metadata},
    )


def extra_materialization(asset: EngineAsset, partition: str | None, event: Built) -> dg.AssetMaterialization:
    """Something that the engine built though nobody selected it, reported as what it is."""
    return dg.AssetMaterialization(
        asset_key=asset.asset_key,
        partition=partition,
        description="Built by an engine run that could not be limited to the selection.",
        metadata={OUTCOME: Status.MATERIALIZED.value, "rocky/selected": False, **built_metadata(event)},
    )


def unchanged(unit: Unit, reason: str, instance: dg.DagsterInstance) -> dg.MaterializeResult[Any]:
    """A selected asset that the engine skipped because nothing changed; it keeps its data version."""
    version = _data_version(unit.asset.asset_key, instance)
    return dg.MaterializeResult(
        asset_key=unit.asset.asset_key,
        metadata={OUTCOME: Status.UNCHANGED.value, "rocky/reason": reason},
        data_version=dg.DataVersion(version) if version else None,
    )


def _data_version(key: dg.AssetKey, instance: dg.DagsterInstance) -> str | None:
    entry = instance.get_latest_materialization_event(key)
    latest = entry.asset_materialization if entry else None
    return (latest.tags or {}).get(_DATA_VERSION_TAG) if latest else None


def completion(unit: Unit, metadata: Mapping[str, Any]) -> dg.AssetObservation:
    """What only the end of the run knew of an asset whose materialization was told while it ran."""
    return dg.AssetObservation(
        asset_key=unit.asset.asset_key, partition=unit.partition, metadata={COMPLETES: True, **metadata}
    )


def find_check(asset: EngineAsset, engine_name: str) -> CheckDeclaration | None:
    """The declared check that a result belongs to."""
    name = check_name(engine_name)
    by_engine_name = (declared for declared in asset.checks if declared.engine_name == engine_name)
    return next(by_engine_name, next((declared for declared in asset.checks if declared.name == name), None))


def check_result(asset: EngineAsset, declared: CheckDeclaration, event: Checked) -> dg.AssetCheckResult:
    """The result of a declared check, with the project's severity unless the component overrides it."""
    severity = dg.AssetCheckSeverity[declared.severity] if declared.severity else severity_of(event)
    evaluated = was_evaluated(event)
    return dg.AssetCheckResult(
        asset_key=asset.asset_key,
        check_name=declared.name,
        passed=event.passed,
        severity=severity if evaluated else dg.AssetCheckSeverity.WARN,
        metadata=checked_metadata(event),
        description=None if evaluated else "The engine could not evaluate this check: its query failed.",
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
    )


def undeclared_check(asset: EngineAsset, event: Checked) -> dg.AssetObservation:
    """A result for a check that the graph does not declare: told, and never a crash."""
    return dg.AssetObservation(
        asset_key=asset.asset_key,
        description=f"The engine evaluated {event.check!r}, which the graph does not declare: refresh the state.",
        metadata={"rocky/check_passed": event.passed, **checked_metadata(event)},
    )


def checks_not_evaluated(asset: EngineAsset, names: Iterable[str]) -> dg.AssetObservation:
    """Declared checks of a built asset for which the engine gave no result."""
    return dg.AssetObservation(
        asset_key=asset.asset_key,
        description="The engine gave no result for these checks; they have neither passed nor failed.",
        metadata={EVALUATED: False, "rocky/checks_not_evaluated": sorted(names)},
    )


def excluded(unit: Unit, reason: str) -> dg.AssetObservation:
    """A selected table that the project switched off."""
    return dg.AssetObservation(
        asset_key=unit.asset.asset_key,
        partition=unit.partition,
        description="The project switched this table off; it was not copied.",
        metadata={OUTCOME: Status.EXCLUDED.value, "rocky/reason": reason},
    )


def drift(asset: EngineAsset, event: Drifted) -> dg.AssetObservation:
    """A changed source table and what the engine did about it."""
    return dg.AssetObservation(
        asset_key=asset.asset_key,
        description=f"The source changed: {event.reason}",
        metadata={"rocky/drift_action": event.action, "rocky/drift_reason": event.reason},
    )


def anomaly(asset: EngineAsset, found: Anomaly) -> dg.AssetObservation:
    """A row count far from its history."""
    facts = {
        "rocky/anomaly_row_count": found.current_count,
        "rocky/anomaly_baseline": found.baseline_avg,
        "rocky/anomaly_deviation_percent": found.deviation_pct,
    }
    return dg.AssetObservation(
        asset_key=asset.asset_key,
        description=f"Unusual row count: {found.reason}",
        metadata={"rocky/anomaly": found.reason, **{k: v for k, v in facts.items() if v is not None}},
    )


def quarantine(asset: EngineAsset, found: Quarantine) -> dg.AssetObservation:
    """Rows that a quality pipeline set apart."""
    facts = {
        "rocky/quarantine_table": found.quarantine_table,
        "rocky/quarantined_rows": found.quarantined_rows,
        "rocky/valid_table": found.valid_table,
        "rocky/valid_rows": found.valid_rows,
    }
    return dg.AssetObservation(
        asset_key=asset.asset_key,
        description=f"{found.quarantined_rows or 0} rows were quarantined.",
        metadata={"rocky/quarantine_mode": found.mode, **{k: v for k, v in facts.items() if v is not None}},
    )
