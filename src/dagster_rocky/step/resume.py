"""Which engine run does a step go on with, and what does the engine say of it?"""

from functools import cached_property

import dagster as dg

from dagster_rocky.engine.commands import EngineCommands
from dagster_rocky.planning.plan import Unit
from dagster_rocky.planning.resume import resumed
from dagster_rocky.planning.selection import StepPlan, StepSelection
from dagster_rocky.step.metadata import RUN_ID


def go_on(
    context: dg.OpExecutionContext, resource: EngineCommands, plan: StepPlan, selection: StepSelection
) -> StepPlan:
    """The plan of a step, going on with engine runs of earlier tries where the options allow it and it is cheaper.

    Args:
        context: The step's.
        resource: The engine and its project; its history is asked at most once.
        plan: The step's.
        selection: What it selected, with what earlier tries built.
    """
    earlier = _Earlier(context, resource)
    cheaper = resumed(plan, selection, earlier.is_known, earlier.built)
    for run in cheaper.runs:
        if run.request.resume is not None:
            context.log.info(
                f"rocky: goes on with engine run {run.request.resume}, which copied all but {len(run.units)} of its "
                "tables; what it copied is not copied again"
            )
    return cheaper


class _Earlier:
    """What the engine and the event log know of earlier engine runs."""

    def __init__(self, context: dg.OpExecutionContext, resource: EngineCommands) -> None:
        self._context, self._resource = context, resource

    @cached_property
    def _known(self) -> frozenset[str]:
        try:
            return frozenset(run.run_id for run in self._resource.history().runs)
        except dg.Failure as failure:
            why = (failure.description or "").split("\n", 1)[0]
            self._context.log.warning(
                f"rocky: nothing is resumed, because the history cannot be asked: {why}"
            )
            return frozenset()

    def is_known(self, engine_run: str) -> bool:
        """Whether the engine recorded a run; one that was killed is not recorded (contract, section 10)."""
        return engine_run in self._known

    def built(self, unit: Unit, engine_run: str) -> bool:
        """Whether an engine run built what is to be built again, as where a blocking check found it wrong."""
        event = self._context.instance.get_latest_materialization_event(unit.asset.asset_key)
        made = event.asset_materialization if event else None
        return made is not None and RUN_ID in made.metadata and made.metadata[RUN_ID].value == engine_run
