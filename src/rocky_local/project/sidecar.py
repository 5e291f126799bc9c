"""The TOML files of a model and what may stand in them: sidecar, defaults, group, contract (contract, 2.2)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rocky_local.errors import EngineError
from rocky_local.project import toml
from rocky_local.project.tables import EMPTY, Assertion, Keyed, Names, Place, Severity, T, Table, checked

# fmt: off
Kind = Literal[
    "full_refresh", "incremental", "merge", "time_interval", "ephemeral", "delete_insert", "microbatch", "view",
    "materialized_view", "dynamic_table", "content_addressed",
]
# fmt: on


class Strategy(Keyed):
    """How a model is built."""

    type: Kind = "full_refresh"
    update_columns: Names = ()
    time_column: str = ""
    granularity: Literal["hour", "day", "month", "year"] = "day"
    lookback: int = 0
    batch_size: int = 1
    first_partition: str | None = None

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
    """The sidecar of a model or a seed, `_defaults.toml` or a group (contract, 2.2)."""

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


def read_table(path: Path, kind: type[T]) -> T | None:
    """Return the table in a file, or None where there is no file."""
    if not path.is_file():
        return None
    text = toml.read(path)
    return checked(kind, toml.parse(text), text)


class Seed(NamedTuple):
    """One seed file and the table it becomes."""

    name: str
    path: Path
    place: Place


def read_seeds(directory: str) -> Iterator[Seed]:
    """Yield the seeds of a folder, by name; none when the folder does not exist."""
    for path in sorted(Path(directory).glob("*.csv")):
        sidecar = path.with_suffix(".toml")
        try:
            own = read_table(sidecar, Sidecar) or Sidecar()
        except toml.TomlError as error:
            raise EngineError(f"failed to parse seed sidecar '{sidecar}': {error}") from error
        name = own.name or path.stem
        target = {"catalog": "main", "schema": "seeds", "table": name, **own.target}
        yield Seed(name, path, Place(target["catalog"], target["schema"], target["table"]))
