"""From the names that the engine uses to the assets of a planned run."""

from dagster_rocky.partitions import to_dagster_key
from dagster_rocky.planning.plan import PlannedRun, Unit
from dagster_rocky.vocabulary import EngineAsset


class EngineNames:
    """Finds assets and units by whatever the engine calls them: key, dotted target, or a bare name that is unique.

    Hooks, Pipes messages, drift notices and results each have their own way (contract, sections 2.3 and 12); shadow
    runs put a suffix behind.

    Args:
        run: The planned run, with what it builds besides.
    """

    def __init__(self, run: PlannedRun) -> None:
        suffix = run.request.options.shadow_suffix or ""
        self._assets: dict[str, EngineAsset | None] = {}
        for asset in (*run.assets, *run.extras):
            for name in {"/".join(asset.engine_key), asset.target or ""} - {""}:
                self._assets[name] = asset
                if suffix:
                    self._assets[name + suffix] = asset
        for asset in (*run.assets, *run.extras):
            taken = asset.name in self._assets and self._assets[asset.name] is not asset
            self._assets[asset.name] = None if taken else asset
        self._units: dict[tuple[tuple[str, ...], str | None], Unit] = {}
        self._first_unit: dict[tuple[str, ...], Unit] = {}
        for unit in run.units:
            self._units[unit.asset.engine_key, unit.engine_partition] = unit
            self._first_unit.setdefault(unit.asset.engine_key, unit)

    def asset(self, name: str) -> EngineAsset | None:
        """The asset of that name, selected or not."""
        return self._assets.get(name)

    def unit(self, name: str, engine_partition: str | None) -> Unit | None:
        """The selected unit of that name."""
        asset = self._assets.get(name)
        return self._units.get((asset.engine_key, engine_partition)) if asset else None

    def unit_of_check(self, name: str) -> Unit | None:
        """The unit that a check result without a partition belongs to."""
        asset = self._assets.get(name)
        return self._first_unit.get(asset.engine_key) if asset else None

    def extra(self, name: str, engine_partition: str | None) -> tuple[EngineAsset, str | None] | None:
        """What was built besides the selection: another asset, or another partition of a selected one."""
        asset = self._assets.get(name)
        if asset is None:
            return None
        if engine_partition is None or asset.granularity is None:
            return asset, asset.partition_key
        return asset, to_dagster_key(asset.granularity, engine_partition)
