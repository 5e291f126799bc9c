"""The schema of the YAML: described, strict about types, and open to templates in every place."""

from collections.abc import Iterator

import pytest
from pydantic import BaseModel, Field, ValidationError

from dagster_rocky import RockyComponent
from dagster_rocky.yaml.schema import DescribedModel


class Inner(DescribedModel):
    """Something nested."""

    seconds: float | None = Field(default=None, gt=0, description="How long.", examples=[5])
    name: str | None = Field(default=None, description="Its name.", examples=["a"])


class Outer(DescribedModel):
    """Something with every sort of field."""

    size: int = Field(default=1, ge=1, description="How many at once.", examples=[4])
    names: list[str] = Field(default_factory=list, description="Which.", examples=[["a"]])
    inner: Inner = Field(default_factory=Inner, description="More.", examples=[{"seconds": 5}])


@pytest.mark.parametrize(
    "given",
    [
        {"size": 3},
        {"size": "{{ env.SIZE }}"},
        {"names": ["a", "{{ env.NAME }}"]},
        {"names": "{{ env.NAMES }}"},
        {"inner": {"seconds": 2.5, "name": "x"}},
        {"inner": {"seconds": "{{ env.SECONDS }}"}},
    ],
)
def test_values_and_templates_are_accepted(given: dict[str, object]):
    Outer.model().model_validate(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": "many"}, "valid integer"),
        ({"size": 0}, "greater than or equal to 1"),
        ({"names": "a"}, "should match pattern"),
        ({"inner": {"seconds": "soon"}}, "valid number"),
        ({"inner": {"seconds": -1}}, "greater than 0"),
        ({"typo": 1}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_types_are_refused_before_templates_are_rendered(given: dict[str, object], said: str):
    with pytest.raises(ValidationError, match=said):
        Outer.model().model_validate(given)


def test_a_wrong_mode_is_refused_by_the_schema():
    with pytest.raises(ValidationError, match="'buffered', 'streaming' or 'pipes'"):
        RockyComponent.model().model_validate({"mode": "bogus"})
    RockyComponent.model().model_validate({"mode": "{{ env.MODE }}"})


def undescribed(model: type[BaseModel], place: str = "") -> Iterator[str]:
    """The places in the component's own schema that lack a description or an example."""
    for name, field in model.model_fields.items():
        if field.description is None or not field.examples:
            yield place + name
        nested = getattr(field.annotation, "__args__", ())
        for one in nested:
            if isinstance(one, type) and issubclass(one, BaseModel) and one.__name__.endswith("OptionsModel"):
                yield from undescribed(one, f"{place}{name}.")


def test_every_field_is_described_with_an_example():
    assert list(undescribed(RockyComponent.model())) == []
