"""Which plan of the engine is applied instead of a run, and what did it announce?"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dagster_rocky.engine.commands import EngineCommands
from dagster_rocky.planning.plan import PlannedRun
from dagster_rocky.step.metadata import PLAN_ID, PLAN_STATEMENTS
from dagster_rocky.vocabulary import EngineAsset


def planned_ahead(run: PlannedRun, resource: EngineCommands) -> PlannedRun:
    """The run as the application of a plan that the engine makes now, where the options ask for one.

    The engine plans replications only (contract, section 4); every other run stays as it is.

    Args:
        run: What is about to run.
        resource: The engine and its project.

    Raises:
        RockyFailure: When the engine cannot plan.
    """
    if not run.request.options.plan or run.kind != "table":
        return run
    plan = resource.make_plan(run.request)
    statements: dict[str, list[str]] = defaultdict(list)
    for statement in plan.statements:
        statements[statement.target].append(f"-- {statement.purpose}\n{statement.sql}")
    request = replace(run.request, command="apply", plan_id=plan.plan_id)
    return replace(run, request=request, statements=statements)


def plan_metadata(run: PlannedRun, asset: EngineAsset) -> Mapping[str, Any]:
    """What a materialization says of the plan that built it; nothing without a plan.

    Args:
        run: The engine run.
        asset: What it built. A plan names it without its catalog.
    """
    if run.request.plan_id is None:
        return {}
    names = {asset.target or "", (asset.target or "").partition(".")[2]}
    announced = [text for name in sorted(names) for text in run.statements.get(name, ())]
    return {PLAN_ID: run.request.plan_id, PLAN_STATEMENTS: announced}
