"""The base of everything in the YAML: fields keep their descriptions in the schema that `dg` and editors read."""

import dagster as dg
from pydantic import BaseModel


class DescribedModel(dg.Model, dg.Resolvable):
    """A resolvable model whose derived schema says what its own fields say.

    Dagster derives a second model from a resolvable one, and checks and documents the YAML with that. It takes over
    descriptions and examples from resolvers only, not from `pydantic.Field`.

    Example:
        ```python
        class Options(DescribedModel):
            size: int = Field(default=1, description="How many at once.", examples=[4])


        Options.model().model_fields["size"].description  # 'How many at once.'
        ```
    """

    @classmethod
    def model(cls) -> type[BaseModel]:
        """The derived model, with this one's descriptions and examples."""
        derived = super().model()
        changed = False
        for name, field in cls.model_fields.items():
            shown = derived.model_fields.get(name)
            if shown is not None and shown.description is None and field.description is not None:
                shown.description, shown.examples = field.description, field.examples
                changed = True
        if changed:
            derived.model_rebuild(force=True)
        return derived
