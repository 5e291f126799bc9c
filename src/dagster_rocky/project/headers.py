"""Which columns does a file of comma-separated values have? Its first line says, and no more of it is read."""

import codecs
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dagster_rocky.project.snapshot import Column

SEPARATED = {".csv", ".tsv"}
_MOST_BYTES = 64 * 1024
_MOST_COLUMNS = 2_000
_DELIMITERS = ",;\t|"
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def columns_of(path: Path, delimiter: str | None = None) -> list[Column]:
    r"""The columns that the header of a file names; their types are unknown.

    Args:
        path: A `.csv` or `.tsv` file.
        delimiter: What separates the values; `None` takes the usual one that is in the header most often.

    Returns:
        No columns for a file that cannot be read or has no header: whoever loads it says what is wrong with it.

    Example:
        ```python
        file = Path("bikes.csv")
        file.write_text("bike_id,city\n7,porto\n")
        [column.name for column in columns_of(file)]  # ['bike_id', 'city']
        ```
    """
    try:
        with path.open("rb") as file:
            start = file.read(_MOST_BYTES)
        names = _first_row(start, delimiter or ("\t" if path.suffix.lower() == ".tsv" else None))
    except (OSError, UnicodeError, csv.Error, TypeError):
        return []
    return [Column(name=name) for name in names] if _is_header(names) else []


def with_types(columns: Sequence[Column], types: Mapping[str, str]) -> list[Column]:
    """The columns with the types that the engine knows.

    Args:
        columns: Without types.
        types: By name in lower case.
    """
    return [replace(column, type=types.get(column.name.lower())) for column in columns]


def _first_row(start: bytes, delimiter: str | None) -> list[str]:
    """The values of the first row; none when it is longer than what was read."""
    is_whole = len(start) < _MOST_BYTES
    decoder = codecs.getincrementaldecoder(_MARKS.get(start[:2], "utf-8-sig"))()
    text = decoder.decode(start, final=is_whole)
    lines = io.StringIO(text, newline="")
    row = next(csv.reader(lines, delimiter=delimiter or _delimiter(text), strict=True), [])
    return [name.strip() for name in row] if is_whole or lines.read(1) else []


def _delimiter(text: str) -> str:
    """The most frequent one of the first line, outside of quotes; a comma where there is none."""
    line = "".join(text.split("\n", 1)[0].split('"')[::2])
    return max(_DELIMITERS, key=line.count)


def _is_header(names: list[str]) -> bool:
    """Whether these are names: each can be shown, none comes twice, and not all are numbers."""
    are_names = all(name and name.isprintable() for name in names) and not all(map(_is_number, names))
    return len(names) <= _MOST_COLUMNS and len({name.lower() for name in names}) == len(names) and are_names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
