"""The TOML files of a model and what may stand in them: sidecar, defaults, group, contract (contract, 2.2)."""

from pathlib import Path
from typing import Any, Literal

from rocky_local.project import toml
from rocky_local.project.tables import EMPTY, Assertion, Names, Severity, T, Table, checked

# fmt: off
Kind = Literal[
    "full_refresh", "incremental", "merge", "time_interval", "ephemeral", "delete_insert", "microbatch", "view",
    "materialized_view", "dynamic_table", "content_addressed",
]
# fmt: on


class Strategy(Table):
    """How a model is built."""

    type: Kind = "full_refresh"
    unique_key: Names = ()
    update_columns: Names = ()
    time_column: str = ""
    granularity: Literal["hour", "day", "month", "year"] = "day"
    lookback: int = 0
    batch_size: int = 1
    first_partition: str | None = None

    @classmethod
    def prepared(cls, table: dict[str, Any]) -> dict[str, Any]:
        """Let a lone key be a list of one."""
        key = table.get("unique_key")
        return {**table, "unique_key": [key]} if isinstance(key, str) else table

    def complete(self) -> None:
        """Look for what partitions need."""
        if self.type == "time_interval" and "time_column" not in self.written:
            raise ValueError("missing field `time_column`")

    def shown(self) -> dict[str, Any]:
        """Return the table as results print it: as written, with the defaults of a partitioned model."""
        partitioned = ("time_column", "granularity", "lookback", "batch_size", "first_partition")
        shown = ("type", *(partitioned if self.type == "time_interval" else ()))
        return {**{name: getattr(self, name) for name in shown}, **self.written}


class _Freshness(Table):
    max_lag_seconds: int = 0
    time_column: str = ""
    severity: Severity = "error"


class _Given(Table):
    ref: str
    rows: tuple[dict[str, Any], ...] = ()


class _Expect(Table):
    rows: tuple[dict[str, Any], ...] = ()


class UnitTest(Table):
    """A test of a model on rows of its own."""

    name: str = "unnamed"
    given: tuple[_Given, ...] = ()
    expect: _Expect = _Expect()


class NamedTest(Table):
    """A test that is defined elsewhere, with what is different here."""

    name: str
    column: str = ""
    severity: Severity = "error"


class Sidecar(Table):
    """A sidecar, `_defaults.toml` or a group (contract, 2.2)."""

    name: str | None = None
    depends_on: Names = ()
    group: str | None = None
    args: dict[str, Any] = EMPTY
    retention: str | None = None
    strategy: Strategy | None = None
    target: dict[str, str] = EMPTY
    schema_template: str | None = None
    sources: tuple[dict[str, str], ...] = ()
    tags: dict[str, str] = EMPTY
    classification: dict[str, str] = EMPTY
    freshness: _Freshness | None = None
    tests: tuple[Assertion, ...] = ()
    use_test: tuple[NamedTest, ...] = ()
    test: tuple[UnitTest, ...] = ()
    skip: dict[str, bool] = EMPTY


class ContractColumn(Table):
    """What a contract says of one column."""

    name: str
    nullable: bool = True


class _Rules(Table):
    required: Names = ()
    protected: Names = ()


class Contract(Table):
    """What a model promises about its columns."""

    columns: tuple[ContractColumn, ...] = ()
    rules: _Rules = _Rules()


def read_contract(path: Path) -> Contract | None:
    """Return the contract in a file, or None where there is none."""
    return _table(path, Contract) if path.is_file() else None


def read_sidecar(path: Path) -> Sidecar:
    """Return what a sidecar, a defaults file or a group says; nothing where there is none."""
    return _table(path, Sidecar) if path.is_file() else Sidecar()


def read_definitions(path: Path) -> dict[str, Assertion]:
    """Return the tests that models may use by name; none where there is no file."""
    return _table(path, dict[str, Assertion]) if path.is_file() else {}


def _table(path: Path, kind: type[T]) -> T:
    text = toml.read(path)
    return checked(kind, toml.parse(text), text)
