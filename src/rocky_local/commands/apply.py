"""`rocky apply`: run a plan that was kept (contract, 4)."""

import json
import uuid
from typing import Any

from rocky_local.args import Arguments
from rocky_local.commands.plan import PLANS
from rocky_local.errors import EngineError
from rocky_local.execution import runner
from rocky_local.execution.options import RunOptions
from rocky_local.messages import open_messages
from rocky_local.output import Answer
from rocky_local.project.compiler import compile_project, models_below
from rocky_local.project.config import load_config


def run(args: Arguments) -> Answer:
    """Run a plan with the flags that it was made with."""
    plan_id = args.positionals[0]
    plan = _read(plan_id)
    options: dict[str, Any] = plan["options"]
    pipeline = load_config(args.config).select(options.get("pipeline"))
    models = str(options.get("models", "models"))
    if plan["plan_kind"] == "run" and models_below(models):
        compile_project(models, variables=plan["variables"])
    if "model" in options:
        open_messages().log("rocky run starting")
        reason = f"pipeline '{pipeline.name}' is {pipeline.type}, not transformation (required for --model)"
        raise EngineError(f"rocky apply run plan '{plan_id}' failed", reason)
    repeated = {"var": [f"{name}={value}" for name, value in plan["variables"].items()]}
    planned = RunOptions.from_args(Arguments("run", {**options, **args.values}, repeated, []))
    return runner.run(planned._replace(run_id=f"run-apply-{uuid.uuid4()}"))


def _read(plan_id: str) -> dict[str, Any]:
    failed = f"failed to read plan '{plan_id}'"
    try:
        plan: dict[str, Any] = json.loads((PLANS / f"{plan_id}.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(failed, f"{error.strerror} (os error {error.errno})") from error
    except json.JSONDecodeError as error:
        raise EngineError(failed, str(error)) from error
    if missing := {"options", "variables", "plan_kind"} - plan.keys():
        raise EngineError(failed, f"missing field `{min(missing)}`")
    return plan
