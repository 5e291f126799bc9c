"""Mask what differs between two runs of the same command: clocks, durations, ids, places."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

NEAR_DAYS = 40
_DATE = re.compile(
    r"(?<![\d.])(\d{4})-(\d\d)(?:-(\d\d))?((?:[T ]\d\d(?::?\d\d){0,2}(?:\.\d+)?)?(?:Z|\+00:00| UTC)?)"
)
_VARYING_NUMBERS = re.compile(
    r"(_ms|^lag_seconds|^pid|^actual$|^mean|^std_dev|^latest_z_score|^compute_cost_per_run)$"
)
_VARYING_STRINGS = {"sql_hash", "recipe_identity", "plan_id", "hostname", "session_id"}
_UNORDERED_STRINGS = {"missing", "contributing_tables"}
# The state file of rocky-local has a name of its own.
_OWN_STATE = re.compile(r"\.local\.sqlite\b")
_DIGIT = re.compile(r"[0-9]")
# Each of them looks for something with digits.
_TEXT_RULES = [
    (re.compile(r"run-apply-[0-9a-f-]{36}"), "<run-apply>"),
    (re.compile(r"run-20(?!000101)\d{6}-\d{6}-\d{3}"), "<run>"),
    (re.compile(r"\b(transform|load|quality|snapshot|dag|seed)-20\d{6}-\d{6}-\d{3}"), "<run>"),
    (re.compile(r"\b(?!0{64})[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"(held in )\S+( \(PID )\d+\)"), r"\1<exe>\2<pid>)"),
    (re.compile(r"\b\d+(\.\d+)?\s?(ms|µs)\b"), "<duration>"),
    (re.compile(r"(_ms(?:\x1b\[\d+m)*=(?:\x1b\[\d+m)*)\d+"), r"\1<n>"),
    (re.compile(r"\bactual \d+ >"), "actual <n> >"),
    (re.compile(r"\bin \d+(\.\d+)?s\b"), "in <duration>"),
    (re.compile(r"(fast execution) \(\d+\.\d+s\)"), r"\1 (<duration>)"),
    (re.compile(r"'[0-9a-f]{16}'"), "'<snapshot>'"),
    (re.compile(r"\$\d+\.\d+"), "<dollars>"),
    (re.compile(r"\(PID \d+\)|\(pid \d+\)"), "(PID <pid>)"),
]


class Mask:
    """Masks the outputs of one process.

    Args:
        today: the day on which the process ran; dates near it come from the clock.
        root: the work directory of the process; it is shown as `/project`.
    """

    def __init__(self, today: date, root: str) -> None:
        self._today = today
        self._root = root

    def text(self, text: str) -> str:
        """Mask one string."""
        if self._root != "/project":
            text = text.replace(self._root, "/project")
        text = _OWN_STATE.sub(".redb", text)
        if not _DIGIT.search(text):
            return text
        for pattern, replacement in _TEXT_RULES:
            text = pattern.sub(replacement, text)
        return _DATE.sub(self._date, text)

    def _date(self, match: re.Match[str]) -> str:
        year, month, day, rest = match.groups()
        try:
            found = date(int(year), int(month), int(day or self._today.day % 28 or 1))
        except ValueError:
            return match.group()
        if abs((found - self._today).days) > NEAR_DAYS:
            return match.group()
        return "<near day>" if day and not rest else "<near month>" if not day else "<near time>"

    def value(self, value: Any, key: str = "") -> Any:
        """Mask a JSON value whose objects are lists of pairs (`pairs`); keeps the order of keys."""
        if isinstance(value, Pairs):
            return Pairs((k, self.value(v, k)) for k, v in value)
        if isinstance(value, list):
            items = [self.value(item, key) for item in value]
            return sorted(items) if key in _UNORDERED_STRINGS else items
        if isinstance(value, str):
            return "<varies>" if key in _VARYING_STRINGS else self.text(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and _VARYING_NUMBERS.search(key):
            return "<n>"
        return value


class Pairs(list[Any]):
    """A JSON object as its pairs, in the order in which they were printed, duplicates kept."""

    def get(self, key: str) -> Any:
        """The last value of a key, or None."""
        return next((v for k, v in reversed(self) if k == key), None)
