"""What the tables of a TOML file may hold, and what the engine says of one that holds something else."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError, model_validator

from rocky_local.project import toml

Count = Annotated[int, Field(ge=0)]
Names = Annotated[tuple[str, ...], Field(strict=False)]
Severity = Literal["error", "warning"]
_EXPECTED = {
    "string_type": "a string",
    "literal_error": "a string",
    "bool_type": "a boolean",
    "int_type": "u64",
    "greater_than_equal": "u64",
    "float_type": "f64",
    "list_type": "a sequence",
    "tuple_type": "a sequence",
    "dict_type": "a map",
    "model_type": "a map",
}
_KINDS = ((bool, "boolean"), (int, "integer"), (float, "floating point"), (list, "sequence"), (dict, "map"))
_NEEDS = {
    "not_null": [],
    "unique": [],
    "accepted_values": ["values"],
    "relationships": ["to_table", "to_column"],
    "expression": ["expression"],
    "row_count_range": [],
    "in_range": [],
    "regex_match": ["pattern"],
    "aggregate": ["op", "cmp", "value"],
    "composite": ["kind", "columns"],
    "unique_expr": ["key_expr"],
    "not_in_future": [],
    "older_than_n_days": ["days"],
}


class Table(BaseModel):
    """A table in which unknown fields are ignored."""

    model_config = ConfigDict(strict=True, defer_build=True, allow_inf_nan=False)


class Closed(Table):
    """A table in which unknown fields are errors."""

    @classmethod
    def known(cls) -> list[str]:
        """Return the names of the fields as they are written."""
        fields = cls.model_fields.items()
        return [f.alias or name for name, f in fields if not isinstance(f.validation_alias, AliasPath)]

    @model_validator(mode="before")
    @classmethod
    def _has_only_known_fields(cls, table: Any) -> Any:
        known = cls.known()
        for name in table if isinstance(table, dict) else ():
            if name not in known:
                raise ValueError(toml.unknown("field", name, known))
        return table


class Assertion(Table):
    """One assertion on a table: a declared test of a model, or an entry of `checks.assertions`."""

    model_config = ConfigDict(extra="allow")

    type: str
    name: str = ""
    table: str = ""
    column: str = ""
    severity: Severity = "error"
    expression: str = ""
    pattern: str = ""
    to_table: str = ""
    to_column: str = ""
    values: list[Any] = []
    op: Literal["sum", "count", "avg", "min", "max"] = "count"
    cmp: Literal["lt", "lte", "gt", "gte", "eq", "ne", "<", "<=", ">", ">=", "=", "==", "!=", "<>"] = "eq"
    value: str = ""
    kind: Literal["unique"] = "unique"
    columns: Names = ()
    key_expr: str = ""
    days: Count = 0

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.type not in _NEEDS:
            raise ValueError(toml.unknown("variant", self.type, [*_NEEDS]))
        for name in _NEEDS[self.type]:
            if name not in self.model_fields_set:
                raise ValueError(f"missing field `{name}`")
        bounds = [(self.model_extra or {}).get(name, 0) for name in ("min", "max")]
        if self.type == "row_count_range" and not all(isinstance(bound, int) for bound in bounds):
            raise ValueError(f"invalid type: min and max are {bounds}, expected u64")
        return self


def inside(*place: str, default: Any) -> Any:
    """Return the field for a value that stands deeper, in a table that is a field as well."""
    return Field(default, validation_alias=AliasPath(*place))


T = TypeVar("T", bound=Table)


def checked(kind: type[T], table: dict[str, Any], text: str | None = None) -> T:
    """Return a table with its defaults.

    Args:
        kind: What it should be.
        table: What was read.
        text: The text that it was read from, for errors that point at a line of it.

    Raises:
        TomlError: Something in it is missing, unknown, or of the wrong kind.

    Example:
        >>> checked(Assertion, {"type": 3})
        Traceback (most recent call last):
        rocky_local.project.toml.TomlError: invalid type: integer `3`, expected a string
        in `type`
    """
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        reason, place = _explained(error.errors(include_url=False)[0])
        raise toml.misplaced(reason, place, text) from error


def _explained(found: Any) -> tuple[str, tuple[str | int, ...]]:
    """Return what is wrong in the engine's words, and where."""
    kind, place, value = found["type"], found["loc"], found["input"]
    if kind == "missing":
        return f"missing field `{place[-1]}`", place[:-1]
    if kind == "value_error":
        return str(found["ctx"]["error"]), place
    if kind == "literal_error" and isinstance(value, str):
        return toml.unknown("variant", value, re.findall(r"'(\w+)'", found["ctx"]["expected"])), place
    flaw = "value" if kind == "greater_than_equal" else "type"
    return f"invalid {flaw}: {_shown(value)}, expected {_EXPECTED.get(kind, found['msg'])}", place


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'string "{value}"'
    kind = next((name for known, name in _KINDS if isinstance(value, known)), "datetime")
    if kind in ("sequence", "map"):
        return kind
    return f"{kind} `{str(value).lower() if kind == 'boolean' else value}`"
