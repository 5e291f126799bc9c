"""Every recorded output of the real engine parses, and nothing of it is lost."""

import copy
import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from dagster_rocky import results
from dagster_rocky.results import RunResult, json_document

RECORDINGS = Path(__file__).parents[2] / "recordings"

OUTPUTS = {
    "run": results.RunResult,
    "run --dag": results.DagRunResult,
    "load": results.LoadResult,
    "seed": results.SeedResult,
    "snapshot": results.SnapshotResult,
    "discover": results.DiscoverResult,
    "compile": results.CompileResult,
    "dag": results.DagResult,
    "catalog": results.CatalogResult,
    "lineage": results.LineageResult,
    "validate": results.ValidateResult,
    "doctor": results.DoctorResult,
    "list_pipelines": results.ListPipelinesResult,
    "list_consumers": results.ListConsumersResult,
    "list_deps": results.ListDepsResult,
    "list_models": results.ListModelsResult,
    "list_adapters": results.ListAdaptersResult,
    "list_sources": results.ListSourcesResult,
    "state": results.StateResult,
    "history": results.HistoryResult,
    "trace": results.TraceResult,
    "metrics": results.MetricsResult,
    "test": results.TestResult,
    "ci": results.CiResult,
    "cost": results.CostResult,
    "optimize": results.OptimizeResult,
    "estimate": results.EstimateResult,
    "compliance": results.ComplianceResult,
    "retention-status": results.RetentionStatusResult,
    "plan": results.PlanResult,
    "branch create": results.BranchResult,
    "branch list": results.BranchListResult,
}
BY_DESIGN_UNTYPED = (results.CheckOutcome, results.ComparedTable)
"""What differs from kind to kind of check is kept as it is."""


@functools.cache
def recorded() -> dict[str, list[bytes]]:
    """The JSON documents that the real engine printed, by command."""
    found: dict[str, list[bytes]] = {}
    for path in sorted(RECORDINGS.glob("**/stdout")):
        document = json_document(path.read_bytes())
        try:
            command = json.loads(document)["command"] if document else None
        except ValueError:
            continue
        if command:
            found.setdefault(command, []).append(document)
    return found


def test_every_recorded_command_has_a_model():
    assert set(recorded()) == set(OUTPUTS)


@pytest.mark.parametrize("command", OUTPUTS)
def test_every_recording_parses_and_keeps_every_field(command):
    for document in recorded()[command]:
        parsed = OUTPUTS[command].from_stdout(document) if command != "doctor" else parse(command, document)
        kept = parsed.model_dump(mode="json", by_alias=True, exclude_unset=True)
        told_again = {"materializations", "errors", "status"} if command in ("load", "seed") else set()
        assert {
            k: v for k, v in kept.items() if k not in told_again - set(json.loads(document))
        } == json.loads(document)


@pytest.mark.parametrize("command", OUTPUTS)
def test_every_recorded_field_is_known(command):
    for document in recorded()[command]:
        assert list(unknown_fields(parse(command, document))) == []


def parse(command: str, document: bytes) -> BaseModel:
    return OUTPUTS[command].model_validate_json(document)


def unknown_fields(thing: object, place: str = "") -> Iterator[str]:
    """Where in an output there is a field that its model does not declare."""
    if isinstance(thing, BaseModel):
        if not isinstance(thing, BY_DESIGN_UNTYPED):
            yield from (f"{place}.{name}" for name in thing.model_extra or {})
        for name in type(thing).model_fields:
            yield from unknown_fields(getattr(thing, name), f"{place}.{name}")
    elif isinstance(thing, list | dict):
        for item in thing.values() if isinstance(thing, dict) else thing:
            yield from unknown_fields(item, f"{place}[]")


def places(thing: object, place: tuple = (), shape: tuple = ()) -> Iterator[tuple[tuple, tuple]]:
    """Every place in a JSON document, and its shape: the same without the indices."""
    if place:
        yield place, shape
    items = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ()
    for at, item in items:
        yield from places(item, (*place, at), (*shape, "[]" if isinstance(at, int) else at))


def with_null(document: dict, nulls: Iterable[tuple]) -> dict:
    document = copy.deepcopy(document)
    for *way, last in nulls:
        holder = document
        for part in way:
            holder = holder[part] if holder is not None else None
        if holder is not None:
            holder[last] = None
    return document


@pytest.mark.parametrize("command", OUTPUTS)
def test_every_field_and_element_may_be_null(command):
    seen: set[tuple] = set()
    for raw in recorded()[command]:
        document = json.loads(raw)
        new = {shape: place for place, shape in places(document) if shape not in seen}
        seen |= set(new)
        for place in new.values():
            OUTPUTS[command].model_validate_json(json.dumps(with_null(document, [place])))


@pytest.mark.parametrize("command", OUTPUTS)
@settings(max_examples=25, derandomize=True)
@given(data=st.data())
def test_any_fields_may_be_null_together(command, data):
    document = json.loads(data.draw(st.sampled_from(recorded()[command])))
    found = data.draw(st.lists(st.sampled_from([place for place, _ in places(document)]), max_size=30))
    OUTPUTS[command].model_validate_json(json.dumps(with_null(document, found)))


def test_null_is_what_leaving_out_is():
    bare = RunResult.model_validate({"materializations": [{"asset_key": ["a"]}]})
    nulls = dict.fromkeys(RunResult.model_fields) | {
        "materializations": [
            dict.fromkeys(results.Materialization.model_fields) | {"asset_key": [None, "a", None]},
            None,
        ],
        "run_id": None,
    }
    assert RunResult.model_validate(nulls).model_dump() == bare.model_dump()


def test_another_shape_is_still_an_error():
    with pytest.raises(ValidationError, match="materializations"):
        RunResult.model_validate({"materializations": 7, "errors": None})


@pytest.mark.parametrize(
    ("attempts", "count"),
    [
        (None, 0),
        (3, 3),
        ([{"attempt": 1}, {}], 2),
        ([{"attempt": "first"}], 1),
        (["boom", None], 2),
        ({"total": 2}, 0),
        ("2", 0),
        (-1, 0),
        (10**12, 1_000),
    ],
)
def test_attempts_are_counted_however_they_are_laid_out(attempts, count):
    built = {"asset_key": ["a"], "attempts": attempts}
    error = {"error": "boom", "attempts": attempts}
    result = RunResult.model_validate({"materializations": [built], "errors": [error], "attempts": attempts})
    told = (result.attempts, result.materializations[0].attempts, result.errors[0].attempts)
    assert [len(attempts) for attempts in told] == [count] * 3


@pytest.mark.parametrize(
    ("value", "read"), [(5, 5), ("5", 5), (5.0, 5), (5.5, None), (None, None), ("5 MB", None), ([5], None)]
)
def test_bytes_are_a_whole_number_or_nothing(value, read):
    built = {"asset_key": ["a"], "bytes_scanned": value, "bytes_written": value}
    costs = {"total_bytes_scanned": value, "per_model": [{"bytes_written": value}]}
    result = RunResult.model_validate({"materializations": [built], "cost_summary": costs})
    (table,) = result.materializations
    assert (table.bytes_scanned, table.bytes_written) == (read, read)
    assert result.cost_summary is not None
    assert (result.cost_summary.total_bytes_scanned, result.cost_summary.per_model[0].bytes_written) == (
        read,
        read,
    )


def test_bytes_that_are_no_utf8_are_replaced():
    assert RunResult.from_stdout(b'{"filter": "a\xffb"}').filter == "a\ufffdb"


@pytest.mark.parametrize(
    ("kind", "worth_it"),
    [
        ("connection-failed", True),
        ("transient", True),
        ("quota-exceeded", True),
        ("unknown", True),
        ("auth-failed", False),
        ("query-rejected", False),
        ("not-found", False),
        ("compile-error", False),
        ("compile_error", False),
        ("Auth-Failed", False),
        ("a-kind-of-tomorrow", True),
        (None, True),
    ],
)
def test_which_failures_are_worth_a_retry(kind, worth_it):
    error = RunResult.model_validate({"errors": [{"error": "x", "failure_kind": kind}]}).errors[0]
    assert error.worth_a_retry is worth_it
    assert error.failure_kind == (kind or "unknown")


def run_of(case: str) -> RunResult:
    return RunResult.from_stdout((RECORDINGS / case / "stdout").read_bytes())


def test_partial_success_is_a_failure_that_keeps_what_was_built():
    result = run_of("broken/copy_partial/run")
    assert result.failed
    assert not result.is_success
    assert result.materializations
    assert [error.asset_key for error in result.errors] == [[]]


def test_interrupted_run_is_no_success_though_its_status_says_so():
    result = run_of("slow_copy/sigterm_during_copy")
    assert result.status == "Success"
    assert not result.is_success


def test_contained_models_say_what_blocks_them():
    result = RunResult.model_validate_json(
        b'{"command": "run", "status": "PartialFailure", "errors": [{"asset_key": ["b_dates"]}],'
        b' "contained": [{"model": "d_calendar", "blocked_by": ["b_dates"], "unblock_hint": "fix b_dates"}]}'
    )
    assert {blocked.model: blocked.blocked_by for blocked in result.contained} == {"d_calendar": ["b_dates"]}
    assert result.failed


def test_idempotent_skip_is_recognised():
    result = run_of("marts/run_idempotency_repeat")
    assert result.skipped_idempotent
    assert result.skipped_by_run_id


def test_partitions_carry_their_keys_in_order():
    result = run_of("marts/run_from_to")
    keys = [done.partition.key for done in result.materializations if done.partition]
    assert keys == sorted(keys)
    assert keys


def test_check_details_are_kept():
    result = run_of("tenants/run_nofilter_first")
    details = {check.name: check.details for checked in result.check_results for check in checked.checks}
    assert details["row_count"].keys() == {"source_count", "target_count"}


def test_unknown_fields_and_values_are_kept():
    result = RunResult.model_validate_json(
        b'{"version": "9", "command": "run", "status": "Postponed", "moon": {"phase": 1},'
        b' "check_results": [{"asset_key": ["a"], "checks": [{"name": "n", "passed": true,'
        b' "severity": "grave"}]}]}'
    )
    assert result.status == "Postponed"
    assert result.failed
    assert result.model_extra == {"moon": {"phase": 1}}
    assert result.check_results[0].checks[0].severity == "grave"


def test_json_is_found_behind_human_text():
    assert json_document(b'Load complete\n  2 files\n{\n  "a": 1\n}\n') == b'{\n  "a": 1\n}\n'
    assert json_document(b"nothing here\n") == b""
    assert json_document(b"") == b""
    assert json.loads(json_document(b"Load complete\r\n{\r\n}\r\n")) == {}
