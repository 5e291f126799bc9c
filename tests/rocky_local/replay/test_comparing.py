"""The comparison itself: it forgives clocks and side-by-side order, and nothing else."""

from __future__ import annotations

import json
from datetime import date

import pytest

from .cases import Outcome, read_sequences
from .compare import RECORDED_ON, compare, compare_files
from .masking import Mask


def outcome(**parts: object) -> Outcome:
    return Outcome(**{"exit_code": 0, "stdout": "", "stderr": "", **parts})  # type: ignore[arg-type]


def differing(left: Outcome, right: Outcome) -> set[str]:
    return set(compare(left, right, root="/project", ran_on=RECORDED_ON))


def pretty(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def line(message: str, level: str = "INFO", **fields: object) -> str:
    record = {"timestamp": "2026-11-23T05:00:00.000001Z", "level": level}
    return json.dumps({**record, "fields": {"message": message, **fields}, "target": "t"})


def test_every_recording_equals_itself():
    cases = [case for sequence in read_sequences().values() for case in sequence.cases if case.recorded]

    assert len(cases) > 400
    assert not [case.name for case in cases if case.recorded and differing(case.recorded, case.recorded)]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"status": "Success"}, {"status": "Failure"}),
        ({"cost": 0}, {"cost": 0.5}),
        ({"list": ["a", "b"]}, {"list": ["b", "a"]}),
        ({"started": "2026-03-01T00:00:00Z"}, {"started": "2026-03-02T00:00:00Z"}),
    ],
)
def test_what_differs_in_the_result_is_found(left, right):
    assert differing(outcome(stdout=pretty(left)), outcome(stdout=pretty(right))) == {"stdout"}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"duration_ms": 4}, {"duration_ms": 400}),
        ({"at": "2026-11-23T05:18:13.382777773Z"}, {"at": "2026-11-24T01:00:00Z"}),
        ({"run_id": "run-20261123-051813-330"}, {"run_id": "run-20261124-000000-001"}),
        ({"errors": [{"error": "a"}, {"error": "b"}]}, {"errors": [{"error": "b"}, {"error": "a"}]}),
    ],
)
def test_what_varies_is_forgiven(left, right):
    assert not differing(outcome(stdout=pretty(left)), outcome(stdout=pretty(right)))


def test_indentation_counts():
    assert differing(outcome(stdout=pretty({"a": 1})), outcome(stdout='{\n"a": 1\n}\n')) == {"stdout"}


def test_log_lines_keep_their_order_level_and_fields_except_side_by_side():
    first, second = line("copying data", table="a"), line("copying data", table="b")
    start, end = line("processing tables", tables=2), line("done")

    def logged(*lines: str) -> Outcome:
        return outcome(stderr="\n".join(lines))

    assert not differing(logged(start, first, second, end), logged(start, second, first, end))
    assert differing(logged(start, first, second, end), logged(first, start, second, end)) == {"stderr"}
    assert differing(logged(start), logged(line("processing tables", level="WARN", tables=2))) == {"stderr"}
    assert differing(logged(start), logged(line("processing tables", tables=3))) == {"stderr"}


def test_messages_are_a_multiset():
    one, two = '{"method":"a","params":null}', '{"method":"b","params":null}'

    assert not differing(outcome(messages=[one, two]), outcome(messages=[two, one]))
    assert differing(outcome(messages=[one]), outcome(messages=[one, one])) == {"messages"}
    assert differing(outcome(messages=[one]), outcome(messages=[one.replace(":", ": ")])) == {"messages"}


def test_files_are_compared_but_for_what_only_one_engine_has():
    recorded = ["rocky.toml", ".rocky/plans/" + "a" * 64 + ".json", ".rocky/catalog/edges.parquet"]
    replayed = [".rocky/plans/" + "b" * 64 + ".json", ".rocky/lineage.json", "x.duckdb.wal", "rocky.toml"]

    assert not compare_files(recorded, replayed)
    assert "+.rocky-state.redb" in compare_files(recorded, [*replayed, ".rocky-state.redb"])
    assert "-rocky.toml" in compare_files(recorded, replayed[:-1])


def test_dates_near_the_run_come_from_the_clock_and_others_from_the_data():
    mask = Mask(date(2026, 11, 23), "/tmp/x/project")

    assert mask.text("2026-11-22") == "<near day>"
    assert mask.text("partition 2026-10") == "partition <near month>"
    assert mask.text("2026-05-02T08") == "2026-05-02T08"
    assert mask.text("at /tmp/x/project/a.duckdb") == "at /project/a.duckdb"
