"""Selection and partitions to the fewest engine runs that build them and nothing else."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dagster_rocky.engine.request import RunRequest
from dagster_rocky.partitions import consecutive_runs, to_engine_key
from dagster_rocky.planning.cover import cover
from dagster_rocky.vocabulary import EngineAsset


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
    """

    request: RunRequest
    units: tuple[Unit, ...]
    extras: tuple[EngineAsset, ...] = ()

    @property
    def assets(self) -> tuple[EngineAsset, ...]:
        """The assets of the units, each once."""
        return tuple({unit.asset.engine_key: unit.asset for unit in self.units}.values())


def units_of(assets: Iterable[EngineAsset], partition_keys: Sequence[str] = ()) -> tuple[Unit, ...]:
    """Assets as units: of the one selected partition, or of the one that is the asset's component value.

    Args:
        assets: Assets that the engine does not partition.
        partition_keys: Dagster keys of the selected partitions.
    """
    if len(partition_keys) == 1:
        return tuple(Unit(asset, partition_keys[0]) for asset in assets)
    return tuple(Unit(asset, _component_partition(asset, partition_keys)) for asset in assets)


def _component_partition(asset: EngineAsset, keys: Sequence[str]) -> str | None:
    """Which of the partition keys is the component value of this table."""
    return asset.partition_key if asset.partition_key in keys else None


def plan_runs(
    selected: Sequence[EngineAsset],
    universe: Sequence[EngineAsset],
    *,
    partition_keys: Sequence[str] = (),
    lookback: int | Literal["model"] | None = None,
    parallel: int | None = None,
) -> list[PlannedRun]:
    """Covers a selection with the fewest engine runs.

    Args:
        selected: What to build.
        universe: Everything that the engine knows of the same pipelines, owned or not, models in dependency
            order: a filter is used only when all that it touches is selected.
        partition_keys: Dagster keys of the selected time partitions; all selected models have them.
        lookback: Earlier partitions to rebuild too; `"model"` leaves it to each model, `None` means none.
        parallel: The engine's `--parallel`.

    Returns:
        The runs in the order in which to make them: pipelines in the order of `universe`.

    Raises:
        ValueError: When a partition key has not the grain's format.

    Example:
        ```python
        [run.request.filter for run in plan_runs(tables_of_jfk, all_tables)]
        # ['airport=jfk']
        ```
    """
    chosen = {asset.engine_key for asset in selected}
    plan: list[PlannedRun] = []
    for (pipeline, kind), known in _by_pipeline([*universe, *selected]).items():
        mine = [asset for asset in known if asset.engine_key in chosen]
        if not mine:
            continue
        if kind == "table":
            plan += _plan_tables(
                mine, known, pipeline=pipeline, partition_keys=partition_keys, parallel=parallel
            )
        elif kind == "model":
            plan += _plan_models(
                mine,
                known,
                pipeline=pipeline,
                partition_keys=partition_keys,
                lookback=lookback,
                parallel=parallel,
            )
        else:
            extras = tuple(asset for asset in known if asset.engine_key not in chosen)
            command: Literal["run", "seed"] = "seed" if kind == "seed" else "run"
            request = RunRequest(command=command, pipeline=pipeline, parallel=parallel)
            plan.append(PlannedRun(request=request, units=units_of(mine), extras=extras))
    return plan


def _by_pipeline(assets: Iterable[EngineAsset]) -> Mapping[tuple[str | None, str], list[EngineAsset]]:
    """Assets by pipeline and kind in the order given, each engine key once."""
    groups: dict[tuple[str | None, str], dict[tuple[str, ...], EngineAsset]] = {}
    for asset in assets:
        groups.setdefault((asset.pipeline, asset.kind), {}).setdefault(asset.engine_key, asset)
    return {group: list(members.values()) for group, members in groups.items()}


def _plan_tables(
    selected: Sequence[EngineAsset],
    universe: Sequence[EngineAsset],
    *,
    pipeline: str | None,
    partition_keys: Sequence[str],
    parallel: int | None,
) -> Iterator[PlannedRun]:
    """Replicated tables: no filter when all are selected, otherwise an exact cover by filters."""
    chosen = {asset.engine_key for asset in selected}
    for choice in cover(selected, universe):
        touched = choice.assets
        yield PlannedRun(
            request=RunRequest(pipeline=pipeline, filter=choice.filter, parallel=parallel),
            units=units_of((asset for asset in touched if asset.engine_key in chosen), partition_keys),
            extras=tuple(asset for asset in touched if asset.engine_key not in chosen),
        )


def _plan_models(
    selected: Sequence[EngineAsset],
    universe: Sequence[EngineAsset],
    *,
    pipeline: str | None,
    partition_keys: Sequence[str],
    lookback: int | Literal["model"] | None,
    parallel: int | None,
) -> Iterator[PlannedRun]:
    """Models: the pipeline in one run when it is selected whole and nothing in it has partitions."""
    if len(selected) == len(universe) and not any(asset.granularity for asset in universe):
        request = RunRequest(pipeline=pipeline, parallel=parallel)
        yield PlannedRun(request=request, units=units_of(selected))
        return
    for model in selected:
        if model.granularity is None or not partition_keys:
            request = RunRequest(pipeline=pipeline, model=model.name, parallel=parallel)
            yield PlannedRun(request=request, units=units_of([model]))
            continue
        engine_keys = {key: to_engine_key(model.granularity, key) for key in partition_keys}
        for stretch in consecutive_runs(model.granularity, partition_keys):
            keys = tuple(engine_keys[key] for key in stretch)
            request = RunRequest(
                pipeline=pipeline,
                model=model.name,
                partition=keys[0] if len(keys) == 1 else None,
                partition_from=keys[0] if len(keys) > 1 else None,
                partition_to=keys[-1] if len(keys) > 1 else None,
                lookback=None if lookback == "model" else lookback or 0,
                parallel=parallel,
            )
            units = (Unit(model, key, engine_key) for key, engine_key in zip(stretch, keys, strict=True))
            yield PlannedRun(request=request, units=tuple(units))
