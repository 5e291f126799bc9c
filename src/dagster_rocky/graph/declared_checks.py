"""Which checks an asset declares: those that the project configures, as the component overrides them."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

import dagster as dg

from dagster_rocky.project.snapshot import ConfiguredCheck, Model, Pipeline
from dagster_rocky.results import Diagnostic
from dagster_rocky.vocabulary import CheckDeclaration, check_name
from dagster_rocky.yaml.options import ChecksOptions

CONTRACT = "contract"
"""The check that a model keeps its contract; the engine names its diagnostics, not a check."""
CONTRACT_CODES = frozenset({"E010", "E011", "E012", "E013", "W010"})

_DESCRIPTIONS = {
    "row_count": "The target has as many rows as the source.",
    "column_match": "Source and target have the same columns; compared before the copy, so a first copy fails it.",
    "freshness": "The newest row is recent enough.",
    "null_rate": "The share of missing values stays below its threshold.",
    CONTRACT: "The model keeps its contract.",
}


def declare(configured: Iterable[ConfiguredCheck], options: ChecksOptions) -> tuple[CheckDeclaration, ...]:
    """The declarations of one asset.

    Args:
        configured: What the project configures for it.
        options: The component's overrides; the first pattern that matches the engine's name counts.

    Returns:
        Declarations in the project's order; of two engine names that Dagster writes alike, the first.

    Example:
        ```python
        declare([ConfiguredCheck(name="null_rate:email", kind="null_rate")], ChecksOptions())
        # (CheckDeclaration(engine_name='null_rate:email', name='null_rate_email', …),)
        ```
    """
    if not options.enabled:
        return ()
    declared: list[CheckDeclaration] = []
    names: set[str] = set()
    for check in configured:
        override = next(
            (body for pattern, body in options.overrides.items() if fnmatchcase(check.name, pattern)), None
        )
        name = check_name(check.name)
        if (override and not override.enabled) or name in names:
            continue
        names.add(name)
        blocking = override.blocking if override and override.blocking is not None else None
        declared.append(
            CheckDeclaration(
                engine_name=check.name,
                name=name,
                severity=override.severity if override else None,
                blocking=options.blocking and check.severity == "error" if blocking is None else blocking,
                description=_DESCRIPTIONS.get(check.kind, f"{check.name} ({check.kind}, {check.severity})"),
            )
        )
    return tuple(declared)


def checks_of_table(pipeline: Pipeline, table: str) -> list[ConfiguredCheck]:
    """What a replication checks of one of its tables.

    Args:
        pipeline: The replication.
        table: The bare table name: the engine shares checks between all sources that have such a table.

    Returns:
        The checks in the order in which the project has them.
    """
    return [*pipeline.checks_of_all, *pipeline.checks_by_table.get(table, [])]


def checks_of_model(model: Model) -> list[ConfiguredCheck]:
    """The contract of a model that has one, as a check.

    Args:
        model: The model.

    Returns:
        One check or none.
    """
    return [ConfiguredCheck(name=CONTRACT, kind=CONTRACT)] if model.contract else []


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
    partitions_def: dg.PartitionsDefinition | None = None,
) -> list[dg.AssetCheckSpec]:
    """The declarations as Dagster takes them.

    Args:
        asset_key: The asset that they are of.
        declared: The declarations.
        partitions_def: The asset's.

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
            partitions_def=partitions_def,
        )
        for check in declared
    ]


def contract_result(
    asset_key: dg.AssetKey, check: CheckDeclaration, found: Iterable[Diagnostic]
) -> dg.AssetCheckResult:
    """A contract's check from the diagnostics of its model.

    Args:
        asset_key: The model's asset.
        check: The declaration.
        found: What `compile` said of the model.

    Returns:
        Failed when a diagnostic is about the contract; a mere warning fails it with severity WARN.
    """
    broken = [finding for finding in found if finding.code in CONTRACT_CODES]
    is_error = any(finding.severity == "Error" for finding in broken)
    severity = dg.AssetCheckSeverity.ERROR if is_error or not broken else dg.AssetCheckSeverity.WARN
    if check.severity:
        severity = dg.AssetCheckSeverity[check.severity]
    return dg.AssetCheckResult(
        asset_key=asset_key,
        check_name=check.name,
        passed=not broken,
        severity=severity,
        metadata={
            "rocky/check": CONTRACT,
            "rocky/diagnostics": [f"[{finding.code}] {finding.message}" for finding in broken],
        },
        description="; ".join(finding.suggestion for finding in broken if finding.suggestion) or None,
    )
