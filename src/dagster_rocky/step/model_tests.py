"""What do the tests of models say? One `test` of the engine for all models of a step, and one for unit tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from dagster_rocky.engine.errors import RockyFailure
from dagster_rocky.project.model_tests import declarative_name, unit_test_name
from dagster_rocky.step import events
from dagster_rocky.step.asked import Asked, BesideCheck
from dagster_rocky.step.events import StepEvent

if TYPE_CHECKING:
    from dagster_rocky.results import DeclarativeTest, TestResult, UnitTest

_NO_RESULT = "the engine gave no result for this test: refresh the state if the project's tests have changed."
_SHADOW = "the step built shadow tables, and the engine tests the real ones."
_EVALUATED = frozenset({"pass", "fail", "warn"})

Results = Mapping[tuple[str, str], Sequence[Any]]


def ask_declarative_tests(asked: Asked) -> Iterator[StepEvent]:
    """The `[[tests]]` and `[[use_test]]` of models, on the warehouse as it is now.

    A test looks at the whole table, whatever partitions were built: its result has no partition, and its metadata
    names those that were built before it.

    Args:
        asked: The tests.

    Yields:
        A result for each.
    """
    if asked.options.shadow_suffix and asked.built:
        for check in asked.checks:
            yield events.beside_result(check.asset_key, check.declared, passed=False, not_evaluated=_SHADOW)
        return
    partitions = _partitions(asked)
    for folder, checks in _by_project_part(asked, by_pipeline=True):
        results = _ask(asked, checks, folder, declarative=True)
        for check in checks:
            yield _declarative_result(check, results, partitions if check.asset_key in asked.built else {})


def ask_unit_tests(asked: Asked) -> Iterator[StepEvent]:
    """The `[[test]]` of models, in memory.

    Args:
        asked: The tests.

    Yields:
        A result for each.
    """
    for folder, checks in _by_project_part(asked, by_pipeline=False):
        results = _ask(asked, checks, folder, declarative=False)
        for check in checks:
            yield _unit_result(check, results)


def _by_project_part(
    asked: Asked, *, by_pipeline: bool
) -> Iterator[tuple[str | None, Sequence[BesideCheck]]]:
    """What one process can be asked for: the models of one folder, and on the warehouse of one pipeline."""
    folders = asked.resource.folders_of({check.asset.path or "" for check in asked.checks})
    parts: dict[tuple[str | None, str | None], list[BesideCheck]] = defaultdict(list)
    for check in asked.checks:
        parts[folders[check.asset.path or ""], check.asset.pipeline if by_pipeline else None].append(check)
    for (folder, _), checks in parts.items():
        yield folder, checks


def _ask(
    asked: Asked, checks: Sequence[BesideCheck], folder: str | None, *, declarative: bool
) -> Results | dg.Failure:
    """The results by model and test, each list in the project's order; or why there are none."""
    first = checks[0].asset
    models = {check.asset.name for check in checks}
    place = "on the warehouse" if declarative else "in memory"
    asked.context.log.info(f"rocky: {len(checks)} test(s) of {len(models)} model(s) {place}")
    try:
        result = asked.resource.test(
            declarative=declarative,
            pipeline=first.pipeline if declarative else None,
            model=first.name if len(models) == 1 else None,
            vars=asked.options.vars,
            models_dir=folder,
        )
    except dg.Failure as failure:
        told = _unknown_to_the_engine(asked, failure, declarative=declarative)
        asked.failures.append(told)
        asked.context.log.error(f"rocky: the models' tests were not evaluated: {told.description}")
        return told
    return _declarative_results(result) if declarative else _unit_results(result)


def _unknown_to_the_engine(asked: Asked, failure: dg.Failure, *, declarative: bool) -> dg.Failure:
    """Says it by name when the engine has no such command."""
    if not (isinstance(failure, RockyFailure) and failure.kind == "usage"):
        return failure
    command = "test --declarative" if declarative else "test"
    pattern = "test:*" if declarative else "unit_test:*"
    told = (failure.description or "").split("\n", 1)[0]
    return dg.Failure(
        description=(
            f"The engine {asked.resource.engine().binary} does not take `rocky {command}`, which evaluates these "
            f"checks: {told}. Use rocky 1.71 or later, or leave them out with "
            f'`checks: {{overrides: {{"{pattern}": {{enabled: false}}}}}}`.'
        ),
        metadata=failure.metadata,
        allow_retries=False,
    )


def _declarative_results(result: TestResult) -> Results:
    found: dict[tuple[str, str], list[DeclarativeTest]] = defaultdict(list)
    for test in result.declarative.results if result.declarative else []:
        found[test.model, declarative_name(test.test_type, test.column)].append(test)
    return found


def _unit_results(result: TestResult) -> Results:
    found: dict[tuple[str, str], list[UnitTest]] = defaultdict(list)
    for test in result.unit_tests.results if result.unit_tests else []:
        found[test.model, unit_test_name(test.test)].append(test)
    return found


def _told(check: BesideCheck, results: Results | dg.Failure) -> Any | str:
    """The engine's result of a check, or why there is none."""
    if isinstance(results, dg.Failure):
        return (results.description or "the engine could not be asked").split("\n", 1)[0]
    found = results.get((check.asset.name, check.declared.engine_name), [])
    return found[check.declared.occurrence] if check.declared.occurrence < len(found) else _NO_RESULT


def _declarative_result(
    check: BesideCheck, results: Results | dg.Failure, partitions: Mapping[str, Any]
) -> dg.AssetCheckResult:
    told = _told(check, results)
    if isinstance(told, str):
        return events.beside_result(check.asset_key, check.declared, passed=False, not_evaluated=told)
    named = {
        "test_type": told.test_type,
        "column": told.column,
        "table": told.table,
        "status": told.status,
        "severity": told.severity,
        "detail": told.detail,
        "sql": told.sql,
    }
    errored = told.status not in _EVALUATED
    return events.beside_result(
        check.asset_key,
        check.declared,
        passed=told.passed,
        severity=told.severity,
        metadata={**{f"rocky/{name}": value for name, value in named.items() if value}, **partitions},
        not_evaluated=(told.detail or f"the engine says {told.status!r}") if errored else None,
        description=told.detail,
    )


def _unit_result(check: BesideCheck, results: Results | dg.Failure) -> dg.AssetCheckResult:
    told = _told(check, results)
    if isinstance(told, str):
        return events.beside_result(check.asset_key, check.declared, passed=False, not_evaluated=told)
    count = len(told.mismatches)
    return events.beside_result(
        check.asset_key,
        check.declared,
        passed=told.passed,
        metadata={"rocky/mismatches": list(told.mismatches)} if count else {},
        not_evaluated=told.error if told.error and not count else None,
        description=None if told.passed else f"{count} row(s) differ from what is expected.",
    )


def _partitions(asked: Asked) -> dict[str, Any]:
    keys = asked.partitions
    if not keys:
        return {}
    shown = keys[0] if len(keys) == 1 else f"{keys[0]} … {keys[-1]}"
    return {"rocky/partitions_built": shown, "rocky/partitions_built_count": len(keys)}
