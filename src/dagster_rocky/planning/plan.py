"""Which engine runs build these units and nothing else, in the fewest processes?"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dagster_rocky.engine.request import ChosenModel, RunRequest
from dagster_rocky.graph.universe import Group, Members, Universe
from dagster_rocky.partitions import consecutive_runs
from dagster_rocky.planning.cover import cover
from dagster_rocky.planning.model_order import ModelOrder
from dagster_rocky.planning.requests import Requests
from dagster_rocky.vocabulary import AssetKind, EngineAsset, EngineKey


@dataclass(frozen=True)
class Unit:
    """The smallest thing that has an outcome: an engine asset, or one partition of it.

    Attributes:
        asset: What the engine builds.
        partition: The Dagster partition that it is, if any.
        engine_partition: The engine's key of that partition, for a partitioned model.
    """

    asset: EngineAsset
    partition: str | None = None
    engine_partition: str | None = None

    def __str__(self) -> str:
        name = self.asset.asset_key.to_user_string()
        return f"{name} [{self.partition}]" if self.partition else name

    def __hash__(self) -> int:
        return hash((self.asset.engine_key, self.partition, self.engine_partition))


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One engine run of a step, and what it is answerable for.

    Attributes:
        request: What to ask of the engine, finished.
        units: What an outcome is owed for.
        extras: Assets that the run builds though nobody selected them, because no filter is finer.
        statements: Of a run that applies a plan: what the plan announced, by the target's name in it.
    """

    request: RunRequest
    units: tuple[Unit, ...]
    extras: tuple[EngineAsset, ...] = ()
    statements: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)

    @property
    def kind(self) -> AssetKind:
        """What the run builds or checks; one engine run has units of one kind."""
        return self.units[0].asset.kind

    @property
    def assets(self) -> tuple[EngineAsset, ...]:
        """The assets of the units, each once."""
        return tuple({unit.asset.engine_key: unit.asset for unit in self.units}.values())


def plan_units(
    units: Sequence[Unit], universe: Sequence[EngineAsset], requests: Requests | None = None
) -> list[PlannedRun]:
    """Covers units with the fewest engine runs.

    Args:
        units: What to build, each once.
        universe: Everything that the engine knows of the same pipelines, owned or not, models in dependency order: a
            run is used only when all that it touches is selected.
        requests: What the runs have in common.

    Returns:
        The runs in the order in which to make them: pipelines in the order of `universe`.

    Raises:
        ValueError: When an engine partition has not the grain's format.

    Example:
        ```python
        [run.request.filter for run in plan_units([Unit(table) for table in tables_of_jfk], all_tables)]
        # ['airport=jfk']
        ```
    """
    requests = requests or Requests()
    wanted: dict[Group, list[Unit]] = {}
    for unit in units:
        wanted.setdefault((unit.asset.pipeline, unit.asset.kind), []).append(unit)
    plan: list[PlannedRun] = []
    known_of = Universe.of(universe)
    for group in known_of.order(wanted):
        mine = wanted[group]
        known = known_of.group(group).including(unit.asset for unit in mine)
        pipeline, kind = group
        if kind == "table":
            plan += _plan_tables(mine, known, requests)
        elif kind == "model":
            plan += _plan_models(mine, known.assets, requests)
        else:
            chosen = {unit.asset.engine_key for unit in mine}
            extras = tuple(asset for asset in known.assets if asset.engine_key not in chosen)
            request = requests.make(command="seed" if kind == "seed" else "run", pipeline=pipeline)
            plan.append(PlannedRun(request=request, units=tuple(mine), extras=extras))
    return plan


def plan_rest(
    run: PlannedRun,
    failed: Collection[Unit],
    left: Sequence[Unit],
    universe: Sequence[EngineAsset],
    requests: Requests | None = None,
) -> list[PlannedRun]:
    """After a run of several models ended at a failed one: the runs that build what does not depend on it.

    Args:
        run: The run that ended early.
        failed: Its units that failed. Where none is known, nothing can be left out, and the answer is empty.
        left: Its units that the engine did not come to.
        universe: As in `plan_units`.
        requests: As in `plan_units`.

    Returns:
        Runs of the left units without the dependents of the failed ones; empty for other runs than those of models.

    Example:
        ```python
        plan_rest(run, failed={Unit(broken)}, left=[Unit(its_sibling), Unit(its_dependent)], universe=models)
        # one run, of its_sibling
        ```
    """
    if not failed or run.request.model or not all(unit.asset.kind == "model" for unit in run.units):
        return []
    keys = {unit.asset.engine_key for unit in failed}
    group: Group = (run.request.pipeline, "model")
    known = Universe.of(universe).group(group).including(run.assets)
    hopeless = keys | ModelOrder(known.assets).downstream(keys)
    return plan_units([unit for unit in left if unit.asset.engine_key not in hopeless], universe, requests)


def plan_one_by_one(run: PlannedRun, requests: Requests | None = None) -> list[PlannedRun]:
    """A run of several models as one run each, in its order: for a project that cannot be copied in part.

    Args:
        run: A run whose request names `models`.
        requests: As in `plan_units`.
    """
    make = (requests or Requests()).make
    return [
        PlannedRun(request=make(pipeline=run.request.pipeline, model=unit.asset.name), units=(unit,))
        for unit in run.units
    ]


def _plan_tables(units: Sequence[Unit], known: Members, requests: Requests) -> Iterator[PlannedRun]:
    """Replicated tables: no filter when all are selected, otherwise an exact cover by filters."""
    mine: dict[EngineKey, list[Unit]] = {}
    for unit in units:
        mine.setdefault(unit.asset.engine_key, []).append(unit)
    partitions = {unit.partition for unit in units}
    together = next(iter(partitions)) if len(partitions) == 1 else None
    for choice in cover((unit.asset for unit in units), known):
        extras = (asset for asset in choice.assets if asset.engine_key not in mine)
        if together is not None:
            # What is copied besides belongs to the same partition as what was selected.
            extras = (replace(extra, partition_key=together) for extra in extras)
        yield PlannedRun(
            request=requests.make(pipeline=units[0].asset.pipeline, filter=choice.filter),
            units=tuple(unit for asset in choice.assets for unit in mine.get(asset.engine_key, ())),
            extras=tuple(extras),
        )


def _plan_models(
    units: Sequence[Unit], known: Sequence[EngineAsset], requests: Requests
) -> Iterator[PlannedRun]:
    """Models: the whole pipeline when it is selected and has no partitions, else as few runs as the order allows."""
    mine: dict[EngineKey, list[Unit]] = {}
    for unit in units:
        mine.setdefault(unit.asset.engine_key, []).append(unit)
    pipeline = units[0].asset.pipeline
    if len(mine) == len(known) and not any(asset.granularity for asset in known):
        yield PlannedRun(
            request=requests.make(pipeline=pipeline),
            units=tuple(unit for asset in known for unit in mine[asset.engine_key]),
        )
        return
    order = ModelOrder(known)
    for stage in order.stages({key: some[0].asset.granularity is not None for key, some in mine.items()}):
        if mine[stage[0]][0].asset.granularity is not None:
            for key in stage:
                yield from _plan_partitions(mine[key], requests)
            continue
        yield from _plan_together([unit for key in stage for unit in mine[key]], order, requests)


def _plan_together(units: Sequence[Unit], order: ModelOrder, requests: Requests) -> Iterator[PlannedRun]:
    """Unpartitioned models, upstream first: one run of them all where every file is known."""
    pipeline = units[0].asset.pipeline
    if len(units) == 1 or pipeline is None or not all(unit.asset.path for unit in units):
        for unit in units:
            request = requests.make(pipeline=pipeline, model=unit.asset.name)
            yield PlannedRun(request=request, units=(unit,))
        return
    names = {unit.asset.engine_key: unit.asset.name for unit in units}
    nearest = order.nearest(names.keys())
    models = tuple(
        ChosenModel(
            name=unit.asset.name,
            path=unit.asset.path or "",
            after=tuple(names[key] for key in nearest[unit.asset.engine_key]),
        )
        for unit in units
    )
    yield PlannedRun(request=requests.make(pipeline=pipeline, models=models), units=tuple(units))


def _plan_partitions(units: Sequence[Unit], requests: Requests) -> Iterator[PlannedRun]:
    """One partitioned model: a run for every stretch without a gap, long ones in pieces."""
    model = units[0].asset
    by_key = {unit.partition: unit for unit in units if unit.partition is not None}
    if model.granularity is None or not by_key:
        request = requests.make(pipeline=model.pipeline, model=model.name)
        yield PlannedRun(request=request, units=tuple(units))
        return
    lookback = None if requests.lookback == "model" else requests.lookback or 0
    for stretch in consecutive_runs(model.granularity, by_key):
        for start in range(0, len(stretch), requests.per_run):
            piece = tuple(by_key[key] for key in stretch[start : start + requests.per_run])
            first, last = piece[0].engine_partition, piece[-1].engine_partition
            request = requests.make(
                pipeline=model.pipeline,
                model=model.name,
                partition=first if len(piece) == 1 else None,
                partition_from=first if len(piece) > 1 else None,
                partition_to=last if len(piece) > 1 else None,
                # The pieces before have built what a later piece would look back to.
                lookback=0 if start else lookback,
            )
            yield PlannedRun(request=request, units=piece)
