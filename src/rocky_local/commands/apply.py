"""`rocky apply`: run a plan that was kept."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rocky_local.args import Arguments
from rocky_local.commands.plan import PLANS
from rocky_local.commands.run import report
from rocky_local.compiler import compile_project, models_below
from rocky_local.config import load_config
from rocky_local.errors import EngineError
from rocky_local.messages import open_messages
from rocky_local.options import RunOptions
from rocky_local.runner import run as run_once

if TYPE_CHECKING:
    from collections.abc import Mapping


def run(args: Arguments) -> int:
    """Run the plan with the flags that it was made with and print the result of the run."""
    if not args.positionals:
        raise EngineError("name the plan: rocky apply <PLAN_ID>")
    plan_id = args.positionals[0]
    plan = _read(plan_id)
    options: Mapping[str, Any] = plan["options"]
    pipeline = load_config(args.config).select(options.get("pipeline"))
    models = str(options.get("models", "models"))
    if plan["plan_kind"] == "run" and models_below(models):
        compile_project(models, variables=plan["variables"])
    if "model" in options:
        open_messages().log("rocky run starting")
        raise EngineError(
            f"rocky apply run plan '{plan_id}' failed",
            f"pipeline '{pipeline.name}' is {pipeline.type}, not transformation (required for --model)",
        )
    values = {**options, **args.values}
    repeated = {"var": [f"{name}={value}" for name, value in plan["variables"].items()]}
    run_options = RunOptions.from_args(Arguments("run", values, repeated))
    finished = run_once(_with_id(run_options))
    return report(finished, as_json=args.json)


def _with_id(options: RunOptions) -> RunOptions:
    return replace(options, run_id=f"run-apply-{uuid.uuid4()}")


def _read(plan_id: str) -> dict[str, Any]:
    path = Path(PLANS, f"{plan_id}.json")
    try:
        plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = f"{error.strerror} (os error {error.errno})"
        raise EngineError(f"failed to read plan '{plan_id}' from {path}", reason) from error
    except json.JSONDecodeError as error:
        raise EngineError(f"failed to read plan '{plan_id}' from {path}", str(error)) from error
    return plan
