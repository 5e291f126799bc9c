"""Of which checks is one command of the engine asked, and in which step?"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import dagster as dg

from dagster_rocky.engine.commands import EngineCommands
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.graph.edges import Node, RockyGraph
from dagster_rocky.step.events import StepEvent
from dagster_rocky.vocabulary import CheckDeclaration, EngineAsset


@dataclass(frozen=True)
class BesideCheck:
    """A selected check with the asset that it is of."""

    node: Node
    declared: CheckDeclaration

    @property
    def asset(self) -> EngineAsset:
        """What the engine builds for the asset."""
        return self.node.assets[0]

    @property
    def asset_key(self) -> dg.AssetKey:
        """The asset's."""
        return self.node.spec.key

    @property
    def key(self) -> dg.AssetCheckKey:
        """Dagster's key of the check."""
        return dg.AssetCheckKey(self.asset_key, self.declared.name)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The checks of one kind that a step asks the engine for at once.

    Attributes:
        context: The step's.
        resource: The engine and its project.
        graph: The component's.
        options: What every engine run of the step is given.
        checks: The checks.
        built: Assets that the step has built.
        partitions: The partitions that it built them for.
        failures: Why the engine could not be asked; the checks are told as not evaluated all the same.
    """

    context: dg.AssetExecutionContext
    resource: EngineCommands
    graph: RockyGraph
    options: RunOptions
    checks: Sequence[BesideCheck]
    built: AbstractSet[dg.AssetKey] = frozenset()
    partitions: Sequence[str] = ()
    failures: list[dg.Failure] = field(default_factory=list)


Ask = Callable[[Asked], Iterator[StepEvent]]
