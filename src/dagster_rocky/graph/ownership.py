"""Which of a project's tables and models a component owns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from dagster_rocky.project.snapshot import Model, Pipeline, ProjectSnapshot, Source
from dagster_rocky.yaml.options import ModelsOptions


class SelectionError(ValueError):
    """A component selects what the project does not have; the message names the field and what there is."""


@dataclass(frozen=True)
class Ownership:
    """The part of a project that a component owns.

    Args:
        pipelines: Names of pipelines; `None` owns all of them.
        filters: `key=value` as the engine takes them, a union; empty owns every source.
        exclude_filters: What is taken away from that.
        models: Patterns over models.

    Example:
        ```python
        Ownership(filters=("airport=jfk",)).owns_table(pipeline, source, "flights")
        ```
    """

    pipelines: tuple[str, ...] | None = None
    filters: tuple[str, ...] = ()
    exclude_filters: tuple[str, ...] = ()
    models: ModelsOptions = field(default_factory=ModelsOptions)

    def check(self, snapshot: ProjectSnapshot) -> None:
        """Refuses a selection that the project cannot fulfil.

        Args:
            snapshot: The project.

        Raises:
            SelectionError: For a pipeline, a filter key or a model name that the project does not have.
        """
        known = [pipeline.name for pipeline in snapshot.pipelines]
        for name in self.pipelines or ():
            if name not in known:
                raise SelectionError(f"pipelines names {name!r}, but the project has {_listed(known)}")
        components = {
            name
            for pipeline in snapshot.pipelines
            for source in pipeline.sources
            for name in source.components
        }
        if components:
            for field, texts in (("filters", self.filters), ("exclude_filters", self.exclude_filters)):
                for text in texts:
                    key = text.partition("=")[0]
                    if key not in {"id", "table", *components}:
                        keys = _listed(["id", "table", *sorted(components)])
                        raise SelectionError(f"{field} has {text!r}, but sources are filtered by {keys}")
        names = [model.name for model in snapshot.models]
        for pattern in (*self.models.select, *self.models.exclude):
            by_name = not pattern.startswith("tag:") and pattern != "*"
            if by_name and not any(fnmatchcase(name, pattern) for name in names):
                raise SelectionError(f"models names {pattern!r}, but the project has {_listed(names)}")

    def idle_filters(self, snapshot: ProjectSnapshot) -> list[str]:
        """Filters that no table of the project fits: a typo in a value, or a source that is gone.

        Args:
            snapshot: The project.

        Returns:
            Those of `filters` and `exclude_filters`, as they are written.
        """
        idle = dict.fromkeys((*self.filters, *self.exclude_filters))
        for pipeline in snapshot.pipelines:
            for source in pipeline.sources:
                for table in source.tables:
                    facts = table_facts(source, table)
                    for text in [text for text in idle if _fits(text, facts)]:
                        del idle[text]
                if not idle:
                    return []
        return list(idle)

    def owns_pipeline(self, name: str | None) -> bool:
        """Whether a pipeline is owned at all."""
        return self.pipelines is None or name in self.pipelines

    def owns_table(self, pipeline: Pipeline, source: Source, table: str) -> bool:
        """Whether a replicated table is owned."""
        if not self.owns_pipeline(pipeline.name):
            return False
        facts = table_facts(source, table)
        wanted = not self.filters or any(_fits(text, facts) for text in self.filters)
        return wanted and not any(_fits(text, facts) for text in self.exclude_filters)

    def owns_model(self, model: Model) -> bool:
        """Whether a model is owned."""
        return (
            self.owns_pipeline(model.pipeline)
            and any(_matches(pattern, model) for pattern in self.models.select)
            and not any(_matches(pattern, model) for pattern in self.models.exclude)
        )


def table_facts(source: Source, table: str) -> Mapping[str, Sequence[str]]:
    """What filters can name of a table: the values of `id`, `table` and each component."""
    components = {
        name: [value] if isinstance(value, str) else value for name, value in source.components.items()
    }
    return {**components, "id": [source.id], "table": [table]}


def _fits(text: str, facts: Mapping[str, Sequence[str]]) -> bool:
    key, _, value = text.partition("=")
    return value in facts.get(key, ())


def _matches(pattern: str, model: Model) -> bool:
    if not pattern.startswith("tag:"):
        return fnmatchcase(model.name, pattern)
    key, has_value, value = pattern.removeprefix("tag:").partition("=")
    return key in model.tags and (not has_value or model.tags[key] == value)


def _listed(names: Sequence[str], limit: int = 12) -> str:
    shown = ", ".join(names[:limit]) or "none"
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
