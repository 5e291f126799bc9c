"""What the engine notices about data is told so that somebody can be alerted."""

from support.recorded import Loaded
from support.seeding import opened


def change(loaded: Loaded, database: str, *statements: str) -> None:
    with opened(loaded.folder / database) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_row_count_that_stands_out_fails_a_check_that_warns(load, mode):
    loaded = load("anomaly", mode=mode)
    before = loaded.run()
    assert {name: passed for name, passed in before.checks.items() if name.endswith(":anomaly")} == {
        "duckdb/central/entries:anomaly": True,
        "duckdb/central/staff:anomaly": True,
    }
    change(loaded, "turnstile.duckdb", "DELETE FROM gate__central.entries WHERE random() < 2")
    after = loaded.run()
    assert after.success, after.failures
    assert after.checks["duckdb/central/entries:anomaly"] is False
    assert after.severities["duckdb/central/entries:anomaly"] == "WARN"
    assert after.checks["duckdb/central/staff:anomaly"] is True
    assert not after.observed


def test_an_anomaly_is_an_observation_where_its_check_is_left_out(load):
    loaded = load("anomaly", checks={"overrides": {"anomaly": {"enabled": False}}})
    assert not [name for name in loaded.checks() if name.endswith(":anomaly")]
    loaded.run()
    change(loaded, "turnstile.duckdb", "DELETE FROM gate__central.entries")
    after = loaded.run()
    assert [key for key, text in after.observed if text.startswith("Unusual row count")] == [
        "duckdb/central/entries"
    ]


def test_the_severity_of_an_anomaly_can_be_set(load):
    loaded = load("anomaly", checks={"overrides": {"anomaly": {"severity": "ERROR", "blocking": True}}})
    loaded.run()
    change(loaded, "turnstile.duckdb", "DELETE FROM gate__central.entries")
    after = loaded.run()
    assert not after.success
    assert after.severities["duckdb/central/entries:anomaly"] == "ERROR"


def test_each_changed_column_is_an_observation_with_before_and_after(load, mode):
    loaded = load("drift", mode=mode)
    loaded.run()
    change(
        loaded,
        "greenhouse.duckdb",
        "ALTER TABLE house_fern.light ADD COLUMN lux INTEGER",
        "ALTER TABLE house_fern.light ADD COLUMN note VARCHAR",
        "ALTER TABLE house_fern.humidity ALTER pct TYPE BIGINT",
    )
    after = loaded.run()
    assert after.success, after.failures
    assert sorted(after.observed) == [
        ("duckdb/fern/humidity", "The source changed: column 'pct' from INTEGER to BIGINT"),
        ("duckdb/fern/light", "The source changed: new column 'lux' (INTEGER)"),
        ("duckdb/fern/light", "The source changed: new column 'note' (VARCHAR)"),
    ]
