"""What does the engine's catalog hold? The output of `catalog`."""

from typing import Any

from pydantic import Field

from dagster_rocky.results.base import EngineObject, EngineOutput


class RecipeIdentity(EngineObject):
    """Hashes of what made a table: its SQL, its environment and, where the engine could tell, its inputs."""

    recipe_hash: str = ""
    env_hash: str = ""
    hash_scheme: str = ""
    input_hash: str | None = None
    input_proof_class: str | None = None


class CatalogColumn(EngineObject):
    """A column of a table; its type where the engine knows it."""

    name: str = ""
    nullable: bool | None = None
    data_type: str | None = None
    description: str | None = None


class CatalogAsset(EngineObject):
    """One table of the catalog; `fqn` is `catalog.schema.table`."""

    fqn: str = ""
    model_name: str = ""
    kind: str = ""
    columns: list[CatalogColumn] = Field(default_factory=list)
    upstream_models: list[str] = Field(default_factory=list)
    downstream_models: list[str] = Field(default_factory=list)
    intent: str | None = None
    last_materialized_at: str | None = None
    last_run_id: str | None = None
    recipe_identity: RecipeIdentity | None = None


class CatalogEdge(EngineObject):
    """One column made from another; `confidence` is `High`, `Medium` or `Low`."""

    source_model: str = ""
    source_column: str = ""
    target_model: str = ""
    target_column: str = ""
    transform: str = ""
    confidence: str = ""


class CatalogResult(EngineOutput):
    """The output of `catalog`.

    Example:
        ```python
        result = CatalogResult.model_validate({"assets": [{"fqn": "nyc.marts.daily", "columns": [{"name": "day"}]}]})
        {asset.fqn: [column.name for column in asset.columns] for asset in result.assets}
        # {'nyc.marts.daily': ['day']}
        ```
    """

    generated_at: str | None = None
    project_name: str | None = None
    config_hash: str | None = None
    last_run_id: str | None = None
    assets: list[CatalogAsset] = Field(default_factory=list)
    edges: list[CatalogEdge] = Field(default_factory=list)
    stats: dict[str, Any] = Field(default_factory=dict)
