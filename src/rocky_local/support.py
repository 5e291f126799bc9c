"""What rocky-local does, what it accepts without doing it, and what it leaves to the real engine."""

from collections.abc import Iterator
from typing import get_args

from rocky_local import args, tracing
from rocky_local.project.config import Config
from rocky_local.project.pipeline import PipelineType

# Settings that are accepted and change nothing, by their place; `*` is any name.
IGNORED = {
    "ai": "nothing is asked of a model",
    "cache": "nothing is cached",
    "cost": "DuckDB costs nothing",
    "fulfill": "nothing is fulfilled",
    "gc": "nothing is collected",
    "hook.webhooks": "webhooks are not called",
    "imports": "no other project is imported",
    "pipeline.*.options.batch_size": "a file is loaded in one statement",
    "pipeline.*.target.governance.grants": "DuckDB has no grants",
    "pipeline.*.target.governance.isolation": "DuckDB has no workspaces",
    "pipeline.*.target.governance.schema_grants": "DuckDB has no grants",
    "pipeline.*.target.governance.tags": "DuckDB has no tags",
    "policy": "policies are not checked",
    "portability": "other dialects are not looked at",
    "retry": "statements are not repeated; failed tables are (`execution.table_retries`)",
    "reuse": "nothing is reused",
    "role": "DuckDB has no roles",
    "run.prune_unchanged": "nothing on DuckDB tells whether a source has changed",
    "run.strict_scheduling": "models are built in the order of their dependencies",
    "schedule": "nothing is scheduled",
    "schema_evolution": "drift is handled as the real engine does by default",
}
# What stops a command that needs it, each in one line that names the place.
REFUSED = {
    "adapter.*.type": "every type but `duckdb`",
    "state.backend": "every backend but `local`",
    "pipeline.*.options.format": "every load format but `auto`, `csv`, `json`, `parquet`",
    "strategy.type": "`delete_insert`, `microbatch`, `materialized_view`, `dynamic_table`, `content_addressed`",
}
_said: set[str] = set()


def table() -> dict[str, dict[str, str]]:
    """Return everything that the module's first line speaks of, as a title and lines of name and remark."""
    flags = {f"the flag `{flag}`": "" for flag in args.LEFT_OUT}
    return {
        "Commands": dict.fromkeys(sorted(args.COMMANDS), ""),
        "Adapters": {"duckdb": ""},
        "Pipelines": dict.fromkeys(get_args(PipelineType), ""),
        "Accepted and ignored": IGNORED,
        "Left to the real engine": {"a command that is not in the list": "", **REFUSED, **flags},
    }


def say_ignored(config: Config) -> None:
    """Log each setting of a project that changes nothing here, once in the life of the process."""
    for pattern, why in IGNORED.items():
        for place in _places(config.raw, pattern.split(".")):
            name = ".".join(place)
            if name not in _said:
                _said.add(name)
                text = f"`{name}` is ignored by rocky-local: {why}"
                tracing.Log("rocky_local::support").warn(text, setting=name, place=config.where(*place))


def _places(table: object, pattern: list[str]) -> Iterator[list[str]]:
    """Yield the places in a table that fit a pattern."""
    if not pattern:
        yield []
    elif isinstance(table, dict):
        names = table if pattern[0] == "*" else table.keys() & {pattern[0]}
        yield from ([name, *rest] for name in names for rest in _places(table[name], pattern[1:]))
