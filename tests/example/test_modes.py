"""The example project, built in each of the three modes: the same events, and the known facts in the tables."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

pytestmark = pytest.mark.xdist_group("example")

MODES = ("buffered", "streaming", "pipes")
MODE = re.compile(r"^  mode: \w+$(?:\n  run: .*)?", re.MULTILINE)
VARIES = ("rocky/duration_seconds", "rocky/run_id", "rocky/watermark")
DAYS = {
    "dagster/asset_partition_range_start": "2013-07-01",
    "dagster/asset_partition_range_end": "2013-07-07",
}

Fact = tuple[str, str, str | None, dict[str, object]]


@pytest.fixture
def definitions_in(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], dg.Definitions]]:
    """Writes a mode into the YAML of all components and loads the project; no run is too long to be told whole."""
    monkeypatch.syspath_prepend(str(example))

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "nyc_flights"]:
            del sys.modules[name]

    def load(mode: str) -> dg.Definitions:
        for file in example.glob("nyc_flights/defs/*/defs.yaml"):
            changed, count = re.subn(
                MODE, f"  mode: {mode}\n  run: {{live_after_seconds: 600}}", file.read_text()
            )
            assert count == 1
            file.write_text(changed)
        forget()
        from nyc_flights.definitions import defs

        return defs()

    yield load
    forget()


def build(definitions: dg.Definitions, group: str, tags: dict[str, str] | None = None) -> list[Fact]:
    """Materialize a group and give back what Dagster was told, without what differs from run to run."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [asset for asset in definitions.assets or [] if isinstance(asset, dg.AssetsDefinition)],
            selection=dg.AssetSelection.groups(group),
            instance=instance,
            tags=tags,
        )
        assert result.success
        facts = [fact for event in result.all_events for fact in told(event)]
    return sorted(facts, key=repr)


def told(event: dg.DagsterEvent) -> Iterator[Fact]:
    """What an event says of an asset, if it is a materialization, an observation or a check result."""
    kind = event.event_type_value
    if kind == "ASSET_MATERIALIZATION":
        said = event.step_materialization_data.materialization
        yield kind, said.asset_key.to_user_string(), said.partition, plain(said.metadata)
    elif kind == "ASSET_OBSERVATION":
        observed = event.asset_observation_data.asset_observation
        yield kind, observed.asset_key.to_user_string(), observed.partition, plain(observed.metadata)
    elif kind == "ASSET_CHECK_EVALUATION":
        checked = event.asset_check_evaluation_data
        verdict = {"passed": checked.passed, "severity": checked.severity.value}
        key = f"{checked.asset_key.to_user_string()}:{checked.check_name}"
        yield kind, key, checked.partition, plain(checked.metadata) | verdict


def plain(metadata: dict[str, dg.MetadataValue]) -> dict[str, object]:
    """The metadata as plain values; of what differs from run to run, only that it is there."""
    return {key: "…" if key in VARIES else value.value for key, value in sorted(metadata.items())}


def of_kind(facts: list[Fact], kind: str) -> list[Fact]:
    """The facts of one kind."""
    return [fact for fact in facts if fact[0] == kind]


def known_facts(connection: duckdb.DuckDBPyConnection) -> tuple[list[int], int, int]:
    """Flights by airport, on 4 July, and of carrier UA, as the built tables have them."""
    flights = connection.execute("SELECT COUNT(*) FROM staging.stg_flights GROUP BY origin ORDER BY origin")
    by_airport = [count for (count,) in flights.fetchall()]
    day = connection.execute("SELECT SUM(flights) FROM marts.daily_flights WHERE flight_day = '2013-07-04'")
    ((of_day,),) = day.fetchall()
    carrier = connection.execute("SELECT flights FROM marts.carrier_performance WHERE carrier = 'UA'")
    ((of_carrier,),) = carrier.fetchall()
    return by_airport, of_day, of_carrier


def test_the_three_modes_tell_the_same(example: Path, definitions_in: Callable[[str], dg.Definitions]):
    seen: dict[str, list[list[Fact]]] = {}
    tables: dict[str, list[tuple]] = {}
    for mode in MODES:
        with duckdb.connect(str(example / "flights.duckdb")) as connection:
            for schema in ("staging", "marts"):
                connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        definitions = definitions_in(mode)
        build(definitions, "landing")  # so that every mode finds the weather copied already
        seen[mode] = [
            build(definitions, "landing"),
            build(definitions, "marts"),
            build(definitions, "daily", DAYS),
        ]
        with duckdb.connect(str(example / "flights.duckdb"), read_only=True) as connection:
            tables[mode] = connection.execute(
                "SELECT flight_day, origin, flights FROM marts.daily_flights ORDER BY ALL"
            ).fetchall()
            assert known_facts(connection) == ([120_835, 111_279, 104_662], 737, 58_665)
    assert seen["streaming"] == seen["buffered"]
    assert seen["pipes"] == seen["buffered"]
    assert tables["streaming"] == tables["buffered"] == tables["pipes"]

    landing, marts, daily = seen["buffered"]
    assert len(of_kind(landing, "ASSET_MATERIALIZATION")) == 9
    assert [fact[1] for fact in of_kind(landing, "ASSET_CHECK_EVALUATION") if not fact[3]["passed"]] == [
        "duckdb/all/ref/planes:year_built_known"
    ]
    assert len(of_kind(marts, "ASSET_MATERIALIZATION")) == 6
    built = of_kind(daily, "ASSET_MATERIALIZATION")
    assert [fact[2] for fact in built if fact[1] == "flights/marts/daily_flights"] == [
        f"2013-07-{day:02}" for day in range(1, 8)
    ]
    assert "flights/marts/monthly_flights" in {fact[1] for fact in built}
