"""What every benchmark says: rows of a table, shown as they come, and put into the document by a whole run."""

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
HEAD = "| what | what it stands against | measured | limit |\n| --- | --- | --- | --- |"
BEGAN, EXPECTED = "BENCH_BEGAN", "BENCH_EXPECTED"
"""In the environment of the parts of a whole run: when it began, and how many seconds it is thought to take."""
_OWN_START = time.time()


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        what: What was measured.
        floor: What it stands against.
        measured: What came out.
        limit: What it must reach.
        good: Whether it does; `None` where there is no limit.
    """

    what: str
    floor: str
    measured: str
    limit: str = ""
    good: bool | None = None

    def __str__(self) -> str:
        missed = " (missed)" if self.good is False else ""
        return f"| {self.what} | {self.floor} | {self.measured} | {self.limit}{missed} |"


def say(text: str) -> None:
    """A line at once, with the time since the start and, in a whole run, what is left of it."""
    spent = time.time() - float(os.environ.get(BEGAN, _OWN_START))
    left = float(os.environ.get(EXPECTED, "0")) - spent
    about = f", about {clock(left)} left" if left > 0 else ""
    sys.stdout.write(f"[{clock(spent)}{about}] {text}\n")
    sys.stdout.flush()


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def tell(section: str, rows: Iterable[Row], *, write: bool = False) -> int:
    """Shows the rows as they come, and writes them into the document's section at the end.

    Args:
        section: The name between the document's markers.
        rows: Measures while it is walked through.
        write: Whether to write.

    Returns:
        0 when every limit is kept, else 1.
    """
    found = []
    for row in rows:
        found.append(row)
        say(str(row))
    if write:
        replace(section, "\n".join([HEAD, *map(str, found)]))
    return int(any(row.good is False for row in found))


def replace(section: str, body: str) -> None:
    """Puts a text between the markers of a section of the document."""
    page = DOCS / "benchmarks.md"
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"docs/benchmarks.md has no markers {begin} and {end}")
    page.write_text(f"{before}{begin}\n{body}\n{end}{after}")
