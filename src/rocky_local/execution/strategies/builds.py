"""The kinds of models: what SQL builds each of them, and how its table comes to be the first time (contract, 5.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod

from rocky_local.errors import EngineError, Unsupported
from rocky_local.execution.strategies.copies import merge_sql
from rocky_local.project.models import Model

Bounds = tuple[str, str]
_NO_TIME: Bounds = ("1970-01-01 00:00:00", "1970-01-01 00:00:00")


class BuildStrategy(ABC):
    """One kind of model.

    Attributes:
        bootstrap_is_the_load: Whether the statement that makes a missing table also fills it.
    """

    bootstrap_is_the_load = False

    @abstractmethod
    def statements(self, model: Model, sql: str, bounds: Bounds = _NO_TIME) -> list[str]:
        """Return the statements of one build.

        Args:
            model: What to build.
            sql: The model's query, ready to run.
            bounds: The first moments of and after a partition, as SQL texts without quotes.
        """

    def bootstrap(self, model: Model, sql: str) -> str | None:
        """Return what makes a missing table; None when the build itself does."""
        return None


class FullRefresh(BuildStrategy):
    """Replace the table by the query's result."""

    def statements(self, model: Model, sql: str, bounds: Bounds = _NO_TIME) -> list[str]:
        """Return the statements of one build."""
        return [f"CREATE OR REPLACE TABLE {model.target} AS\n{sql}"]


class View(BuildStrategy):
    """A view of the query."""

    def statements(self, model: Model, sql: str, bounds: Bounds = _NO_TIME) -> list[str]:
        """Return the statements of one build."""
        return [f"CREATE OR REPLACE VIEW {model.target} AS\n{sql}"]


class Incremental(BuildStrategy):
    """Append the query's whole result, each time; there is no watermark for models."""

    bootstrap_is_the_load = True

    def statements(self, model: Model, sql: str, bounds: Bounds = _NO_TIME) -> list[str]:
        """Return the statements of one build."""
        return [f"INSERT INTO {model.target}\n{sql}"]

    def bootstrap(self, model: Model, sql: str) -> str:
        """Return what makes and fills a missing table."""
        return f"CREATE TABLE {model.target} AS\n{sql}"


class Merge(BuildStrategy):
    """Update the rows whose keys are there, insert the others."""

    def statements(self, model: Model, sql: str, bounds: Bounds = _NO_TIME) -> list[str]:
        """Return the statements of one build.

        Raises:
            EngineError: The sidecar names no key.
        """
        keys, updated = model.strategy.get("unique_key"), model.strategy.get("update_columns")
        if not keys:
            raise EngineError(f"merge model '{model.name}' needs `unique_key` in its [strategy]")
        return [merge_sql(model.target, sql, tuple(keys), list(updated) if updated else None)]

    def bootstrap(self, model: Model, sql: str) -> str:
        """Return what makes a missing table, empty."""
        return _empty_table(model, sql)


class Ephemeral(BuildStrategy):
    """Nothing at all; dependents that name it fail, as in the real engine."""

    def statements(self, model: Model, sql: str, bounds: Bounds = _NO_TIME) -> list[str]:
        """Return no statements."""
        return []


class TimeInterval(BuildStrategy):
    """Replace the rows of one partition in one transaction; a missing table is made empty."""

    def statements(self, model: Model, sql: str, bounds: Bounds = _NO_TIME) -> list[str]:
        """Return the statements of one partition."""
        column, (start, end) = model.strategy["time_column"], bounds
        return [
            "BEGIN",
            f"DELETE FROM {model.target} WHERE {column} >= '{start}' AND {column} < '{end}'",
            f"INSERT INTO {model.target}\n{within(sql, bounds)}",
            "COMMIT",
        ]

    def bootstrap(self, model: Model, sql: str) -> str:
        """Return what makes a missing table, empty."""
        return _empty_table(model, within(sql, _NO_TIME))


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
        raise Unsupported(f"the strategy '{model.kind}' of model '{model.name}' ({model.file})")
    return _STRATEGIES[model.kind]


def within(sql: str, bounds: Bounds) -> str:
    """Return a partitioned query with its bounds in place.

    Example:
        >>> within("SELECT 1 WHERE t >= @start_date AND t < @end_date", ("2026-01-01 00:00:00", "2026-01-02 00:00:00"))
        "SELECT 1 WHERE t >= '2026-01-01 00:00:00' AND t < '2026-01-02 00:00:00'"
    """
    return sql.replace("@start_date", f"'{bounds[0]}'").replace("@end_date", f"'{bounds[1]}'")


def _empty_table(model: Model, sql: str) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {model.target} AS SELECT * FROM (\n{sql}\n) AS model_schema WHERE FALSE"
    )
