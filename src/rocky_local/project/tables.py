"""What the tables of a TOML file may hold, and what the engine says of one that holds something else."""

import math
from types import MappingProxyType, NoneType
from typing import (
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from rocky_local.project import toml

Names = tuple[str, ...]
Severity = Literal["error", "warning"]
Position = tuple[str | int, ...]
EMPTY: Any = MappingProxyType({})
_EXPECTED = {
    str: "a string",
    Literal: "a string",
    bool: "a boolean",
    int: "u64",
    float: "f64",
    tuple: "a sequence",
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


class Place(NamedTuple):
    """Where a table is, part by part."""

    catalog: str
    schema: str
    table: str

    @property
    def name(self) -> str:
        """The whole name: `catalog.schema.table`."""
        return ".".join(self)


@dataclass_transform(kw_only_default=True)
class Table:
    """A table, as written and by field: each annotation is one, needed unless it has a default. Others are ignored."""

    def __init__(self, **values: Any) -> None:
        self.written: dict[str, Any] = values
        vars(self).update(values)

    @classmethod
    def prepared(cls, table: dict[str, Any]) -> dict[str, Any]:
        """Return the table in the one spelling that the fields describe; a ValueError says what is wrong."""
        return table

    def complete(self) -> None:
        """Raise a ValueError when the fields do not go together."""


class Closed(Table):
    """A table in which unknown fields are errors; `accepted` names those that are not looked into, too."""

    accepted = Names()

    @classmethod
    def prepared(cls, table: dict[str, Any]) -> dict[str, Any]:
        """Refuse unknown fields."""
        known = [*(cls.accepted or _fields(cls))]
        for name in table:
            if name not in known:
                raise ValueError(toml.unknown("field", name, known))
        return table


class Keyed(Table):
    """A table that may say which columns tell its rows apart."""

    unique_key: Names = ()

    @classmethod
    def prepared(cls, table: dict[str, Any]) -> dict[str, Any]:
        """Let a lone key be a list of one."""
        key = table.get("unique_key")
        return {**table, "unique_key": [key]} if isinstance(key, str) else table


class Assertion(Table):
    """One assertion on a table: a declared test of a model, or an entry of `checks.assertions`."""

    type: str
    name: str = ""
    table: str = ""
    column: str = ""
    severity: Severity = "error"
    expression: str = ""
    pattern: str = ""
    to_table: str = ""
    to_column: str = ""
    min: Any = None
    max: Any = None
    values: tuple[Any, ...] = ()
    op: Literal["sum", "count", "avg", "min", "max"] = "count"
    cmp: Literal["lt", "lte", "gt", "gte", "eq", "ne", "<", "<=", ">", ">=", "=", "==", "!=", "<>"] = "eq"
    value: str = ""
    kind: Literal["unique"] = "unique"
    columns: Names = ()
    key_expr: str = ""
    days: int = 0

    def complete(self) -> None:
        """Look for what the type needs."""
        if self.type not in _NEEDS:
            raise ValueError(toml.unknown("variant", self.type, [*_NEEDS]))
        for name in _NEEDS[self.type]:
            if name not in self.written:
                raise ValueError(f"missing field `{name}`")
        bounds = [bound for bound in (self.min, self.max) if bound is not None]
        if self.type == "row_count_range" and not all(isinstance(bound, int) for bound in bounds):
            raise ValueError(f"invalid type: min and max are {bounds}, expected u64")


T = TypeVar("T")
_FIELDS: dict[type[Table], dict[str, Any]] = {}


def checked(kind: type[T], table: dict[str, Any], text: str | None = None) -> T:
    """Return a table with its defaults.

    Args:
        kind: What it should be.
        table: What was read.
        text: The text that it was read from, for errors that point at a line of it.

    Example:
        >>> checked(Assertion, {"type": 3})
        Traceback (most recent call last):
        rocky_local.project.toml.TomlError: invalid type: integer `3`, expected a string
        in `type`
    """
    found: T = _value(kind, table, (), text)
    return found


def _fields(kind: type[Table]) -> dict[str, Any]:
    if kind not in _FIELDS:
        _FIELDS[kind] = get_type_hints(kind)
    return _FIELDS[kind]


def _table(kind: type[Table], table: dict[str, Any], place: Position, text: str | None) -> Table:
    try:
        table = kind.prepared(table)
        found = kind()
        found.written = table
        for name, wanted in _fields(kind).items():
            if name in table:
                setattr(found, name, _value(wanted, table[name], (*place, name), text))
            elif not hasattr(kind, name):
                raise ValueError(f"missing field `{name}`")
        found.complete()
    except ValueError as error:
        raise toml.misplaced(str(error), place, text) from error
    return found


def _value(wanted: Any, value: Any, place: Position, text: str | None) -> Any:
    """Return a value as the kind that is wanted; the error of another points at its line of the text."""
    kind, inner = get_origin(wanted) or wanted, get_args(wanted)
    if kind is Any:
        return value
    if NoneType in inner:
        return _value(inner[0], value, place, text)
    if kind is tuple and isinstance(value, list):
        return tuple(_value(inner[0], entry, (*place, at), text) for at, entry in enumerate(value))
    if kind is dict and isinstance(value, dict):
        return {name: _value(inner[1], entry, (*place, name), text) for name, entry in value.items()}
    if isinstance(kind, type) and issubclass(kind, Table) and isinstance(value, dict):
        return _table(kind, value, place, text)
    if problem := _problem(kind, inner, value):
        raise toml.misplaced(problem, place, text)
    return value


def _problem(kind: Any, choices: tuple[Any, ...], value: Any) -> str:
    """Say what is wrong with a value that holds no others; nothing where it is as wanted."""
    if kind is Literal and isinstance(value, str):
        return "" if value in choices else toml.unknown("variant", value, [*choices])
    if type(value) is kind or (kind is float and type(value) is int):
        if kind is int and value < 0:
            return f"invalid value: {_shown(value)}, expected u64"
        if kind is float and not math.isfinite(value):
            return f"invalid value: {_shown(value)}, expected a finite number"
        return ""
    return f"invalid type: {_shown(value)}, expected {_EXPECTED.get(kind, 'a map')}"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'string "{value}"'
    kind = next((name for known, name in _KINDS if isinstance(value, known)), "datetime")
    if kind in ("sequence", "map"):
        return kind
    return f"{kind} `{str(value).lower() if kind == 'boolean' else value}`"
