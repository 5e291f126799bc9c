"""Which of a project's tables and models does a component own?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from dagster_rocky.project.snapshot import Model, Pipeline, ProjectSnapshot, Source
from dagster_rocky.yaml.mistakes import Mistake, instead, near
from dagster_rocky.yaml.options import ModelsOptions


class SelectionError(Mistake):
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
        for number, name in enumerate(self.pipelines or ()):
            if name not in known:
                raise _unknown(("pipelines", number), "pipeline", name, known)
        components = {
            name
            for pipeline in snapshot.pipelines
            for source in pipeline.sources
            for name in source.components
        }
        keys = ["id", "table", *sorted(components)]
        for where, texts in (("filters", self.filters), ("exclude_filters", self.exclude_filters)):
            for number, text in enumerate(texts if components else ()):
                key = text.partition("=")[0]
                if key not in keys:
                    said = f"sources have no {key!r}. {instead(key, keys, there_is='They have')}"
                    raise SelectionError((where, number), said)
        for where, patterns in (("select", self.models.select), ("exclude", self.models.exclude)):
            for number, pattern in enumerate(patterns):
                self._check_pattern(("models", where, number), pattern, snapshot)

    @staticmethod
    def _check_pattern(path: tuple[str | int, ...], pattern: str, snapshot: ProjectSnapshot) -> None:
        if pattern == "*" or any(_matches(pattern, model) for model in snapshot.models):
            return
        if pattern.startswith("tag:"):
            tags = {f"tag:{k}={v}" for model in snapshot.models for k, v in model.tags.items()}
            raise _unknown(path, "model with the tag", pattern, sorted(tags))
        raise _unknown(path, "model", pattern, [model.name for model in snapshot.models])

    def idle_filters(self, snapshot: ProjectSnapshot) -> list[Mistake]:
        """Filters that no table of the project fits: a typo in a value, or a source that is gone.

        Args:
            snapshot: The project.

        Returns:
            Those of `filters` and `exclude_filters`, with the value that is near.
        """
        written = {
            (where, number): text
            for where, texts in (("filters", self.filters), ("exclude_filters", self.exclude_filters))
            for number, text in enumerate(texts)
        }
        idle, seen = dict.fromkeys(written.values()), dict[str, None]()
        for pipeline in snapshot.pipelines if idle else ():
            for source in pipeline.sources:
                for table in source.tables:
                    facts = table_facts(source, table)
                    for text in [text for text in idle if _fits(text, facts)]:
                        del idle[text]
                    seen |= dict.fromkeys(
                        f"{key}={value}" for key, values in facts.items() for value in values
                    )
                if not idle:
                    return []
        return [Mistake(path, _idle(text, seen)) for path, text in written.items() if text in idle]

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


def _idle(text: str, seen: Mapping[str, None]) -> str:
    key = text.partition("=")[0]
    guess = near(text, [one for one in seen if one.partition("=")[0] == key])
    return f"no table fits the filter {text!r}." + (f" Did you mean `{guess}`?" if guess else "")


def _unknown(path: tuple[str | int, ...], what: str, name: str, known: Sequence[str]) -> SelectionError:
    return SelectionError(path, f"the project has no {what} {name!r}. {instead(name, known)}")
