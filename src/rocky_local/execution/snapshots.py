"""Snapshot pipelines, whose MERGE DuckDB does not understand: they fail as in the real engine (contract, 8)."""

from rocky_local import tracing
from rocky_local.errors import DatabaseError, EngineError
from rocky_local.execution.context import RunContext, Work
from rocky_local.project.pipeline import Pipeline

_LOG = tracing.Log("rocky_cli::commands::run_local")
_NAME = ("catalog", "schema", "table")


class SnapshotWork(Work):
    """Run the statements of a snapshot."""

    prints_success = True

    def run(self, context: RunContext) -> None:
        """Do the work; a statement that fails does not stop the others."""
        context.messages.log("rocky run starting (snapshot pipeline)")
        context.open(self.pipeline.adapter)
        result = context.result
        result.concurrency, result.with_cost = 1, False
        with tracing.span("run_snapshot"):
            for statement in _statements(self.pipeline):
                try:
                    context.adapter.execute(statement)
                except DatabaseError as error:
                    result.forced_status, result.tables_failed = "Failure", 1
                    _LOG.warn("snapshot statement failed", error=error.brief)

    def failure(self, context: RunContext) -> str:
        """Return the sentence for a failed statement."""
        return "snapshot pipeline failed"

    def text(self, context: RunContext) -> str:
        """Return the outcome for people, which says complete whatever happened."""
        source, target = _sides(self.pipeline)
        return f"snapshot pipeline complete: {source} -> {target} in {context.result.duration_ms}ms"


def _sides(pipeline: Pipeline) -> list[str]:
    return [f"{side.catalog}.{side.schema}.{side.table}" for side in (pipeline.source, pipeline.target)]


def _statements(pipeline: Pipeline) -> list[str]:
    """The engine's own statements, which history would be kept with."""
    sides, raw = {"source": pipeline.source, "target": pipeline.target}, pipeline.written
    lacking = [f"{name}.{part}" for name, side in sides.items() for part in _NAME if part not in side.written]
    lacking += [key for key in ("unique_key", "updated_at") if not raw.get(key)]
    if lacking:
        raise EngineError(
            f"pipeline '{pipeline.name}': a snapshot needs {', '.join(lacking)}; set them in rocky.toml"
        )
    source, target = _sides(pipeline)
    keys = [raw["unique_key"]] if isinstance(raw["unique_key"], str) else raw["unique_key"]
    same = " AND ".join(f"target.{key} = source.{key}" for key in keys)
    stamp = pipeline.updated_at
    create = (
        f"CREATE TABLE IF NOT EXISTS {target} AS SELECT *, CURRENT_TIMESTAMP AS valid_from, "
        f"CAST(NULL AS TIMESTAMP) AS valid_to FROM {source} WHERE 1=0"
    )
    merge = (
        f"MERGE INTO {target} AS target USING {source} AS source ON {same} AND target.valid_to IS NULL "
        f"WHEN MATCHED AND source.{stamp} > target.{stamp} THEN UPDATE SET valid_to = CURRENT_TIMESTAMP "
        "WHEN NOT MATCHED THEN INSERT (*) VALUES (source.*, CURRENT_TIMESTAMP, NULL)"
    )
    invalidate = (
        f"UPDATE {target} SET valid_to = CURRENT_TIMESTAMP WHERE valid_to IS NULL AND NOT EXISTS "
        f"(SELECT 1 FROM {source} AS source WHERE {same})"
    )
    return [create, merge, *([invalidate] if pipeline.invalidate_hard_deletes else [])]
