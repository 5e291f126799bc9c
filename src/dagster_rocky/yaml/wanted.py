"""What does a field of the YAML take, in words?"""

import datetime
import types
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dagster_rocky.yaml.mistakes import Path, near

_BOUNDS = (("ge", "of {} or more"), ("gt", "above {}"), ("le", "of {} or less"), ("lt", "below {}"))


def find(model: type[BaseModel], path: Path) -> tuple[Any, FieldInfo | None, type[BaseModel] | None]:
    """A field of a model, or of one below it.

    Args:
        model: The model of what `attributes` says.
        path: The field.

    Returns:
        Its type, its description, and the model that it is in; `Any` for what no model describes.
    """
    annotation: Any = model
    field: FieldInfo | None = None
    owner: type[BaseModel] | None = None
    for part in path:
        options = list(alternatives(annotation))
        owner = next((one for one in options if isinstance(one, type) and issubclass(one, BaseModel)), None)
        inner = [get_args(one) for one in options if get_origin(one) is not None]
        if owner is not None:
            field = owner.model_fields.get(str(part))
            annotation = field.annotation if field else Any
        elif inner and inner[0]:
            annotation = inner[0][0] if isinstance(part, int) else inner[0][-1]
        else:
            annotation = Any
    return annotation, field, owner


def alternatives(annotation: Any) -> Sequence[Any]:
    """The types of a union, without `None` and what is annotated to them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return alternatives(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [one for arm in get_args(annotation) for one in alternatives(arm)]
    return [] if annotation is type(None) else [annotation]


def demand(annotation: Any, field: FieldInfo | None, name: str, value: Any) -> str | None:
    """What a field takes, for somebody who gave it something else.

    Args:
        annotation: Its type.
        field: Its description, for bounds and an example.
        name: Its name.
        value: What was given.

    Returns:
        For example `must be a whole number of 1 or more, not 0. For example: parallelism: 4`; `None` where its type
        says nothing.
    """
    wanted = [words for one in alternatives(annotation) if (words := _words(one, field))]
    if not wanted:
        return None
    text = f"must be {' or '.join(wanted)}, not {shown(value)}."
    choices = _choices(annotation)
    guess = near(str(value), choices) if choices and isinstance(value, str) else None
    if guess:
        return f"{text} Did you mean `{guess}`?"
    if str in alternatives(annotation) and isinstance(value, int | float | datetime.date):
        return f'{text} Put it in quotes: {name}: "{value}"'
    return text if choices and len(wanted) == 1 else text + example(field, name)


def shown(value: Any) -> str:
    """A value as a message shows it."""
    if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str)):
        return f"a {'mapping' if isinstance(value, Mapping) else 'list'}"
    if isinstance(value, datetime.date):
        return f"the date {value}"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "empty"}[value]
    return repr(value)


def _words(annotation: Any, field: FieldInfo | None) -> str | None:
    choices = _choices(annotation)
    if choices:
        return f"one of {', '.join(choices)}" if len(choices) > 1 else f"`{choices[0]}`"
    origin = get_origin(annotation) or annotation
    if origin is bool:
        return "true or false"
    if origin in (int, float):
        return f"a {'whole ' if origin is int else ''}number{_bound(field)}"
    if origin is str:
        return "text"
    if isinstance(origin, type) and issubclass(origin, BaseModel | Mapping):
        return "a mapping"
    return "a list" if isinstance(origin, type) and issubclass(origin, Sequence) else None


def _choices(annotation: Any) -> list[str]:
    found: list[str] = []
    for one in alternatives(annotation):
        if get_origin(one) is Literal:
            found += [str(choice) for choice in get_args(one)]
        elif isinstance(one, type) and issubclass(one, Enum):
            found += [str(member.value) for member in one]
    return found


def _bound(field: FieldInfo | None) -> str:
    for fact in field.metadata if field else ():
        for name, words in _BOUNDS:
            if hasattr(fact, name):
                return f" {words.format(getattr(fact, name))}"
    return ""


def example(field: FieldInfo | None, name: str) -> str:
    """The end of a message: how a field may be written; empty where it says nothing of it."""
    if field is None or not field.examples:
        return ""
    line = yaml.safe_dump({name: field.examples[0]}, default_flow_style=True, width=1000, sort_keys=False)
    return f" For example: {line.strip()[1:-1]}"
