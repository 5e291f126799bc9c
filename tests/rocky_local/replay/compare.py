"""Compare a replayed outcome with the recorded one, part by part, after masking."""

from __future__ import annotations

import difflib
import json
import re
from datetime import date
from itertools import groupby
from typing import Any

from .cases import Outcome
from .masking import Mask, Pairs

_NUMBER = re.compile(r": -?\d[\d.e+-]*")
RECORDED_ON = date(2026, 11, 23)
# Tables of the slow projects, which are replayed with fewer rows.
_LIGHTENED = {"grain", "a_quick", "m_heavy"}
_HUMAN = re.compile(r"(\x1b\[2m)?\d{4}-\d\d-\d\dT")
_WRAPPED = re.compile(r"failed|skipping")
_LAYER = '["message", "executing DAG layer"]'
_PLAN = re.compile(r"[0-9a-f]{64}")
# Traces, the catalogue that only the real engine writes, what ours remembers of queries, journals of the databases.
_OWN = re.compile(r"/traces/|/catalog/|\.rocky/lineage\.json$|[.-]wal$|-shm$|^pipes-messages$")
# What hooks hear of tables that are copied side by side, and of the checks on them.
_CONCURRENT_EVENTS = {
    "before_materialize": "copies",
    "after_materialize": "copies",
    "materialize_error": "copies",
    "drift_detected": "copies",
    "check_result": "checks",
}
_END_OF_A_TABLE = re.compile(r'\["event", "(after_materialize|materialize_error)"\]')
_HOOK_OF_A_TABLE = re.compile(
    r'"hook completed successfully".*"on_(\w+_materialize|materialize_error|drift_detected)"'
)
_STEP = re.compile(r'\["(?:rocky\.model\.fqn|node)", "([^"]+)"\]')
# Lists whose order depends on which table finished first.
_CONCURRENT_LISTS = {
    "materializations",
    "check_results",
    "errors",
    "anomalies",
    "actions_taken",
    "nodes",
    "per_model",
    "runs",
}
# Lines that concurrent tasks write: their order among themselves says nothing.
_CONCURRENT_LINES = {
    "copying data",
    "custom check query failed",
    "null_rate query failed — skipping",
    "per-table freshness check failed",
    "assertion query failed",
    "table processing failed",
    "retry also failed",
    "table_override rule matched zero tables",
}


def compare(recorded: Outcome, replayed: Outcome, *, root: str, ran_on: date) -> dict[str, str]:
    """Compare two outcomes.

    Returns:
        A readable difference for each part that differs; empty when the two are the same.
    """
    theirs, ours = Mask(RECORDED_ON, "/project"), Mask(ran_on, root)
    parts = {
        "exit_code": ([str(recorded.exit_code)], [str(replayed.exit_code)]),
        "stdout": (_stdout(recorded.stdout, theirs), _stdout(replayed.stdout, ours)),
        "stderr": (_stderr(recorded.stderr, theirs), _stderr(replayed.stderr, ours)),
    }
    if recorded.messages is not None:
        parts["messages"] = (
            _messages(recorded.messages, theirs),
            _messages(replayed.messages or [], ours),
        )
    if recorded.hooks is not None:
        parts["hooks"] = (_hooks(recorded.hooks, theirs), _hooks(replayed.hooks or "", ours))
        parts["hooks"][1][:] = _without_dropped(*parts["hooks"])
    if recorded.tables is not None:
        parts["tables"] = (_tables(recorded.tables), _tables(replayed.tables or []))
    return {
        part: "\n".join(difflib.unified_diff(left, right, "recorded", "replayed", lineterm="", n=2))
        for part, (left, right) in parts.items()
        if left != right
    }


def compare_files(recorded: list[str], replayed: list[str]) -> str:
    """Compare the files in the work directory, but for those that only one of the engines has by its nature."""
    mask = Mask(RECORDED_ON, "/project")
    shown = [
        sorted({mask.text(_PLAN.sub("<plan>", name)) for name in names if not _OWN.search(name)})
        for names in (recorded, replayed)
    ]
    return "\n".join(difflib.unified_diff(*shown, "recorded", "replayed", lineterm="", n=0))


def _load(text: str) -> Any:
    return json.loads(text, object_pairs_hook=Pairs)


def _render(value: Any, indent: str = "") -> str:
    """JSON-like text that keeps the order of keys and their repetitions."""
    inner = indent + "  "
    if isinstance(value, Pairs):
        body = "".join(f"\n{inner}{json.dumps(k)}: {_render(v, inner)}" for k, v in value)
        return f"{{{body}\n{indent}}}"
    if isinstance(value, list):
        body = "".join(f"\n{inner}{_render(v, inner)}" for v in value)
        return f"[{body}\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def _order_concurrent(value: Any, key: str = "") -> Any:
    if isinstance(value, Pairs):
        return Pairs((k, _order_concurrent(v, k)) for k, v in value)
    if isinstance(value, list):
        items = [_order_concurrent(item, key) for item in value]
        executed = key == "models" and all(isinstance(item, Pairs) and item.get("status") for item in items)
        return sorted(items, key=_render) if executed or key in _CONCURRENT_LISTS else items
    return value


def _free_overlaps(value: Pairs) -> Pairs:
    """Take checks across sources from the table that happened to be copied first among those they are about."""
    results = value.get("check_results")
    for entry in list(results or ()):
        across = [check for check in entry.get("checks") if check.get("contributing_tables")]
        results += [Pairs([("asset_key", "<one of them>"), ("checks", [check])]) for check in across]
        for check in across:
            entry.get("checks").remove(check)
    return value


def _stdout(text: str, mask: Mask) -> list[str]:
    lines = text.splitlines()
    start = lines.index("{") if "{" in lines else len(lines)
    before, rest = lines[:start], "\n".join(lines[start:])
    shown = [" ".join(mask.text(line).split()) for line in before]
    if not rest:
        return shown
    try:
        value = _load(rest)
    except json.JSONDecodeError as error:
        return [*shown, f"not JSON: {error}", *rest.splitlines()]
    plain = _NUMBER.sub(": 0", rest)
    pretty = json.dumps(json.loads(plain), indent=2, ensure_ascii=False) == plain
    return [
        *shown,
        *_render(_order_concurrent(_free_overlaps(mask.value(value)))).splitlines(),
        f"two spaces: {pretty}",
    ]


def _tracing_line(text: str, mask: Mask) -> tuple[str, str] | None:
    """The masked line and its message, or None when it is not a tracing line."""
    if not text.startswith('{"timestamp"'):
        return None
    try:
        record = _load(text)
    except json.JSONDecodeError:
        return None
    message = next((v for k, v in record.get("fields") or [] if k == "message"), "")
    return json.dumps(mask.value(record), ensure_ascii=False), str(message)


def _entries(text: str) -> list[str]:
    """Split stderr into lines; what follows a log line for people on further lines belongs to it."""
    found: list[str] = []
    for line in text.splitlines():
        continues = (
            found and _HUMAN.match(found[-1]) and not _HUMAN.match(line) and _WRAPPED.search(found[-1])
        )
        if continues:
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


def _stderr(text: str, mask: Mask) -> list[str]:
    lines: list[tuple[bool, str]] = []
    for raw in _entries(text):
        if _HOOK_OF_A_TABLE.search(raw):
            continue
        parsed = _tracing_line(raw, mask)
        if parsed is None:
            beside = _HUMAN.match(raw) and any(message in raw for message in _CONCURRENT_LINES)
            lines.append((bool(beside), " ".join(mask.text(raw).split())))
        else:
            lines.append((parsed[1] in _CONCURRENT_LINES, parsed[0]))
    result: list[str] = []
    lines = _order_steps(lines)
    for concurrent, group in groupby(lines, key=lambda entry: entry[0]):
        shown = [line for _, line in group]
        result += sorted(shown) if concurrent else shown
    return result


def _order_steps(lines: list[tuple[bool, str]]) -> list[tuple[bool, str]]:
    """Put the steps of one layer of a graph, which run side by side, in the order of their names."""
    ordered: list[tuple[bool, str]] = []
    layer: list[tuple[str, tuple[bool, str]]] = []
    for line in [*lines, (False, "")]:
        found = _STEP.search(line[1])
        ends = _LAYER in line[1] or line[1].startswith(("Error:", "DAG run:")) or not line[1]
        if ends:
            ordered += [entry for _, entry in sorted(layer, key=lambda entry: entry[0])]
            ordered.append(line)
            layer = []
        else:
            layer.append((found[1] if found else layer[-1][0] if layer else "", line))
    return ordered[:-1]


def _messages(lines: list[str], mask: Mask) -> list[str]:
    """Messages as a multiset: an engine may write each of them as it happens or all at its end."""
    shown = []
    for line in lines:
        compact = json.dumps(json.loads(line), separators=(",", ":"), ensure_ascii=False) == line
        message = mask.value(_load(line))
        if ((message.get("params") or Pairs()).get("metadata") or Pairs()).get("contributing_tables"):
            message.get("params").remove(("asset_key", message.get("params").get("asset_key")))
        shown.append(json.dumps([message, compact], ensure_ascii=False))
    return sorted(shown)


def _hooks(text: str, mask: Mask) -> list[str]:
    """What the hooks were told, one object after the other; those on tables side by side have no order."""
    told: list[Pairs] = []
    decoder, rest = json.JSONDecoder(object_pairs_hook=Pairs), text.lstrip()
    while rest:
        event, end = decoder.raw_decode(rest)
        pretty = json.dumps(json.loads(rest[:end]), indent=2, ensure_ascii=False) == rest[:end]
        event.append(("pretty", pretty))
        told.append(Pairs((k, Pairs(sorted(v)) if k == "metadata" else v) for k, v in mask.value(event)))
        rest = rest[end:].lstrip()
    result: list[str] = []
    for kind, group in groupby(told, key=lambda event: _CONCURRENT_EVENTS.get(event.get("event"), "")):
        shown = [json.dumps(event, ensure_ascii=False) for event in group]
        result += sorted(shown) if kind else shown
    return result


def _without_dropped(recorded: list[str], replayed: list[str]) -> list[str]:
    """Leave out the ends of tables that the real engine does not tell its hooks, but not those that it does."""
    return [line for line in replayed if line in recorded or not _END_OF_A_TABLE.search(line)]


def _tables(tables: list[dict[str, Any]]) -> list[str]:
    shown = [{**table, "rows": "<fewer>"} if table["table"] in _LIGHTENED else table for table in tables]
    return sorted(json.dumps(table, sort_keys=True, default=str) for table in shown)
