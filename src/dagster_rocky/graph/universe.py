"""What does the engine build, by pipeline, kind, source and filter? An index that is made once, when asked for."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import overload

from dagster_rocky.vocabulary import AssetKind, EngineAsset, EngineKey

Group = tuple[str | None, AssetKind]
"""A pipeline, and one kind of what it builds."""

WHOLE = ""
"""Stands for no filter."""
_SCHEMA = re.compile(r"[a-zA-Z0-9_]+")


class Universe(Sequence[EngineAsset]):
    """Everything that the engine builds, owned or not, pipelines and models in their order.

    Args:
        assets: In that order.

    Example:
        ```python
        Universe(tables).group(("landing", "table")).sources.keys()  # the ids of the sources
        ```
    """

    def __init__(self, assets: Iterable[EngineAsset] = ()) -> None:
        self._assets = tuple(assets)
        self._members: dict[Group, Members] = {}

    @classmethod
    def of(cls, assets: Sequence[EngineAsset]) -> "Universe":
        """The same, where it is one already."""
        return assets if isinstance(assets, cls) else cls(assets)

    @overload
    def __getitem__(self, index: int) -> EngineAsset: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[EngineAsset]: ...
    def __getitem__(self, index: int | slice) -> EngineAsset | Sequence[EngineAsset]:
        return self._assets[index]

    def __len__(self) -> int:
        return len(self._assets)

    def __iter__(self) -> Iterator[EngineAsset]:
        return iter(self._assets)

    @cached_property
    def _groups(self) -> Mapping[Group, Sequence[EngineAsset]]:
        found: dict[Group, list[EngineAsset]] = {}
        pipeline: str | None = None
        kind: AssetKind | None = None
        several: list[EngineAsset] = []
        for asset in self._assets:
            # Assets of a group stand beside each other.
            if asset.kind != kind or asset.pipeline != pipeline:
                pipeline, kind = asset.pipeline, asset.kind
                several = found.setdefault((pipeline, kind), [])
            several.append(asset)
        return found

    def group(self, group: Group) -> "Members":
        """The assets of one pipeline and kind; none where there are none."""
        if group not in self._members:
            self._members[group] = Members(self._groups.get(group, ()))
        return self._members[group]

    def order(self, groups: Collection[Group]) -> list[Group]:
        """Groups in the order of the universe, those that it does not have last."""
        known = [group for group in self._groups if group in groups]
        return known + [group for group in groups if group not in self._groups]


class Members:
    """The assets of one pipeline and kind, each engine key once; by number, which is their order.

    Args:
        assets: Of several with one engine key, the first counts.

    Attributes:
        assets: By number.
        number: By engine key.
        sources: The numbers of each source's tables.
        named: The numbers of the tables of each bare name.
    """

    def __init__(self, assets: Iterable[EngineAsset]) -> None:
        kept: list[EngineAsset] = []
        number: dict[EngineKey, int] = {}
        sources: dict[str | None, list[int]] = {}
        named: dict[str, list[int]] = defaultdict(list)
        source: str | None = None
        of_source: list[int] | None = None
        count = 0
        for asset in assets:
            if number.setdefault(asset.engine_key, count) != count:
                continue
            kept.append(asset)
            # The tables of a source stand beside each other.
            if of_source is None or asset.source_id != source:
                source = asset.source_id
                of_source = sources.setdefault(source, [])
            of_source.append(count)
            named[asset.name].append(count)
            count += 1
        self.assets: Sequence[EngineAsset] = kept
        self.number: Mapping[EngineKey, int] = number
        self.sources: Mapping[str | None, Sequence[int]] = sources
        self.named: Mapping[str, Sequence[int]] = named

    def __len__(self) -> int:
        return len(self.assets)

    def including(self, assets: Iterable[EngineAsset]) -> "Members":
        """The same with assets behind that are not known, if there are any."""
        unknown = [asset for asset in assets if asset.engine_key not in self.number]
        return Members([*self.assets, *unknown]) if unknown else self

    @cached_property
    def filters(self) -> Mapping[str | None, Sequence[str]]:
        """The filters that touch all of a source and maybe others: none, and those by component."""
        return {
            source: tuple(dict.fromkeys((WHOLE, *_component_filters(self.assets[numbers[0]]))))
            for source, numbers in self.sources.items()
        }

    @cached_property
    def touched(self) -> Mapping[str, Sequence[str | None]]:
        """The sources that each of these filters touches."""
        found: dict[str, list[str | None]] = defaultdict(list)
        for source, names in self.filters.items():
            for name in names:
                found[name].append(source)
        return dict(found)

    @cached_property
    def refused(self) -> frozenset[str | None]:
        """Sources with a schema that ends every run that touches it (contract, section 18)."""
        return frozenset(
            source for source, numbers in self.sources.items() if _is_refused(self.assets[numbers[0]])
        )


def _component_filters(table: EngineAsset) -> Iterator[str]:
    """The filters by component that touch a table's source."""
    for component, value in table.components.items():
        # The engine's own filter keys win over components of the same name.
        if component not in {"id", "table"}:
            values = value if isinstance(value, tuple) else (value,)
            yield from (f"{component}={single}" for single in values if single)


def _is_refused(table: EngineAsset) -> bool:
    schemas = []
    if table.target and table.target.endswith(f".{table.name}"):
        _, _, schema = table.target.removesuffix(f".{table.name}").partition(".")
        schemas.append(schema)
    if table.source_id and table.engine_key[0] == "duckdb":
        schemas.append(table.source_id)
    return any(schema and not _SCHEMA.fullmatch(schema) for schema in schemas)
