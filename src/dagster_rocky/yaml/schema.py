"""The base of everything in the YAML: descriptions and types hold in the schema that `dg` and editors read."""

import types
from typing import Annotated, Any, Self, Union, get_args, get_origin

import dagster as dg
from pydantic import BaseModel, StringConstraints, ValidationError

from dagster_rocky.yaml.explaining import explained, refuse

Template = Annotated[str, StringConstraints(pattern=r"\{\{")]
"""A string that stands for a value of another type, such as `{{ env.NAME }}`."""


class DescribedModel(dg.Model, dg.Resolvable):
    """A resolvable model whose derived schema says what its own fields say.

    Dagster derives a second model from a resolvable one, and checks and documents the YAML with that. It takes over
    descriptions and examples from resolvers only, not from `pydantic.Field`, and accepts any string for any type,
    because it may be a template. Here it accepts a string in another type's place only when it is one.

    Example:
        ```python
        class Options(DescribedModel):
            size: int = Field(default=1, description="How many at once.", examples=[4])


        Options.model().model_fields["size"].description  # 'How many at once.'
        Options.model().model_validate({"size": "many"})  # refused
        Options.model().model_validate({"size": "{{ env.SIZE }}"})
        ```
    """

    @classmethod
    def model(cls) -> type[BaseModel]:
        """The derived model, with this one's descriptions and examples, strict about strings."""
        derived = super().model()
        if "_is_described" in derived.__dict__:
            return derived
        for name, field in cls.model_fields.items():
            shown = derived.model_fields.get(name)
            if shown is None:
                continue
            if shown.description is None and field.description is not None:
                shown.description, shown.examples = field.description, field.examples
            if str not in _alternatives(field.annotation):
                shown.annotation = _templates_only(shown.annotation)
                shown.metadata = []  # bounds are inside the union too; outside they would be applied to templates
        derived.model_rebuild(force=True)
        derived._is_described = True  # type: ignore[attr-defined]
        return derived

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Self:
        """Renders the templates; what is wrong, before or after that, is told with file, line and field.

        Args:
            context: Where the values are written.
            model: The values, as the derived model read them.

        Raises:
            WrongYaml: With every mistake, and what would be right.
        """
        refuse(model, cls, context)
        try:
            resolved: Self = super().resolve_from_model(context, model)
        except ValidationError as error:
            raise explained(error, cls, context) from None
        return resolved


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _templates_only(annotation: Any) -> Any:
    """The type with templates in the place of strings."""
    alternatives = _alternatives(annotation)
    if str not in alternatives or len(alternatives) == 1:
        return annotation
    return Union[tuple(Template if one is str else one for one in alternatives)]  # noqa: UP007
