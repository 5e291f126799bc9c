"""The models of a project: SQL files with their sidecars, defaults, groups and contracts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rocky_local import toml
from rocky_local.errors import CompileError, EngineError

STRATEGIES = (
    "full_refresh",
    "incremental",
    "merge",
    "time_interval",
    "ephemeral",
    "delete_insert",
    "microbatch",
    "view",
    "materialized_view",
    "dynamic_table",
    "content_addressed",
)
_VAR = re.compile(r"@var\(\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:,\s*([^)]*?)\s*)?\)")
_ARGUMENT = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass
class Model:
    """One model as its files say, with defaults and group applied.

    Attributes:
        file: Its SQL file, the way messages show it (`models/x.sql` or `./models/x.sql`).
        language: `sql` or `rocky`.
        source: The text of the file.
        sql: The text as SQL, before run variables are put in; equals `source` for SQL models.
        strategy: The strategy table with its defaults filled in, `type` first.
        sidecar: The model's own sidecar as written.
        contract: The contract that lies beside the model, or None.
    """

    name: str
    file: str
    language: str
    source: str
    sql: str
    catalog: str
    schema: str
    table: str
    strategy: dict[str, Any]
    depends_on: tuple[str, ...] = ()
    sources: tuple[dict[str, str], ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    intent: str | None = None
    retention: str | None = None
    group: str | None = None
    freshness: dict[str, Any] | None = None
    classification: dict[str, str] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    tests: tuple[dict[str, Any], ...] = ()
    unit_tests: tuple[dict[str, Any], ...] = ()
    skip: dict[str, Any] = field(default_factory=dict)
    sidecar: dict[str, Any] = field(default_factory=dict)
    contract: dict[str, Any] | None = None

    @property
    def kind(self) -> str:
        """The strategy's type."""
        return str(self.strategy["type"])

    @property
    def target(self) -> str:
        """The table it builds: `catalog.schema.table`."""
        return f"{self.catalog}.{self.schema}.{self.table}"

    @property
    def asset_key(self) -> list[str]:
        """The key under which results report it."""
        return [self.catalog, self.schema, self.table]

    def missing_variables(self, variables: dict[str, str]) -> list[str]:
        """Return the run variables that the SQL needs and nobody gives."""
        found = [(name, default) for name, default in _VAR.findall(self.sql)]
        return [name for name, default in found if not default and name not in variables]

    def rendered(self, variables: dict[str, str]) -> str:
        """Return the SQL with `@var(name, default)` replaced; unknown ones stay as they are.

        Example:
            >>> model = Model("m", "m.sql", "sql", "", "SELECT '@var(who, me)'", "c", "s", "m", {"type": "view"})
            >>> model.rendered({})
            "SELECT 'me'"
        """

        def value(match: re.Match[str]) -> str:
            return variables.get(match[1], match[2] if match[2] is not None else match[0])

        return _VAR.sub(value, self.sql).strip().removesuffix(";").rstrip()


@dataclass(frozen=True)
class Project:
    """All models of a folder.

    Attributes:
        models: In the engine's listing order: SQL files first, then `.rocky` files, each by name.
        rocky_models: How many of them are `.rocky` files.
    """

    directory: str
    models: tuple[Model, ...]

    @property
    def rocky_models(self) -> int:
        """How many models are written in the engine's own language."""
        return sum(model.language == "rocky" for model in self.models)

    def by_name(self) -> dict[str, Model]:
        """Return the models by their names."""
        return {model.name: model for model in self.models}

    def dependents(self) -> dict[str, list[str]]:
        """Return, for each model, the names of those that declare it as a dependency, sorted."""
        found: dict[str, list[str]] = {model.name: [] for model in self.models}
        for model in self.models:
            for name in model.depends_on:
                found[name].append(model.name)
        return {name: sorted(names) for name, names in found.items()}

    def layers(self) -> list[list[str]]:
        """Return the names in layers; each layer depends only on earlier ones, sorted within.

        Raises:
            CompileError: An unknown or a cyclic dependency.
        """
        self._check_dependencies()
        remaining = {model.name: set(model.depends_on) for model in self.models}
        layers = []
        while remaining:
            layer = sorted(name for name, needs in remaining.items() if not needs)
            if not layer:
                raise CompileError(f"circular dependency detected involving: {', '.join(sorted(remaining))}")
            layers.append(layer)
            remaining = {name: needs - set(layer) for name, needs in remaining.items() if name not in layer}
        return layers

    def order(self) -> list[Model]:
        """Return the models in the order in which a run builds them.

        A queue of models whose dependencies are all built, refilled by name as each one is taken off.
        """
        self.layers()
        models, dependents = self.by_name(), self.dependents()
        waiting = {model.name: len(set(model.depends_on)) for model in self.models}
        queue = sorted(name for name, count in waiting.items() if not count)
        ordered = []
        for name in queue:
            ordered.append(models[name])
            for dependent in dependents[name]:
                waiting[dependent] -= 1
                if not waiting[dependent]:
                    queue.append(dependent)
        return ordered

    def _check_dependencies(self) -> None:
        names = {model.name for model in self.models}
        for model in self.models:
            for name in model.depends_on:
                if name not in names:
                    raise CompileError(f"unknown dependency '{name}' referenced by '{model.name}'")


def load_project(directory: str) -> Project:
    """Read every model below a folder. Dependencies are not looked at yet.

    Args:
        directory: The folder as messages should show it, for example `models` or `./models/`.

    Raises:
        CompileError: A sidecar, a defaults file or a group cannot be read.
    """
    root = Path(directory)
    shown = directory if directory.endswith("/") else f"{directory}/"
    groups = {path.stem: _read_toml(path, shown, root) for path in sorted((root / "groups").glob("*.toml"))}
    files = [path for path in sorted(root.rglob("*.sql")) if path.is_file()]
    files += [path for path in sorted(root.rglob("*.rocky")) if path.is_file()]
    return Project(directory, tuple(_load_model(path, root, shown, groups) for path in files))


def _read_toml(path: Path, shown: str, root: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    try:
        table = toml.parse(text)
        kind = table.get("strategy", {}).get("type")
        if kind is not None and kind not in STRATEGIES:
            raise toml.unknown_variant(text, "strategy", "type", kind, STRATEGIES)
    except toml.TomlError as error:
        reason = f"failed to parse frontmatter in '{shown}{path.relative_to(root)}': {error}"
        raise CompileError(f"failed to load models: {reason}", reason, str(error)) from error
    return table


def _load_model(path: Path, root: Path, shown: str, groups: dict[str, dict[str, Any]]) -> Model:
    sidecar = _read_toml(path.with_suffix(".toml"), shown, root)
    defaults = _defaults(path.parent, root, shown)
    group_name = sidecar.get("group")
    if group_name is not None and group_name not in groups:
        raise CompileError(f"failed to load models: model '{path.stem}' names unknown group '{group_name}'")
    group = groups[group_name] if group_name else {}
    name = sidecar.get("name", path.stem)
    target = {**defaults.get("target", {}), **sidecar.get("target", {})}
    if "schema_template" in group and "schema" not in sidecar.get("target", {}):
        target["schema"] = _filled(group["schema_template"], sidecar.get("args", {}), name)
    for key in ("catalog", "schema"):
        if key not in target:
            raise CompileError(
                f"failed to load models: model '{name}' has no target {key}; "
                "set it in its sidecar or in _defaults.toml"
            )
    source = path.read_text(encoding="utf-8")
    contract = path.with_name(f"{path.stem}.contract.toml")
    return Model(
        name=name,
        file=f"{shown}{path.relative_to(root)}",
        language=path.suffix.removeprefix("."),
        source=source,
        sql=_as_sql(path, source),
        catalog=target["catalog"],
        schema=target["schema"],
        table=target.get("table", name),
        strategy=_strategy(
            sidecar.get("strategy") or group.get("strategy") or defaults.get("strategy") or {}
        ),
        depends_on=tuple(sidecar.get("depends_on", ())),
        sources=tuple(sidecar.get("sources", ())),
        tags={**group.get("tags", {}), **sidecar.get("tags", {})},
        intent=sidecar.get("intent", defaults.get("intent")),
        retention=sidecar.get("retention"),
        group=group_name,
        freshness=sidecar.get("freshness", defaults.get("freshness")),
        classification=sidecar.get("classification", {}),
        columns=sidecar.get("columns", {}),
        tests=tuple(sidecar.get("tests", ())),
        unit_tests=tuple(sidecar.get("test", ())),
        skip=sidecar.get("skip", {}),
        sidecar=sidecar,
        contract=_read_toml(contract, shown, root) if contract.is_file() else None,
    )


def _defaults(folder: Path, root: Path, shown: str) -> dict[str, Any]:
    """Return the nearest `_defaults.toml`, looking up to the models folder."""
    while True:
        path = folder / "_defaults.toml"
        if path.is_file():
            return _read_toml(path, shown, root)
        if folder in (root, folder.parent):
            return {}
        folder = folder.parent


def _filled(template: str, arguments: dict[str, Any], model: str) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in arguments:
            raise CompileError(
                f"failed to load models: model '{model}' gives no [args] value for '{match[1]}', "
                "which its group's template needs"
            )
        return str(arguments[match[1]])

    return _ARGUMENT.sub(value, template)


def _strategy(table: dict[str, Any]) -> dict[str, Any]:
    kind = table.get("type", "full_refresh")
    rest = {key: value for key, value in table.items() if key != "type"}
    if kind == "time_interval":
        return {
            "type": kind,
            "time_column": rest.get("time_column", ""),
            "granularity": rest.get("granularity", "day"),
            "lookback": rest.get("lookback", 0),
            "batch_size": rest.get("batch_size", 1),
            "first_partition": rest.get("first_partition"),
        }
    return {"type": kind, **rest}


def _as_sql(path: Path, source: str) -> str:
    if path.suffix != ".rocky":
        return source
    from rocky_local import rockylang  # noqa: PLC0415

    try:
        return rockylang.to_sql(source)
    except EngineError as error:
        raise CompileError(f"failed to load models: {path.name}: {error.message}") from error
