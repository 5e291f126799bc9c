"""Which engine filters touch all wanted tables, each once, and the fewest others?"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_

from dagster_rocky.graph.universe import WHOLE, Members
from dagster_rocky.vocabulary import EngineAsset

SEARCH_STEPS = 3_000
"""Where the search settles for the best cover that it has; small selections are searched to the end."""
SEARCHED_ATOMS = 120
"""Beyond this many kinds of tables only the greedy cover is made, which takes the largest filters first."""


@dataclass(frozen=True)
class Choice:
    """One engine run of a replication: its filter, and all that the filter touches."""

    filter: str | None
    assets: tuple[EngineAsset, ...]


def cover(selected: Iterable[EngineAsset], members: Members) -> list[Choice]:
    """Covers selected tables with engine filters.

    No table is copied twice and no source is touched of which nothing is selected. A source whose schema the engine
    refuses, which ends every run that touches it, is only ever touched by runs of its own. Of the covers that are
    left, the one with the fewest tables that nobody selected is taken, and of those the one with the fewest filters.

    Args:
        selected: Replicated tables of one pipeline, all of them members.
        members: All replicated tables of that pipeline.

    Returns:
        One choice per engine run; a filter of `None` means the whole pipeline.

    Example:
        ```python
        cover(weather_of_every_airport, Members(tables))  # [Choice("table=weather", …)]
        ```
    """
    wanted = {members.number[asset.engine_key] for asset in selected}
    if not wanted:
        return []
    if len(wanted) == len(members) and (not members.refused or len(members.sources) == 1):
        return [Choice(None, tuple(members.assets))]
    asked = _Asked.of(members, wanted)
    best = _greedy(asked)
    # Every source is at least one kind of tables, because its `id` touches no other.
    if len(asked.tables) <= SEARCHED_ATOMS:
        search = _Search.over(asked)
        if len(search.by_atom) <= SEARCHED_ATOMS:
            best = search.improve_on(best)
    touched = sorted((sorted(asked.touched_by(name)), name) for name in best)
    return [Choice(name or None, tuple(members.assets[n] for n in numbers)) for numbers, name in touched]


@dataclass(frozen=True)
class _Asked:
    """What is selected of a pipeline: the numbers of the wanted tables, and by source."""

    members: Members
    wanted: Set[int]
    tables: Mapping[str | None, Sequence[int]]

    @classmethod
    def of(cls, members: Members, wanted: Set[int]) -> "_Asked":
        by_source: dict[str | None, list[int]] = defaultdict(list)
        for number in wanted:
            by_source[members.assets[number].source_id].append(number)
        return cls(members, wanted, by_source)

    @cached_property
    def ids(self) -> Mapping[str, str | None]:
        """The filters that touch one of the sources each."""
        return {f"id={source}": source for source in self.tables}

    @cached_property
    def fit(self) -> Sequence[str | None]:
        """The sources that may be copied together with others."""
        return [source for source in self.tables if source not in self.members.refused]

    def touched_by(self, name: str) -> Sequence[int]:
        """The tables that a filter touches."""
        if name in self.ids:
            return self.members.sources[self.ids[name]]
        if name.startswith("table="):
            return self.members.named[name.removeprefix("table=")]
        return [number for source in self.members.touched[name] for number in self.members.sources[source]]

    def exact(self) -> Iterator[str]:
        """Filters that touch only wanted tables."""
        sources = self.members.sources
        full = [source for source, mine in self.tables.items() if len(mine) == len(sources[source])]
        yield from (f"id={source}" for source in full)
        fit = set(self.fit)
        wanted = (number for source in self.fit for number in self.tables[source])
        yield from self._filters([source for source in full if source in fit], wanted)

    def usable(self) -> Iterator[str]:
        """Filters that touch only sources of which something is wanted."""
        yield from self.ids
        yield from self._filters(
            self.fit, (number for source in self.fit for number in self.members.sources[source])
        )

    def _filters(self, sources: Sequence[str | None], tables: Iterable[int]) -> Iterator[str]:
        """Filters that touch none but these sources, and none but these tables."""
        found = Counter(name for source in sources for name in self.members.filters[source])
        yield from (name for name, count in found.items() if count == len(self.members.touched[name]))
        names = Counter(self.members.assets[number].name for number in tables)
        yield from (f"table={name}" for name, n in names.items() if n == len(self.members.named[name]))


def _greedy(asked: _Asked) -> list[str]:
    """A good cover, always one: sources that no exact filters can cover are copied whole."""
    exact = [(asked.touched_by(name), name) for name in asked.exact()]
    exact.sort(key=lambda found: (-len(found[0]), _preference(found[1])))
    whole: list[str] = []
    while True:
        taken = {number for name in whole for number in asked.touched_by(name)}
        chosen = list(whole)
        for tables, name in exact:
            if taken.isdisjoint(tables):
                chosen.append(name)
                taken.update(tables)
        assets = asked.members.assets
        missing = sorted({f"id={assets[number].source_id}" for number in asked.wanted - taken})
        if not missing:
            return chosen
        whole += missing


Atom = tuple[str | None, str, bool]
"""Tables that the same filters touch: of one source, with a name where a filter has it, wanted or not."""


@dataclass
class _Search:
    """Branch and bound over disjoint filters; sets of atoms are the bits of a number."""

    members: Mapping[str, int]
    extras: Mapping[str, int]
    required: int
    by_atom: Mapping[int, Sequence[str]]
    largest: int
    steps: int = 0
    best: list[str] = field(default_factory=list)
    best_cost: tuple[int, int] = (1 << 60, 1 << 60)

    @classmethod
    def over(cls, asked: _Asked) -> "_Search":
        """Groups tables into atoms; of filters that touch the same, one is kept."""
        names = sorted(asked.usable(), key=_preference)
        by_table = {name.removeprefix("table=") for name in names if name.startswith("table=")}
        atoms = _count_atoms(asked, by_table)
        bits = {atom: 1 << position for position, atom in enumerate(atoms)}
        touching: dict[str, list[Atom]] = defaultdict(list)
        for atom in atoms:
            source, table, _ = atom
            touching[f"id={source}"].append(atom)
            if source not in asked.members.refused:
                for name in asked.members.filters[source]:
                    touching[name].append(atom)
            if table:
                touching[f"table={table}"].append(atom)
        members = {name: reduce(or_, (bits[atom] for atom in touching[name])) for name in names}
        extras = {name: sum(atoms[atom] for atom in touching[name] if not atom[2]) for name in names}
        by_atom: dict[int, list[str]] = {bit: [] for bit in bits.values()}
        seen: set[int] = set()
        size = {name: sum(atoms[atom] for atom in touching[name]) for name in names}
        for name in sorted(names, key=lambda name: (extras[name], -size[name], _preference(name))):
            if members[name] in seen or extras[name] == size[name]:
                continue
            seen.add(members[name])
            for atom in touching[name]:
                by_atom[bits[atom]].append(name)
        required = reduce(or_, (bit for atom, bit in bits.items() if atom[2]))
        largest = max(found.bit_count() for found in members.values())
        return cls(members=members, extras=extras, required=required, by_atom=by_atom, largest=largest)

    def improve_on(self, start: list[str]) -> list[str]:
        """The best cover that the search finds, or the one that it starts from."""
        self.best = start
        self.best_cost = (sum(self.extras[name] for name in start), len(start))
        self._visit([], self.required, 0, 0)
        return self.best

    def _visit(self, chosen: list[str], open_atoms: int, taken: int, extras: int) -> None:
        """Depth first, most constrained atom first, cheapest and largest filter first."""
        if not open_atoms:
            self.best, self.best_cost = list(chosen), (extras, len(chosen))
            return
        self.steps += 1
        if self.steps > SEARCH_STEPS:
            return
        fits: list[str] | None = None
        left = open_atoms
        while left:
            atom = left & -left
            left ^= atom
            options = [name for name in self.by_atom[atom] if not self.members[name] & taken]
            if fits is None or len(options) < len(fits):
                fits = options
                if len(fits) <= 1:
                    break
        for name in fits or []:
            cost = (extras + self.extras[name], len(chosen) + 1)
            rest = open_atoms & ~self.members[name]
            if (cost[0], cost[1] + -(-rest.bit_count() // self.largest)) < self.best_cost:
                self._visit([*chosen, name], rest, taken | self.members[name], cost[0])


def _count_atoms(asked: _Asked, by_table: Set[str]) -> Counter[Atom]:
    """The atoms of the sources of which something is wanted, each with its number of tables."""
    assets = asked.members.assets
    found: Counter[Atom] = Counter()
    for source in asked.tables:
        for number in asked.members.sources[source]:
            name = assets[number].name
            found[source, name if name in by_table else "", number in asked.wanted] += 1
    return found


def _preference(name: str) -> tuple[int, str]:
    """Of two filters that touch the same, the plainer one: none, a component, a table, an id."""
    return ({WHOLE: -1, "table": 1, "id": 2}.get(name.split("=", 1)[0], 0), name)
