"""`rocky ci`: compile, and test when that went well."""

from typing import Any

from rocky_local.args import Arguments
from rocky_local.commands.test import build_all
from rocky_local.output import Answer, head
from rocky_local.project.compiler import compile_project
from rocky_local.tracing import Log

_LOG = Log("rocky_engine::ci")


def run(args: Arguments) -> Answer:
    """Give both outcomes in one."""
    _LOG.info("running CI pipeline")
    _LOG.info("step 1: compile")
    variables = args.variables()
    # The configuration is not looked at, so that no tag counts as masked.
    compiled = compile_project(
        args.models, contracts_dir=args.get("contracts"), variables=variables, masked=()
    )
    failures = [{"name": finding.model, "error": finding.message} for finding in compiled.errors]
    compiles, passed = not failures, 0
    if compiles:
        counts, failures, _ = build_all(compiled, variables)
        passed = counts["passed"]
    # The engine counts outcomes here: findings that are errors, when there are any, and else models.
    code, count = int(bool(failures)), passed + len(failures)
    outcome = {"compile_ok": compiles, "tests_ok": not failures}
    told = {"models": count, "passed": passed, "failed": len(failures), "exit_code": code}
    _LOG.info("CI pipeline complete", **outcome, **told)
    result: dict[str, Any] = {
        **head("ci"),
        **outcome,
        "models_compiled": count,
        "tests_passed": passed,
        "tests_failed": len(failures),
        "exit_code": code,
        "diagnostics": [finding._asdict() for finding in compiled.diagnostics],
        "failures": failures,
    }
    return Answer(result, code=code)
