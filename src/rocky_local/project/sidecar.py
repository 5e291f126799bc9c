"""The TOML files of a model and what may stand in them: sidecar, defaults, group, contract (contract, 2.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from rocky_local.project import toml
from rocky_local.project.tables import Assertion, Count, Names, Severity, T, Table, checked, inside

# fmt: off
Kind = Literal[
    "full_refresh", "incremental", "merge", "time_interval", "ephemeral", "delete_insert", "microbatch", "view",
    "materialized_view", "dynamic_table", "content_addressed",
]
# fmt: on


class Strategy(Table):
    """How a model is built."""

    model_config = ConfigDict(extra="allow")

    type: Kind = "full_refresh"
    unique_key: Names = ()
    update_columns: Names = ()
    time_column: str = ""
    granularity: Literal["hour", "day", "month", "year"] = "day"
    lookback: Count = 0
    batch_size: Count = 1
    first_partition: str | None = None

    @field_validator("unique_key", mode="before")
    @classmethod
    def _listed(cls, keys: Any) -> Any:
        return [keys] if isinstance(keys, str) else keys

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.type == "time_interval" and "time_column" not in self.model_fields_set:
            raise ValueError("missing field `time_column`")
        return self

    def shown(self) -> dict[str, Any]:
        """Return the table as results print it: as written, with the defaults of a partitioned model."""
        partitioned = {"time_column", "granularity", "lookback", "batch_size", "first_partition"}
        written = self.model_fields_set | (partitioned if self.type == "time_interval" else set())
        return self.model_dump(include={"type", *written})


class _Freshness(Table):
    max_lag_seconds: Count = 0
    time_column: str = ""
    severity: Severity = "error"


class _Given(Table):
    ref: str
    rows: list[dict[str, Any]] = Field(default_factory=list)


class _Expect(Table):
    rows: list[dict[str, Any]] = Field(default_factory=list)


class _UnitTest(Table):
    name: str = "unnamed"
    given: list[_Given] = Field(default_factory=list)
    expect: _Expect = Field(default_factory=_Expect)


class NamedTest(Table):
    """A test that is defined elsewhere, with what is different here."""

    name: str
    column: str = ""
    severity: Severity = "error"


class TestDefinitions(Table):
    """The tests of `test_definitions.toml` by name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Assertion] = Field(init=False)


class Sidecar(Table):
    """A sidecar, `_defaults.toml` or a group (contract, 2.2)."""

    name: str | None = None
    depends_on: Names = ()
    group: str | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    retention: str | None = None
    strategy: Strategy | None = None
    target: dict[str, str] = Field(default_factory=dict)
    schema_template: str | None = None
    sources: list[dict[str, str]] = Field(default_factory=list)
    tags: dict[str, str] = Field(default_factory=dict)
    classification: dict[str, str] = Field(default_factory=dict)
    freshness: _Freshness | None = None
    tests: list[Assertion] = Field(default_factory=list)
    use_test: list[NamedTest] = Field(default_factory=list)
    test: list[_UnitTest] = Field(default_factory=list)
    skip: dict[str, bool] = Field(default_factory=dict)


class ContractColumn(Table):
    """What a contract says of one column."""

    name: str
    nullable: bool = True


class Contract(Table):
    """What a model promises about its columns."""

    columns: list[ContractColumn] = Field(default_factory=list)
    rules: dict[str, Any] | None = None
    required: Names = inside("rules", "required", default=())
    protected: Names = inside("rules", "protected", default=())


def read_contract(path: Path) -> Contract | None:
    """Return the contract in a file, or None where there is none.

    Raises:
        TomlError: It cannot be read.
    """
    return _table(path, Contract) if path.is_file() else None


def read_sidecar(path: Path) -> Sidecar:
    """Return what a sidecar, a defaults file or a group says; nothing where there is none.

    Raises:
        TomlError: It cannot be read.
    """
    return _table(path, Sidecar) if path.is_file() else Sidecar()


def read_definitions(path: Path) -> dict[str, Assertion]:
    """Return the tests that models may use by name; none where there is no file.

    Raises:
        TomlError: It cannot be read.
    """
    return _table(path, TestDefinitions).__pydantic_extra__ if path.is_file() else {}


def _table(path: Path, kind: type[T]) -> T:
    text = toml.read(path)
    return checked(kind, toml.parse(text), text)
