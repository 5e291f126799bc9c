"""What came of the contract checks that a step selected? The engine says of all of them at once when it compiles."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from dagster_rocky.engine.commands import EngineCommands
from dagster_rocky.graph.declared_checks import CONTRACT, CONTRACT_CODES
from dagster_rocky.graph.edges import Node, RockyGraph
from dagster_rocky.results import Diagnostic
from dagster_rocky.step import events

_NO_COMPILE = "The contract was not evaluated, because the models do not compile."
_NEEDS_ITS_ASSET = "The engine evaluates these checks only while it builds the asset: select it too."


class Contracts:
    """The contract checks that a step selected.

    Args:
        context: The step's.
        resource: The engine and its project; asked once, when there is a contract to check.
        graph: The component's.
        variables: Values for `@var(name)`.
    """

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        resource: EngineCommands,
        graph: RockyGraph,
        variables: Mapping[str, str],
    ) -> None:
        self._context = context
        self._selected = set(context.selected_asset_check_keys)
        self._contracts = {
            dg.AssetCheckKey(key, node.contract.name)
            for key, node in graph.nodes.items()
            if node.contract is not None
        }
        self._open = {
            key: node
            for key, node in graph.nodes.items()
            if node.contract and dg.AssetCheckKey(key, node.contract.name) in self._selected
        }
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
        node = self._open.pop(key, None)
        if node is None or node.contract is None:
            return
        if self._diagnostics is None:
            yield events.checks_not_evaluated(key, [CONTRACT], _NO_COMPILE)
            return
        found = self._diagnostics.get(node.assets[0].name, [])
        broken = [finding for finding in found if finding.code in CONTRACT_CODES]
        yield events.contract_result(key, node.contract, broken)

    def remaining(self) -> Iterator[dg.AssetCheckResult | dg.AssetObservation]:
        """The results of contracts whose assets were not built."""
        for key in list(self._open):
            yield from self.of(key)

    def others_are_not_evaluated(self, nodes: Sequence[Node]) -> Iterator[dg.AssetObservation]:
        """Checks that were selected beside other assets than their own."""
        built = {node.spec.key for node in nodes}
        left: dict[dg.AssetKey, list[str]] = {}
        for key in sorted(self._selected - self._contracts, key=str):
            if key.asset_key not in built:
                left.setdefault(key.asset_key, []).append(key.name)
        for asset_key, names in left.items():
            yield events.checks_not_evaluated(asset_key, names, _NEEDS_ITS_ASSET)

    def refuse_others(self) -> None:
        """Checks that were selected alone and that the engine only evaluates while it builds.

        Raises:
            dagster.Failure: When there are any.
        """
        others = sorted(
            f"{key.asset_key.to_user_string()}:{key.name}" for key in self._selected - self._contracts
        )
        if others:
            raise dg.Failure(
                description=(
                    f"{', '.join(others)}: the engine evaluates these checks only while it builds their assets. "
                    "Select the assets too."
                ),
                allow_retries=False,
            )
