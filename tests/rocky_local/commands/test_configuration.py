from __future__ import annotations

import pytest

from rocky_local.errors import CompileError, ConfigError
from rocky_local.project.config import load_config
from rocky_local.project.models import load_project

PATTERN = "[pipeline.p.source.schema_pattern]\nprefix = 'a'\n"
COPY = f"[pipeline.p]\n[pipeline.p.target]\n{PATTERN}"
EXECUTION = COPY + "[pipeline.p.execution]\n"
CHECKS = COPY + "[pipeline.p.checks]\n"
RULE = COPY + "[[pipeline.p.table_overrides]]\n"


def reason_of(folder, text):
    """Why a configuration cannot be used."""
    (folder / "rocky.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="failed to load config from ") as error:
        load_config(str(folder / "rocky.toml"))
    return error.value.reason.removeprefix("failed to parse TOML: ")


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("pipeline = 3", "invalid type: integer `3`, expected a map", "pipeline"),
        ("adapter = 3", "invalid type: integer `3`, expected a map", "adapter"),
        ("[adapter]\npath = 'x'", "missing field `type`", "adapter.default"),
        ("[adapter]\ntype = ''\npath = 3", "integer `3`, expected a string", "adapter.default.path"),
        ("[pipeline.p]\ntarget = 3", "invalid type: integer `3`, expected a map", "pipeline.p.target"),
        ("[pipeline.p]\n[pipeline.p.target]", "missing field `source`", "pipeline.p"),
        ("[pipeline.p]\n[pipeline.p.source]", "missing field `schema_pattern`", "pipeline.p"),
        ("[pipeline.p]\n" + PATTERN, "missing field `target`", "pipeline.p"),
        (EXECUTION + "fail_fast = 1", "integer `1`, expected a boolean", "pipeline.p.execution.fail_fast"),
        (EXECUTION + "concurrency = 'a'", 'string "a", expected u64', "pipeline.p.execution.concurrency"),
        (EXECUTION + "table_retries = -1", "value: integer `-1`", "pipeline.p.execution.table_retries"),
        (RULE + "match.tabel = 'x'", "unknown field `tabel`", "pipeline.p.table_overrides.0.match"),
        (RULE + "index = 1", "unknown field `index`", "pipeline.p.table_overrides.0"),
        (CHECKS + "freshness = {}", "missing field `threshold_seconds`", "pipeline.p.checks.freshness"),
        (CHECKS + "null_rate = {a = 1}", "unknown field `a`", "pipeline.p.checks.null_rate"),
        (CHECKS + "quarantine = {a = 1}", "unknown field `a`", "pipeline.p.checks.quarantine"),
        (CHECKS + "assertions = [{}]", "missing field `type`", "pipeline.p.checks.assertions.0"),
        ("[pipeline.p]\ntype = 'snapshot'\nunique_key = 3", "expected a sequence", "pipeline.p.unique_key"),
        ("[pipeline.p]\ntype = 'snapshot'\nunique_key = [3]", "expected a string", "pipeline.p.unique_key.0"),
        ("[resilience]\na = 1", "unknown field `a`, expected `contain_failures`", "resilience"),
        ("[run]\na = 1", "unknown field `a`, expected one of `skip_unchanged`", "run"),
    ],
)
def test_a_value_that_does_not_belong_is_named_with_its_place(tmp_path, text, reason, place):
    found = reason_of(tmp_path, text)

    assert reason in found
    assert found.endswith(f"\nin `{place}`\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('a = "1', 'invalid basic string, expected `"`'),
        ("a = 1\na = 2", "Cannot overwrite a value"),
        ("a", "Expected '=' after a key in a key/value pair"),
        ("a = [1", "Unclosed array"),
        ("a = yes", "Invalid value"),
    ],
)
def test_wrong_syntax_is_pointed_at(tmp_path, text, reason):
    found = reason_of(tmp_path, text)

    assert found.startswith("TOML parse error at line")
    assert found.endswith(f"^\n{reason}\n")


def test_a_file_that_is_not_text_says_so(tmp_path):
    assert reason_of(tmp_path, "\xff") == "stream did not contain valid UTF-8\n"


def test_what_is_left_out_has_its_default_and_a_pipeline_may_have_keys_of_its_own(tmp_path):
    own = "match.table = 'x_*'\n[pipeline.p.execution]\nconcurrency = 'adaptive'\n[pipeline.p.mine]\na = 1"
    text = f"adapter.lake.type = 'duckdb'\n{RULE}{own}\n[hook.anything]\nfree = 1\n"
    (tmp_path / "rocky.toml").write_text(text)

    pipeline = load_config(str(tmp_path / "rocky.toml")).select("p")

    assert (pipeline.adapter, pipeline.strategy, pipeline.pattern.separator) == ("lake", "incremental", "__")
    assert (pipeline.execution.adaptive, pipeline.execution.concurrency) == (True, 32)
    assert [(rule.match.table, rule.match.connector) for rule in pipeline.table_overrides] == [("x_*", None)]
    assert (pipeline.checks.written, pipeline.written["mine"]) == ({}, {"a": 1})


DAILY = "[strategy]\ntype = 'time_interval'\n"
GRAINS = "expected one of `hour`, `day`, `month`, `year`"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tags = 'x'", 'invalid type: string "x", expected a map'),
        ("target = 'x'", 'invalid type: string "x", expected a map'),
        ("depends_on = 'b'", 'invalid type: string "b", expected a sequence'),
        (DAILY, "missing field `time_column`"),
        (DAILY + "time_column = 'a'\ngranularity = 'decade'", f"unknown variant `decade`, {GRAINS}"),
    ],
)
def test_a_sidecar_that_cannot_be_read_is_pointed_at(tmp_path, text, reason):
    (tmp_path / "m.sql").write_text("SELECT 1 AS a")
    (tmp_path / "m.toml").write_text(text)

    with pytest.raises(CompileError, match=r"parse frontmatter in '.*m\.toml': TOML parse error") as error:
        load_project(str(tmp_path))

    assert error.value.message.endswith(f"^\n{reason}\n")
