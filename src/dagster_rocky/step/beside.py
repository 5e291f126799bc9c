"""What came of the selected checks that the engine evaluates beside its runs, each kind with one command?"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import dagster as dg

from dagster_rocky.engine.commands import EngineCommands
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.graph.edges import Node, RockyGraph
from dagster_rocky.step import events
from dagster_rocky.step.asked import Ask, Asked, BesideCheck
from dagster_rocky.step.contracts import Contracts
from dagster_rocky.step.events import StepEvent
from dagster_rocky.step.model_tests import ask_declarative_tests, ask_unit_tests
from dagster_rocky.vocabulary import Evaluator

_NEEDS_ITS_ASSET = "The engine evaluates these checks only while it builds the asset: select it too."
_ASK: Mapping[Evaluator, Ask] = {"test": ask_declarative_tests, "unit_test": ask_unit_tests}


class BesideChecks:
    """The checks of one step that the runs of its plan do not evaluate.

    Contracts are known before anything is built, and told with their assets; the others are asked for at the end,
    once for all that was built.

    Args:
        context: The step's.
        resource: The engine and its project.
        graph: The component's.
        options: What every engine run of the step is given.
        more: How the engine is asked for kinds that this room does not know.
    """

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        resource: EngineCommands,
        graph: RockyGraph,
        options: RunOptions,
        more: Mapping[Evaluator, Ask] | None = None,
    ) -> None:
        self._ask = {**_ASK, **(more or {})}
        self._context, self._resource, self._graph, self._options = context, resource, graph, options
        self._selected = set(context.selected_asset_check_keys)
        here = {
            dg.AssetCheckKey(key, declared.name): BesideCheck(node, declared)
            for key, node in graph.nodes.items()
            for declared in node.beside
        }
        self._beside = frozenset(here)
        self._open: dict[Evaluator, list[BesideCheck]] = {}
        for key, check in here.items():
            if key in self._selected:
                self._open.setdefault(check.declared.evaluated_by, []).append(check)
        self._contracts = Contracts(context, resource, self._open.pop("compile", []), options.vars)

    def of(self, key: dg.AssetKey) -> Iterator[StepEvent]:
        """What is known of an asset's checks when it is built: its contract."""
        yield from self._contracts.of(key)

    def remaining(
        self, selected: Sequence[Node], built: AbstractSet[dg.AssetKey], partitions: Sequence[str] = ()
    ) -> Iterator[StepEvent]:
        """At the end: the contracts of what was not built, and all other kinds, but for selected assets not built.

        Args:
            selected: The assets that the step had to build.
            built: Those that are built.
            partitions: The partitions of the step.
        """
        yield from self._contracts.remaining()
        missing = {node.spec.key for node in selected} - set(built)
        for kind, checks in self._open.items():
            left = [check for check in checks if check.asset_key not in missing]
            if left:
                yield from self._ask[kind](self._asked(left, built, partitions))

    def contracts(self) -> Iterator[StepEvent]:
        """The contracts alone, of a step that is going to be tried again."""
        yield from self._contracts.remaining()

    def alone(self) -> Iterator[StepEvent]:
        """The results of checks that were selected without any asset.

        Raises:
            dagster.Failure: When a check was selected that the engine only evaluates while it builds a partition, or
                when the engine could not be asked; what could be evaluated is told before.
        """
        yield from self._contracts.remaining()
        failures: list[dg.Failure] = []
        for kind, checks in self._open.items():
            asked = self._asked(checks)
            yield from self._ask[kind](asked)
            failures += asked.failures
        self._refuse_others()
        if failures:
            raise failures[0]

    def _asked(
        self,
        checks: Sequence[BesideCheck],
        built: AbstractSet[dg.AssetKey] = frozenset(),
        partitions: Sequence[str] = (),
    ) -> Asked:
        return Asked(
            context=self._context,
            resource=self._resource,
            graph=self._graph,
            options=self._options,
            checks=checks,
            built=built,
            partitions=partitions,
        )

    def others_are_not_evaluated(self, nodes: Sequence[Node]) -> Iterator[StepEvent]:
        """Checks that were selected beside other assets than their own."""
        built = {node.spec.key for node in nodes}
        left: dict[dg.AssetKey, list[str]] = {}
        for key in sorted(self._selected - self._beside, key=str):
            if key.asset_key not in built:
                left.setdefault(key.asset_key, []).append(key.name)
        for asset_key, names in left.items():
            yield events.checks_not_evaluated(asset_key, names, _NEEDS_ITS_ASSET)

    def _refuse_others(self) -> None:
        others = sorted(
            f"{key.asset_key.to_user_string()}:{key.name}" for key in self._selected - self._beside
        )
        if others:
            raise dg.Failure(
                description=(
                    f"{', '.join(others)}: the engine evaluates these checks only while it builds a partition of their "
                    "assets, and the run has none. Materialize a partition of the assets."
                ),
                allow_retries=False,
            )
