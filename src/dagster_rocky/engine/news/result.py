"""The JSON of a run as the same events that hooks and Pipes messages give."""

from collections.abc import Iterator

from dagster_rocky.engine.news.events import Built, Checked, Drifted, EngineEvent
from dagster_rocky.results import RunResult


def events_of_result(result: RunResult) -> Iterator[EngineEvent]:
    """Everything that a run built, checked and found drifted, in the order of its JSON.

    A table's row count is what its `row_count` check counted in the target, where the engine copied without counting.
    """
    counted = dict(_row_counts(result))
    for built in result.materializations:
        metadata = built.metadata.model_dump(exclude_none=True)
        if built.rows_copied is not None:
            metadata["rows_copied"] = built.rows_copied
        elif "/".join(built.asset_key) in counted and built.partition is None:
            metadata["row_count"] = counted["/".join(built.asset_key)]
        if built.cost_usd:
            metadata["cost_usd"] = built.cost_usd
        yield Built(
            source="result",
            name="/".join(built.asset_key),
            partition=built.partition.key if built.partition else None,
            duration_ms=built.duration_ms,
            run_id=result.run_id,
            metadata=metadata,
        )
    for checked in result.check_results:
        for outcome in checked.checks:
            yield Checked(
                source="result",
                name="/".join(checked.asset_key),
                check=outcome.name,
                passed=outcome.passed,
                severity=outcome.severity.lower(),
                detail=outcome.details,
            )
    for action in result.drift.actions_taken:
        yield Drifted(source="result", table=action.table, action=action.action, reason=action.reason)


def _row_counts(result: RunResult) -> Iterator[tuple[str, int]]:
    for checked in result.check_results:
        for outcome in checked.checks:
            count = outcome.details.get("target_count")
            if outcome.name == "row_count" and isinstance(count, int):
                yield "/".join(checked.asset_key), count
