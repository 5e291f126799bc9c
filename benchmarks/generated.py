"""Projects of any size, and what a person would write in bare Dagster for the same assets, checks and multi-assets.

Tables: thirty sources for each tenant, ten tables in each, three components in their names, two configured checks on
each third one. Models: chains that end in fans, a fifth partitioned by day, five columns each with their lineage.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

SOURCES_PER_TENANT, TABLES_PER_SOURCE = 30, 10
NAMES = 12
"""Of which each source has ten: checks are configured by name, and every third name has them."""
MODELS_PER_PIPELINE = 500
COLUMNS = [("id", "BIGINT"), ("shop", "VARCHAR"), ("day", "DATE"), ("amount", "DOUBLE"), ("count", "BIGINT")]
CHECKED = ("row_count", "column_match")
DESCRIPTIONS = {
    "row_count": "The target has as many rows as the source.",
    "column_match": "Source and target have the same columns; compared before the copy, so a first copy fails it.",
}
MOST_OUTPUTS = 1_000
"""How many assets and checks of tables share a multi-asset; more cost more than they are worth."""
START = "2026-01-01"


@dataclass(frozen=True)
class Table:
    """The table of a number."""

    number: int

    @property
    def source(self) -> int:
        return self.number // TABLES_PER_SOURCE

    @property
    def name(self) -> str:
        return f"table_{self.number % NAMES}"

    @property
    def components(self) -> dict[str, str]:
        tenant, system = divmod(self.source, SOURCES_PER_TENANT)
        return {"tenant": f"tenant{tenant}", "region": f"r{system % 4}", "system": f"s{system}"}

    @property
    def checked(self) -> bool:
        return self.number % NAMES % 3 == 0


@dataclass(frozen=True)
class Model:
    """The model of a number: of ten, four are a chain, four fan out from its end, two are built of those by day."""

    number: int

    @property
    def name(self) -> str:
        return f"model_{self.number}"

    @property
    def pipeline(self) -> str:
        return f"marts{self.number // MODELS_PER_PIPELINE}"

    @property
    def daily(self) -> bool:
        return self.number % 10 > 7

    @property
    def upstream(self) -> "Model | None":
        first, place = self.number - self.number % 10, self.number % 10
        above = [None, 0, 1, 2, 3, 3, 3, 3, 4, 5][place]
        return None if above is None else Model(first + above)

    @property
    def target(self) -> str:
        return f"lake.{self.pipeline}.{self.name}"

    @property
    def sql(self) -> str:
        read = self.upstream.target if self.upstream else "lake.raw.orders"
        return f"SELECT {', '.join(name for name, _ in COLUMNS)}\nFROM {read}"


def snapshot(folder: Path, tables: int, models: int) -> Any:
    """What the engine would have said of such a project."""
    from dagster_rocky.project.snapshot import ProjectSnapshot, fingerprint

    (folder / "rocky.toml").write_text("")
    watched = ["rocky.toml"]
    pipelines = [_landing(tables)] if tables else []
    pipelines += [
        {"name": f"marts{number}", "type": "transformation", "warehouse": "duckdb"}
        for number in range(-(-models // MODELS_PER_PIPELINE))
    ]
    return ProjectSnapshot.model_validate(
        {
            "pipelines": pipelines,
            "models": [_model(Model(number)) for number in range(models)],
            "first_partition": START,
            "watched": watched,
            "fingerprint": fingerprint(folder, watched),
            "refreshed_at": "now",
        }
    )


def _landing(tables: int) -> dict[str, Any]:
    firsts = [Table(number) for number in range(0, tables, TABLES_PER_SOURCE)]
    checks = [{"name": name, "kind": name} for name in CHECKED]
    return {
        "name": "landing",
        "type": "replication",
        "warehouse": "duckdb",
        "catalog_template": "lake",
        "schema_template": "raw__{tenant}__{region}__{system}",
        "sources": [
            {
                "id": "raw__" + "__".join(first.components.values()),
                "source_type": "duckdb",
                "components": first.components,
                "tables": [Table(first.number + n).name for n in range(TABLES_PER_SOURCE)],
            }
            for first in firsts
        ],
        "checks_by_table": {Table(number).name: checks for number in range(NAMES) if Table(number).checked},
    }


def _model(model: Model) -> dict[str, Any]:
    above = model.upstream
    return {
        "name": model.name,
        "pipeline": model.pipeline,
        "target": model.target,
        "strategy": "time_interval" if model.daily else "full_refresh",
        "granularity": "day" if model.daily else None,
        "depends_on": [above.name] if above else [],
        "path": f"models/{model.name}.sql",
        "sql": model.sql,
        "columns": [{"name": name, "type": kind} for name, kind in COLUMNS],
        "lineage": [{"column": n, "table": above.target, "source_column": n} for n, _ in COLUMNS]
        if above
        else [],
        "code_version": f"{model.number:032x}",
    }


def bare_definitions(folder: Path, tables: int, models: int, body: Any = None) -> dg.Definitions:
    """The same assets, checks and multi-assets, written for Dagster by hand.

    Args:
        folder: Of the project.
        tables: How many.
        models: How many.
        body: What every step does; it is given the context.
    """
    groups = [*_bare_tables(tables), *_bare_models(folder, models)]
    return dg.Definitions(
        assets=[_multi_asset(f"bare_{n}", specs, checks, body) for n, (specs, checks) in enumerate(groups)]
    )


Group = tuple[list[dg.AssetSpec], list[dg.AssetCheckSpec]]


def _multi_asset(
    name: str, specs: Sequence[dg.AssetSpec], checks: Sequence[dg.AssetCheckSpec], body: Any
) -> Any:
    @dg.multi_asset(name=name, specs=specs, check_specs=checks, can_subset=True)
    def bare(context: dg.AssetExecutionContext) -> Iterator[Any]:
        yield from body(context) if body else ()

    return bare


def _bare_tables(tables: int) -> Iterator[Group]:
    specs: list[dg.AssetSpec] = []
    checks: list[dg.AssetCheckSpec] = []
    per_tenant = SOURCES_PER_TENANT * TABLES_PER_SOURCE
    for start in range(0, tables, per_tenant):
        more, with_them = _tenant(range(start, min(start + per_tenant, tables)))
        if len(specs) + len(checks) + len(more) + len(with_them) > MOST_OUTPUTS:
            yield specs, checks
            specs, checks = [], []
        specs += more
        checks += with_them
    if specs:
        yield specs, checks


def _tenant(numbers: Iterable[int]) -> Group:
    specs, checks = [], []
    for table in map(Table, numbers):
        parts = table.components
        source = "raw__" + "__".join(parts.values())
        key = dg.AssetKey(["duckdb", *parts.values(), table.name])
        specs.append(
            dg.AssetSpec(
                key,
                group_name="landing",
                description=f"{table.name} · {' · '.join(parts.values())}\n\n"
                f"Copied from source `{source}` by pipeline `landing`.",
                kinds={"rocky", "duckdb", "table"},
                tags=parts,
                metadata={
                    "rocky/pipeline": "landing",
                    "dagster/table_name": f"lake.{source}.{table.name}",
                    "dagster/storage_kind": "duckdb",
                },
                skippable=True,
            )
        )
        if table.checked:
            checks += [
                dg.AssetCheckSpec(
                    name,
                    asset=key,
                    description=DESCRIPTIONS[name],
                    metadata={"rocky/check": name},
                )
                for name in CHECKED
            ]
    return specs, checks


def _bare_models(folder: Path, models: int) -> Iterator[Group]:
    for start in range(0, models, MODELS_PER_PIPELINE):
        found = [Model(number) for number in range(start, min(start + MODELS_PER_PIPELINE, models))]
        for daily in (False, True):
            yield [_model_spec(folder, model) for model in found if model.daily is daily], []


def _model_spec(folder: Path, model: Model) -> dg.AssetSpec:
    above = model.upstream
    columns = [
        dg.TableColumn(name, kind, f"from {model.pipeline}.{above.name}.{name}" if above else None)
        for name, kind in COLUMNS
    ]
    metadata: dict[str, Any] = {
        "rocky/pipeline": model.pipeline,
        "dagster/table_name": model.target,
        "dagster/storage_kind": "duckdb",
        "rocky/model": model.name,
        "rocky/strategy": "time_interval" if model.daily else "full_refresh",
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/code_references": dg.CodeReferencesMetadataValue(
            code_references=[
                dg.LocalFileCodeReference(
                    file_path=str(folder / f"models/{model.name}.sql"), line_number=1, label="model"
                )
            ]
        ),
    }
    if above:
        read = dg.AssetKey(above.target.split("."))
        metadata["dagster/column_lineage"] = dg.TableColumnLineage(
            {name: [dg.TableColumnDep(read, name)] for name, _ in COLUMNS}
        )
    return dg.AssetSpec(
        dg.AssetKey(model.target.split(".")),
        group_name=model.pipeline,
        description=f"{model.name} · {model.pipeline}\n\n```sql\n{model.sql}\n```",
        kinds={"rocky", "duckdb", "table"},
        metadata=metadata,
        deps=[dg.AssetDep(dg.AssetKey(above.target.split(".")))] if above else [],
        code_version=f"{model.number:032x}",
        partitions_def=dg.DailyPartitionsDefinition(START) if model.daily else None,
        skippable=True,
    )
