"""How does a person read the engine's stderr: tracing JSON as one readable line (contract, section 9)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic_core import from_json

PREFIX = "rocky: "
LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")
_COUNTER = re.compile(r"^\[(\d+)/(\d+)\]")


class LogLine(NamedTuple):
    """One line of stderr, decoded.

    Attributes:
        level: The engine's level; `INFO` for lines that are no tracing JSON.
        text: The readable line, without the `rocky: ` prefix.
        message: The tracing message, empty for other lines.
        fields: The tracing fields besides the message.
    """

    level: str
    text: str
    message: str = ""
    fields: Mapping[str, Any] = {}


@dataclass
class RunFacts:
    """What only the log lines know of a run.

    Attributes:
        run_id: From the span `run`; the JSON on stdout has none.
        failed_tables: Bare table names and errors of tables whose retry failed too, at most a thousand.
    """

    run_id: str | None = None
    failed_tables: list[tuple[str, str]] = field(default_factory=list)


class LogLineDecoder:
    """Decodes stderr lines and gathers the facts that only they carry.

    Example:
        ```python
        line = LogLineDecoder().decode('{"level":"INFO","fields":{"message":"copying data","table":"a.b.c"}}')
        line.text  # 'INFO copying data table=a.b.c'
        ```
    """

    def __init__(self) -> None:
        self.facts = RunFacts()

    def decode(self, raw: str) -> LogLine:
        """One line of stderr; what is not tracing JSON passes through as it is."""
        if not raw.startswith("{"):
            return LogLine("INFO", _told_apart(raw))
        try:
            record = (
                from_json(raw)
                if raw.count('"message":') == 1
                else json.loads(raw, object_pairs_hook=_keep_both)
            )
            fields = dict(record["fields"])
            level = str(record.get("level", "INFO")).upper()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return LogLine("INFO", raw)
        if level not in LEVELS:
            level = "INFO"
        message = fields.pop("message", "")
        if not isinstance(message, str):
            message = " / ".join(map(str, message)) if isinstance(message, list) else str(message)
        self._gather(record, message, fields)
        details = "".join(f" {name}={_show(value)}" for name, value in fields.items())
        return LogLine(level, f"{level} {_told_apart(message)}{details}", message, fields)

    def _gather(self, record: dict[str, Any], message: str, fields: dict[str, Any]) -> None:
        if self.facts.run_id is None:
            spans = record.get("spans") or [record.get("span")]
            for span in spans:
                if isinstance(span, dict) and isinstance(span.get("run_id"), str):
                    self.facts.run_id = span["run_id"]
                    break
        if message == "retry also failed" and len(self.facts.failed_tables) < 1_000:
            self.facts.failed_tables.append((str(fields.get("table", "")), str(fields.get("error", ""))))


def _told_apart(text: str) -> str:
    """A counter of the engine's own counts what one engine run does, not the step: it is not shown as the step's is."""
    return _COUNTER.sub(r"(engine: \1 of \2)", text, count=1) if text.startswith("[") else text


def _show(value: Any) -> str:
    kind = type(value)
    if kind is str and " " not in value and "\n" not in value:
        return str(value)
    return str(value) if kind is int else json.dumps(value, ensure_ascii=False)


def _keep_both(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which a key that comes twice has both values, in a list."""
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name not in result:
            result[name] = value
        elif name == "message":
            earlier = result[name] if isinstance(result[name], list) else [result[name]]
            result[name] = [*earlier, value]
        else:
            result[name] = value
    return result
