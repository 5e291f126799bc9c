"""`rocky ci`: compile, and when that goes well, test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rocky_local import output, tracing
from rocky_local.compiler import Diagnostic, compile_project
from rocky_local.testing import run_models

if TYPE_CHECKING:
    from rocky_local.args import Arguments
    from rocky_local.models import Project

_TARGET = "rocky_engine::ci"
_PASSED_WITH_WARNINGS = 4


def run(args: Arguments) -> int:
    """Print what was found; 1 when something is wrong, 4 when there are only warnings."""
    variables = args.variables()
    tracing.info(_TARGET, "running CI pipeline")
    tracing.info(_TARGET, "step 1: compile")
    compiled = compile_project(
        args.get("models") or "models", contracts_dir=args.get("contracts"), variables=variables
    )
    findings = compiled.diagnostics + unmasked(compiled.project)
    failures = [{"name": entry.model, "error": entry.message} for entry in compiled.errors]
    # A project that does not compile counts its findings instead of its models.
    counted, passed = len(failures), 0
    if not compiled.errors:
        tests = run_models(compiled, variables)
        failures, counted, passed = tests.failures, len(tests.results), tests.passed
    warned = any(entry.severity == "Warning" for entry in findings)
    code = 1 if failures else _PASSED_WITH_WARNINGS if warned else 0
    tracing.info(
        _TARGET,
        "CI pipeline complete",
        compile_ok=not compiled.errors,
        tests_ok=not failures,
        models=counted,
        passed=passed,
        failed=len(failures),
        exit_code=code,
    )
    result = {
        **output.head("ci"),
        "compile_ok": not compiled.errors,
        "tests_ok": not failures,
        "models_compiled": counted,
        "tests_passed": passed,
        "tests_failed": len(failures),
        "exit_code": code,
        "diagnostics": [entry.as_json() for entry in findings],
        "failures": failures,
    }
    if args.json:
        output.print_json(result)
    else:
        rows = [f"  ✗ {failure['name']}: {failure['error']}" for failure in failures]
        output.print_text("\n".join([*rows, f"  {passed} passed, {len(failures)} failed"]))
    return code


def unmasked(project: Project) -> list[Diagnostic]:
    """Return a warning for every classified column: here the engine does not look at `[mask]`."""
    return [
        Diagnostic(
            "Warning",
            "W004",
            f"classification tag '{tag}' on column '{column}' has no matching `[mask]` strategy",
            model.name,
            None,
            f"add `[mask.{tag}]` to rocky.toml or list `{tag}` in `[classifications.allow_unmasked]`",
        )
        for model in project.models
        for column, tag in sorted(model.classification.items())
    ]
