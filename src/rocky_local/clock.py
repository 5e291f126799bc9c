"""Times as the engine writes them: UTC, to the nanosecond, no more digits than needed."""

import time
from datetime import UTC, datetime, timedelta

now_ns = time.time_ns
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def since_ms(started_ns: int) -> int:
    """Return whole milliseconds since a moment."""
    return (now_ns() - started_ns) // 1_000_000


def utc(ns: int) -> datetime:
    """Return nanoseconds since 1970 as an aware datetime, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def rfc3339(ns: int, zone: str = "Z") -> str:
    """Return a time as text, with 0, 3, 6 or 9 decimals.

    Example:
        >>> rfc3339(1_500_000_000)
        '1970-01-01T00:00:01.500Z'
        >>> rfc3339(0, "+00:00")
        '1970-01-01T00:00:00+00:00'
    """
    fraction = f"{ns % 1_000_000_000:09d}"
    digits = next(digits for digits in (0, 3, 6, 9) if set(fraction[digits:]) <= {"0"})
    return utc(ns).strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction[:digits]}" if digits else "") + zone


def run_id(ns: int) -> str:
    """Return the id of a run that starts at this time, for example `run-20261123-051813-645`."""
    return utc(ns).strftime("run-%Y%m%d-%H%M%S-") + f"{ns // 1_000_000 % 1000:03d}"
