"""The kinds of models: what SQL builds each of them, and how its table comes to be the first time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rocky_local.errors import EngineError, Unsupported
from rocky_local.strategies.copies import merge_sql

if TYPE_CHECKING:
    from rocky_local.models import Model


@dataclass(frozen=True)
class Bootstrap:
    """The statement that makes a missing table.

    Attributes:
        is_the_load: Whether it also fills the table, so that nothing more has to be done.
    """

    sql: str
    is_the_load: bool


@dataclass(frozen=True)
class BuildStrategy:
    """One kind of model.

    Attributes:
        statements: The statements of one build of a model, from its query and the full name of its table.
        bootstrap: What makes the table when it is missing; None when the build itself does.
    """

    statements: Callable[[Model, str, str], list[str]]
    bootstrap: Callable[[Model, str, str], Bootstrap | None] = lambda model, sql, target: None


class TimeInterval:
    """Replace the rows of one partition in one transaction."""

    @staticmethod
    def partition_statements(model: Model, sql: str, target: str, start: str, end: str) -> list[str]:
        """Return the statements of one partition; its bounds are SQL texts without quotes, the end is outside."""
        column = model.strategy["time_column"]
        return [
            "BEGIN",
            f"DELETE FROM {target} WHERE {column} >= '{start}' AND {column} < '{end}'",
            f"INSERT INTO {target}\n{within(sql, start, end)}",
            "COMMIT",
        ]


def strategy_of(model: Model) -> BuildStrategy:
    """Return a model's strategy.

    Raises:
        Unsupported: A kind that only the real engine builds.
    """
    if model.kind not in _STRATEGIES:
        raise Unsupported(f"the strategy '{model.kind}'")
    return _STRATEGIES[model.kind]


def within(sql: str, start: str, end: str) -> str:
    """Return a partitioned query with its bounds in place.

    Example:
        >>> within("SELECT 1 WHERE t >= @start_date AND t < @end_date", "2026-01-01 00:00:00", "2026-01-02 00:00:00")
        "SELECT 1 WHERE t >= '2026-01-01 00:00:00' AND t < '2026-01-02 00:00:00'"
    """
    return sql.replace("@start_date", f"'{start}'").replace("@end_date", f"'{end}'")


def empty_table(sql: str, target: str) -> str:
    """Return the statement that makes a table with a query's columns and no rows."""
    return f"CREATE TABLE IF NOT EXISTS {target} AS SELECT * FROM (\n{sql}\n) AS model_schema WHERE FALSE"


def _merge(model: Model, sql: str, target: str) -> list[str]:
    keys = model.strategy.get("unique_key")
    if not keys:
        raise EngineError(f"merge model '{model.name}' needs `unique_key` in its [strategy]")
    return [merge_sql(target, sql, tuple(keys), list(model.strategy.get("update_columns", ())) or None)]


def _bounds_needed(model: Model, sql: str, target: str) -> list[str]:
    raise NotImplementedError("a partition has bounds; `partition_statements` takes them")


_STRATEGIES = {
    "full_refresh": BuildStrategy(lambda _, sql, target: [f"CREATE OR REPLACE TABLE {target} AS\n{sql}"]),
    "view": BuildStrategy(lambda _, sql, target: [f"CREATE OR REPLACE VIEW {target} AS\n{sql}"]),
    # The whole result is appended each time: models have no watermark.
    "incremental": BuildStrategy(
        lambda _, sql, target: [f"INSERT INTO {target}\n{sql}"],
        lambda _, sql, target: Bootstrap(f"CREATE TABLE {target} AS\n{sql}", is_the_load=True),
    ),
    "merge": BuildStrategy(
        _merge, lambda _, sql, target: Bootstrap(empty_table(sql, target), is_the_load=False)
    ),
    # Nothing is built; dependents that name it fail, as in the real engine.
    "ephemeral": BuildStrategy(lambda *_: []),
    "time_interval": BuildStrategy(_bounds_needed),
}
