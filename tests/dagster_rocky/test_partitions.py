"""Keys of both sides convert into each other, and bad ones are refused with the format."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_rocky.partitions import (
    consecutive_runs,
    default_first_partition,
    parse_start,
    time_partitions,
    to_dagster_key,
    to_engine_key,
)

KEYS = [
    ("hour", "2026-05-02-08:00", "2026-05-02T08"),
    ("day", "2026-05-02", "2026-05-02"),
    ("month", "2026-05-01", "2026-05"),
    ("year", "2026", "2026"),
]


@pytest.mark.parametrize(("granularity", "dagster", "engine"), KEYS)
def test_both_formats(granularity, dagster, engine):
    assert to_engine_key(granularity, dagster) == engine
    assert to_dagster_key(granularity, engine) == dagster


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)),
    st.sampled_from(["hour", "day", "month", "year"]),
)
def test_every_key_of_a_definition_survives_both_ways(moment, granularity):
    definition = time_partitions(granularity, moment.strftime("%Y-%m-%dT%H"))
    key = definition.get_partition_key_for_timestamp(
        parse_start(granularity, moment.strftime("%Y-%m-%dT%H")).replace(tzinfo=UTC).timestamp()
    )
    assert to_dagster_key(granularity, to_engine_key(granularity, key)) == key


@pytest.mark.parametrize(
    ("granularity", "key", "expected"),
    [
        ("day", "2026-5-2", "2026-05-02"),
        ("day", "2026-05", "2026-05-02"),
        ("month", "2026-05-02", "2026-05-01"),
        ("hour", "2026-05-02-08:30", "2026-05-02-08:00"),
        ("hour", "2026-05-02T08", "2026-05-02-08:00"),
        ("year", "26", "2026"),
    ],
)
def test_bad_keys_are_refused_with_the_format(granularity, key, expected):
    with pytest.raises(ValueError, match=expected):
        to_engine_key(granularity, key)


def test_gaps_and_turns_of_the_year():
    assert consecutive_runs("month", ["2026-01-01", "2025-12-01", "2026-03-01"]) == [
        ("2025-12-01", "2026-01-01"),
        ("2026-03-01",),
    ]
    assert consecutive_runs("day", ["2024-02-29", "2024-03-01", "2024-02-28"]) == [
        ("2024-02-28", "2024-02-29", "2024-03-01")
    ]
    assert consecutive_runs("year", []) == []


@pytest.mark.parametrize(
    ("granularity", "first", "key"),
    [
        ("hour", "2026-05-01T08", "2026-05-01-08:00"),
        ("hour", "2026-05-01", "2026-05-01-00:00"),
        ("day", "2026-05-01", "2026-05-01"),
        ("month", "2026-04", "2026-04-01"),
        ("month", "2026-04-17", "2026-04-01"),
        ("year", "2020", "2020"),
    ],
)
def test_definitions_start_where_the_engine_says(granularity, first, key):
    assert time_partitions(granularity, first).get_first_partition_key() == key


def test_end_offset_makes_today_runnable():
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    with dg.partition_loading_context(effective_dt=now):
        assert time_partitions("day", "2026-11-01").get_last_partition_key() == "2026-11-22"
        assert time_partitions("day", "2026-11-01", end_offset=1).get_last_partition_key() == "2026-11-23"


def test_hours_have_no_zone_but_utc():
    with pytest.raises(ValueError, match=r"partitions\.timezone"):
        time_partitions("hour", "2026-05-01", timezone="Europe/Lisbon")
    assert time_partitions("day", "2026-05-01", timezone="Europe/Lisbon").timezone == "Europe/Lisbon"


def test_a_start_that_is_none_is_refused():
    with pytest.raises(ValueError, match="yesterday"):
        parse_start("day", "yesterday")


def test_models_without_a_start_begin_with_the_earliest():
    assert default_first_partition(["2026-05-01", "2026-04"]) == "2026-04-01"
    assert default_first_partition([], datetime(2026, 11, 23)) == "2026-01-01"
