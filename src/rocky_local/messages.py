"""Dagster Pipes messages in the engine's own dialect (contract, 12), each written when its thing has happened."""

import base64
import binascii
import json
import os
import re
import threading
import zlib
from typing import Any

from rocky_local import tracing
from rocky_local.execution.result import AssetKey, DriftAction, Finding, Materialization
from rocky_local.output import shown

_LOG = tracing.Log("rocky_cli::pipes")


class Messages:
    """The channel to Dagster: a file, stderr, or one that leads nowhere and swallows everything.

    Lines in a file are written live. Between the log lines on stderr they wait for the end, as all of the real
    engine's do, in its order: materializations, checks table by table, drift, the end.
    """

    def __init__(self, path: str | None = None, *, stderr: bool = False) -> None:
        self._path = path
        self._stderr = stderr
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, int, str]] = []
        self._tables: dict[str, int] = {}

    def log(self, text: str, level: str = "INFO", rank: int = 0) -> None:
        """Send a line of text, at once unless it has a rank."""
        self._send("log", {"level": level, "message": text}, rank)

    def materialization(self, entry: Materialization) -> None:
        """Send one entry of a result's `materializations`."""
        watermark = entry.metadata.watermark and entry.metadata.watermark.removesuffix("Z") + "+00:00"
        told = entry.metadata.changed(watermark=watermark, column_count=None, compile_time_ms=None)
        metadata = {"duration_ms": entry.duration_ms, **shown(told)}
        if entry.partition:
            metadata["partition_key"] = entry.partition.key
        key = "/".join(entry.asset_key)
        self._tables.setdefault(key, len(self._tables))
        params = {"asset_key": key, "data_version": None, "metadata": metadata}
        self._send("report_asset_materialization", params, 1)

    def check(self, key: AssetKey, finding: Finding) -> None:
        """Send a check; its own severity is in the metadata only."""
        self._check("/".join(key), finding.name, finding, 2, passed=finding.passed)

    def drift(self, action: DriftAction) -> None:
        """Send one entry of a result's drift actions, as a check and as a warning."""
        self._check(action.table, "drift", action, 3, severity="WARN")
        self.log(f"rocky drift on {action.table}: {action.action} ({action.reason})", "WARN", 3)

    def complete(self, text: str, *, closes: bool = False) -> None:
        """Send the last line of text, and the end of the channel where the engine does."""
        self.log(text, rank=4)
        if closes:
            self._send("closed", None, 4)

    def flush(self) -> None:
        """Send what waits for the end of the run."""
        for _, _, line in sorted(self._waiting, key=lambda entry: entry[:2]):
            tracing.plain(line)
        self._waiting.clear()

    def _check(
        self, key: str, name: str, found: object, rank: int, *, passed: bool = True, severity: str = "ERROR"
    ) -> None:
        named = {"asset_key": key, "check_name": re.sub(r"[^A-Za-z0-9_]", "_", name)}
        params = {**named, "metadata": shown(found), "passed": passed, "severity": severity}
        self._send("report_asset_check", params, rank)

    def _send(self, method: str, params: dict[str, Any] | None, rank: int = 0) -> None:
        """Send a message, or let it wait; those of a lower rank go first then."""
        if not self._stderr and self._path is None:
            return
        body = json.dumps(params, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        line = f'{{"__dagster_pipes_version":"0.1","method":"{method}","params":{body}}}'
        with self._lock:
            if self._path is not None:
                self._append(self._path, line)
            elif rank:
                place = self._tables.get((params or {}).get("asset_key", ""), 0) if rank == 2 else 0
                self._waiting.append((rank, place, line))
            else:
                tracing.plain(line)

    def _append(self, path: str, line: str) -> None:
        try:
            with open(path, "ab") as file:
                file.write(line.encode(errors="replace") + b"\n")
        except (OSError, ValueError) as error:
            self._path = None
            _fall_back("cannot write to the Pipes channel", str(error))


def open_messages() -> Messages:
    """Return the channel of the environment, given as plain base64 JSON or in the compressed form of Dagster."""
    encoded = os.environ.get("DAGSTER_PIPES_MESSAGES")
    if encoded is None or "DAGSTER_PIPES_CONTEXT" not in os.environ:
        return Messages()
    try:
        raw = base64.b64decode(encoded, validate=True)
        params = json.loads(raw if raw[:1] == b"{" else zlib.decompress(raw))
    except binascii.Error:
        odd = re.search(r"[^A-Za-z0-9+/=]", encoded)
        reason = f"Invalid symbol {ord(odd[0])}, offset {odd.start()}." if odd else "Invalid padding"
        return _fall_back("failed to base64-decode DAGSTER_PIPES_MESSAGES", reason)
    except (ValueError, zlib.error):
        params = None
    match params:
        case {"path": str(path)}:
            return Messages(path)
        case {"stdio": "stdout"}:
            return _fall_back("Pipes channel requested stdout, but rocky-cli reserves stdout for JSON output")
        case {"stdio": "stderr"}:
            return Messages(stderr=True)
    return _fall_back("failed to JSON-parse DAGSTER_PIPES_MESSAGES", "expected value at line 1 column 1")


def _fall_back(message: str, reason: str | None = None) -> Messages:
    fields = {} if reason is None else {"error": reason}
    _LOG.warn(f"{message}; falling back to non-Pipes mode", **fields)
    return Messages()
