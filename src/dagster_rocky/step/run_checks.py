"""Which declared checks does a run's JSON answer without naming them? Unusual row counts, and the run's budget."""

from collections.abc import Iterable, Iterator

from dagster_rocky.engine.news.events import Breached, Built, Checked, Deviated, EngineEvent
from dagster_rocky.planning.plan import Unit
from dagster_rocky.project.configured_checks import ANOMALY, BUDGET
from dagster_rocky.step.names import EngineNames
from dagster_rocky.vocabulary import EngineKey


def with_run_checks(found: Iterable[EngineEvent], names: EngineNames) -> Iterator[EngineEvent]:
    """What a run's JSON tells, with a result for each declared check of anomalies and of the budget.

    The engine tells only the tables that stand out; it has looked at every table whose rows it counted. A budget is
    the run's: everything that the run built has kept it, or not.

    Args:
        found: What the JSON of one run tells.
        names: Of that run.

    Yields:
        The same; what stands out in a table with a declared check is its result instead.
    """
    events = list(found)
    unusual: dict[EngineKey, Deviated] = {}
    for event in events:
        unit = _declaring(ANOMALY, event.table, names) if isinstance(event, Deviated) else None
        if isinstance(event, Deviated) and unit is not None:
            unusual[unit.asset.engine_key] = event
        else:
            yield event
    breaches = [event for event in events if isinstance(event, Breached)]
    for event in events:
        if isinstance(event, Checked) and event.check == "row_count":
            unit = _declaring(ANOMALY, event.name, names)
            if unit is not None:
                yield _anomaly(event, unusual.pop(unit.asset.engine_key, None))
        elif isinstance(event, Built):
            unit = _declaring(BUDGET, event.name, names)
            if unit is not None:
                yield _budget(event, unit, breaches)
    for left in unusual.values():
        yield Checked(
            source="result",
            name=left.table,
            check=ANOMALY,
            passed=False,
            severity="warning",
            detail=_detail(left),
        )


def _declaring(check: str, name: str, names: EngineNames) -> Unit | None:
    """The selected unit of that name, if its asset declares the check."""
    unit = names.any_unit(name)
    declared = unit is not None and any(one.engine_name == check for one in unit.asset.checks)
    return unit if declared else None


def _anomaly(counted: Checked, found: Deviated | None) -> Checked:
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


def _budget(built: Built, unit: Unit, breaches: list[Breached]) -> Checked:
    declared = next(one for one in unit.asset.checks if one.engine_name == BUDGET)
    return Checked(
        source="result",
        name=built.name,
        check=BUDGET,
        passed=not breaches,
        severity="warning" if declared.configured_severity == "WARN" else "error",
        detail={"breaches": [str(breach) for breach in breaches]} if breaches else {},
    )
