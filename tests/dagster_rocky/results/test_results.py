"""Every recorded output of the real engine parses, and nothing of it is lost."""

import json
from pathlib import Path

import pytest

from dagster_rocky import results
from dagster_rocky.results import RunResult, json_document

RECORDINGS = Path(__file__).parents[2] / "recordings"

OUTPUTS = {
    "run": results.RunResult,
    "run --dag": results.DagRunResult,
    "load": results.LoadResult,
    "seed": results.SeedResult,
    "discover": results.DiscoverResult,
    "compile": results.CompileResult,
    "dag": results.DagResult,
    "validate": results.ValidateResult,
    "list_pipelines": results.ListPipelinesResult,
    "list_models": results.ListModelsResult,
    "lineage": results.LineageResult,
    "state": results.StateResult,
    "history": results.HistoryResult,
    "doctor": results.DoctorResult,
}


def recorded(command: str) -> list[bytes]:
    """The JSON documents that the real engine printed for a command."""
    found = []
    for path in sorted(RECORDINGS.glob("**/stdout")):
        document = json_document(path.read_bytes())
        if not document:
            continue
        try:
            parsed = json.loads(document)
        except ValueError:
            continue
        if parsed.get("command", "doctor") == command:
            found.append(document)
    return found


@pytest.mark.parametrize("command", OUTPUTS)
def test_every_recording_parses_and_keeps_every_field(command):
    documents = recorded(command)
    assert documents, f"no recording of `{command}`"
    for document in documents:
        parsed = OUTPUTS[command].model_validate_json(document)
        kept = parsed.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert kept == json.loads(document)


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
