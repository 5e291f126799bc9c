"""Dagster Pipes messages in the engine's own dialect, each written the moment its thing has happened."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import threading
import zlib
from typing import Any

from rocky_local import tracing

_TARGET = "rocky_cli::pipes"
_VERSION = "0.1"


class Messages:
    """The channel to Dagster; one that leads nowhere swallows everything.

    Args:
        path: A file to append to.
        stderr: Write to stderr instead.
    """

    def __init__(self, path: str | None = None, *, stderr: bool = False) -> None:
        self._path = path
        self._stderr = stderr
        self._lock = threading.Lock()

    @property
    def active(self) -> bool:
        """Whether anybody reads the messages."""
        return self._stderr or self._path is not None

    def log(self, text: str, level: str = "INFO") -> None:
        """Send a line of text."""
        self._send("log", {"level": level, "message": text})

    def materialization(self, entry: dict[str, Any]) -> None:
        """Send one entry of a result's `materializations`."""
        metadata = {
            "duration_ms": entry["duration_ms"],
            "strategy": entry["metadata"]["strategy"],
            "target_table_full_name": entry["metadata"]["target_table_full_name"],
        }
        if "watermark" in entry["metadata"]:
            metadata["watermark"] = entry["metadata"]["watermark"].removesuffix("Z") + "+00:00"
        if "sql_hash" in entry["metadata"]:
            metadata["sql_hash"] = entry["metadata"]["sql_hash"]
        if "partition" in entry:
            metadata["partition_key"] = entry["partition"]["key"]
        if entry["rows_copied"] is not None:
            metadata["rows_copied"] = entry["rows_copied"]
        key = "/".join(entry["asset_key"])
        self._send(
            "report_asset_materialization", {"asset_key": key, "data_version": None, "metadata": metadata}
        )

    def check(self, asset_key: list[str], check: dict[str, Any]) -> None:
        """Send one entry of a result's `checks`; the severity is always ERROR in this dialect."""
        self._check("/".join(asset_key), check["name"], check["passed"], "ERROR", check)

    def drift(self, action: dict[str, str]) -> None:
        """Send one entry of a result's drift actions, as a check and as a warning."""
        self._check(action["table"], "drift", True, "WARN", action)
        self.log(f"rocky drift on {action['table']}: {action['action']} ({action['reason']})", "WARN")

    def closed(self) -> None:
        """Send the end of the channel."""
        self._send("closed", None)

    def _check(self, key: str, name: str, passed: bool, severity: str, metadata: dict[str, Any]) -> None:
        params = {
            "asset_key": key,
            "check_name": re.sub(r"[^A-Za-z0-9_]", "_", name),
            "metadata": metadata,
            "passed": passed,
            "severity": severity,
        }
        self._send("report_asset_check", params)

    def _send(self, method: str, params: dict[str, Any] | None) -> None:
        if not self.active:
            return
        body = json.dumps(params, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        line = f'{{"__dagster_pipes_version":"{_VERSION}","method":"{method}","params":{body}}}'
        with self._lock:
            if self._path is None:
                tracing.plain(line)
                return
            try:
                with open(self._path, "ab") as file:
                    file.write(line.encode() + b"\n")
            except OSError as error:
                self._path = None
                _fall_back("cannot write to the Pipes channel", str(error))


def open_messages() -> Messages:
    """Return the channel that the environment asks for.

    Both the plain base64 JSON that the real engine reads and the compressed form that Dagster writes are understood.
    """
    encoded = os.environ.get("DAGSTER_PIPES_MESSAGES")
    if encoded is None or "DAGSTER_PIPES_CONTEXT" not in os.environ:
        return Messages()
    try:
        params = _decoded(base64.b64decode(encoded, validate=True))
    except binascii.Error as error:
        return _fall_back("failed to base64-decode DAGSTER_PIPES_MESSAGES", str(error))
    except ValueError as error:
        return _fall_back("failed to JSON-parse DAGSTER_PIPES_MESSAGES", str(error))
    return _channel(params)


def _channel(params: dict[str, Any]) -> Messages:
    if isinstance(params.get("path"), str):
        return Messages(params["path"])
    if params.get("stdio") == "stdout":
        return _fall_back("Pipes channel requested stdout, but rocky-cli reserves stdout for JSON output")
    if params.get("stdio") == "stderr":
        return Messages(stderr=True)
    return _fall_back("unsupported DAGSTER_PIPES_MESSAGES", f"neither path nor stdio in {sorted(params)}")


def _decoded(raw: bytes) -> dict[str, Any]:
    try:
        params = json.loads(raw)
    except ValueError:
        try:
            params = json.loads(zlib.decompress(raw))
        except zlib.error:
            raise ValueError("expected value at line 1 column 1") from None
    if not isinstance(params, dict):
        raise ValueError("expected an object")
    return params


def _fall_back(message: str, reason: str | None = None) -> Messages:
    fields = {} if reason is None else {"error": tracing.Display(reason)}
    tracing.warn(_TARGET, f"{message}; falling back to non-Pipes mode", **fields)
    return Messages()
