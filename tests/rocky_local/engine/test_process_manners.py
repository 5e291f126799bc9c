from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from rocky_local.state import open_for_writing

from .conftest import ENGINE, Project

HEAVY = "SELECT COUNT(*) AS n FROM range(200000) a(i), range(4000) b(j) WHERE (i * j) % 7 = 3"


def _wait_for(path: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while text not in path.read_text(errors="replace"):
        assert process.poll() is None, path.read_text(errors="replace")
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _started(project: Project, *argv: str) -> tuple[subprocess.Popen[bytes], Path]:
    log = project.root / "stderr.txt"
    with log.open("wb") as stderr:
        process = subprocess.Popen([ENGINE, *argv], cwd=project.root, stdout=subprocess.PIPE, stderr=stderr)
    return process, log


def test_version_starts_at_once_and_imports_nothing_heavy() -> None:
    assert subprocess.run([ENGINE, "--version"], capture_output=True, check=True).stdout == b"rocky 1.71.0\n"
    code = (
        "import sys; from rocky_local.cli import main; main(['--version']); "
        "bad = [m for m in ('dagster', 'dagster_rocky', 'duckdb', 'sqlglot', 'argparse') if m in sys.modules]; "
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_no_command_imports_dagster(landing: Project) -> None:
    code = (
        "import sys; from rocky_local.cli import main; code = main(['run', '-o', 'json']); "
        "bad = [m for m in sys.modules if m.split('.')[0] in ('dagster', 'dagster_rocky', 'dagster_pipes')]; "
        "sys.exit(str(bad) if bad else code)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=landing.root)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stop_lets_the_running_copy_finish(landing: Project, number: signal.Signals) -> None:
    text = (landing.root / "rocky.toml").read_text() + "[pipeline.landing.execution]\nconcurrency = 1\n"
    landing.write("rocky.toml", text + '[[hook.on_after_materialize]]\ncommand = "sleep 1"\n')
    inherited = signal.signal(number, signal.SIG_DFL)
    process, log = _started(landing, "run", "-o", "json")
    signal.signal(number, inherited)
    _wait_for(log, "copying data", process)
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    result = json.loads(out)
    assert process.returncode == 130
    assert (result["interrupted"], result["status"], len(result["materializations"])) == (True, "Success", 1)
    assert "[rocky] shutdown signal received" in log.read_text()
    landing.write("rocky.toml", text)
    rest = landing("run", "--resume-latest")
    assert (rest.result["tables_skipped"], rest.result["tables_copied"]) == (1, 1)


def test_a_stopped_graph_finishes_its_statement_and_says_nothing_more(landing: Project) -> None:
    landing.write(
        "rocky.toml",
        (landing.root / "rocky.toml").read_text() + '[[hook.on_after_materialize]]\ncommand = "sleep 1"\n',
    )
    process, log = _started(landing, "run", "--dag", "-o", "json")
    _wait_for(log, "copying data", process)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, b"")
    after = log.read_text().split("received shutdown signal, aborting DAG run", 1)[1].splitlines()[1:]
    assert after[0] == "Error: interrupted by shutdown signal"
    assert not [line for line in after if line.startswith(("{", "Copied"))]
    assert landing("history").result["count"] == 0
    assert landing("run").code == 0


def test_a_missing_extra_is_one_line(landing: Project) -> None:
    without = "sys.modules['duckdb'] = sys.modules['_duckdb'] = None"
    code = f"import sys; {without}; from rocky_local.cli import main; sys.exit(main(['run']))"
    run = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=landing.root
    )
    lines = [line for line in run.stderr.splitlines() if not line.startswith("{")]
    assert run.returncode == 1
    assert lines == [
        "Error: rocky-local needs `duckdb`, which is not installed: install this package with its extra `local`"
    ]


@pytest.mark.parametrize("limit", [0, 4096, 60_000, 300_000])
def test_a_full_disk_is_no_traceback(landing: Project, limit: int) -> None:
    code = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); "
        "from rocky_local.cli import main; sys.exit(main(['run', '-o', 'json']))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=landing.root
    )
    assert "Traceback" not in run.stderr
    assert run.stdout.startswith("{") or "Error: " in run.stderr
    assert run.returncode == 0 or "Error" in run.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_models_at_once_and_keeps_what_was_built(
    marts: Project, number: signal.Signals
) -> None:
    marts.model("a_quick", "SELECT 1 AS x")
    marts.model("b_heavy", HEAVY)
    process, log = _started(marts, "run", "-o", "json", "--idempotency-key", "k")
    _wait_for(log, '"model":"b_heavy"', process)
    time.sleep(0.1)
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (-number, b"")
    assert marts("history").result["count"] == 0
    assert marts.sql("SELECT x FROM built.a_quick") == [(1,)]
    assert marts("run", "--idempotency-key", "k").result["status"] == "SkippedInFlight"


def test_a_second_writer_gives_up_and_a_reader_says_busy(landing: Project) -> None:
    landing("run")
    with (landing.root / ".rocky-state.local.sqlite.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = time.monotonic()
        second = landing("run")
        assert time.monotonic() - started < 10
        assert second.code == 1
        assert second.result is None
        assert "is locked by another process; only one rocky writer can run at a time" in second.stderr
        assert landing("state").code == 0
    with open_for_writing(landing.root / ".rocky-state.local.sqlite"):
        busy = landing("state")
        assert busy.code == 1
        assert "is busy" in busy.stderr
    assert landing("state").code == 0


def test_new_sources_are_not_looked_for_while_the_state_is_locked(landing: Project) -> None:
    landing.write(
        "rocky.toml",
        (landing.root / "rocky.toml").read_text()
        + "[pipeline.landing.source.discovery]\nreport_new_sources = true\n",
    )
    assert landing("discover").code == 0
    landing.sql("CREATE SCHEMA raw__kiel; CREATE TABLE raw__kiel.people AS SELECT 1 AS id")
    with open_for_writing(landing.root / ".rocky-state.local.sqlite"):
        locked = landing("discover")
    assert (locked.code, len(locked.result["sources"])) == (0, 3)
    assert "new_sources" not in locked.result
    assert "new sources not looked for" in locked.messages()
    assert landing("discover").result["new_sources"] == ["raw__kiel"]


def test_a_locked_database_is_named(landing: Project) -> None:
    code = (
        "import duckdb, sys; c = duckdb.connect('lake.duckdb'); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], cwd=landing.root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        answer = landing("run")
    finally:
        holder.communicate(b"")
    assert (answer.code, answer.result) == (1, None)
    assert "Error: adapters.default: failed to open DuckDB at 'lake.duckdb'" in answer.stderr
    assert "Could not set lock on file" in answer.stderr


def test_a_corrupt_state_file_is_a_clear_error(landing: Project) -> None:
    landing.write(".rocky-state.local.sqlite", "not a database, but long enough to be looked at " * 40)
    run = landing("run")
    assert run.code == 1
    assert "Error: failed to open state store at .rocky-state.local.sqlite" in run.stderr
    assert "database error: I/O error: invalid data" in run.stderr
    (landing.root / ".rocky-state.local.sqlite").write_bytes(b"redb\x1a\n\xa9\r\n" + bytes(4096))
    assert "written by the real `rocky` engine" in landing("run").stderr


def test_killed_anywhere_a_copy_never_loses_or_repeats_rows(landing: Project) -> None:
    """Kill copies at many moments; afterwards one run brings every row over exactly once."""
    landing("run")
    for attempt in range(12):
        landing.sql(
            f"INSERT INTO raw__ulm.people SELECT {attempt} * 100000 + i, TIMESTAMP '2027-01-01' "
            f"+ to_hours({attempt}) + to_seconds(i % 3000) FROM range(40000) t(i)"
        )
        process = landing.start("run", "-o", "json")
        time.sleep(0.16 + attempt * 0.03)
        process.kill()
        process.communicate()
        watermark = {m["table"]: m["last_value"] for m in landing("state").result["watermarks"]}
        reached = landing.sql("SELECT MAX(seen_at) FROM kept__ulm.people")[0][0]
        assert watermark["lake.kept__ulm.people"] <= reached.isoformat() + "Z"
    assert landing("run").code == 0
    source, copied = (
        landing.sql(f"SELECT COUNT(*), COUNT(DISTINCT id) FROM {s}.people") for s in ("raw__ulm", "kept__ulm")
    )
    assert source == copied


def test_closed_stdout_ends_by_sigpipe_after_the_work_is_done(landing: Project) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen(
        [ENGINE, "run", "-o", "json"], cwd=landing.root, stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGPIPE
    assert landing("history").result["count"] == 1


def test_levels_and_formats_of_the_log(landing: Project) -> None:
    assert landing("run", RUST_LOG="off").stderr == ""
    assert landing("run", RUST_LOG="warn").messages() == []
    debug = landing("run", RUST_LOG="rocky_duckdb=debug").messages()
    assert set(debug) == {"executing DuckDB SQL", "executing DuckDB statement"}
    plain = landing("run", "-o", "table", NO_COLOR="1").stderr
    assert 'INFO process_table: copying data table="lake.kept__ulm.people"' in plain
    assert "\x1b" not in plain
    assert "\x1b" in landing("run", "-o", "table").stderr


def test_each_invocation_keeps_a_trace(landing: Project) -> None:
    landing("run")
    traces = list((landing.root / ".rocky" / "traces").glob("*.jsonl"))
    assert len(traces) == 1
    assert '"resolved pipeline"' in traces[0].read_text()
    landing("run", ROCKY_TRACE_DISABLE="1")
    assert len(list((landing.root / ".rocky" / "traces").glob("*.jsonl"))) == 1


@pytest.mark.parametrize(
    ("argv", "first"),
    [
        (("run", "--no-such-flag"), "error: unexpected argument '--no-such-flag' found"),
        (("run", "--filter", "a=b", "--filter", "c=d"), "cannot be used multiple times"),
        (("run", "--partition", "2026-01-01", "--latest"), "cannot be used with '--latest'"),
        (("run", "--from", "2026-01-01"), "the following required arguments were not provided:"),
        (("run", "--parallel", "many"), "invalid value 'many' for '--parallel <PARALLEL>'"),
        (("run", "-o", "xml"), "invalid value 'xml' for '--output <OUTPUT>'"),
        (("run", "--filter"), "a value is required for '--filter <FILTER>' but none was supplied"),
        (("apply",), "provided:\n  <PLAN_ID>\n\nUsage: rocky apply <PLAN_ID>\n"),
        (("lineage", "-o", "json"), "Usage: rocky lineage --output <OUTPUT> <TARGET>\n"),
    ],
)
def test_wrong_usage_exits_2_without_output(project: Project, argv: tuple[str, ...], first: str) -> None:
    answer = project(*argv)
    assert (answer.code, answer.result) == (2, None)
    assert answer.stderr.startswith("error: ")
    assert first in answer.stderr


def test_what_is_not_supported_is_refused_in_one_line(project: Project) -> None:
    answer = project("archive", "--everything")
    assert answer.code == 1
    assert answer.stderr == (
        "Error: rocky-local does not support the command 'archive'; use the real `rocky` engine for it\n"
    )
    flagged = project("run", "--watch")
    assert flagged.code == 1
    assert "does not support the flag '--watch' of 'run'" in flagged.stderr
    project.write("rocky.toml", '[adapter]\ntype = "snowflake"\n[pipeline.p]\ntype = "transformation"\n')
    refused = project("run")
    assert refused.code == 1
    assert "the adapter type 'snowflake'" in refused.stderr.splitlines()[-1]


def test_the_state_file_is_found_as_the_contract_says(landing: Project) -> None:
    landing("run")
    assert (landing.root / ".rocky-state.local.sqlite").exists()
    (landing.root / "models").mkdir()
    assert "using legacy state file" in landing("state").stderr
    landing("--state-namespace", "ns", "run")
    assert (landing.root / "models/.rocky-state/ns.local.sqlite").exists()
    assert landing("--state-path", "nowhere/s.redb", "run").code == 1
    with duckdb.connect(str(landing.root / "lake.duckdb")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM kept__ulm.people").fetchone() == (3,)
