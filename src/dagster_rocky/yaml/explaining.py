"""What has pydantic refused in the YAML, and what would be right there?"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

from dagster import ResolutionContext, Resolvable
from pydantic import BaseModel, PrivateAttr, ValidationError, create_model, model_validator
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import ErrorDetails

from dagster_rocky.yaml.mistakes import Mistake, Path, WrongYaml, instead, place
from dagster_rocky.yaml.wanted import demand, example, find


class _Lenient(BaseModel):
    """Keeps what is wrong with the values until file and line are known."""

    _refused: ValidationError | None = PrivateAttr(default=None)

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, value: Any, handler: ModelWrapValidatorHandler["_Lenient"]) -> "_Lenient":
        try:
            return handler(value)
        except ValidationError as error:
            kept = cls.model_construct()
            kept._refused = error
            return kept


@lru_cache(maxsize=64)
def lenient(model: type[BaseModel]) -> type[BaseModel]:
    """A model of the same schema that takes everything, for `refuse` to look at when its place is known.

    Dagster validates before a component knows its file, and shows what pydantic says: one error for each type that a
    value could have had.

    Args:
        model: The strict model.

    Returns:
        The model for `get_model_cls`.
    """
    return cast(type[BaseModel], create_model(model.__name__, __base__=(_Lenient, model)))


def refuse(model: BaseModel, owner: type[BaseModel], context: ResolutionContext) -> None:
    """Refuses what a lenient model has taken.

    Args:
        model: What Dagster read.
        owner: The class whose fields say what is right.
        context: Its place.

    Raises:
        WrongYaml: With every mistake, and what would be right.
    """
    error = getattr(model, "_refused", None)
    if error is not None:
        raise explained(error, owner, context)


def explained(error: ValidationError, owner: type[BaseModel], context: ResolutionContext) -> WrongYaml:
    """What pydantic refused, by field.

    Args:
        error: What it says.
        owner: The class whose fields say what is right.
        context: The place of the mapping that was refused.

    Returns:
        The error to raise.
    """
    base: Path = tuple(context.path[1:])
    faults = [place(context, base + path, said) for path, said in mistakes(error, owner, context)]
    return WrongYaml(sorted(faults, key=lambda fault: fault.line or 0))


def mistakes(
    error: ValidationError, owner: type[BaseModel], context: ResolutionContext
) -> list[tuple[Path, str]]:
    """One message for each field, however many types pydantic tried for it.

    Args:
        error: What pydantic says.
        owner: The class whose fields say what is right.
        context: The place of the mapping that was refused.

    Returns:
        Fields below that mapping, with what would be right there.
    """
    found: dict[Path, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_written(detail, context), []).append(detail)
    paths = [path for path in found if not any(_is_below(other, path, found) for other in found)]
    return [_message(path, found[path], owner) for path in paths]


def _is_below(other: Path, path: Path, found: dict[Path, list[ErrorDetails]]) -> bool:
    """Whether a mistake is the reason for another: what is in a mapping, and that the mapping is no template."""
    types = {detail["type"] for detail in found[path]}
    return len(other) > len(path) and other[: len(path)] == path and "value_error" not in types


def _written(detail: ErrorDetails, context: ResolutionContext) -> Path:
    """The field as it is in the file: pydantic's path without the names of the types that it tried."""
    tree = context.source_position_tree
    if tree is None:
        return detail["loc"]
    for part in context.path:
        tree = tree.children.get(part) if tree else None
    path: list[str | int] = []
    for part in detail["loc"]:
        if tree is not None and part in tree.children:
            tree = tree.children[part]
            path.append(part)
    if detail["type"] == "missing":
        path.append(detail["loc"][-1])
    return tuple(path)


def _message(path: Path, details: Iterable[ErrorDetails], owner: type[BaseModel]) -> tuple[Path, str]:
    details = list(details)
    for detail in details:
        raised = detail.get("ctx", {}).get("error")
        if isinstance(raised, Mistake):
            return path + raised.path, raised.said
        if raised is not None:
            return path, str(raised)
    annotation, field, parent = find(owner, path)
    first = details[0]
    if any(detail["type"] == "extra_forbidden" for detail in details):
        if parent is None and issubclass(owner, Resolvable):
            _, _, parent = find(owner.model(), path)
        names = list(parent.model_fields) if parent else []
        says = instead(str(path[-1]), names, there_is="The fields are", limit=0)
        return path, f"there is no such field. {says}"
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    if any(detail["type"] == "missing" for detail in details):
        return path, f"is missing.{example(field, name)}"
    said = demand(annotation, field, name, first["input"])
    return path, said or f"{first['msg'][0].lower()}{first['msg'][1:]}."
