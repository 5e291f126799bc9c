"""What came of the contract checks that a step selected? The engine says of all of them at once when it compiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from dagster_rocky.engine.commands import EngineCommands
from dagster_rocky.graph.declared_checks import CONTRACT, CONTRACT_CODES
from dagster_rocky.step import events
from dagster_rocky.step.asked import BesideCheck

if TYPE_CHECKING:
    from dagster_rocky.results import Diagnostic

_NO_COMPILE = "The contract was not evaluated, because the models do not compile."


class Contracts:
    """The contract checks that a step selected.

    Args:
        context: The step's.
        resource: The engine and its project; asked once, when there is a contract to check.
        checks: The selected ones.
        variables: Values for `@var(name)`.
    """

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        resource: EngineCommands,
        checks: Sequence[BesideCheck],
        variables: Mapping[str, str],
    ) -> None:
        self._context = context
        self._open = {check.asset_key: check for check in checks}
        self._diagnostics = self._compile(resource, variables) if self._open else {}

    def _compile(
        self, resource: EngineCommands, variables: Mapping[str, str]
    ) -> Mapping[str, list[Diagnostic]] | None:
        try:
            found = resource.compile(vars=variables).diagnostics
        except dg.Failure as failure:
            self._context.log.error(
                f"rocky: the contracts were not evaluated, because the models do not compile: {failure.description}"
            )
            return None
        by_model: dict[str, list[Diagnostic]] = {}
        for finding in found:
            by_model.setdefault(finding.model or "", []).append(finding)
        return by_model

    def of(self, key: dg.AssetKey) -> Iterator[dg.AssetCheckResult | dg.AssetObservation]:
        """The result of one asset's contract, if it is selected and not yet told."""
        check = self._open.pop(key, None)
        if check is None:
            return
        if self._diagnostics is None:
            yield events.checks_not_evaluated(key, [CONTRACT], _NO_COMPILE)
            return
        found = self._diagnostics.get(check.asset.name, [])
        broken = [finding for finding in found if finding.code in CONTRACT_CODES]
        yield events.contract_result(key, check.declared, broken)

    def remaining(self) -> Iterator[dg.AssetCheckResult | dg.AssetObservation]:
        """The results of contracts whose assets were not built."""
        for key in list(self._open):
            yield from self.of(key)
