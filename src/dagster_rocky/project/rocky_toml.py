"""What only `rocky.toml` and the sidecars say, read when the state is refreshed."""

import os
import re
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from dagster_rocky.project.snapshot import CheckedTable, ConfiguredCheck

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def read_toml(path: Path) -> dict[str, Any]:
    """Reads a TOML file with `${VAR}` and `${VAR:-default}` substituted, as the engine does.

    Args:
        path: `rocky.toml` or a sidecar.

    Returns:
        The parsed document. A variable that is neither set nor has a default stays as it is written.

    Raises:
        tomllib.TOMLDecodeError: When it is no TOML.
        OSError: When it cannot be read.
    """

    def substitute(match: re.Match[str]) -> str:
        name, default = match.groups()
        return os.environ.get(name, default if default is not None else match.group(0))

    return tomllib.loads(_VARIABLE.sub(substitute, path.read_text(encoding="utf-8")))


def adapter_types(config: Mapping[str, Any]) -> dict[str, str]:
    """Adapter names with their types; an unnamed `[adapter]` is called `default`.

    Args:
        config: The parsed `rocky.toml`.

    Returns:
        For example `{"default": "duckdb"}`.
    """
    adapters = config.get("adapter", {})
    if isinstance(adapters.get("type"), str):
        return {"default": adapters["type"]}
    return {name: body.get("type", "") for name, body in adapters.items() if isinstance(body, dict)}


def warehouse_of(pipeline: Mapping[str, Any], adapters: Mapping[str, str]) -> str:
    """The type of the warehouse that a pipeline writes to, e.g. `duckdb`.

    Args:
        pipeline: One `[pipeline.NAME]`.
        adapters: What `adapter_types` gave.

    Returns:
        The adapter's type, or empty when several could be meant.
    """
    name = pipeline.get("target", {}).get("adapter", "default")
    return adapters.get(name) or (next(iter(adapters.values())) if len(adapters) == 1 else "")


def is_excluded(pipeline: Mapping[str, Any], source_id: str, table: str) -> bool:
    """Whether the project switches a replicated table off.

    Args:
        pipeline: One replication's `[pipeline.NAME]`.
        source_id: The source schema.
        table: The bare table name.

    Returns:
        True when an override with `enabled = false` matches it.
    """
    for rule in pipeline.get("table_overrides", []):
        match = rule.get("match", {})
        fits_source = match.get("connector") in {None, source_id}
        fits_table = fnmatchcase(table, match.get("table", "*"))
        if fits_source and fits_table and rule.get("enabled") is False:
            return True
    return False


def pattern_of(pipeline: Mapping[str, Any]) -> tuple[list[str], str]:
    """The component names of a replication's schema pattern in their order, and its separator.

    Args:
        pipeline: One replication's `[pipeline.NAME]`.

    Returns:
        For example `(["fleet", "zones", "probe"], "__")`.
    """
    pattern = pipeline.get("source", {}).get("schema_pattern", {})
    names = [str(name).removesuffix("...") for name in pattern.get("components", [])]
    return names, str(pattern.get("separator", "__"))


def checks_of_all_tables(pipeline: Mapping[str, Any]) -> list[ConfiguredCheck]:
    """The checks of a replication that `discover` does not list: they run on every copied table.

    Args:
        pipeline: One replication's `[pipeline.NAME]`.

    Returns:
        `row_count`, `column_match` and `freshness` as far as they are on.
    """
    checks = _enabled_checks(pipeline)
    found = [
        ConfiguredCheck(name=name, kind=name, severity="error")
        for name in ("row_count", "column_match")
        if checks.get(name)
    ]
    if checks.get("freshness"):
        found.append(
            ConfiguredCheck(name="freshness", kind="freshness", severity=_severity(checks["freshness"]))
        )
    return found


def check_severities(pipeline: Mapping[str, Any]) -> dict[str, Literal["error", "warning"]]:
    """The severity of each check that `discover` lists, by the engine's name of it.

    Args:
        pipeline: One `[pipeline.NAME]`.

    Returns:
        For example `{"accepted_values:cabin": "warning"}`.
    """
    checks = _enabled_checks(pipeline)
    severities = {rule["name"]: _severity(rule) for rule in checks.get("custom", []) if "name" in rule}
    severities |= {_assertion_name(rule): _severity(rule) for rule in checks.get("assertions", [])}
    null_rate = checks.get("null_rate") or {}
    if isinstance(null_rate, dict):
        severities |= {f"null_rate:{column}": _severity(null_rate) for column in null_rate.get("columns", [])}
    return severities


def quality_checks(
    pipeline: Mapping[str, Any],
) -> tuple[list[CheckedTable], list[ConfiguredCheck], dict[str, Any]]:
    """What a quality pipeline looks at and what it checks.

    Args:
        pipeline: One quality pipeline's `[pipeline.NAME]`.

    Returns:
        The tables and schemas; the checks of every table; and by bare table name the checks of that table.
    """
    checks = _enabled_checks(pipeline)
    tables = [
        CheckedTable(
            catalog=ref.get("catalog", ""), schema_name=ref.get("schema", ""), table=ref.get("table")
        )
        for ref in pipeline.get("tables", [])
    ]
    of_all = [ConfiguredCheck(name="row_count", kind="row_count")] if checks.get("row_count") else []
    by_table: dict[str, list[ConfiguredCheck]] = {}
    for rule in checks.get("assertions", []):
        check = ConfiguredCheck(name=_assertion_name(rule), kind="assertion", severity=_severity(rule))
        by_table.setdefault(rule.get("table", ""), []).append(check)
    return tables, of_all, by_table


def _enabled_checks(pipeline: Mapping[str, Any]) -> Mapping[str, Any]:
    checks = pipeline.get("checks", {})
    return checks if checks.get("enabled", True) else {}


def _severity(rule: Any) -> Literal["error", "warning"]:
    return "warning" if isinstance(rule, Mapping) and rule.get("severity") == "warning" else "error"


def _assertion_name(rule: Mapping[str, Any]) -> str:
    return str(rule.get("name") or f"{rule.get('type', 'assertion')}:{rule.get('column', '-')}")
