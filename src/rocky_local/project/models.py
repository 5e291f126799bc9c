"""The models of a project: SQL files with their sidecars, defaults, groups and contracts."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from rocky_local.errors import CompileError, EngineError, NotAQuery
from rocky_local.project import toml
from rocky_local.project.lineage import QueryCache
from rocky_local.project.sidecar import Contract, Sidecar, Strategy, read_table
from rocky_local.project.tables import EMPTY, Assertion, Names, Place, T, checked

_VAR = re.compile(r"@var\(\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:,\s*([^)]*?)\s*)?\)")
_ARGUMENT = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Model(NamedTuple):
    """One model as its files say, with defaults and group applied, before run variables are put in."""

    name: str
    file: str
    sql: str
    place: Place
    strategy: Strategy
    sidecar: Sidecar = Sidecar()
    tags: dict[str, str] = EMPTY
    freshness: dict[str, Any] | None = None
    tests: tuple[Assertion, ...] = ()
    contract: Contract | None = None
    depends_on: Names = ()

    @property
    def kind(self) -> str:
        """The strategy's type."""
        return self.strategy.type

    @property
    def target(self) -> str:
        """The table it builds: `catalog.schema.table`."""
        return self.place.name

    def missing_variables(self, variables: dict[str, str]) -> list[str]:
        """Return the run variables that the SQL needs and nobody gives."""
        return [name for name, default in _VAR.findall(self.sql) if not default and name not in variables]

    def rendered(self, variables: dict[str, str]) -> str:
        """Return the SQL with `@var(name, default)` replaced; unknown ones stay as they are.

        Example:
            >>> model = Model("m", "m.sql", "SELECT '@var(who, me)'", Place("c", "s", "m"), Strategy(type="view"))
            >>> model.rendered({})
            "SELECT 'me'"
        """

        def value(match: re.Match[str]) -> str:
            return variables.get(match[1], match[2] if match[2] is not None else match[0])

        return _VAR.sub(value, self.sql).strip().removesuffix(";").rstrip()


class Project(NamedTuple):
    """All models of a folder: SQL files first, then `.rocky` files, each by name."""

    directory: str
    models: tuple[Model, ...]

    def by_name(self) -> dict[str, Model]:
        """Return the models by their names."""
        return {model.name: model for model in self.models}

    def find(self, name: str) -> Model:
        """Return the model of a name; there has to be one."""
        if found := self.by_name().get(name):
            return found
        raise EngineError(f"model '{name}' not found")

    def chosen(self, name: str | None) -> list[Model]:
        """Return all models, or the one of a name."""
        return [*self.models] if name is None else [self.find(name)]

    def consumers(self, name: str) -> list[str]:
        """Return the names of the models that declare a dependency on one, sorted."""
        return sorted(model.name for model in self.models if name in model.depends_on)

    def layers(self) -> list[list[str]]:
        """Return the names in layers; each layer depends only on earlier ones, sorted within."""
        needs = {model.name: model.depends_on for model in self.models}
        for model in self.models:
            for name in model.depends_on:
                if name not in needs:
                    raise CompileError(f"unknown dependency '{name}' referenced by '{model.name}'")
        layers, blocked = in_layers(needs)
        if blocked:
            names = ", ".join(f'"{name}"' for name in blocked)
            raise CompileError(f"circular dependency detected involving: [{names}]")
        return layers

    def order(self, *, by_name: bool = False) -> Iterator[Model]:
        """Yield the models as a run builds them: those that are ready first became so, or by name, as lists do."""
        models = self.by_name()
        sorter = TopologicalSorter({name: model.depends_on for name, model in models.items()})
        sorter.prepare()
        queue: list[str] = []
        while sorter.is_active():
            queue += sorted(sorter.get_ready())
            if by_name:
                queue.sort()
            name = queue.pop(0)
            yield models[name]
            sorter.done(name)


def in_layers(needs: Mapping[str, Sequence[str]]) -> tuple[list[list[str]], list[str]]:
    """Return names in layers, sorted, by what each of them needs, and those that a cycle keeps out."""
    sorter, layers = TopologicalSorter(needs), []
    with suppress(CycleError):
        sorter.prepare()  # What is not behind the cycle still comes out.
    while layer := sorted(sorter.get_ready()):
        layers.append(layer)
        sorter.done(*layer)
    return layers, sorted(needs.keys() - set(chain.from_iterable(layers)))


def files_below(root: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those in it, also behind links, each folder once."""
    seen = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        folders.sort()
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (path for name in names if (path := Path(folder, name)).is_file())


def load_project(directory: str) -> Project:
    """Read every model below a folder, which messages show as it is written. Dependencies are not looked at yet."""
    folder = _Folder(directory)
    files = [path for kind in (".sql", ".rocky") for path in folder.files if path.suffix == kind]
    with folder.queries:
        models = tuple(map(folder.model, files))
    seen: dict[str, Model] = {}
    for model in models:
        if seen.setdefault(model.name, model) is not model:
            both = f"'{seen[model.name].file}' and '{model.file}'"
            raise _unloadable(f"two models are called '{model.name}': {both}")
    return Project(directory, models)


class _Folder:
    """A folder of models with its groups and defaults."""

    def __init__(self, directory: str) -> None:
        self.root = Path(directory)
        self.queries = QueryCache()
        self.label = directory if directory.endswith("/") else f"{directory}/"
        groups = sorted((self.root / "groups").glob("*.toml"))
        self.groups = {path.stem: self.read(path, Sidecar) or Sidecar() for path in groups}
        self.tests = self.read(self.root / "test_definitions.toml", dict[str, Assertion]) or {}
        self.files = sorted(files_below(self.root))
        defaults = [path for path in self.files if path.name == "_defaults.toml"]
        self.defaults = {path.parent: self.read(path, Sidecar) or Sidecar() for path in defaults}

    def name_of(self, path: Path) -> str:
        """Return a file the way messages show it."""
        return f"{self.label}{path.relative_to(self.root)}"

    def read(self, path: Path, kind: type[T]) -> T | None:
        """Return what a TOML file says, or None where there is none."""
        with self.naming(path):
            return read_table(path, kind)

    @contextmanager
    def naming(self, path: Path) -> Iterator[None]:
        """Let the error of a file that cannot be read name it."""
        try:
            yield
        except toml.TomlError as error:
            reason = f"failed to parse frontmatter in '{self.name_of(path)}': {error}"
            raise _unloadable(reason, reason, str(error)) from error

    def model(self, path: Path) -> Model:
        own = self.read(path.with_suffix(".toml"), Sidecar) or Sidecar()
        name = own.name or path.stem
        if own.group and own.group not in self.groups:
            raise _unloadable(f"model '{path.stem}' names unknown group '{own.group}'")
        group = self.groups[own.group] if own.group else Sidecar()
        defaults = next((self.defaults[above] for above in path.parents if above in self.defaults), Sidecar())
        freshness = own.freshness or defaults.freshness
        return Model(
            name=name,
            file=self.name_of(path),
            sql=self.query(path),
            place=_place(name, own, group, defaults),
            strategy=own.strategy or group.strategy or defaults.strategy or Strategy(),
            sidecar=own,
            depends_on=own.depends_on,
            tags={**group.tags, **own.tags},
            freshness=freshness.written if freshness else None,
            tests=(*own.tests, *self.named_tests(name, own)),
            contract=self.read(path.with_name(f"{path.stem}.contract.toml"), Contract),
        )

    def query(self, path: Path) -> str:
        name = self.name_of(path)
        with self.naming(path):
            source = toml.read(path)
        try:
            return self.queries.lower(source) if path.suffix == ".rocky" else source
        except NotAQuery as error:
            place = f"{name}:{error.line}:{error.column}" if error.line else ""
            problem = f"failed to {error.phase} .rocky file '{name}': {error}"
            raise CompileError(problem, place=place) from error

    def named_tests(self, model: str, own: Sidecar) -> Iterator[Assertion]:
        """Give the tests that a sidecar uses by name."""
        for use in own.use_test:
            if use.name not in self.tests:
                expected = f"(expected a [{use.name}] entry in test_definitions.toml)"
                reason = f"model '{model}' references unknown named test '{use.name}' {expected}"
                raise _unloadable(reason, reason)
            own_words = {name: value for name, value in use.written.items() if name in ("column", "severity")}
            yield checked(Assertion, self.tests[use.name].written | own_words)


def _unloadable(reason: str, *causes: str) -> CompileError:
    return CompileError(f"failed to load models: {reason}", *causes)


def _place(name: str, own: Sidecar, group: Sidecar, defaults: Sidecar) -> Place:
    target = {**defaults.target, **own.target}
    if group.schema_template is not None and "schema" not in own.target:
        missing = [key for key in _ARGUMENT.findall(group.schema_template) if key not in own.args]
        if missing:
            raise _unloadable(
                f"model '{name}' gives no [args] value for '{missing[0]}', which its group's template needs"
            )
        target["schema"] = _ARGUMENT.sub(lambda match: str(own.args[match[1]]), group.schema_template)
    if lacking := {"catalog", "schema"} - target.keys():
        place = "set it in its sidecar or in _defaults.toml"
        raise _unloadable(f"model '{name}' has no target {min(lacking)}; {place}")
    return Place(target["catalog"], target["schema"], target.get("table", name))
