"""What is there to copy? The outputs of `discover` and `list sources`."""

from typing import Any

from pydantic import Field

from dagster_rocky.results.base import EngineObject, EngineOutput
from dagster_rocky.results.built import ExcludedTable


class DiscoveredTable(EngineObject):
    """One table of a source."""

    name: str = ""
    row_count: int | None = None


class DiscoveredSource(EngineObject):
    """One source: a schema, a connector. `components` holds a list for a multi-valued `name...`."""

    id: str = ""
    components: dict[str, str | list[str]] = Field(default_factory=dict)
    source_type: str = ""
    last_sync_at: str | None = None
    tables: list[DiscoveredTable] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)


class FailedSource(EngineObject):
    """A source that could not be discovered now; it is not gone."""

    id: str = ""
    source_schema: str | None = Field(default=None, alias="schema")
    source_type: str = ""
    error_class: str = "unknown"
    message: str = ""
    cooldown_seconds: float | None = None


class DiscoveredCheck(EngineObject):
    """A check that `discover` lists for a table name.

    `kind` is `custom`, `null_rate`, `assertion` or `cross_source_overlap`. A `candidate` may be reported on any one of
    the tables that it compares.
    """

    name: str = ""
    kind: str = ""
    candidate: bool = False


class FreshnessConfig(EngineObject):
    """The freshness check of a replication."""

    threshold_seconds: int | None = None


class DiscoveredChecks(EngineObject):
    """Configured checks by bare table name, shared by all sources (contract, section 3)."""

    freshness: FreshnessConfig | None = None
    configured_checks: dict[str, list[DiscoveredCheck]] = Field(default_factory=dict)


class DiscoverResult(EngineOutput):
    """The output of `discover`.

    Example:
        ```python
        result = DiscoverResult.model_validate(
            {"sources": [{"id": "raw__jfk", "tables": [{"name": "weather"}, {"name": "flights"}]}]}
        )
        [(source.id, table.name) for source in result.sources for table in source.tables]
        # [('raw__jfk', 'weather'), ('raw__jfk', 'flights')]
        ```
    """

    sources: list[DiscoveredSource] = Field(default_factory=list)
    checks: DiscoveredChecks | None = None
    excluded_tables: list[ExcludedTable] = Field(default_factory=list)
    failed_sources: list[FailedSource] = Field(default_factory=list)
    new_sources: list[str] = Field(default_factory=list)
    collision_candidates: list[Any] = Field(default_factory=list)
    schemas_cached: int | None = None


class ListedSource(EngineObject):
    """Where one replication reads; `components` are the schema pattern's, a multi-valued one with its dots."""

    pipeline: str = ""
    adapter: str = ""
    schema_prefix: str = ""
    discovery_adapter: str | None = None
    components: list[str] = Field(default_factory=list)


class ListSourcesResult(EngineOutput):
    """The output of `list sources`."""

    sources: list[ListedSource] = Field(default_factory=list)
