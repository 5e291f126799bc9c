"""What would a selection run? The engine runs, why each is needed and what it announces, without running them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from shlex import join
from typing import Protocol

import dagster as dg

from dagster_rocky.engine.commands import EngineCommands
from dagster_rocky.engine.idempotency import PLACEHOLDERS
from dagster_rocky.graph.edges import RockyGraph
from dagster_rocky.graph.grouping import group_nodes
from dagster_rocky.planning.plan import PlannedRun
from dagster_rocky.planning.selection import StepSelection, plan_selection
from dagster_rocky.step.body import Running
from dagster_rocky.step.shadow import require_shadowable


class Previewed(Protocol):
    """What a preview needs of a component."""

    @property
    def resource(self) -> EngineCommands:
        """The engine and its project."""

    @property
    def graph(self) -> RockyGraph:
        """Its assets; known once its definitions are built."""

    @property
    def label(self) -> str:
        """What is unique to the component in names."""

    def running(self) -> Running:
        """How it runs its steps."""


@dataclass(frozen=True, kw_only=True)
class PreviewedRun:
    """One engine run that a selection would make.

    Attributes:
        command: The engine's command line, without the binary and its global flags.
        why: What of the selection it is for, and why it is this run.
        builds: The selected assets that it builds, with their partitions.
        besides: Assets that it builds though nobody selected them.
        statements: What the engine's plan announces; only replications have one, and only when it is asked for.
    """

    command: str
    why: str
    builds: tuple[str, ...]
    besides: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()


def preview(
    component: Previewed,
    keys: Collection[dg.AssetKey],
    partitions: Sequence[str] = (),
    *,
    statements: bool = False,
) -> Iterator[PreviewedRun]:
    """The engine runs of one component's part of a selection, in their order.

    Args:
        component: Whose definitions are built.
        keys: The selected assets; those of others are left out.
        partitions: Dagster's keys, for assets with partitions.
        statements: Whether the engine is asked to plan each replication; otherwise no process is started.

    Raises:
        dagster.Failure: Where the run itself would be refused before anything runs, or the engine cannot plan.

    Example:
        ```python
        from dagster_rocky import RockyComponent, build_rocky_definitions

        component = RockyComponent(config_path="flights/rocky.toml", binary_path="rocky-local")
        build_rocky_definitions(component)
        [run.command for run in preview(component, component.graph.nodes)][0].split()[0]  # 'run'
        ```
    """
    running, graph = component.running(), component.graph
    for group in group_nodes(graph):
        nodes = tuple(node for node in group.nodes if node.spec.key in keys)
        if not nodes:
            continue
        has_partitions = group.partitions_def is not None
        if has_partitions and not partitions:
            raise dg.Failure(
                description=f"{nodes[0].spec.key.to_user_string()} has partitions: name them with --partition.",
                allow_retries=False,
            )
        if has_partitions:
            _require_partitions(nodes[0].spec, partitions)
        plan = plan_selection(
            StepSelection(nodes=nodes, partition_keys=tuple(partitions) if has_partitions else ()),
            graph,
            options=running.options,
            key_parts={name: f"{{{name}}}" for name in PLACEHOLDERS},
            parallel=running.parallel,
            lookback=running.lookback,
            per_run=running.per_run,
        )
        require_shadowable(plan.runs, graph.universe)
        for run in plan.runs:
            announced = (
                component.resource.make_plan(run.request).statements if _planned(run, statements) else []
            )
            yield PreviewedRun(
                command=join(run.request.to_args()),
                why=_why(run),
                builds=tuple(map(str, run.units)),
                besides=tuple(extra.asset_key.to_user_string() for extra in run.extras),
                statements=tuple(f"-- {one.purpose}: {one.target}\n{one.sql}" for one in announced),
            )


def _require_partitions(spec: dg.AssetSpec, partitions: Sequence[str]) -> None:
    """Refuses partitions that the asset does not have, where its partitions are known without an instance."""
    definition = spec.partitions_def
    if not isinstance(definition, dg.StaticPartitionsDefinition | dg.TimeWindowPartitionsDefinition):
        return
    for key in partitions:
        try:
            is_there = definition.has_partition_key(key)
        except ValueError:
            is_there = False
        if not is_there:
            last = definition.get_last_partition_key()
            hint = f"; its last one is {last!r}" if last else ""
            raise dg.Failure(
                description=f"{spec.key.to_user_string()} has no partition {key!r}{hint}.",
                allow_retries=False,
            )


def _planned(run: PlannedRun, statements: bool) -> bool:
    return statements and run.kind == "table"


def _why(run: PlannedRun) -> str:
    """The reason in a few words."""
    count, request = len(run.assets), run.request
    if run.kind == "table":
        if request.filter is None:
            return f"all {count} tables of {request.pipeline} are selected: no filter is needed"
        many = "1 selected table" if count == 1 else f"{count} selected tables"
        why = f"the filter {request.filter} has {many}"
        return f"{why}, and {len(run.extras)} more that no filter leaves out" if run.extras else why
    if run.kind == "model":
        if request.models:
            return f"{count} models in one process, each after what it reads"
        if request.model is None:
            return f"all {count} models of {request.pipeline} are selected"
        keys = [unit.engine_partition for unit in run.units if unit.engine_partition]
        stretch = (
            f", partitions {keys[0]} to {keys[-1]}" if len(keys) > 1 else "".join(f", {k}" for k in keys)
        )
        return f"the model {request.model}{stretch}"
    return f"the engine runs {request.pipeline or 'the seeds'} whole"


def as_markdown(runs: Sequence[PreviewedRun]) -> str:
    """The runs for people: a numbered list, statements in SQL blocks.

    Args:
        runs: In their order.

    Example:
        ```python
        as_markdown([])  # 'Nothing to run: no asset of a rocky component is selected.'
        ```
    """
    lines: list[str] = []
    for number, run in enumerate(runs, start=1):
        lines.append(f"{number}. `rocky {run.command}`: {run.why}")
        lines += [f"   - builds {name}" for name in run.builds]
        lines += [f"   - and also {name}, which is not selected" for name in run.besides]
        for statement in run.statements:
            lines += ["", "   ```sql", *(f"   {line}" for line in statement.splitlines()), "   ```"]
    return "\n".join(lines) or "Nothing to run: no asset of a rocky component is selected."
