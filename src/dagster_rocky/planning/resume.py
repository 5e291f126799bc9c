"""Where can the engine go on with a copy that failed, cheaper than it copies what is missing anew?"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from dagster_rocky.planning.plan import PlannedRun, Unit, plan_units
from dagster_rocky.planning.selection import StepPlan, StepSelection

Knows = Callable[[str], bool]
WasBuiltBy = Callable[[Unit, str], bool]


def resumed(plan: StepPlan, selection: StepSelection, knows: Knows, was_built_by: WasBuiltBy) -> StepPlan:
    """The plan, with engine runs that go on with earlier ones where that saves runs or tables that nobody needs.

    The engine leaves out what a run that it resumes has copied (contract, section 5.4). That is only what is wanted
    where exactly one engine run copied all that is done of a request, nothing that is missing was copied by it, and the
    engine still knows it: an id that it does not know means a copy of everything. A shadow run, a plan that is applied
    and partitions are planned as ever.

    Args:
        plan: What copies the missing tables anew.
        selection: What the step selected, with what is done.
        knows: Whether the engine's history has a run; asked only where it would be resumed.
        was_built_by: Whether an engine run built a unit that has to be built again.

    Returns:
        The cheaper plan.
    """
    options = plan.requests.options
    is_possible = options.resume and not (options.shadow_suffix or options.plan or selection.partition_keys)
    if not (is_possible and selection.done):
        return plan
    runs: list[PlannedRun] = []
    pipelines: set[str | None] = set()
    for run in plan.runs:
        if run.kind != "table":
            runs.append(run)
        elif run.request.pipeline not in pipelines:
            pipelines.add(run.request.pipeline)
            anew = [
                one
                for one in plan.runs
                if one.kind == "table" and one.request.pipeline == run.request.pipeline
            ]
            runs += _cheaper(anew, plan, selection, knows, was_built_by)
    return replace(plan, runs=tuple(runs))


def _cheaper(
    anew: Sequence[PlannedRun],
    plan: StepPlan,
    selection: StepSelection,
    knows: Knows,
    was_built_by: WasBuiltBy,
) -> Sequence[PlannedRun]:
    """The runs of one pipeline: those that copy anew, or fewer that go on."""
    if len(anew) == 1 and not anew[0].extras:
        return anew
    missing = {unit for run in anew for unit in run.units}
    tables = [
        unit
        for unit in replace(selection, done={}).units()
        if unit.asset.kind == "table" and unit.asset.pipeline == anew[0].request.pipeline
    ]
    going_on: list[PlannedRun] = []
    for run in plan_units(tables, plan.universe, plan.requests):
        left = tuple(unit for unit in run.units if unit in missing)
        done = [unit for unit in run.units if unit not in missing]
        if not left:
            continue
        if not done:
            going_on.append(run)
            continue
        engine_run = _only_run(done, selection)
        if (
            engine_run is None
            or any(was_built_by(unit, engine_run) for unit in left)
            or not knows(engine_run)
        ):
            return anew
        request = plan.requests.make(
            pipeline=run.request.pipeline, filter=run.request.filter, resume=engine_run
        )
        extras = (*(unit.asset for unit in done), *run.extras)
        going_on.append(PlannedRun(request=request, units=left, extras=extras))
    return going_on if _cost(going_on) < _cost(anew) else anew


def _only_run(done: Sequence[Unit], selection: StepSelection) -> str | None:
    """The engine run that copied all of these, if it was one."""
    runs = {selection.done[unit.asset.asset_key, unit.partition].engine_run_id for unit in done}
    return runs.pop() if len(runs) == 1 else None


def _cost(runs: Sequence[PlannedRun]) -> tuple[int, int]:
    """Tables that are copied though nobody needs them, then engine runs; a resumed run leaves out what was copied."""
    return sum(len(run.extras) for run in runs if run.request.resume is None), len(runs)
