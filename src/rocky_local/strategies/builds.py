"""The kinds of models: what SQL builds each of them, and how its table comes to be the first time."""

from __future__ import annotations

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


class BuildStrategy:
    """One kind of model."""

    def statements(self, model: Model, sql: str, target: str) -> list[str]:
        """Return the statements of one build.

        Args:
            model: What to build.
            sql: The model's query, ready to run.
            target: The full name of the table.
        """
        raise NotImplementedError

    def bootstrap(self, model: Model, sql: str, target: str) -> Bootstrap | None:
        """Return what makes the table when it is missing, or None when the build itself does."""
        return None


class FullRefresh(BuildStrategy):
    """Replace the table by the query's result."""

    def statements(self, model: Model, sql: str, target: str) -> list[str]:
        """Return the statements of one build."""
        return [f"CREATE OR REPLACE TABLE {target} AS\n{sql}"]


class View(BuildStrategy):
    """A view of the query."""

    def statements(self, model: Model, sql: str, target: str) -> list[str]:
        """Return the statements of one build."""
        return [f"CREATE OR REPLACE VIEW {target} AS\n{sql}"]


class Incremental(BuildStrategy):
    """Append the query's whole result, each time; there is no watermark for models."""

    def statements(self, model: Model, sql: str, target: str) -> list[str]:
        """Return the statements of one build."""
        return [f"INSERT INTO {target}\n{sql}"]

    def bootstrap(self, model: Model, sql: str, target: str) -> Bootstrap:
        """Return the statement that makes and fills the table."""
        return Bootstrap(f"CREATE TABLE {target} AS\n{sql}", is_the_load=True)


class Merge(BuildStrategy):
    """Update the rows whose keys are there, insert the others."""

    def statements(self, model: Model, sql: str, target: str) -> list[str]:
        """Return the statements of one build.

        Raises:
            EngineError: The sidecar names no key.
        """
        keys = model.strategy.get("unique_key", [])
        keys = (keys,) if isinstance(keys, str) else tuple(keys)
        if not keys:
            raise EngineError(f"merge model '{model.name}' needs `unique_key` in its [strategy]")
        updated = model.strategy.get("update_columns")
        return [merge_sql(target, sql, keys, list(updated) if updated else None)]

    def bootstrap(self, model: Model, sql: str, target: str) -> Bootstrap:
        """Return the statement that makes the empty table."""
        return Bootstrap(empty_table(sql, target), is_the_load=False)


class Ephemeral(BuildStrategy):
    """Nothing at all; dependents that name it fail, as in the real engine."""

    def statements(self, model: Model, sql: str, target: str) -> list[str]:
        """Return no statements."""
        return []


class TimeInterval(BuildStrategy):
    """Replace the rows of one partition in one transaction."""

    def statements(self, model: Model, sql: str, target: str) -> list[str]:
        """Raise: a partition has bounds; `partition_statements` takes them."""
        raise NotImplementedError

    @staticmethod
    def partition_statements(model: Model, sql: str, target: str, start: str, end: str) -> list[str]:
        """Return the statements of one partition.

        Args:
            model: What to build.
            sql: The model's query with its placeholders.
            target: The full name of the table.
            start: The first moment of the partition as SQL text, without quotes.
            end: The first moment after it.
        """
        column = model.strategy["time_column"]
        return [
            "BEGIN",
            f"DELETE FROM {target} WHERE {column} >= '{start}' AND {column} < '{end}'",
            f"INSERT INTO {target}\n{within(sql, start, end)}",
            "COMMIT",
        ]


_STRATEGIES: dict[str, BuildStrategy] = {
    "full_refresh": FullRefresh(),
    "view": View(),
    "incremental": Incremental(),
    "merge": Merge(),
    "ephemeral": Ephemeral(),
    "time_interval": TimeInterval(),
}


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
