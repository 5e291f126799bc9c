"""What does the project say of a table or model, as a Dagster asset spec? `DagsterRockyTranslator` answers."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_rocky.accepting import REFUSALS, accepted, accepted_spec
from dagster_rocky.project.snapshot import Column, Model, Source
from dagster_rocky.vocabulary import AssetKind, EngineKey
from dagster_rocky.yaml.options import MetadataAddon

_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.\-]+")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SHORTEST_FRESHNESS = 60
_NULLABLE, _NOT_NULL = (dg.TableColumnConstraints(nullable=nullable) for nullable in (True, False))


@dataclass(frozen=True, kw_only=True)
class RockyAssetProps:
    """What is known of an asset before it has a spec; `props` in YAML templates.

    Attributes:
        kind: `table`, `model`, `seed`, `load` or `snapshot`.
        name: The bare table name, or the model's name.
        pipeline: The pipeline that builds it; of a seed, the one whose adapter it uses.
        engine_key: The engine's key, which is the default asset key.
        target: `catalog.schema.table`; empty when partitions have tables of their own.
        warehouse: The type of the warehouse, e.g. `duckdb`.
        components: Of a replicated table: the schema pattern's values.
        source: Of a replicated table: where it comes from.
        freshness_seconds: How old its data may be, when the project says.
        model: Of a model: what the project says of it.
        defined_in: Of what is no model: file and line that define its pipeline, relative to the project's folder.
        columns: Of a seed or a load: those that the first line of its file names.

    Example:
        ```python
        weather = RockyAssetProps(kind="table", name="weather", pipeline="landing", engine_key=("jfk", "weather"))
        DagsterRockyTranslator().get_asset_spec(weather).key.to_user_string()  # 'jfk/weather'
        ```
    """

    kind: AssetKind
    name: str
    pipeline: str
    engine_key: EngineKey
    target: str = ""
    warehouse: str = ""
    components: Mapping[str, str | list[str]] = field(default_factory=dict)
    source: Source | None = None
    freshness_seconds: int | None = None
    model: Model | None = None
    defined_in: tuple[str, int] | None = None
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class DagsterRockyTranslator:
    """Makes asset specs; override a method to change one attribute of all of them.

    Args:
        project_dir: The folder of `rocky.toml`, for references to code.
        metadata: Which extras to attach.

    Example:
        ```python
        class ByTeam(DagsterRockyTranslator):
            def get_group_name(self, props: RockyAssetProps) -> str:
                return props.components.get("system", "marts")
        ```
    """

    project_dir: Path = Path()
    metadata: frozenset[MetadataAddon] = frozenset({"column_schema", "column_lineage", "code_references"})

    def get_asset_key(self, props: RockyAssetProps) -> dg.AssetKey:
        """The engine's own key."""
        return dg.AssetKey(list(props.engine_key))

    def get_group_name(self, props: RockyAssetProps) -> str:
        """The pipeline, or `seeds`."""
        if props.kind == "seed":
            return "seeds"
        return _NOT_IN_NAMES.sub("_", props.pipeline).strip("_") or "rocky"

    def get_kinds(self, props: RockyAssetProps) -> set[str]:
        """`rocky`, the warehouse, and whether it is a table or a view."""
        strategy = props.model.strategy if props.model else ""
        shape = {"view": "view", "materialized_view": "view", "ephemeral": "ephemeral"}.get(strategy, "table")
        return {"rocky", props.warehouse or "sql", shape}

    def get_tags(self, props: RockyAssetProps) -> dict[str, str]:
        """Governance tags of a model, schema components of a table; characters that Dagster refuses are `_`."""
        tags: dict[str, str] = dict(props.model.tags) if props.model else {}
        for name, value in props.components.items():
            tags[name] = "__".join(value) if isinstance(value, list) else value
        # A name of which nothing is left stays as it is, so that the warning about it can name it.
        return {_tag(name) or name: _tag(value) for name, value in tags.items()}

    def get_owners(self, props: RockyAssetProps) -> list[str]:
        """A model's `owner` tag: an e-mail address, or a team's name."""
        owner = (props.model.tags.get("owner") or props.model.tags.get("team")) if props.model else None
        if not owner:
            return []
        return [owner if _EMAIL.fullmatch(owner) or owner.startswith("team:") else f"team:{owner}"]

    def get_description(self, props: RockyAssetProps) -> str:
        """A model's intent and SQL; of a table, where it is copied from.

        The first line is what a card of the graph shows below the last part of the key, so it tells assets apart that
        have that in common.
        """
        if props.model is None:
            return _DESCRIPTIONS[props.kind].format(
                name=props.name,
                of=_in_words(props.components) or f" · {props.pipeline}",
                pipeline=props.pipeline,
                source=props.source.id if props.source else "",
            )
        language = "" if (props.model.path or "").endswith(".rocky") else "sql"
        sql = f"```{language}\n{props.model.sql.strip()}\n```" if props.model.sql else ""
        return "\n\n".join(part for part in (_lead(props.model), sql) if part)

    def get_metadata(self, props: RockyAssetProps) -> dict[str, Any]:
        """The target table, and the extras that are asked for."""
        metadata: dict[str, Any] = {"rocky/pipeline": props.pipeline} if props.pipeline else {}
        if props.target:
            metadata["dagster/table_name"] = props.target
            if props.warehouse:
                metadata["dagster/storage_kind"] = props.warehouse
        if props.source and props.source.unavailable:
            metadata["rocky/source_unavailable"] = props.source.unavailable
        if props.source and props.source.facts:
            metadata["rocky/source"] = props.source.facts
        model = props.model
        if model is None:
            if "code_references" in self.metadata and props.defined_in:
                file, line = props.defined_in
                metadata["dagster/code_references"] = _reference(
                    str(self.project_dir / file), line, "pipeline"
                )
            if "column_schema" in self.metadata and props.columns:
                columns = [_table_column(column, None, None) for column in props.columns]
                metadata["dagster/column_schema"] = dg.TableSchema(columns=columns)
            return metadata
        metadata["rocky/model"] = model.name
        metadata["rocky/strategy"] = model.strategy
        for name, value in (("classification", model.classification), ("retention", model.retention)):
            if value:
                metadata[f"rocky/{name}"] = value
        if "column_schema" in self.metadata and model.columns:
            origins = _origins(model) if "column_lineage" in self.metadata else {}
            metadata["dagster/column_schema"] = _column_schema(model, origins)
        if "code_references" in self.metadata and model.path:
            references = accepted(
                f"the code references of model {model.name}",
                lambda: _code_references(self.project_dir, model),
            )
            metadata |= {"dagster/code_references": references} if references else {}
        return metadata

    def get_freshness_policy(self, props: RockyAssetProps) -> dg.FreshnessPolicy | None:
        """A model's own freshness or the project's; a table's from the freshness check of its replication."""
        seconds = props.freshness_seconds
        if not seconds:
            return None
        # Dagster refuses windows below a minute.
        shortest = max(seconds, _SHORTEST_FRESHNESS)
        return accepted(
            f"the freshness of {shortest} s of {'/'.join(props.engine_key)}",
            lambda: dg.FreshnessPolicy.time_window(fail_window=timedelta(seconds=shortest)),
        )

    def get_asset_spec(self, props: RockyAssetProps) -> dg.AssetSpec:
        """The spec without dependencies and partitions, which the graph adds.

        What Dagster refuses, such as the owner `team:`, is left out with a warning in the log.

        Args:
            props: What is known of the asset.

        Returns:
            The spec; the YAML's `translation` is applied to it afterwards.
        """
        attributes = {
            "group_name": self.get_group_name(props),
            "kinds": self.get_kinds(props),
            "tags": self.get_tags(props),
            "owners": self.get_owners(props),
            "description": self.get_description(props),
            "metadata": self.get_metadata(props),
            "code_version": props.model.code_version if props.model else None,
            "freshness_policy": self.get_freshness_policy(props),
        }
        return accepted_spec(self.get_asset_key(props), attributes)


_DESCRIPTIONS: dict[AssetKind, str] = {
    "table": "{name}{of}\n\nCopied from source `{source}` by pipeline `{pipeline}`.",
    "seed": "Seed file `{name}`, loaded by `rocky seed`.",
    "load": "`{name}`, loaded from files by pipeline `{pipeline}`.",
    "snapshot": "The history of its source's rows, kept by pipeline `{pipeline}`.",
}


def _in_words(components: Mapping[str, str | list[str]]) -> str:
    """What tells tables of one name apart; the first line of a description is what a card of the graph shows."""
    return "".join(
        f" · {value if isinstance(value, str) else '/'.join(value)}" for value in components.values()
    )


def _lead(model: Model) -> str:
    """The first line of a model: two that write tables of one name have names of their own."""
    *_, schema, table = ["", *model.target.split(".")]
    name = [] if model.name == table and model.intent else [model.name]
    return " · ".join(filter(None, [*name, model.intent or schema]))


def _tag(text: str) -> str:
    return _NOT_IN_TAGS.sub("_", text)[:63].strip("_.-")


def _origins(model: Model) -> Mapping[str, str]:
    """In words, by column in lower case: from which columns of which tables it is made."""
    found: dict[str, list[str]] = {}
    for source in model.lineage:
        table = source.table.split(".", 1)[-1]
        found.setdefault(source.column.lower(), []).append(f"{table}.{source.source_column}")
    return {column: f"from {', '.join(sources)}" for column, sources in found.items()}


def _column_schema(model: Model, origins: Mapping[str, str]) -> dg.TableSchema:
    try:
        return dg.TableSchema(columns=[_column(column, model, origins) for column in model.columns])
    except REFUSALS:
        columns = [
            accepted(
                f"column {column.name!r} of model {model.name}", partial(_column, column, model, origins)
            )
            for column in model.columns
        ]
        return dg.TableSchema(columns=[column for column in columns if column])


def _column(column: Column, model: Model, origins: Mapping[str, str]) -> dg.TableColumn:
    kind = model.classification.get(column.name)
    origin = None if column.description else origins.get(column.name.lower())
    return _table_column(column, origin, _tag(kind) if kind else None)


@lru_cache(maxsize=500)
def _table_column(column: Column, origin: str | None, classification: str | None) -> dg.TableColumn:
    """Columns that several models have alike are one object: those of models that read one, one after the other."""
    return dg.TableColumn(
        name=column.name,
        type=column.type or "unknown",
        description=column.description or origin,
        constraints=_NOT_NULL if column.nullable is False else _NULLABLE,
        tags={"classification": classification} if classification else None,
    )


@lru_cache(maxsize=256)
def _reference(path: str, line: int, label: str) -> dg.CodeReferencesMetadataValue:
    """One place in a file; the tables of a pipeline share it."""
    place = dg.LocalFileCodeReference(file_path=path, line_number=line, label=label)
    return dg.CodeReferencesMetadataValue(code_references=[place])


def _code_references(project_dir: Path, model: Model) -> dg.CodeReferencesMetadataValue:
    path = os.path.join(project_dir, str(model.path))
    sidecar = f"{os.path.splitext(path)[0]}.toml"
    files = {"model": path} | ({"sidecar": sidecar} if os.path.exists(sidecar) else {})
    return dg.CodeReferencesMetadataValue(
        code_references=[
            dg.LocalFileCodeReference(file_path=file, line_number=1, label=label)
            for label, file in files.items()
        ]
    )
