"""The failure table, row by row, in all three modes."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import psutil
import pytest

from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.planning.plan import PlannedRun, Unit
from dagster_rocky.resource import RockyResource
from support.stand_in import run_step, table_asset

Make = Callable[..., RockyResource]
A, B, C = table_asset("a"), table_asset("b"), table_asset("c")


def test_success_materializes_what_was_reported(make_engine: Make, mode: str) -> None:
    run = run_step(
        make_engine('log("copying data", table="wh.kept__x.a")\nsay(result(["a", "b"]))'), mode, [A, B]
    )

    assert run.success
    assert set(run.materialized) == {"a", "b"}
    facts = run.materialized["a"]
    assert facts["rocky/strategy"] == "full_refresh"
    assert facts["dagster/table_name"] == "wh.kept__x.a"
    assert facts["rocky/run_id"] == "run-1"
    assert facts["rocky/watermark"] == "2026-01-01T00:00:00Z"


def test_partial_success_keeps_the_siblings_and_fails_the_step(make_engine: Make, mode: str) -> None:
    run = run_step(
        make_engine("""
            log("retry also failed", level="WARN", table="b", error="no such type")
            say(result(["a"], status="PartialFailure", tables_failed=1,
                       errors=[{"asset_key": [], "error": "no such type", "failure_kind": "unknown"}]))
            sys.exit(2)
        """),
        mode,
        [A, B],
    )

    assert not run.success
    assert set(run.materialized) == {"a"}
    assert run.failure and "duckdb/x/b: failed: no such type" in str(run.failure.description)
    records = run.failure.metadata["rocky/outcomes"].value.records  # type: ignore[union-attr]
    assert [r.data["outcome"] for r in records] == ["failed", "materialized"]


def test_hard_failure_leads_with_the_engines_own_error(make_engine: Make, mode: str) -> None:
    run = run_step(
        make_engine("""
            for i in range(30): log("step", n=i)
            sys.stderr.write("Error: failed to open DuckDB\\n\\nCaused by:\\n    the disk said no\\n")
            sys.exit(1)
        """),
        mode,
        [A],
    )

    assert not run.success
    assert run.materialized == {}
    assert run.failure and str(run.failure.description).startswith("Error: failed to open DuckDB")
    tail = str(run.failure.metadata["stderr_tail"].value).splitlines()
    assert len(tail) == 20
    assert tail[-1] == "    the disk said no"
    assert run.failure.metadata["rocky/exit_code"].value == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("pass", "it is empty"),
        ("print('hello')", "no line that is exactly `{`"),
        ('print(\'{\\n  "version": "1.71.0", "comm\')', "cut off or garbled"),
        ("sys.stdout.buffer.write(b'\\xff\\xfe{\\n' * 3)", "no result"),
        ("os.close(1)", "it is empty"),
    ],
    ids=["empty", "garbage", "truncated", "not-utf-8", "stdout-closed"],
)
def test_exit_zero_without_a_result_is_red(make_engine: Make, mode: str, body: str, expected: str) -> None:
    run = run_step(make_engine(body), mode, [A])

    assert not run.success
    assert run.materialized == {}
    assert run.failure and expected in str(run.failure.description)
    assert "rocky/stdout_bytes" in run.failure.metadata


def test_text_before_the_json_is_passed_over(make_engine: Make, mode: str) -> None:
    run = run_step(make_engine('print("Load complete: {3 files}")\nsay(result(["a"]))'), mode, [A])

    assert run.success
    assert set(run.materialized) == {"a"}


@pytest.mark.parametrize("code", [1, 2])
def test_exit_code_with_json_keeps_what_is_reported(make_engine: Make, mode: str, code: int) -> None:
    run = run_step(
        make_engine(f'say(result(["a"], status="PartialFailure"))\nsys.exit({code})'), mode, [A, B]
    )

    assert not run.success
    assert set(run.materialized) == {"a"}


def test_usage_error_says_what_was_refused(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        sys.stderr.write("error: unexpected argument '--nope' found\\n"); sys.exit(2)
    """)
    run = run_step(engine, mode, [A])

    assert run.failure and "unexpected argument '--nope'" in str(run.failure.description)


def test_engine_that_is_too_old_says_so(
    make_engine: Make, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_VERSION", "1.20.3")
    run = run_step(make_engine('open("ran", "w"); say(result(["a"]))'), mode, [A])

    assert run.failure and "too old: it says 1.20.3" in str(run.failure.description)
    assert run.materialized == {}


@pytest.mark.parametrize("kind", ["missing", "folder", "not-executable"])
def test_binary_that_cannot_start_tells_how_to_install(tmp_path, mode: str, kind: str) -> None:
    binary = tmp_path / "engine"
    if kind == "folder":
        binary.mkdir()
    elif kind == "not-executable":
        binary.write_text("#!/bin/sh\n")
    (tmp_path / "rocky.toml").touch()
    resource = RockyResource(binary_path=str(binary), config_path=str(tmp_path / "rocky.toml"))
    run = run_step(resource, mode, [A])

    assert run.failure
    text = str(run.failure.description)
    assert "cannot be started" in text
    assert "rocky-local" in text


def test_timeout_kills_the_group_and_is_not_retried(make_engine: Make, mode: str) -> None:
    engine = make_engine(
        """
        import subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import signal, time;"
                                  "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"])
        hook("a"); pipes("report_asset_materialization", {"asset_key": "duckdb/x/a", "data_version": None,
              "metadata": {"duration_ms": 5, "strategy": "full_refresh",
                           "target_table_full_name": "wh.kept__x.a"}})
        log("pids", engine=os.getpid(), child=child.pid)
        time.sleep(60)
        """,
        timeout_seconds=1.0,
        termination_grace_seconds=0.2,
    )
    run = run_step(engine, mode, [A, B], retry=dg.RetryPolicy(max_retries=3))

    assert not run.success
    assert set(run.materialized) == {"a"}
    assert run.failure
    assert "timeout_seconds (1 s)" in str(run.failure.description)
    assert not [e for e in run.result.all_events if e.is_step_up_for_retry]
    pids = [int(part.split("=")[1]) for line in run.logs if "pids" in line for part in line.split()[-2:]]
    assert len(pids) == 2
    assert not [
        p for p in pids if psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE
    ]


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_killed_from_outside_names_the_signal(make_engine: Make, mode: str, name: str) -> None:
    run = run_step(make_engine(f"os.kill(os.getpid(), signal.{name}); time.sleep(5)"), mode, [A])

    assert run.failure and name in str(run.failure.description)
    assert run.failure.metadata["rocky/signal"].value == name


def test_key_in_flight_is_not_green(make_engine: Make, mode: str) -> None:
    engine = make_engine(
        'say(result(status="SkippedInFlight", skipped_by_run_id="run-9", idempotency_key="k"))'
    )
    run = run_step(engine, mode, [A])

    assert not run.success
    assert run.failure and "'k' is held by run-9" in str(run.failure.description)


def test_cooldown_asks_dagster_to_wait(make_engine: Make, mode: str, tmp_path) -> None:
    marker = tmp_path / "tried"
    engine = make_engine(f"""
        if os.path.exists({str(marker)!r}):
            say(result(["a", "b"])); sys.exit(0)
        open({str(marker)!r}, "w").close()
        say(result(["a"], status="PartialFailure", errors=[{{"asset_key": [], "error": "quota",
            "failure_kind": "quota", "cooldown_seconds": 1}}]))
        sys.exit(2)
    """)
    run = run_step(engine, mode, [A, B])

    assert [e for e in run.result.all_events if e.is_step_up_for_retry]
    assert set(run.materialized) == {"a", "b"}


def test_a_failed_run_does_not_lose_the_others(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        wanted = sys.argv[sys.argv.index("--filter") + 1].split("=")[1]
        if wanted == "b":
            sys.stderr.write("Error: b is broken\\n"); sys.exit(1)
        say(result([wanted]))
    """)
    plan = [PlannedRun(request=RunRequest(filter=f"table={x.name}"), units=(Unit(x),)) for x in (A, B, C)]
    run = run_step(engine, mode, [A, B, C], plan=plan)
    fast = run_step(engine, mode, [A, B, C], plan=plan, options=RunOptions(fail_fast=True))

    assert not run.success
    assert set(run.materialized) == {"a", "c"}
    assert set(fast.materialized) == {"a"}
    assert fast.failure and "c: not reported" in str(fast.failure.description)


def test_what_the_engine_never_mentions_is_not_green(make_engine: Make, mode: str) -> None:
    run = run_step(make_engine('say(result(["a"]))'), mode, [A, B])

    assert not run.success
    assert set(run.materialized) == {"a"}
    assert run.failure and "b: not reported" in str(run.failure.description)


def test_switched_off_table_is_excluded_and_not_a_failure(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        say(result(["a"], excluded_tables=[{"asset_key": ["duckdb", "x", "b"], "source_schema": "s",
                                            "table_name": "b", "reason": "table_override_disabled"}]))
    """)
    run = run_step(engine, mode, [A, B])

    assert run.success
    assert set(run.materialized) == {"a"}
    assert [(n, m["rocky/outcome"]) for n, m in run.observed] == [("b", "excluded")]


def test_what_reads_a_failed_asset_is_blocked(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        open("calls", "a").write(" ".join(sys.argv[1:]) + "\\n")
        if "a" in sys.argv:
            sys.stderr.write("Error: a is broken\\n"); sys.exit(1)
        say(result([sys.argv[sys.argv.index("--model") + 1]]))
    """)
    plan = [PlannedRun(request=RunRequest(model=x.name), units=(Unit(x),)) for x in (A, B, C)]
    run = run_step(engine, mode, [A, B, C], plan=plan, deps={B.asset_key: [A.asset_key]})

    assert not run.success
    assert set(run.materialized) == {"c"}
    assert run.failure and "duckdb/x/b: blocked: not run, because duckdb/x/a was not built" in str(
        run.failure.description
    )
    calls = (Path(engine.config_path).parent / "calls").read_text()
    assert [line.split("--model ")[1].split()[0] for line in calls.splitlines()] == ["a", "c"]


def test_a_failure_that_only_stderr_explains_is_told(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        say(result([]))
        sys.stderr.write("Error: snapshot failed: syntax error\\n"); sys.exit(1)
    """)
    run = run_step(engine, mode, [A])

    assert run.failure and "a: failed: Error: snapshot failed: syntax error" in str(run.failure.description)
