"""Which models of a pipeline come before which others?"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from dagster_rocky.vocabulary import EngineAsset, EngineKey


class ModelOrder:
    """The order among the models of one pipeline, as far as they depend on each other.

    Args:
        models: All models of the pipeline, upstream first.
    """

    def __init__(self, models: Sequence[EngineAsset]) -> None:
        self._models = models
        writers: dict[str, EngineKey] = {}
        self._before: dict[EngineKey, tuple[EngineKey, ...]] = {}
        for model in models:
            # What comes later in the order is no dependency: physical names may go in a circle.
            found = (writers[name] for name in model.reads if name in writers)
            self._before[model.engine_key] = tuple(dict.fromkeys(found))
            if model.target:
                writers[model.target] = model.engine_key

    def nearest(self, chosen: Collection[EngineKey]) -> Mapping[EngineKey, tuple[EngineKey, ...]]:
        """For each model the chosen ones that come before it, directly or with none but unchosen ones between."""
        found: dict[EngineKey, tuple[EngineKey, ...]] = {}
        for model in self._models:
            before: dict[EngineKey, None] = {}
            for key in self._before[model.engine_key]:
                before.update(dict.fromkeys((key,) if key in chosen else found[key]))
            found[model.engine_key] = tuple(before)
        return found

    def downstream(self, of: Iterable[EngineKey]) -> set[EngineKey]:
        """The models that depend on any of these, directly or not, without these."""
        start = set(of)
        reached = set(start)
        for model in self._models:
            if not reached.isdisjoint(self._before[model.engine_key]):
                reached.add(model.engine_key)
        return reached - start

    def stages(self, is_partitioned: Mapping[EngineKey, bool]) -> list[list[EngineKey]]:
        """Chosen models in as few stages as their order allows, partitioned ones never with others in one stage.

        Args:
            is_partitioned: The chosen models, each with whether it is built partition by partition.

        Returns:
            Stages in the order in which to build them, each upstream first.
        """
        nearest = self.nearest(is_partitioned.keys())
        stage: dict[EngineKey, int] = {}
        members: dict[int, list[EngineKey]] = {}
        for model in self._models:
            key = model.engine_key
            if key not in is_partitioned:
                continue
            earliest = max((stage[before] for before in nearest[key]), default=0)
            stage[key] = earliest + (earliest % 2 != is_partitioned[key])
            members.setdefault(stage[key], []).append(key)
        return [members[number] for number in sorted(members)]
