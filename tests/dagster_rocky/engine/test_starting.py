"""Starting an engine: its environment, its version, its words, and the folders that are needed for it."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from dagster_rocky.engine import errors, process, spool
from dagster_rocky.engine.environment import RunOrigin
from dagster_rocky.engine.errors import RockyFailure
from dagster_rocky.engine.options import RunOptions
from dagster_rocky.engine.request import RunRequest
from dagster_rocky.resource import RockyResource
from support.stand_in import MODES, run_step, table_asset

Make = Callable[..., RockyResource]
A, B = table_asset("a"), table_asset("b")
ENVIRONMENT = """
    names = ("ROCKY_IDEMPOTENCY_KEY", "ROCKY_PRINCIPAL", "ROCKY_BRANCH_APPROVAL_SKIP", "ROCKY_RUN_TRIGGER",
             "ROCKY_SUBMISSION_ID", "REGION")
    open("environment", "w").write(json.dumps({name: os.environ.get(name) for name in names}))
    say(result(["a"]))
"""


def told_environment(engine: RockyResource) -> dict[str, str | None]:
    return json.loads((Path(engine.config_path).parent / "environment").read_text())


def test_what_would_change_a_run_reaches_it_from_the_yaml_only(
    make_engine: Make, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "ROCKY_IDEMPOTENCY_KEY",
        "ROCKY_PRINCIPAL",
        "ROCKY_BRANCH_APPROVAL_SKIP",
        "ROCKY_SUBMISSION_ID",
    ):
        monkeypatch.setenv(name, "inherited")
    engine = make_engine(ENVIRONMENT)
    run = run_step(
        engine, mode, [A], options=RunOptions(environment={"ROCKY_PRINCIPAL": "agent", "REGION": "n"})
    )

    assert told_environment(engine) == {
        "ROCKY_IDEMPOTENCY_KEY": None,
        "ROCKY_PRINCIPAL": "agent",
        "ROCKY_BRANCH_APPROVAL_SKIP": None,
        "ROCKY_RUN_TRIGGER": "manual",
        "ROCKY_SUBMISSION_ID": run.result.run_id,
        "REGION": "n",
    }
    said = [line for line in run.logs if "does not get" in line]
    assert len(said) == 1
    assert "ROCKY_IDEMPOTENCY_KEY, ROCKY_BRANCH_APPROVAL_SKIP of the environment" in said[0]


@pytest.mark.parametrize(
    ("tags", "trigger"),
    [
        ({}, "manual"),
        ({"dagster/schedule_name": "hourly"}, "schedule"),
        ({"dagster/sensor_name": "arrivals"}, "sensor"),
        ({"dagster/from_automation_condition": "true"}, "sensor"),
        ({"dagster/backfill": "abc"}, "manual"),
    ],
)
def test_the_engine_is_told_what_started_the_run(tags: dict[str, str], trigger: str) -> None:
    assert RunOrigin.of_dagster_run("id", tags).variables() == {
        "ROCKY_RUN_TRIGGER": trigger,
        "ROCKY_SUBMISSION_ID": "id",
    }


def test_the_version_is_asked_once_for_a_binary(make_engine: Make, tmp_path: Path) -> None:
    engine = make_engine('say(result(["a"]))')
    script, calls = Path(engine.binary_path), tmp_path / "calls"
    inner = script.rename(tmp_path / "inner")
    script.write_text(f'#!/bin/sh\necho "$*" >> {calls}\nexec {inner} "$@"\n')
    script.chmod(0o755)
    engine.run()
    engine.run()
    assert calls.read_text().count("--version") == 1
    script.write_text(script.read_text().replace("exec", "STAND_IN_VERSION=1.20.3 exec"))
    with pytest.raises(
        dg.Failure, match=r"too old: it says 1\.20\.3, and this package needs 1\.71 or newer"
    ) as old:
        engine.run()
    assert not old.value.allow_retries
    assert calls.read_text().count("run") == 2


@pytest.mark.parametrize(
    ("code", "kind", "retried", "hint"),
    [
        (errno.ENOENT, "binary", False, True),
        (errno.EACCES, "binary", False, True),
        (errno.ENOEXEC, "binary", False, True),
        (errno.EAGAIN, "start", True, False),
        (errno.ENOMEM, "start", True, False),
        (errno.ETXTBSY, "start", True, False),
        (errno.EMFILE, "start", True, False),
        (errno.EIO, "start", True, False),
        (errno.E2BIG, "usage", False, False),
    ],
)
def test_each_start_error_says_what_it_is_and_whether_to_try_again(
    tmp_path: Path, code: int, kind: str, retried: bool, hint: bool
) -> None:
    failure = errors.cannot_start(
        str(tmp_path / "engine"), "engine run", OSError(code, os.strerror(code)), tmp_path
    )

    assert (failure.kind, failure.allow_retries) == (kind, retried)
    assert ("rocky-local" in str(failure.description)) == hint
    if kind == "start":
        assert os.strerror(code) in str(failure.description)


def test_a_script_without_its_interpreter_is_told_as_such(make_engine: Make) -> None:
    engine = make_engine("")
    Path(engine.binary_path).write_text("#!/no/such/interpreter\n")
    with pytest.raises(dg.Failure, match="interpreter") as failure:
        engine.run()
    assert not failure.value.allow_retries


def test_the_launchers_own_words_are_told_apart_from_the_engines() -> None:
    process._launcher.cache_clear()
    if not process._launcher()[0]:
        assert process.launch_error(126, "setpriv: failed to execute x: Text file busy") is None
        return
    busy = process.launch_error(126, "setpriv: failed to execute x: Text file busy\n")
    assert busy is not None
    assert busy.errno == errno.ETXTBSY
    assert process.launch_error(1, "setpriv: failed to execute x: Text file busy") is None
    assert process.launch_error(127, "sh: x: not found") is None


@pytest.mark.parametrize(
    "fields",
    [
        {"filter": "a=b\0"},
        {"filter": "shop=a\nb"},
        {"model": "m\n"},
        {"pipeline": "p\0"},
        {"idempotency_key": "k\r"},
        {"partition": "2026\n"},
        {"options": RunOptions(vars={"a\nb": "c"})},
        {"options": RunOptions(vars={"a": "c\0"})},
        {"options": RunOptions(env="prod\n")},
    ],
)
def test_control_characters_are_one_clear_error(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must (be one line without|not hold a) NUL byte"):
        RunRequest(**fields)  # type: ignore[arg-type]


def test_a_nul_byte_in_a_command_is_a_failure_by_name(make_engine: Make) -> None:
    with pytest.raises(dg.Failure, match="NUL byte"):
        make_engine("say(result())").lineage("a\0b")


@pytest.mark.parametrize("place", ["missing", "a-file"])
def test_a_temporary_folder_that_takes_nothing_is_one_clear_failure(
    make_engine: Make, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    folder = tmp_path / "elsewhere"
    if place == "a-file":
        folder.touch()
    engine = make_engine('say(result(["a"]))')
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(dg.Failure, match=rf"Cannot spool the engine's output in {folder}: .*TMPDIR"):
        engine.run()


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.ESTALE])
@pytest.mark.parametrize("maker", ["mkstemp", "mkdtemp"])
def test_a_temporary_folder_that_refuses_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, maker: str, number: int
) -> None:
    """The first makes the engine's output, the second the folder of hooks, messages and private projects."""

    def refuse(**_: object) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path / "x"))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tempfile, maker, refuse)
    with (
        pytest.raises(dg.Failure, match=rf"Cannot .* in {tmp_path}: {os.strerror(number)}\..*TMPDIR"),
        contextlib.closing(spool.Spool()) as made,
    ):
        made.side_file("hooks")
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_any_temporary_folder_says_so(
    make_engine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_at_all() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none_at_all)
    monkeypatch.setenv("TMPDIR", "/gone")
    with pytest.raises(dg.Failure, match=r"in /gone: No usable temporary directory.*point TMPDIR"):
        make_engine('say(result(["a"]))').run()


def test_folders_in_use_are_kept_and_others_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    abandoned = tmp_path / "dagster-rocky-1-abandoned"
    abandoned.mkdir()
    (tmp_path / "dagster-rocky-other").mkdir()
    (tmp_path / "dagster-rocky-2-link").symlink_to(tmp_path)
    with closing(spool.Spool()) as used:
        side = used.side_file("hooks")
        assert not abandoned.exists()
        with closing(spool.Spool()) as other:
            other.side_file("hooks")
        assert side.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dagster-rocky-2-link", "dagster-rocky-other"]


def test_a_sweep_that_meets_what_vanishes_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for number in range(3):
        (tmp_path / f"dagster-rocky-{number}-x").mkdir()
    look = spool._remove_unheld

    def vanish(entry: "os.DirEntry[str]") -> None:
        os.rmdir(entry.path)
        look(entry)

    monkeypatch.setattr(spool, "_remove_unheld", vanish)
    with closing(spool.Spool()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_no_utf8_in_the_result_are_replaced_and_counted(make_engine: Make, mode: str) -> None:
    engine = make_engine("""
        text = json.dumps(result(["a"], filter="caf\\u00e9 XX"), indent=2, ensure_ascii=False)
        sys.stdout.buffer.write(text.encode().replace(b"XX", b"\\xff\\xfe") + b"\\n")
    """)
    run = run_step(engine, mode, [A])

    assert run.success
    assert [line for line in run.logs if "no UTF-8" in line] == [
        "rocky: 2 bytes of the engine's result are no UTF-8; each is shown as \ufffd"
    ]


def test_a_closed_terminal_ends_the_engine_and_is_an_interruption(make_engine: Make, tmp_path: Path) -> None:
    engine = make_engine('open("pids", "w").write(str(os.getpid())); print(flush=True); time.sleep(60)')
    code = f"""
import os, signal, threading, time, pathlib
from dagster_rocky.resource import RockyResource
pids = pathlib.Path({str(Path(engine.config_path).parent / "pids")!r})
def hang_up():
    while not (pids.exists() and pids.read_text()): time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGHUP)
threading.Thread(target=hang_up, daemon=True).start()
try:
    RockyResource(binary_path={engine.binary_path!r}, config_path={engine.config_path!r}).run()
except KeyboardInterrupt:
    print("interrupted", signal.getsignal(signal.SIGHUP) is signal.SIG_DFL)
try:
    os.kill(int(pids.read_text()), 0)
except ProcessLookupError:
    print("gone")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stdout.split("\n")[:2] == ["interrupted True", "gone"], done.stderr


@pytest.mark.parametrize("how", ["ignored", "blocked"])
def test_an_engine_can_be_asked_to_stop_where_its_parent_cannot(make_engine: Make, how: str) -> None:
    resource = make_engine("time.sleep(60)", timeout_seconds=0.5, termination_grace_seconds=30)
    if how == "ignored":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    begin = time.monotonic()
    with pytest.raises(RockyFailure, match="timeout_seconds"):
        resource.run()
    assert time.monotonic() - begin < 15


@pytest.mark.parametrize("mode", MODES)
def test_named_secrets_stay_out_of_errors_of_the_result(make_engine: Make, mode: str, monkeypatch) -> None:
    monkeypatch.setenv("WAREHOUSE_DSN", "s3cr3t-value")
    engine = make_engine("""
        say(result([], errors=[{"asset_key": [], "error": "cannot reach s3cr3t-value", "failure_kind": "unknown"}]))
        sys.exit(1)
    """)
    run = run_step(engine, mode, [A], options=RunOptions(mask_env=["WAREHOUSE_DSN"]))

    assert run.failure
    assert "s3cr3t-value" not in str(run.failure.description) + str(run.failure.metadata)


def test_what_stands_on_stdout_instead_of_a_result_is_masked(
    make_engine: Make, mode: str, monkeypatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_DSN", "s3cr3t-value")
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    run = run_step(
        make_engine('print("hello s3cr3t-value token=abcdef")'),
        mode,
        [A],
        options=RunOptions(mask_env=["WAREHOUSE_DSN"]),
    )

    assert run.failure
    assert run.failure.metadata["rocky/stdout_first"].value == "hello *** token=***\n"
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
