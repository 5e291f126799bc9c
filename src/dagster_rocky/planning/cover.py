"""Which engine filters touch all wanted tables, each once, and the fewest others?"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from dagster_rocky.vocabulary import EngineAsset, EngineKey

_SCHEMA = re.compile(r"[a-zA-Z0-9_]+")
WHOLE = ""
"""Stands for no filter."""
SEARCH_STEPS = 3_000
"""Where the search settles for the best cover that it has; small selections are searched to the end."""
SEARCHED_ATOMS = 120
"""Beyond this many kinds of tables only the greedy cover is made, which takes the largest filters first."""


@dataclass(frozen=True)
class Choice:
    """One engine run of a replication: its filter, and all that the filter touches."""

    filter: str | None
    assets: tuple[EngineAsset, ...]


def cover(selected: Sequence[EngineAsset], universe: Sequence[EngineAsset]) -> list[Choice]:
    """Covers selected tables with engine filters.

    No table is copied twice and no source is touched of which nothing is selected. A source whose schema the engine
    refuses, which ends every run that touches it, is only ever touched by runs of its own. Of the covers that are
    left, the one with the fewest tables that nobody selected is taken, and of those the one with the fewest filters.

    Args:
        selected: Replicated tables of one pipeline.
        universe: All replicated tables of that pipeline.

    Returns:
        One choice per engine run; a filter of `None` means the whole pipeline.

    Example:
        ```python
        cover(selected=weather_of_every_airport, universe=tables)  # [Choice("table=weather", …)]
        ```
    """
    tables = {asset.engine_key: asset for asset in universe}
    wanted = {asset.engine_key: asset for asset in selected}
    tables.update((key, asset) for key, asset in wanted.items() if key not in tables)
    sources = _Sources.of(tables.values())
    if len(wanted) == len(tables) and (not sources.refused or len(sources.tables) == 1):
        return [Choice(None, tuple(tables.values()))] if tables else []
    touched = sources.filters(wanted.values())
    source_of = {key: f"id={asset.source_id}" for key, asset in wanted.items()}
    best = _greedy(touched, wanted.keys(), source_of)
    # Every source is at least one kind of tables, because its `id` touches no other.
    if len(set(source_of.values())) <= SEARCHED_ATOMS:
        search = _Search.over(touched, wanted.keys())
        if len(search.by_atom) <= SEARCHED_ATOMS:
            best = search.improve_on(best)
    position = {key: index for index, key in enumerate(tables)}
    choices = [
        Choice(name or None, tuple(tables[key] for key in sorted(touched[name], key=position.__getitem__)))
        for name in best
    ]
    return sorted(choices, key=lambda choice: position[choice.assets[0].engine_key])


Touched = Mapping[str, Set[EngineKey]]


@dataclass(frozen=True)
class _Sources:
    """The tables of a pipeline by their source, and which sources the engine refuses."""

    tables: Mapping[str | None, Sequence[EngineAsset]]
    refused: Set[str | None]

    @classmethod
    def of(cls, tables: Iterable[EngineAsset]) -> "_Sources":
        by_source: dict[str | None, list[EngineAsset]] = defaultdict(list)
        for table in tables:
            by_source[table.source_id].append(table)
        refused = {source for source, members in by_source.items() if _is_refused(members[0])}
        return cls(by_source, refused)

    def filters(self, wanted: Iterable[EngineAsset]) -> Touched:
        """Every filter that touches only sources of which something is selected, with the tables it touches."""
        asked = {table.source_id for table in wanted}
        touched: dict[str, set[EngineKey]] = defaultdict(set)
        foreign: set[str] = set()
        foreign_tables: set[str] = set()
        for source, members in self.tables.items():
            names = [WHOLE, *_component_filters(members[0])]
            if source in asked:
                keys = {member.engine_key for member in members}
                touched[f"id={source}"] |= keys
            if source not in asked or source in self.refused:
                foreign.update(names)
                foreign_tables.update(member.name for member in members)
                continue
            for name in names:
                touched[name] |= keys
            for member in members:
                touched[f"table={member.name}"].add(member.engine_key)
        foreign.update(f"table={name}" for name in foreign_tables)
        return {name: keys for name, keys in touched.items() if name not in foreign}


def _component_filters(table: EngineAsset) -> Iterator[str]:
    """The filters by component that touch a table's source."""
    for component, value in table.components.items():
        # The engine's own filter keys win over components of the same name.
        if component not in {"id", "table"}:
            values = value if isinstance(value, tuple) else (value,)
            yield from (f"{component}={single}" for single in values if single)


def _is_refused(table: EngineAsset) -> bool:
    """Whether the engine ends every run that touches the table's schema (contract, section 18)."""
    schemas = []
    if table.target and table.target.endswith(f".{table.name}"):
        _, _, schema = table.target.removesuffix(f".{table.name}").partition(".")
        schemas.append(schema)
    if table.source_id and table.engine_key[0] == "duckdb":
        schemas.append(table.source_id)
    return any(schema and not _SCHEMA.fullmatch(schema) for schema in schemas)


def _greedy(touched: Touched, wanted: Set[EngineKey], source_of: Mapping[EngineKey, str]) -> list[str]:
    """A good cover, always one: sources that no exact filters can cover are copied whole."""
    exact = [name for name, keys in touched.items() if keys <= wanted]
    exact.sort(key=lambda name: (-len(touched[name]), _preference(name)))
    whole: list[str] = []
    while True:
        taken = {key for name in whole for key in touched[name]}
        chosen = list(whole)
        for name in exact:
            if touched[name].isdisjoint(taken):
                chosen.append(name)
                taken |= touched[name]
        missing = sorted({source_of[key] for key in wanted - taken})
        if not missing:
            return chosen
        whole += missing


@dataclass
class _Search:
    """Branch and bound over disjoint filters; tables that the same filters touch are one atom."""

    members: Mapping[str, frozenset[int]]
    extras: Mapping[str, int]
    required: frozenset[int]
    by_atom: Mapping[int, list[str]]
    largest: int
    steps: int = 0
    best: list[str] = field(default_factory=list)
    best_cost: tuple[int, int] = (1 << 60, 1 << 60)

    @classmethod
    def over(cls, touched: Touched, wanted: Set[EngineKey]) -> "_Search":
        """Groups tables into atoms; of filters that touch the same, one is kept."""
        signature: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name in sorted(touched, key=_preference):
            for key in touched[name]:
                signature[key].append(name)
        atoms: dict[tuple[bool, tuple[str, ...]], int] = {}
        atom_of = {
            key: atoms.setdefault((key in wanted, tuple(names)), len(atoms))
            for key, names in signature.items()
        }
        members: dict[str, frozenset[int]] = {}
        extras: dict[str, int] = {}
        seen: set[frozenset[int]] = set()
        by_atom: dict[int, list[str]] = defaultdict(list)
        for name, keys in touched.items():
            members[name] = frozenset(atom_of[key] for key in keys)
            extras[name] = len(keys - wanted)
        for name in sorted(touched, key=lambda name: (extras[name], -len(touched[name]), _preference(name))):
            if members[name] in seen or touched[name].isdisjoint(wanted):
                continue
            seen.add(members[name])
            for atom in members[name]:
                by_atom[atom].append(name)
        required = frozenset(atom_of[key] for key in wanted)
        largest = max((len(atoms_touched) for atoms_touched in members.values()), default=1)
        return cls(members=members, extras=extras, required=required, by_atom=by_atom, largest=largest)

    def improve_on(self, start: list[str]) -> list[str]:
        """The best cover that the search finds, or the one that it starts from."""
        self.best = start
        self.best_cost = (sum(self.extras[name] for name in start), len(start))
        self._visit([], self.required, frozenset(), 0)
        return self.best

    def _visit(
        self, chosen: list[str], open_atoms: frozenset[int], taken: frozenset[int], extras: int
    ) -> None:
        """Depth first, most constrained atom first, cheapest and largest filter first."""
        if not open_atoms:
            self.best, self.best_cost = list(chosen), (extras, len(chosen))
            return
        self.steps += 1
        if self.steps > SEARCH_STEPS:
            return
        fits: list[str] | None = None
        for atom in open_atoms:
            options = [name for name in self.by_atom[atom] if not self.members[name] & taken]
            if fits is None or len(options) < len(fits):
                fits = options
                if len(fits) <= 1:
                    break
        for name in fits or []:
            cost = (extras + self.extras[name], len(chosen) + 1)
            rest = open_atoms - self.members[name]
            if (cost[0], cost[1] + -(-len(rest) // self.largest)) < self.best_cost:
                self._visit([*chosen, name], rest, taken | self.members[name], cost[0])


def _preference(name: str) -> tuple[int, str]:
    """Of two filters that touch the same, the plainer one: none, a component, a table, an id."""
    return ({WHOLE: -1, "table": 1, "id": 2}.get(name.split("=", 1)[0], 0), name)
