"""What people read of the engine's stderr: nothing lost, in order, readable, without secrets."""

import errno
import io
import json
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import dagster as dg
import pytest

from dagster_rocky._dagster import prints_to_console
from dagster_rocky.engine.logs.decode import LogLineDecoder
from dagster_rocky.engine.logs.forward import LogForwarder, RawCopy
from dagster_rocky.engine.logs.mask import SecretMasker
from dagster_rocky.engine.logs.tail import FileTail
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.resource import RockyResource
from support.stand_in import run_step, table_asset

Make = Callable[..., RockyResource]
A = table_asset("a")


@dataclass
class Recorder:
    """A logger that remembers; it can be as slow as a busy event log."""

    seconds: float = 0.0
    events: list[tuple[int, str]] = field(default_factory=list)

    def log(self, level: int, msg: object, /) -> None:
        time.sleep(self.seconds)
        self.events.append((level, str(msg)))


def forward(
    text: bytes, recorder: Recorder, options: RunOptions | None = None, raw: RawCopy = "none"
) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(text)
        file.flush()
        forwarder = LogForwarder(
            FileTail(file.fileno()),
            recorder,
            LogLineDecoder(),
            options or RunOptions(log_level="info"),
            SecretMasker(),
            live=True,
            raw=raw,
        )
        forwarder.finish()


def test_every_line_arrives_in_order_however_fast(make_engine: Make, mode: str) -> None:
    engine = make_engine('for i in range(5000): log("line", n=i)\nsay(result(["a"]))')
    run = run_step(engine, mode, [A])

    lines = [line for event in run.logs for line in event.split("\n")]
    assert [line for line in lines if "INFO line" in line] == [f"rocky: INFO line n={i}" for i in range(5000)]
    assert len(run.logs) < 200


def test_slow_lines_are_events_of_their_own(make_engine: Make) -> None:
    run = run_step(
        make_engine('for i in range(8):\n    log("tick", n=i); time.sleep(0.05)\nsay(result(["a"]))'),
        "streaming",
        [A],
    )

    assert [line for line in run.logs if "tick" in line] == [f"rocky: INFO tick n={i}" for i in range(8)]


def test_a_slow_event_log_stalls_neither_engine_nor_deadline(make_engine: Make) -> None:
    recorder = Recorder(seconds=0.3)
    forward(b"".join(b"line %d\n" % i for i in range(3000)), recorder)

    assert len(recorder.events) <= 4
    assert recorder.events[0][1].split("\n")[0] == "rocky: line 0"


def test_fields_are_readable() -> None:
    decoder = LogLineDecoder()
    decoder.decode('{"level":"INFO","fields":{"message":"processing tables","tables":2,"concurrency":1}}')
    line = decoder.decode(
        '{"level":"INFO","fields":{"message":"copying data","table":"a.b.c","strategy":"merge"}}'
    )

    assert line.text == "INFO copying data table=a.b.c strategy=merge"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("[1/9] copying crm.orders", "(engine: 1 of 9) copying crm.orders"),
        ('{"level":"INFO","fields":{"message":"[12/40] done"}}', "INFO (engine: 12 of 40) done"),
        ("[rocky] done [1/9]", "[rocky] done [1/9]"),
        ("[1/9", "[1/9"),
    ],
)
def test_the_engines_own_counter_is_not_taken_for_the_steps(raw: str, shown: str) -> None:
    assert LogLineDecoder().decode(raw).text == shown


def test_two_messages_in_one_line_are_both_shown() -> None:
    line = LogLineDecoder().decode(
        '{"level":"WARN","fields":{"message":"compile error","model":"m","message":"why"}}'
    )

    assert line.text == "WARN compile error / why model=m"


@pytest.mark.parametrize(
    "raw", ["{", "{}", '{"fields": 3}', '{"fields": {"message": 3}}', "plain", "[1]", "{" * 9000]
)
def test_lines_that_are_no_tracing_pass_through(raw: str) -> None:
    recorder = Recorder()
    forward(raw.encode() + b"\n", recorder)

    assert len(recorder.events) == 1
    assert recorder.events[0][1].startswith("rocky: ")


def test_empty_lines_are_in_the_compute_log_alone(capfd: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder()
    forward(b"before\n\n  \nafter\n", recorder, raw="unsent")

    assert [text for _, text in recorder.events] == ["rocky: before", "rocky: after"]
    assert capfd.readouterr().err == "\n  \n"


def test_levels_can_be_the_engines_and_have_a_minimum() -> None:
    text = b"".join(
        b'{"level":"%s","fields":{"message":"m"}}\n' % level
        for level in (b"DEBUG", b"INFO", b"WARN", b"ERROR")
    )
    plain, mapped, quiet = Recorder(), Recorder(), Recorder()
    forward(text, plain)
    forward(text, mapped, RunOptions(min_log_level="debug"))
    forward(text, quiet, RunOptions(min_log_level="warning"))

    assert {level for level, _ in plain.events} == {logging.INFO}
    assert [level for level, _ in mapped.events] == [
        logging.DEBUG,
        logging.INFO,
        logging.WARNING,
        logging.ERROR,
    ]
    assert [level for level, _ in quiet.events] == [logging.WARNING, logging.ERROR]


def test_bytes_and_sizes_that_break_readers(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        sys.stderr.buffer.write(b"bad \\xff bytes\\n"); sys.stderr.buffer.flush()
        sys.stderr.buffer.write(b"x" * 10_000_000); sys.stderr.buffer.flush()
        say(result(["a"]))
    """)
    run = run_step(engine, mode, [A])

    assert run.success
    assert any("bad \ufffd bytes" in line for line in run.logs)
    assert any(re.search(r"x… \[cut: 9,9\d\d,\d\d\d more bytes\]", line) for line in run.logs)


def test_a_grandchild_that_holds_the_streams_holds_nobody_up(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        import subprocess
        subprocess.Popen(["sleep", "30"])
        say(result(["a"]))
    """)
    begin = time.monotonic()
    assert run_step(engine, mode, [A]).success
    assert time.monotonic() - begin < 10


def test_secrets_are_masked_everywhere(make_engine: Make, mode: str, monkeypatch, capfd) -> None:
    monkeypatch.setenv("WAREHOUSE_DSN", "s3cr3t-value")
    engine = make_engine("""
        log("connecting", url="postgres://etl:hunter2@db/x", password="swordfish", dsn="s3cr3t-value")
        sys.stderr.write("Error: login failed for token=abcdef\\n"); sys.exit(1)
    """)
    run = run_step(
        engine,
        mode,
        [A],
        options=RunOptions(mask_env=["WAREHOUSE_DSN"]),
    )

    everything = "\n".join(run.logs) + str(run.failure) + str(run.failure.metadata if run.failure else "")
    everything += "".join(capfd.readouterr())
    assert "INFO connecting" in everything
    for secret in ("hunter2", "swordfish", "s3cr3t-value", "abcdef"):
        assert secret not in everything


QUIET_AND_LOUD = """
    log("spoken", table="q")
    log("whispered", level="DEBUG", table="q")
    say(result(["a"]))
"""


def test_each_line_stands_once_on_the_steps_stderr(make_engine: Make, mode: str, monkeypatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    run_step(make_engine(QUIET_AND_LOUD), mode, [A])

    lines = stream.getvalue().splitlines()
    assert [line for line in lines if "spoken" in line and not line.endswith("table=q")] == []
    assert len([line for line in lines if "rocky: INFO spoken table=q" in line]) == 1
    assert [json.loads(line)["level"] for line in lines if "whispered" in line] == ["DEBUG"]


def test_without_a_console_logger_the_raw_lines_are_copied(make_engine: Make, mode: str, monkeypatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("dagster_rocky.engine.commands.prints_to_console", lambda log: False)
    run_step(make_engine(QUIET_AND_LOUD), mode, [A])

    raw = [line for line in stream.getvalue().splitlines() if line.startswith('{"timestamp"')]
    assert [json.loads(line)["fields"]["message"] for line in raw] == ["spoken", "whispered"]


@pytest.mark.parametrize(
    ("loggers", "printed"),
    [
        (None, True),
        ({"console": dg.colored_console_logger}, True),
        ({"file": dg.logger(lambda _: logging.Logger("of a file"))}, False),  # type: ignore[arg-type]
    ],
    ids=["default", "console", "elsewhere"],
)
def test_dagster_tells_whether_a_step_prints_its_log(loggers: dict | None, printed: bool) -> None:
    """When this fails, Dagster has moved the loggers of a step: look in its log manager and mend `_dagster/`."""
    found = []

    @dg.op
    def look(context: dg.OpExecutionContext) -> None:
        found.append(prints_to_console(context.log))

    @dg.job(logger_defs=loggers)
    def looking() -> None:
        look()

    chosen = {"loggers": {name: {} for name in loggers}} if loggers else {}
    assert looking.execute_in_process(run_config=chosen).success
    assert found == [printed]


def test_a_full_disk_is_named(make_engine: Make, mode: str, monkeypatch) -> None:
    def full(fd: int | str):
        return os.statvfs_result((4096, 4096, 100, 0, 0, 10, 10, 10, 0, 255))

    monkeypatch.setattr(os, "statvfs", full)
    run = run_step(make_engine("sys.exit(1)"), mode, [A])

    assert run.failure and "disk that takes the engine's output is full" in str(run.failure.description)


def test_a_spool_that_cannot_be_made_fails_the_step_by_name(
    make_engine: Make, mode: str, monkeypatch
) -> None:
    def full(base: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("dagster_rocky.engine.spool._open_nameless", full)
    run = run_step(make_engine('say(result(["a"]))'), mode, [A])

    assert run.failure and "Cannot spool the engine's output" in str(run.failure.description)
    assert "No space left" in str(run.failure.description)


def test_a_storage_that_sleeps_stalls_neither_engine_nor_deadline(
    make_engine: Make, mode: str, monkeypatch
) -> None:
    instance = dg.DagsterInstance.ephemeral()
    store = instance.event_log_storage.store_event

    def slow(event: dg.EventLogEntry) -> None:
        time.sleep(0.1)
        store(event)

    monkeypatch.setattr(instance.event_log_storage, "store_event", slow)
    body = (
        "begin = time.monotonic()\nfor i in range(3000): log('line', n=i)\nspent = time.monotonic() - begin\n"
    )
    told = 'say(result([table("a", rows_copied=int(spent * 1000))]))'
    quick = run_step(make_engine(body + told), mode, [A], instance=instance)
    stuck = run_step(make_engine(body + "time.sleep(60)", timeout_seconds=1.5), mode, [A], instance=instance)

    lines = [line for event in quick.logs for line in event.split("\n") if "INFO line" in line]
    assert lines == [f"rocky: INFO line n={i}" for i in range(3000)]
    assert quick.materialized["a"]["dagster/row_count"] < 1000
    assert stuck.failure
    assert stuck.failure.metadata["rocky/duration_seconds"].value < 3.0
