"""Which checks does an asset declare? Those that the project configures, as the component overrides them."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import dagster as dg

from dagster_rocky.graph.naming import numbered
from dagster_rocky.project.configured_checks import BUDGET
from dagster_rocky.project.model_tests import DECLARATIVE, UNIT
from dagster_rocky.project.snapshot import ConfiguredCheck, Model, Pipeline, ProjectSnapshot
from dagster_rocky.vocabulary import CheckDeclaration, Evaluator, check_name
from dagster_rocky.yaml.mistakes import Mistake, instead
from dagster_rocky.yaml.options import CheckOverride, ChecksOptions

CONTRACT = "contract"
"""The check that a model keeps its contract; the engine names its diagnostics, not a check."""
CONTRACT_CODES = frozenset({"E010", "E011", "E012", "E013", "W010"})

SHARED_KIND = "cross_source_overlap"
"""The kind of checks that compare a table with its siblings in other sources: one result is for all of them."""

COMPLIANCE, RETENTION = "compliance", "retention"
"""Checks that a model keeps the project's rules about its data; the component asks for them."""

COMPARE = "compare"
"""The check that the shadow of a copied table holds what the table holds."""

_EVALUATORS: Mapping[str, Evaluator] = {
    CONTRACT: "compile",
    DECLARATIVE: "test",
    UNIT: "unit_test",
    COMPLIANCE: "compliance",
    RETENTION: "retention",
    COMPARE: "compare",
}

_BLOCK_ON_REQUEST = {DECLARATIVE, COMPARE}

_DESCRIPTIONS = {
    "row_count": "The target has as many rows as the source.",
    "column_match": "Source and target have the same columns; compared before the copy, so a first copy fails it.",
    "freshness": "The newest row is recent enough.",
    "null_rate": "The share of missing values stays below its threshold.",
    SHARED_KIND: "Tables of this name in several sources have few rows in common.",
    CONTRACT: "The model keeps its contract.",
    COMPLIANCE: "Every classified column is masked, or allowed to be open.",
    COMPARE: "The shadow of the table has its rows and columns; evaluated after shadow runs only.",
}


def declare(
    configured: Iterable[ConfiguredCheck],
    options: ChecksOptions,
    *,
    taken: Collection[str] = (),
    prefix: str = "",
) -> tuple[CheckDeclaration, ...]:
    """The declarations of one asset: one for each check, whatever the engine and Dagster make of their names.

    Args:
        configured: What the project configures for it, in its order; the engine may call several alike.
        options: The component's overrides; the first pattern that matches the engine's name, or the project's own,
            counts.
        taken: Check names that the asset has already.
        prefix: What is put before a name that is taken.

    Returns:
        Declarations in the project's order. Checks of one engine name are counted, and of names that are spelled
        alike all but the first get a number behind.

    Example:
        ```python
        declare([ConfiguredCheck(name="null_rate:email", kind="null_rate")], ChecksOptions())
        # (CheckDeclaration(engine_name='null_rate:email', name='null_rate_email', …),)
        ```
    """
    if not options.enabled:
        return ()
    checks = list(configured)
    declared: list[CheckDeclaration] = []
    seen: Counter[str] = Counter()
    for check, name in zip(checks, _names(checks, taken, prefix), strict=True):
        occurrence = seen[check.name]
        seen[check.name] += 1
        override = _override(check, options)
        if not override.enabled:
            continue
        by_severity = options.blocking and check.severity == "error" and check.kind not in _BLOCK_ON_REQUEST
        declared.append(
            CheckDeclaration(
                engine_name=check.name,
                name=name,
                occurrence=occurrence,
                evaluated_by=_EVALUATORS.get(check.kind, "run"),
                severity=override.severity,
                configured_severity="WARN" if check.severity == "warning" else "ERROR",
                blocking=by_severity if override.blocking is None else override.blocking,
                shared=check.kind == SHARED_KIND,
                description=check.description
                or _DESCRIPTIONS.get(check.kind, f"{check.name} ({check.kind}, {check.severity})"),
            )
        )
    return tuple(declared)


def _override(check: ConfiguredCheck, options: ChecksOptions) -> CheckOverride:
    """The first whose pattern fits the engine's name of the check, or the project's."""
    names = [check.name, *([check.title] if check.title else [])]
    fitting = (
        body for pattern, body in options.overrides.items() if any(fnmatchcase(n, pattern) for n in names)
    )
    return next(fitting, CheckOverride())


def _names(checks: Sequence[ConfiguredCheck], taken: Collection[str], prefix: str) -> list[str]:
    """A name for each check; none depends on which of them are switched off."""
    plain = [check_name(check.title or check.name) or "check" for check in checks]
    reserved = {*taken, *plain}
    used: set[str] = set(taken)
    names = []
    for wanted in plain:
        name = wanted
        if name in taken and prefix:
            name = f"{check_name(prefix)}_{name}"
        if name in used:
            name = numbered(name, used | reserved)
        used.add(name)
        names.append(name)
    return names


def refuse_idle_overrides(snapshot: ProjectSnapshot, options: ChecksOptions) -> None:
    """Refuses an override that fits no check of the project.

    Args:
        snapshot: The project.
        options: The component's overrides.

    Raises:
        Mistake: With the check that is near. A project without any check refuses none.
    """
    if not (options.enabled and options.overrides):
        return
    checks = list(_configured(snapshot, options))
    names = dict.fromkeys(name for check in checks for name in (check.title, check.name) if name)
    for pattern in options.overrides if names else ():
        if not any(fnmatchcase(name, pattern) for name in names):
            said = f"no check of the project is called {pattern!r}. {instead(pattern, names)}"
            raise Mistake(("checks", "overrides", pattern), said)


def _configured(snapshot: ProjectSnapshot, options: ChecksOptions) -> Iterator[ConfiguredCheck]:
    for pipeline in snapshot.pipelines:
        yield from pipeline.checks_of_all
        for checks in pipeline.checks_by_table.values():
            yield from checks
    for model in snapshot.models:
        yield from checks_of_model(model, options.rules)
    if BUDGET in options.rules:
        yield ConfiguredCheck(name=BUDGET, kind=BUDGET)
    yield from comparison(options)


def comparison(options: ChecksOptions) -> list[ConfiguredCheck]:
    """The check of a copied table against its shadow, where the component asks for it.

    Args:
        options: The component's.
    """
    return [ConfiguredCheck(name=COMPARE, kind=COMPARE)] if options.compare else []


def checks_of_table(pipeline: Pipeline, table: str, source_type: str) -> list[ConfiguredCheck]:
    """What a replication checks of one of its tables.

    Args:
        pipeline: The replication.
        table: The bare table name: the engine shares checks between all sources that have such a table.
        source_type: Its source's: siblings are compared with those of their own type only.

    Returns:
        The checks in the order in which the project has them.
    """
    shared = f"{SHARED_KIND}:{source_type}.{table}"
    own = pipeline.checks_by_table.get(table, [])
    return [*pipeline.checks_of_all, *(c for c in own if c.kind != SHARED_KIND or c.name == shared)]


def checks_of_model(model: Model, rules: Collection[str] = ()) -> list[ConfiguredCheck]:
    """What a model promises: its contract, the tests of its sidecar, and what the project's rules say of it.

    Args:
        model: The model.
        rules: The component's `checks.rules`.

    Returns:
        The contract first, then the tests in the project's order, then the rules.
    """
    promise = f"The model keeps its contract: {model.promise}." if model.promise else None
    contract = [ConfiguredCheck(name=CONTRACT, kind=CONTRACT, description=promise)] if model.contract else []
    kept = []
    if COMPLIANCE in rules and model.classification:
        kept.append(ConfiguredCheck(name=COMPLIANCE, kind=COMPLIANCE))
    if RETENTION in rules and model.retention:
        text = f"The warehouse keeps the data for {model.retention}, as the project says."
        kept.append(ConfiguredCheck(name=RETENTION, kind=RETENTION, severity="warning", description=text))
    return [*contract, *model.tests, *kept]


def idle_rules(snapshot: ProjectSnapshot, rules: Iterable[str]) -> list[str]:
    """Rules that the component wants checked and that the project does not have.

    Args:
        snapshot: The project.
        rules: The component's `checks.rules`.

    Returns:
        What to tell a person of each.
    """
    missing = {
        COMPLIANCE: None
        if any(m.classification for m in snapshot.models)
        else "no model has a [classification]",
        RETENTION: None if any(m.retention for m in snapshot.models) else "no model has a retention",
        BUDGET: None if snapshot.budget else "rocky.toml has no [budget] with a limit",
    }
    return [
        f"checks.rules has {rule!r}, which checks nothing: {missing[rule]}" for rule in rules if missing[rule]
    ]


def checks_of_quality(pipeline: Pipeline, known: Iterable[str]) -> dict[str, list[ConfiguredCheck]]:
    """What a quality pipeline checks, by the table that it checks.

    Args:
        pipeline: The quality pipeline.
        known: Every `catalog.schema.table` of the project: a schema-level entry means those of its schema.

    Returns:
        Checks by `catalog.schema.table`.
    """
    found: dict[str, list[ConfiguredCheck]] = {}
    for entry in pipeline.checked:
        prefix = f"{entry.catalog}.{entry.schema_name}."
        if entry.table:
            tables = [f"{prefix}{entry.table}"]
        else:
            bare = [table for table in pipeline.checks_by_table if table]
            tables = [name for name in known if name.startswith(prefix)]
            tables += [f"{prefix}{table}" for table in bare if f"{prefix}{table}" not in tables]
        for table in tables:
            own = pipeline.checks_by_table.get(table.rsplit(".", 1)[-1], [])
            checks = [*pipeline.checks_of_all, *own]
            if checks:
                found.setdefault(table, checks)
    return found


def check_specs(
    asset_key: dg.AssetKey,
    declared: Iterable[CheckDeclaration],
) -> list[dg.AssetCheckSpec]:
    """The declarations as Dagster takes them.

    Args:
        asset_key: The asset that they are of.
        declared: The declarations.

    Returns:
        One spec per declaration.
    """
    return [
        dg.AssetCheckSpec(
            name=check.name,
            asset=asset_key,
            description=check.description,
            blocking=check.blocking,
            metadata={"rocky/check": check.engine_name},
        )
        for check in declared
    ]
