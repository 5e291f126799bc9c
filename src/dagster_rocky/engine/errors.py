"""How can an engine run fail: `dagster.Failure`s that say what, why and what to do."""

from __future__ import annotations

import errno
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from dagster_rocky.engine.logs.mask import SecretMasker

if TYPE_CHECKING:
    from dagster_rocky.results import RunResult

INSTALL_HINT = (
    "Install the rocky engine and put it on the PATH, or set binary_path to where it is. To try things out without "
    "it, install this package with its extra `local` and set binary_path: rocky-local."
)
OLDEST_ENGINE = (1, 71)
"""The oldest engine that this package is tested with."""
LOG_END = "\n\nThe end of its log:"
"""What stands between a failure's own words and the engine's last lines."""


class RockyFailure(dg.Failure):
    """An engine run that gave no usable result.

    Attributes:
        kind: Which row of the failure table: `hard`, `no_json`, `timeout`, `binary` (no engine to start), `start` (the
            system could not start it now), `usage`, `in_flight`, `killed`, `locked` (another run held its files),
            `spool` (its output could not be kept), `private_project` (several models cannot be built together, only one
            by one) or `unexplained` (an exit code that its result does not explain).
    """

    def __init__(
        self,
        kind: str,
        description: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        allow_retries: bool = True,
    ) -> None:
        super().__init__(description=description, metadata=dict(metadata or {}), allow_retries=allow_retries)
        self.kind = kind

    def masked(self, masker: SecretMasker) -> RockyFailure:
        """The same failure without secrets in its words and its metadata."""
        metadata = {
            name: dg.MetadataValue.text(masker.mask(value.text or ""))
            if isinstance(value, dg.TextMetadataValue)
            else value
            for name, value in self.metadata.items()
        }
        description = masker.mask(self.description or "")
        return RockyFailure(self.kind, description, metadata, allow_retries=self.allow_retries)


@dataclass(frozen=True, kw_only=True)
class ProcessEnd:
    """How an engine process ended, for people.

    Attributes:
        command: The command, masked.
        exit_code: Negative when a signal ended it.
        duration_seconds: From start to end.
        stderr_tail: The last lines, masked.
        engine_error: The engine's own error text, when it wrote one.
        spool_full: Whether the disk that holds the spooled output is full.
    """

    command: str
    exit_code: int
    duration_seconds: float
    stderr_tail: str
    engine_error: str | None = None
    spool_full: bool = False

    @property
    def signal_name(self) -> str | None:
        """`SIGTERM` and the like when a signal ended it, directly or behind a shell."""
        number = -self.exit_code if self.exit_code < 0 else self.exit_code - 128
        if self.exit_code < 0 or self.exit_code in (134, 137, 139, 141, 143):
            try:
                return signal.Signals(number).name
            except ValueError:
                return f"signal {number}"
        return None

    def metadata(self) -> dict[str, Any]:
        """What every failure carries."""
        facts: dict[str, Any] = {
            "rocky/command": self.command,
            "rocky/exit_code": self.exit_code,
            "rocky/duration_seconds": round(self.duration_seconds, 3),
            "stderr_tail": dg.MetadataValue.text(self.stderr_tail),
        }
        if self.signal_name:
            facts["rocky/signal"] = self.signal_name
        return facts


def hard_failure(end: ProcessEnd) -> RockyFailure:
    """Exit other than 0 and no JSON."""
    hint = _disk_hint(end)
    if end.signal_name:
        lead = f"The engine was ended by {end.signal_name} and reported no result."
        after = " What it had finished may be in the warehouse; what it had not is unknown."
        return RockyFailure("killed", lead + after + hint + _quoted(end), end.metadata())
    if end.exit_code == 2 and (end.engine_error or "").startswith("error: "):
        lead = f"{end.engine_error}\n\nThe engine refused its command line (exit code 2): {end.command}"
        return RockyFailure("usage", lead + hint, end.metadata(), allow_retries=False)
    if end.engine_error:
        return RockyFailure(
            "hard",
            f"{end.engine_error}\n\nThe engine ended with exit code {end.exit_code}.{hint}",
            end.metadata(),
        )
    return RockyFailure(
        "hard",
        f"The engine ended with exit code {end.exit_code} and reported no result.{hint}" + _quoted(end),
        end.metadata(),
    )


def no_json(
    end: ProcessEnd, size: int, first: bytes | bytearray, last: bytes | bytearray, why: str
) -> RockyFailure:
    """Exit 0, but stdout is not the JSON that the engine promises."""
    shown_first = first.decode("utf-8", errors="replace")
    shown_last = last.decode("utf-8", errors="replace")
    return RockyFailure(
        "no_json",
        f"The engine ended with exit code {end.exit_code}, but its output is no result: {why} "
        f"({size:,} bytes on stdout). "
        f"Is binary_path really the engine, and does nothing else write to its stdout?{_disk_hint(end)}",
        {
            **end.metadata(),
            "rocky/stdout_bytes": size,
            "rocky/stdout_first": shown_first,
            "rocky/stdout_last": shown_last,
        },
    )


def timed_out(end: ProcessEnd, seconds: float) -> RockyFailure:
    """The deadline passed; not retried by itself, because the next try would take as long."""
    return RockyFailure(
        "timeout",
        f"The engine ran longer than timeout_seconds ({seconds:g} s) and was ended. "
        "Raise timeout_seconds, or ask for less in one run." + _quoted(end),
        {**end.metadata(), "rocky/timeout_seconds": float(seconds)},
        allow_retries=False,
    )


_NO_ENGINE = {
    errno.ENOENT: "it, or the interpreter that its first line names, was not found",
    errno.ENOTDIR: "a part of its path is no folder",
    errno.ELOOP: "its path is a circle of links",
    errno.EISDIR: "it is a folder",
    errno.EACCES: "it is not executable",
    errno.EPERM: "it is not executable",
    errno.ENOEXEC: "it is no program for this machine",
}
"""What installing the engine, or a right `binary_path`, mends."""
_NOT_NOW = {
    errno.EAGAIN: "the system has no room for another process now",
    errno.ENOMEM: "the system has no memory for it now",
    errno.ETXTBSY: "its file is being written, as during an upgrade",
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "the system has too many files open",
}


def cannot_start(binary: str, command: str, error: OSError, folder: Path) -> RockyFailure:
    """The binary is missing, a folder, or not executable; the project's folder is gone; or the system is short."""
    metadata = {"rocky/command": command, "rocky/binary_path": binary}
    if not folder.is_dir():
        text = f"The folder of the engine's config does not exist: {folder}. Check config_path."
        return RockyFailure("binary", text, metadata, allow_retries=False)
    code = errno.EISDIR if Path(binary).is_dir() else error.errno
    words = error.strerror or str(error)
    start = f"The engine {binary!r} cannot be started: "
    if code in _NO_ENGINE:
        return RockyFailure(
            "binary", f"{start}{_NO_ENGINE[code]}. {INSTALL_HINT}", metadata, allow_retries=False
        )
    if code == errno.E2BIG:
        text = (
            f"{start}its command line is too long. Ask for less in one run: fewer vars, a shorter override."
        )
        return RockyFailure("usage", text, metadata, allow_retries=False)
    reason = f"{_NOT_NOW[code]} ({words})" if code in _NOT_NOW else words
    return RockyFailure("start", f"{start}{reason}. Trying again later may work.", metadata)


def nul_in_command(command: str, word: str) -> RockyFailure:
    """A word of the command line holds a NUL byte, which no system can pass on."""
    return RockyFailure(
        "usage",
        f"The engine cannot be given {word!r}: it holds a NUL byte. Take it out of the name, filter or variable.",
        {"rocky/command": command.replace("\0", "\\0")},
        allow_retries=False,
    )


def too_old(version: str, command: str) -> RockyFailure:
    """The engine is older than what this package is tested with."""
    needed = ".".join(map(str, OLDEST_ENGINE))
    return RockyFailure(
        "binary",
        f"The engine is too old: it says {version}, and this package needs {needed} or newer. {INSTALL_HINT}",
        {"rocky/command": command, "rocky/engine_version": version},
        allow_retries=False,
    )


def unexplained(end: ProcessEnd, result: RunResult) -> RockyFailure:
    """An exit code other than 0 that the result does not explain: the engine's last words are all there is."""
    told = [error.error for error in result.errors]
    lead = end.engine_error or "; ".join(told)
    if not lead:
        why = "it was interrupted" if result.interrupted else "its result names no error"
        lead = f"The engine ended with exit code {end.exit_code}, and {why}."
    else:
        lead += f"\n\nThe engine ended with exit code {end.exit_code}."
    quoted = "" if end.engine_error or told else _quoted(end)
    return RockyFailure("unexplained", f"{lead}{_disk_hint(end)}{quoted}", end.metadata())


def in_flight(key: str | None, holder: str | None) -> RockyFailure:
    """The idempotency key is claimed by a run that has not ended."""
    return RockyFailure(
        "in_flight",
        f"The engine did not run: idempotency key {key!r} is held by {holder or 'another run'}, which has not ended. "
        "If that run still works, wait for it and launch again: what it builds is not built twice. If it was killed, "
        "it left its key claimed, and the claim expires after 24 hours; until then launch with the option "
        "`idempotency_key: off`, or another key. A key with {run_id} is new in every launch.",
        {"rocky/idempotency_key": key or "", "rocky/held_by": holder or ""},
    )


def _quoted(end: ProcessEnd) -> str:
    return f"{LOG_END}\n{end.stderr_tail}" if end.stderr_tail else ""


def _disk_hint(end: ProcessEnd) -> str:
    if not end.spool_full:
        return ""
    return (
        " The disk that takes the engine's output is full: free some space there, or point TMPDIR elsewhere."
    )
