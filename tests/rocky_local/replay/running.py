"""Run a recorded sequence through an engine, as real processes on a fresh copy of its project."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from rocky_local.args import STATE_FILE
from support.forking import ForkedProcess, ForkServer
from support.seeding import fill, opened

from .cases import PROJECTS, RECORDINGS, Case, Outcome, Sequence

ENGINE = os.environ.get("ROCKY_REPLAY_ENGINE") or str(Path(sys.executable).with_name("rocky-local"))
CASE_TIMEOUT_SECONDS = 120
# The recorded slow projects take a quarter of a minute for one statement, as long as these tables have this many rows.
# Fewer are enough where a signal comes or the run is held while others run, next to none where nothing else happens.
_SLOW_TABLES = {
    "slow": ("bins.grain", "i", {"signal": 12_000, "commands": 12_000, "nothing": 300}),
    "slow_copy": ("lock__upper.m_heavy", "k", {"signal": 2_000, "commands": 2_000, "nothing": 30}),
}
_SLOW_ROWS = re.compile(r"(?<=range\(0, )\d{5}")
# Cases that ran while something else held a lock; what held it ends before any other case.
_BESIDE_ANOTHER = re.compile(r"locked|_while_(?!idle)|_own_state_path")
# Every event, each told to the same command; this is how the hooks were recorded.
_EVENTS = (
    "pipeline_start discover_complete compile_complete pipeline_complete pipeline_error before_materialize "
    "after_materialize materialize_error before_model_run after_model_run model_error before_checks check_result "
    "after_checks drift_detected anomaly_detected state_synced budget_breach"
)
_HOOK = '[[hook.on_{}]]\ncommand = "cat >> hooks.txt; echo >> hooks.txt"\n'
HOOKS = "\n" + "".join(map(_HOOK.format, _EVENTS.split()))
_HEX = re.compile(r"^[0-9a-f]{64}$")


@dataclass
class Replayed:
    """One replayed case: what it gave, or why it could not be run."""

    outcome: Outcome | None
    root: str
    ran_on: date
    problem: str = ""


@dataclass
class Replay:
    """The work directory of one sequence and what was learnt while it ran."""

    sequence: Sequence
    folder: Path
    server: ForkServer | None = None
    plan_ids: dict[str, str] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)
    background: list[subprocess.Popen[bytes]] = field(default_factory=list)
    results: dict[str, Replayed] = field(default_factory=dict)
    rows: int = 0

    @property
    def work(self) -> Path:
        """The copy of the project that the sequence works on."""
        return self.folder / "project"

    def run(self) -> dict[str, Replayed]:
        """Run every case in order and return the results by case name."""
        prepared = False
        with self.stack:
            for case in self.sequence.cases:
                try:
                    if not prepared:
                        self._prepare(case)
                    prepared = case.on_a_copy
                    self.results[case.name] = self._run_case(case)
                except (OSError, duckdb.Error, subprocess.TimeoutExpired) as error:
                    self.results[case.name] = Replayed(None, "", _today(), f"{type(error).__name__}: {error}")
            # Nothing that comes later needs the end of what still runs.
            for process in self.background:
                process.kill()
        return self.results

    def _prepare(self, case: Case) -> None:
        if not _BESIDE_ANOTHER.search(case.short_name):
            self.stack.close()
        for action in case.before:
            if "fresh_copy_of" in action:
                self.stack.close()
                shutil.rmtree(self.work, ignore_errors=True)
                source = PROJECTS / action["fresh_copy_of"].removeprefix("projects/")
                shutil.copytree(source, self.work) if source.exists() else self.work.mkdir(parents=True)
            elif "background" in action:
                self._start_background(action["background"])
            elif "add_hooks" in action:
                with (self.work / action["add_hooks"]).open("a") as config:
                    config.write(HOOKS)
            elif "moved" in action:
                before, after = action["moved"].split(" to ")
                (self.work / before).rename(self.work / after)
            elif "write_file" in action:
                self._path(action["write_file"]).write_text(action["text"])
            elif "remove" in action:
                target = self._path(action["remove"])
                shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
            else:
                sql = action.get("sql") or (self.work / action["sql_file"]).read_text()
                if self.sequence.project in _SLOW_TABLES:
                    self.rows = self._rows_of_the_slow_table(case)
                    sql = _SLOW_ROWS.sub(str(self.rows), sql).replace("'water', 60000", "'water', 20000")
                fill(self.work / action["db"], sql)
        if self.sequence.project in _SLOW_TABLES and "run" in case.argv:
            self._resize(self._rows_of_the_slow_table(case))

    def _rows_of_the_slow_table(self, case: Case) -> int:
        _, _, rows = _SLOW_TABLES[self.sequence.project]
        if _BESIDE_ANOTHER.search(case.short_name):
            return rows["commands"]
        return rows["signal" if "signal" in case.extra else "nothing"]

    def _resize(self, rows: int) -> None:
        table, column, _ = _SLOW_TABLES[self.sequence.project]
        change = f"INSERT INTO {table} SELECT * FROM range({self.rows}, {rows})"
        if rows < self.rows:
            change = f"DELETE FROM {table} WHERE {column} >= {rows}"
        if rows != self.rows:
            with opened(next(self.work.glob("*.duckdb"))) as connection:
                connection.execute(change)
        self.rows = rows

    def _path(self, recorded: str) -> Path:
        """Where something of the recorded project is in ours, whose state file has a name of its own."""
        return self.work / recorded.replace(".rocky-state.redb", STATE_FILE)

    def _run_case(self, case: Case) -> Replayed:
        work = self.work
        if case.on_a_copy:
            work = self.folder / "copy" / "project"
            shutil.copytree(self.work, work)
        try:
            ran_on = _today()
            outcome = self._run_process(case, work)
        finally:
            shutil.rmtree(self.folder / "copy", ignore_errors=True)
        self._remember_plan(case, outcome)
        return Replayed(outcome, str(work), ran_on)

    def _remember_plan(self, case: Case, outcome: Outcome) -> None:
        if case.argv[:1] == ["plan"] and '"plan_id"' in outcome.stdout:
            ours = json.loads(outcome.stdout)["plan_id"]
            self.plan_ids[case.short_name] = ours
            if case.recorded is not None:
                self.plan_ids[json.loads(case.recorded.stdout)["plan_id"]] = ours

    def _plan_id(self, recorded: str, case: Case) -> str:
        """Our id of the plan that a case applies: known by its recorded id, or by the name of the case."""
        planned = case.short_name.removesuffix(".pipes").removesuffix("_again").replace("apply", "plan", 1)
        return self.plan_ids.get(recorded) or self.plan_ids.get(planned) or recorded

    def _run_process(self, case: Case, work: Path) -> Outcome:
        argv = [self._plan_id(arg, case) if _HEX.match(arg) else arg for arg in case.argv]
        env, messages = _environment(case, work)
        hooks = work / "hooks.txt"
        hooks.unlink(missing_ok=True)
        cwd = work / case.extra.get("run_from_subdirectory", "")
        cwd.mkdir(exist_ok=True)
        out, err = self.folder / "stdout", self.folder / "stderr"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            target: Any = stdout
            if case.extra.get("stdout") == "closed-pipe":
                reading, target = os.pipe()
                os.close(reading)
            elif case.extra.get("stdout") == "dev-full":
                target = os.open("/dev/full", os.O_WRONLY)
            process = self._start(case, argv, cwd=cwd, env=env, stdout=target, stderr=stderr)
            if isinstance(target, int):
                os.close(target)
            try:
                if "signal" in case.extra:
                    wait_for_text(err, case.extra["signal"]["waited_for_stderr_line"], process)
                    process.send_signal(getattr(signal, case.extra["signal"]["name"]))
                code = process.wait(CASE_TIMEOUT_SECONDS)
            finally:
                process.kill()
        recorded = case.recorded
        return Outcome(
            code,
            out.read_text(errors="replace"),
            err.read_text(errors="replace"),
            messages.read_text().splitlines() if messages.exists() else None,
            _tables(work) if recorded is not None and recorded.tables is not None else None,
            [path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file()],
            hooks.read_text() if hooks.exists() else "",
        )

    def _start(
        self, case: Case, argv: list[str], *, cwd: Path, env: dict[str, str], stdout: Any, stderr: Any
    ) -> subprocess.Popen[bytes] | ForkedProcess:
        """Forked where it is one command like many, a new interpreter where streams or signals are the matter."""
        if self.server is None or case.extra.keys() & {"stdout", "signal"}:
            return subprocess.Popen([ENGINE, *argv], cwd=cwd, env=env, stdout=stdout, stderr=stderr)
        return self.server.start(argv, cwd=cwd, env=env, stdout=stdout.fileno(), stderr=stderr.fileno())

    def _start_background(self, description: str) -> None:
        """Start what holds a lock while the next cases run, and goes on after them or ends with the sequence."""
        if "rocky run" in description:
            argv = ["run", "-o", "json"]
            argv += ["--idempotency-key", "both"] if "--idempotency-key both" in description else []
            err = self.folder / "background"
            with err.open("wb") as stderr:
                process = subprocess.Popen(
                    [ENGINE, *argv], cwd=self.work, stdout=subprocess.DEVNULL, stderr=stderr
                )
            self.background.append(process)
            self.stack.callback(process.wait)
            wait_for_text(err, "m_heavy" if "copying" in description else '"model":"b_heavy"', process)
            # Held where it is, it keeps its locks for as long as the others take.
            process.send_signal(signal.SIGSTOP)
            self.stack.callback(process.send_signal, signal.SIGCONT)
            return
        if "flock" in description:
            lock = self._path("models/.rocky-state.redb.lock")
            code = f"import fcntl,sys; f=open({str(lock)!r},'a'); fcntl.flock(f,fcntl.LOCK_EX)"
        else:
            database = next(self.work.glob("*.duckdb"))
            code = f"import duckdb,sys; c=duckdb.connect({str(database)!r})"
        holder = subprocess.Popen(
            [sys.executable, "-c", code + "; print('held', flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        self.stack.callback(holder.wait)
        self.stack.callback(holder.stdout.close)
        self.stack.callback(holder.stdin.close)


def wait_for_text(path: Path, text: str, process: subprocess.Popen[bytes] | ForkedProcess) -> None:
    """Wait until a file holds a text, or until the process that writes it has ended."""
    deadline = time.monotonic() + CASE_TIMEOUT_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if text in path.read_text(errors="replace"):
            # A little later the statement that the line announces is running.
            time.sleep(0.1)
            return
        time.sleep(0.01)


def _today() -> date:
    return datetime.now(UTC).date()


def _environment(case: Case, work: Path) -> tuple[dict[str, str], Path]:
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8", **case.env}
    messages = work / "pipes-messages"
    pipes = case.extra.get("pipes")
    if pipes:
        recorded = RECORDINGS / case.name / "pipes_context.json"
        context = recorded.read_text() if recorded.exists() else "{}"
        params = pipes["messages_decoded"]
        if "path" in params:
            params = {**params, "path": str(messages)}
        pack = zlib.compress if "zlib" in pipes["flavor"] else bytes
        for name, text in (("CONTEXT", context), ("MESSAGES", json.dumps(params))):
            env[f"DAGSTER_PIPES_{name}"] = base64.b64encode(pack(text.encode())).decode()
    messages.unlink(missing_ok=True)
    return env, messages


def _tables(work: Path) -> list[dict[str, Any]]:
    """Schema, type, number of rows and columns of every table of the project's database."""
    found = []
    for database in sorted(work.glob("*.duckdb")):
        with opened(database, read_only=True) as connection:
            # One question for all tables: asking for one costs as much as asking for all.
            listed = connection.execute(
                "SELECT table_schema, table_name, table_type, list(column_name || ' ' || data_type"
                " ORDER BY ordinal_position) FROM information_schema.tables JOIN information_schema.columns"
                " USING (table_catalog, table_schema, table_name) GROUP BY ALL ORDER BY 1, 2"
            ).fetchall()
            counts = _row_counts(connection, [f'"{schema}"."{table}"' for schema, table, *_ in listed])
            for (schema, table, kind, columns), rows in zip(listed, counts, strict=True):
                found.append(
                    {"schema": schema, "table": table, "type": kind, "rows": rows, "columns": columns}
                )
    return found


def _row_counts(connection: duckdb.DuckDBPyConnection, tables: list[str]) -> list[Any]:
    """How many rows each table has, or why that cannot be told of it."""
    try:
        counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in tables)
        return [*(connection.execute(f"SELECT {counts or 1}").fetchone() or ())][: len(tables)]
    except duckdb.Error as error:
        if len(tables) == 1:
            return [str(error)]
        return [count for table in tables for count in _row_counts(connection, [table])]
