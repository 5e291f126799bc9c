"""The kinds of models: what SQL builds each of them, and how its table comes to be the first time (contract, 5.3)."""

from collections.abc import Callable
from typing import NamedTuple

from rocky_local.errors import EngineError, Unsupported
from rocky_local.project.models import Model

Bounds = tuple[str, str]
_NO_TIME: Bounds = ("1970-01-01 00:00:00", "1970-01-01 00:00:00")

_NO_WINDOW = (
    "time_interval plan is missing its PartitionWindow — the runtime must populate `window` per partition "
    "before calling generate_transformation_sql"
)


class BuildStrategy(NamedTuple):
    """One kind of model: what builds it, what makes a missing table, and whether that fills it, too."""

    statements: Callable[[Model, str], list[str]]
    bootstrap: Callable[[Model, str], str] | None = None
    bootstrap_is_the_load: bool = False


def strategy_of(model: Model) -> BuildStrategy:
    """Return a model's strategy; nothing is built of an ephemeral one, so that dependents that name it fail."""
    if model.kind not in _STRATEGIES:
        raise Unsupported(f"the strategy '{model.kind}' of model '{model.name}' ({model.file})")
    return _STRATEGIES[model.kind]


def statement_outside_of_a_run(model: Model, sql: str) -> str:
    """Return the statement that builds a model, as far as one can be written without a run."""
    if model.kind == "ephemeral":
        raise EngineError("ephemeral — inlined as a CTE")
    try:
        if model.kind == "time_interval":
            raise EngineError(_NO_WINDOW)
        [statement] = strategy_of(model).statements(model, sql)
    except EngineError as error:
        raise EngineError(f"cannot render offline: {error.message}") from error
    return statement


def within(sql: str, bounds: Bounds) -> str:
    """Return a partitioned query with its bounds in place."""
    return sql.replace("@start_date", f"'{bounds[0]}'").replace("@end_date", f"'{bounds[1]}'")


def partition_statements(model: Model, sql: str, bounds: Bounds = _NO_TIME) -> list[str]:
    """Return what replaces the rows of one partition, given by its half-open bounds, in one transaction."""
    column, (start, end) = model.strategy.time_column, bounds
    return [
        "BEGIN",
        f"DELETE FROM {model.target} WHERE {column} >= '{start}' AND {column} < '{end}'",
        f"INSERT INTO {model.target}\n{within(sql, bounds)}",
        "COMMIT",
    ]


def merge_sql(target: str, source: str, keys: tuple[str, ...], updated: list[str] | None) -> str:
    """Return a MERGE of a query into a table by keys; of known rows, some columns or all (None) are updated."""
    if not keys:
        needed = "`merge_keys` (of a copy) or `unique_key` (of a model)"
        raise EngineError(f"a merge into '{target}' needs {needed}")
    matching = " AND ".join(f"t.{key} = s.{key}" for key in keys)
    assignments = "*" if updated is None else ", ".join(f"{name} = s.{name}" for name in updated)
    when_matched = f"WHEN MATCHED THEN UPDATE SET {assignments}\n" if assignments else ""
    return (
        f"MERGE INTO {target} AS t\nUSING (\n{source}\n) AS s\nON {matching}\n"
        f"{when_matched}WHEN NOT MATCHED THEN INSERT *"
    )


def _merge(model: Model, sql: str) -> list[str]:
    updated = [*model.strategy.update_columns]
    return [merge_sql(model.target, sql, model.strategy.unique_key, updated or None)]


def _empty_table(model: Model, sql: str) -> str:
    query = f"SELECT * FROM (\n{within(sql, _NO_TIME)}\n) AS model_schema WHERE FALSE"
    return f"CREATE TABLE IF NOT EXISTS {model.target} AS {query}"


_STRATEGIES = {
    "full_refresh": BuildStrategy(lambda model, sql: [f"CREATE OR REPLACE TABLE {model.target} AS\n{sql}"]),
    "view": BuildStrategy(lambda model, sql: [f"CREATE OR REPLACE VIEW {model.target} AS\n{sql}"]),
    # There is no watermark for models: each time the whole result is appended.
    "incremental": BuildStrategy(
        lambda model, sql: [f"INSERT INTO {model.target}\n{sql}"],
        lambda model, sql: f"CREATE TABLE {model.target} AS\n{sql}",
        bootstrap_is_the_load=True,
    ),
    "merge": BuildStrategy(_merge, _empty_table),
    "ephemeral": BuildStrategy(lambda _, __: []),
    "time_interval": BuildStrategy(partition_statements, _empty_table),
}
