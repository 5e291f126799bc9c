"""Which tables' row counts stand out, and which do not? What the engine notices, as a check where one is declared."""

from collections.abc import Iterable, Iterator

from dagster_rocky.engine.news.events import Checked, Deviated, EngineEvent
from dagster_rocky.project.configured_checks import ANOMALY
from dagster_rocky.step.names import EngineNames


def with_anomaly_checks(found: Iterable[EngineEvent], names: EngineNames) -> Iterator[EngineEvent]:
    """What a run's JSON tells, with a result for each declared anomaly check.

    The engine tells only the tables that stand out; it has looked at every table whose rows it counted.

    Args:
        found: What the JSON of one run tells.
        names: Of that run.

    Yields:
        The same; what stands out in a table with a declared check is its result instead.
    """
    events = list(found)
    unusual: dict[tuple[str, ...], Deviated] = {}
    for event in events:
        key = _declares(event.table, names) if isinstance(event, Deviated) else None
        if isinstance(event, Deviated) and key is not None:
            unusual[key] = event
        else:
            yield event
    for event in events:
        if isinstance(event, Checked) and event.check == "row_count":
            key = _declares(event.name, names)
            if key is not None:
                yield _result(event, unusual.pop(key, None))
    for left in unusual.values():
        yield Checked(
            source="result",
            name=left.table,
            check=ANOMALY,
            passed=False,
            severity="warning",
            detail=_detail(left),
        )


def _declares(name: str, names: EngineNames) -> tuple[str, ...] | None:
    """The engine's key of a selected asset that declares the check."""
    unit = names.any_unit(name)
    if unit is None or not any(check.engine_name == ANOMALY for check in unit.asset.checks):
        return None
    return unit.asset.engine_key


def _result(counted: Checked, found: Deviated | None) -> Checked:
    return Checked(
        source="result",
        name=counted.name,
        check=ANOMALY,
        passed=found is None,
        severity="warning",
        detail=_detail(found) if found else {"current_count": counted.detail.get("target_count")},
    )


def _detail(found: Deviated) -> dict[str, object]:
    return {"reason": found.reason, **found.facts}
