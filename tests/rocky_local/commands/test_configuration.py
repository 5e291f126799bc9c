from __future__ import annotations

import pytest

from rocky_local.config import load_config
from rocky_local.errors import CompileError, ConfigError
from rocky_local.models import load_project

PATTERN = "[pipeline.p.source.schema_pattern]\nprefix = 'a'\n"
COPY = f"[pipeline.p]\n[pipeline.p.target]\n{PATTERN}"
CHECKS = COPY + "[pipeline.p.checks]\n"
RULE = COPY + "[[pipeline.p.table_overrides]]\n"
SYNTAX = "TOML parse error at line"


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("pipeline = 3", "invalid type: integer `3`, expected a map", "pipeline"),
        ("adapter = 3", "invalid type: integer `3`, expected a map", "adapter"),
        ("[adapter]\npath = 'x'", "missing field `type`", "adapter.default"),
        ("[adapter]\ntype = 'duckdb'\npath = 3", "expected a string", "adapter.default.path"),
        (f"[pipeline.p]\ntarget = 3\n{PATTERN}", "expected a map", "pipeline.p.target"),
        ("[pipeline.p]\n[pipeline.p.target]", "missing field `source`", "pipeline.p"),
        ("[pipeline.p]\n[pipeline.p.source]", "missing field `schema_pattern`", "pipeline.p"),
        (f"[pipeline.p]\n{PATTERN}", "missing field `target`", "pipeline.p"),
        (
            COPY + "[pipeline.p.execution]\ntable_retries = 'abc'",
            'invalid type: string "abc", expected u64',
            "pipeline.p.execution.table_retries",
        ),
        (
            COPY + "[pipeline.p.execution]\nconcurrency = -1",
            "invalid value: integer `-1`",
            "pipeline.p.execution.concurrency",
        ),
        (RULE + "match.tabel = 'x'", "unknown field `tabel`", "pipeline.p.table_overrides.0.match"),
        (RULE + "enabled = 'no'", "expected a boolean", "pipeline.p.table_overrides.0.enabled"),
        (CHECKS + "freshness = {}", "missing field `threshold_seconds`", "pipeline.p.checks.freshness"),
        (CHECKS + "null_rate = {sample = 1}", "unknown field `sample`", "pipeline.p.checks.null_rate"),
        (CHECKS + "quarantine = {on = true}", "unknown field `on`", "pipeline.p.checks.quarantine"),
        (CHECKS + "assertions = [{}]", "missing field `type`", "pipeline.p.checks.assertions.0"),
        (
            "[run]\nskip = true",
            "unknown field `skip`, expected `skip_unchanged` or `skip_rowcount_fallback`",
            "run",
        ),
        (
            "[resilience]\ncontain = true",
            "unknown field `contain`, expected `contain_failures`",
            "resilience",
        ),
    ],
)
def test_a_value_that_does_not_belong_is_named_with_its_place(tmp_path, text, reason, place):
    (tmp_path / "rocky.toml").write_text(text)

    with pytest.raises(ConfigError) as error:
        load_config(str(tmp_path / "rocky.toml"))

    assert error.value.message.startswith("failed to load config from ")
    assert reason in error.value.reason
    assert error.value.reason.endswith(f"\nin `{place}`\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = 1\na = 2", "duplicate key `a` in document root"),
        ("[x]\na = 1\na = 2", "duplicate key `a` in table `x`"),
        ("a", "key with no value, expected `=`"),
        ("a = [1", "unclosed array, expected `]`"),
        ("[a", "unclosed table, expected `]`"),
        ("a = {b = 1", "unclosed inline table, expected `}`"),
        ("a = yes", "string values must be quoted, expected literal string"),
    ],
)
def test_wrong_syntax_is_pointed_at_in_the_words_of_the_engine(tmp_path, text, reason):
    (tmp_path / "rocky.toml").write_text(text)

    with pytest.raises(ConfigError) as error:
        load_config(str(tmp_path / "rocky.toml"))

    assert error.value.reason.startswith(f"failed to parse TOML: {SYNTAX}")
    assert error.value.reason.endswith(f"^\n{reason}\n")


def test_a_file_that_is_not_text_says_so(tmp_path):
    (tmp_path / "rocky.toml").write_bytes(b"\xff")

    with pytest.raises(ConfigError, match="failed to load config") as error:
        load_config(str(tmp_path / "rocky.toml"))

    assert "stream did not contain valid UTF-8" in error.value.reason


def test_what_is_left_out_has_its_default_and_a_pipeline_may_have_keys_of_its_own(tmp_path):
    text = f"{RULE}match.table = 'x_*'\n[pipeline.p.execution]\nconcurrency = 'adaptive'\n[pipeline.p.mine]\na = 1"
    (tmp_path / "rocky.toml").write_text(f"adapter.lake.type = 'duckdb'\n{text}\n[hook.anything]\nfree = 1\n")

    pipeline = load_config(str(tmp_path / "rocky.toml")).select("p")

    assert (pipeline.adapter, pipeline.strategy, pipeline.pattern.separator) == ("lake", "incremental", "__")
    assert (pipeline.execution.adaptive, pipeline.execution.concurrency) == (True, 32)
    assert [(rule.index, rule.table, rule.connector) for rule in pipeline.overrides] == [(0, "x_*", None)]
    assert (pipeline.checks, pipeline.raw["mine"]) == ({}, {"a": 1})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tags = 'x'", 'invalid type: string "x", expected a map'),
        ("target = 'x'", 'invalid type: string "x", expected a map'),
        ("depends_on = 'b'", 'invalid type: string "b", expected a sequence'),
        ("[strategy]\ntype = 'time_interval'", "missing field `time_column`"),
        (
            "[strategy]\ntype = 'time_interval'\ntime_column = 'a'\ngranularity = 'decade'",
            "unknown variant `decade`, expected one of `hour`, `day`, `month`, `year`",
        ),
    ],
)
def test_a_sidecar_that_cannot_be_read_is_pointed_at(tmp_path, text, reason):
    (tmp_path / "m.sql").write_text("SELECT 1 AS a")
    (tmp_path / "m.toml").write_text(text)

    with pytest.raises(CompileError, match=f"failed to parse frontmatter in '.*m.toml': {SYNTAX}") as error:
        load_project(str(tmp_path))

    assert error.value.message.endswith(f"^\n{reason}\n")
