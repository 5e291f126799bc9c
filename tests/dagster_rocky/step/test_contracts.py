"""A contract's check is made of what `compile` says against it, and of nothing else."""

import dagster as dg

from dagster_rocky.graph.declared_checks import CONTRACT_CODES
from dagster_rocky.results import Diagnostic
from dagster_rocky.step.events import contract_result
from dagster_rocky.vocabulary import CheckDeclaration


def contract(key: dg.AssetKey, check: CheckDeclaration, found: list[Diagnostic]) -> dg.AssetCheckResult:
    return contract_result(key, check, [one for one in found if one.code in CONTRACT_CODES])


def finding(code: str, severity: str) -> Diagnostic:
    return Diagnostic(code=code, severity=severity, message="m", model="x", suggestion="do this")


def test_contracts_are_kept_broken_or_merely_doubted():
    key, check = dg.AssetKey("x"), CheckDeclaration(engine_name="contract", name="contract")
    assert contract(key, check, []).passed
    assert contract(key, check, [finding("I002", "Info"), finding("E028", "Error")]).passed
    broken = contract(key, check, [finding("E010", "Error")])
    assert not broken.passed
    assert broken.severity == dg.AssetCheckSeverity.ERROR
    assert broken.description == "do this"
    doubted = contract(key, check, [finding("W010", "Warning")])
    assert not doubted.passed
    assert doubted.severity == dg.AssetCheckSeverity.WARN
