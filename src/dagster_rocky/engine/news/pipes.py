"""Dagster Pipes as the engine really speaks it (contract, section 12), made into proper messages and events."""

import base64
import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dagster_pipes import DAGSTER_PIPES_CONTEXT_ENV_VAR, DAGSTER_PIPES_MESSAGES_ENV_VAR

from dagster_rocky.engine.logs.tail import FileTail
from dagster_rocky.engine.news.events import Built, Checked, Drifted, EngineEvent

_BUILT_FIELDS = ("duration_ms", "partition_key", "run_id")
_CHECK_FIELDS = ("name", "passed", "severity")
_MAX_MESSAGE_BYTES = 4 * 1024 * 1024


def pipes_environment(messages_path: Path, context_data: Mapping[str, Any]) -> dict[str, str]:
    """The two variables that switch the engine's Pipes on.

    The engine reads plain base64 of JSON; what Dagster writes is compressed first, and the engine then reports
    nothing (contract, section 12). The context is only tested for presence by the engine.
    """
    return {
        DAGSTER_PIPES_CONTEXT_ENV_VAR: _plain({"data": dict(context_data)}),
        DAGSTER_PIPES_MESSAGES_ENV_VAR: _plain(
            {"path": str(messages_path), "include_stdio_in_messages": False}
        ),
    }


def _plain(params: Mapping[str, Any]) -> str:
    return base64.b64encode(json.dumps(params).encode()).decode()


class PipesReader:
    """Follows the messages file and makes engine events of what it says.

    Messages that are cut off, no JSON or of no known kind are counted in `unreadable` and passed over: the JSON on
    stdout says everything again at the end. A file that disappears ends the following, not the run.

    Args:
        path: The messages file; it exists.
        on_log: Called with level and text of a `log` message that stderr does not carry as well.
    """

    def __init__(self, path: Path, on_log: Callable[[str, str], None] | None = None) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDONLY)
        self._tail = FileTail(self._fd, max_line_bytes=_MAX_MESSAGE_BYTES)
        self._on_log = on_log
        self.received = 0
        self.unreadable = 0
        self.vanished = False

    def read(self) -> Iterator[EngineEvent]:
        """What was reported since the last call."""
        for lines in self._tail.drain():
            for line in lines:
                yield from self._parse(line)
        self._follow_replacement()

    def close(self) -> None:
        """Gives the file back."""
        os.close(self._fd)

    def _follow_replacement(self) -> None:
        """When the file was removed and written anew, follows the new one."""
        if os.fstat(self._fd).st_nlink > 0:
            return
        self.vanished = True
        with contextlib.suppress(OSError):
            replacement = os.open(self._path, os.O_RDONLY)
            os.close(self._fd)
            self._fd = replacement
            self._tail = FileTail(replacement, max_line_bytes=_MAX_MESSAGE_BYTES)

    def _parse(self, line: str) -> Iterator[EngineEvent]:
        if not line.strip():
            return
        try:
            message = json.loads(line)
            method, params = message["method"], message.get("params")
            event = self._event(method, params)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.unreadable += 1
            return
        self.received += 1
        if event is not None:
            yield event

    def _event(self, method: str, params: Any) -> EngineEvent | None:
        if method == "report_asset_materialization":
            metadata = bare_metadata(params.get("metadata"))
            return Built(
                source="pipes",
                name=str(params["asset_key"]),
                partition=metadata.get("partition_key"),
                duration_ms=metadata.get("duration_ms"),
                run_id=metadata.get("run_id"),
                metadata={k: v for k, v in metadata.items() if k not in _BUILT_FIELDS},
            )
        if method == "report_asset_check":
            return _check_event(params)
        if method == "log" and self._on_log is not None:
            self._on_log(str(params.get("level", "INFO")), str(params["message"]))
        return None


def _check_event(params: Mapping[str, Any]) -> EngineEvent:
    metadata = bare_metadata(params.get("metadata"))
    if params["check_name"] == "drift" and {"action", "table"} <= metadata.keys():
        return Drifted(
            source="pipes",
            table=str(metadata["table"]),
            action=str(metadata["action"]),
            reason=str(metadata.get("reason", "")),
        )
    return Checked(
        source="pipes",
        name=str(params["asset_key"]),
        check=str(metadata.get("name", params["check_name"])),
        passed=params["passed"] is True,
        severity=str(metadata.get("severity", params.get("severity", "error"))).lower(),
        detail={k: v for k, v in metadata.items() if k not in _CHECK_FIELDS},
    )


def bare_metadata(metadata: Any) -> dict[str, Any]:
    """Metadata as plain values, whether it came bare (the engine) or as `{raw_value, type}` (Dagster's form)."""
    if not isinstance(metadata, Mapping):
        return {}
    return {
        str(name): value["raw_value"] if isinstance(value, Mapping) and "raw_value" in value else value
        for name, value in metadata.items()
    }
