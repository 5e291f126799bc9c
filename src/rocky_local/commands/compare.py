"""`rocky compare`: do the tables of a shadow run hold what those hold that they stand for (contract, 8)."""

from rocky_local.adapter import DuckDBAdapter
from rocky_local.args import Arguments
from rocky_local.execution.context import shadow_from
from rocky_local.execution.discovery import Shadow, plan_copies
from rocky_local.output import Answer, Entry
from rocky_local.project.config import Config, load_config
from rocky_local.project.models import load_project

_VERDICTS = ("pass", "warn", "fail")
# How many percent of the rows may be too few or too many before that is a failure and no warning.
_TOLERATED_PCT = 5.0


class Comparison(Entry):
    """How much a table and its shadow differ."""

    production_table: str
    shadow_table: str
    row_count_match: bool
    production_count: int
    shadow_count: int
    row_count_diff_pct: float
    schema_match: bool
    schema_diffs: list[str]
    verdict: str


def answer_compare(args: Arguments) -> Answer:
    """Give a verdict on each table; the worst of them is that on all."""
    config = load_config(args.config)
    with config.open(config.select(args.get("pipeline")).adapter) as adapter:
        pairs = _pairs(config, adapter, args, shadow_from(args) or Shadow())
        results = [_compared(adapter, *pair) for pair in pairs]
    verdicts = [entry.verdict for entry in results]
    result = {
        "filter": args.get("filter") or "",
        "tables_compared": len(results),
        "tables_passed": verdicts.count("pass"),
        "tables_warned": verdicts.count("warn"),
        "tables_failed": verdicts.count("fail"),
        "results": results,
        "overall_verdict": max(verdicts, key=_VERDICTS.index, default="pass"),
    }
    return Answer("compare", result)


def _pairs(config: Config, adapter: DuckDBAdapter, args: Arguments, shadow: Shadow) -> list[tuple[str, str]]:
    """The full names of the real tables, each with that of its shadow."""
    pipeline = config.select(args.get("pipeline"))
    if pipeline.type == "transformation":
        models = load_project(args.get("models") or config.models_dir(pipeline)).models
        built = [model for model in models if model.kind != "ephemeral"]
        return [(model.target, shadow.redirect(model.place).name) for model in built]
    config.select(pipeline.name, "replication")
    real, other = (plan_copies(adapter, pipeline, args.get("filter"), each).copies for each in (None, shadow))
    return [(copy.target, twin.target) for copy, twin in zip(real, other, strict=True)]


def _compared(adapter: DuckDBAdapter, production: str, shadow: str) -> Comparison:
    columns = {table: adapter.columns(table) for table in (production, shadow)}
    before, after = (adapter.count(table) if found else 0 for table, found in columns.items())
    differences = [f"{table} does not exist" for table, found in columns.items() if not found]
    if not differences:
        for table, others in ((production, columns[shadow]), (shadow, columns[production])):
            lone = [column for column in columns[table] if column not in others]
            differences += [f"only {table} has {column.name} {column.type}" for column in lone]
    apart = 100 * abs(after - before) / max(before, 1)
    verdict = "fail" if differences or apart > _TOLERATED_PCT else "warn" if apart else "pass"
    counts = before == after, before, after, apart
    return Comparison(production, shadow, *counts, not differences, differences, verdict)
