"""Snapshot pipelines, whose MERGE DuckDB does not understand: the engine's own statements and their failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rocky_local import clock, tracing
from rocky_local.errors import DatabaseError, EngineError
from rocky_local.hashing import sql_hash

if TYPE_CHECKING:
    from rocky_local.adapter import DuckDBAdapter
    from rocky_local.config import Pipeline

_RUN_LOCAL = "rocky_cli::commands::run_local"


@dataclass(frozen=True)
class Snapshot:
    """What a snapshot pipeline keeps the history of."""

    source: str
    target: str
    keys: tuple[str, ...]
    updated_at: str
    hard_deletes: bool

    def matches(self, left: str, right: str) -> str:
        """Return the condition that two aliases mean the same row."""
        return " AND ".join(f"{left}.{key} = {right}.{key}" for key in self.keys)


def read_snapshot(pipeline: Pipeline) -> Snapshot:
    """Return what a snapshot pipeline is configured to do.

    Raises:
        EngineError: A part of its configuration is missing.
    """
    raw = pipeline.raw
    names = []
    for side in ("source", "target"):
        table = raw.get(side, {})
        missing = [part for part in ("catalog", "schema", "table") if part not in table]
        if missing:
            raise EngineError(f"pipeline '{pipeline.name}': [{side}] lacks {', '.join(missing)}")
        names.append(f"{table['catalog']}.{table['schema']}.{table['table']}")
    keys = raw.get("unique_key", [])
    if not keys or "updated_at" not in raw:
        raise EngineError(f"pipeline '{pipeline.name}': a snapshot needs unique_key and updated_at")
    deletes = bool(raw.get("invalidate_hard_deletes", False))
    return Snapshot(
        names[0], names[1], tuple([keys] if isinstance(keys, str) else keys), raw["updated_at"], deletes
    )


def pipeline_statements(snapshot: Snapshot) -> list[str]:
    """Return the statements of a `run`."""
    found = [
        f"CREATE TABLE IF NOT EXISTS {snapshot.target} AS SELECT *, CURRENT_TIMESTAMP AS valid_from, "
        f"CAST(NULL AS TIMESTAMP) AS valid_to FROM {snapshot.source} WHERE 1=0",
        f"MERGE INTO {snapshot.target} AS target USING {snapshot.source} AS source "
        f"ON {snapshot.matches('target', 'source')} AND target.valid_to IS NULL "
        f"WHEN MATCHED AND source.{snapshot.updated_at} > target.{snapshot.updated_at} THEN UPDATE SET "
        "valid_to = CURRENT_TIMESTAMP WHEN NOT MATCHED THEN INSERT (*) "
        "VALUES (source.*, CURRENT_TIMESTAMP, NULL)",
    ]
    if snapshot.hard_deletes:
        found.append(
            f"UPDATE {snapshot.target} SET valid_to = CURRENT_TIMESTAMP WHERE valid_to IS NULL AND NOT EXISTS "
            f"(SELECT 1 FROM {snapshot.source} AS source WHERE {snapshot.matches('target', 'source')})"
        )
    return found


def command_steps(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return the named steps of the `snapshot` command."""
    source, target = snapshot.source, snapshot.target
    same, known = snapshot.matches("target", "source"), snapshot.matches("existing", "source")
    stamp = sql_hash([target, str(clock.now_ns())])
    steps = [
        f"CREATE TABLE IF NOT EXISTS {target} AS SELECT *, CAST(NULL AS TIMESTAMP) AS valid_from, "
        "CAST(NULL AS TIMESTAMP) AS valid_to, CAST(NULL AS BOOLEAN) AS is_current, "
        f"CAST(NULL AS STRING) AS snapshot_id FROM {source} WHERE 1=0",
        f"MERGE INTO {target} AS target USING {source} AS source ON {same} AND target.is_current = TRUE "
        f"WHEN MATCHED AND (source.{snapshot.updated_at} IS DISTINCT FROM target.{snapshot.updated_at}) "
        "THEN UPDATE SET valid_to = CURRENT_TIMESTAMP, is_current = FALSE "
        "WHEN NOT MATCHED THEN INSERT (*) "
        f"VALUES (source.*, CURRENT_TIMESTAMP, CAST(NULL AS TIMESTAMP), TRUE, '{stamp}')",
        f"INSERT INTO {target} SELECT source.*, CURRENT_TIMESTAMP AS valid_from, "
        f"CAST(NULL AS TIMESTAMP) AS valid_to, TRUE AS is_current, '{stamp}' AS snapshot_id "
        f"FROM {source} AS source INNER JOIN {target} AS target ON {same} "
        "WHERE target.valid_to IS NOT NULL AND target.valid_to = "
        f"(SELECT MAX(t2.valid_to) FROM {target} AS t2 WHERE {snapshot.matches('t2', 'source')}) "
        f"AND NOT EXISTS (SELECT 1 FROM {target} AS existing WHERE {known} AND existing.is_current = TRUE)",
    ]
    if snapshot.hard_deletes:
        steps.append(
            f"UPDATE {target} SET valid_to = CURRENT_TIMESTAMP, is_current = FALSE WHERE is_current = TRUE "
            f"AND NOT EXISTS (SELECT 1 FROM {source} AS source WHERE {same})"
        )
    names = ["initial_load", *(f"merge_{number}" for number in range(1, len(steps)))]
    return list(zip(names, steps, strict=True))


def run_pipeline(adapter: DuckDBAdapter, pipeline: Pipeline) -> int:
    """Run the statements of a snapshot pipeline and return how many failed."""
    failed = 0
    with tracing.span("run_snapshot"):
        for statement in pipeline_statements(read_snapshot(pipeline)):
            try:
                adapter.execute(statement)
            except DatabaseError as error:
                failed += 1
                tracing.warn(_RUN_LOCAL, "snapshot statement failed", error=tracing.Display(error.brief))
    return failed
