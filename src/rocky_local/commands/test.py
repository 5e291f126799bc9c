"""`rocky test`: build the models in memory, run their unit tests, or ask the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rocky_local import output
from rocky_local.compiler import compile_project
from rocky_local.config import load_config
from rocky_local.declarative import run_declarative
from rocky_local.errors import EngineError
from rocky_local.testing import run_models, run_unit_tests

if TYPE_CHECKING:
    from rocky_local.args import Arguments


def run(args: Arguments) -> int:
    """Test and print; fails when a test does."""
    result = _declarative(args) if args.has("declarative") else _local(args)
    failed = result["failed"] or result.get("unit_tests", {}).get("failed", 0)
    failed = failed or result.get("declarative", {}).get("errored", 0)
    if args.json:
        output.print_json(result)
    else:
        output.print_text(_human(result))
    if failed:
        raise EngineError("test failures detected")
    return 0


def _local(args: Arguments) -> dict[str, Any]:
    only, variables = args.get("model"), args.variables()
    compiled = compile_project(
        args.get("models") or "models", contracts_dir=args.get("contracts"), variables=variables
    )
    if only is not None and only not in compiled.project.by_name():
        raise EngineError(f"model '{only}' not found")
    found = run_models(compiled, variables, only)
    compiled.log()
    units = run_unit_tests(compiled, variables, only)
    result = {
        **output.head("test"),
        "total": len(found.results),
        "passed": found.passed,
        "failed": len(found.failures),
        "failures": found.failures,
        "model_results": found.results,
    }
    return result | ({"unit_tests": units} if units else {})


def _declarative(args: Arguments) -> dict[str, Any]:
    from rocky_local.adapter import DuckDBAdapter  # noqa: PLC0415

    config = load_config(args.config)
    candidates = [entry for entry in config.pipelines.values() if entry.type == "transformation"]
    pipeline = (
        config.select(args.get("pipeline")) if args.has("pipeline") or not candidates else candidates[0]
    )
    compiled = compile_project(args.get("models") or "models", variables=args.variables())
    only = args.get("model")
    models = [model for model in compiled.order if only in (None, model.name)]
    adapter = DuckDBAdapter(config.duckdb_path(pipeline.adapter), pipeline.adapter)
    try:
        found = run_declarative(adapter, models)
    finally:
        adapter.close()
    return {
        **output.head("test"),
        "total": found["total"],
        "passed": found["passed"],
        "failed": found["failed"],
        "failures": [
            {"name": f"{entry['model']}::{entry['test_type']}", "error": entry["detail"]}
            for entry in found["results"]
            if entry["status"] == "fail" and entry["severity"] == "error"
        ],
        "declarative": found,
    }


def _human(result: dict[str, Any]) -> str:
    lines = [f"  ✗ {entry['name']}: {entry['error']}" for entry in result["failures"]]
    return "\n".join([*lines, f"  {result['passed']} passed, {result['failed']} failed"])
