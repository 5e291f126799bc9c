"""What was found out about queries, remembered between invocations so that unchanged ones are not parsed again.

The file lives in `.rocky/`, beside traces and plans. Losing it costs time only.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from rocky_local import side_files
from rocky_local.project.lineage import ColumnEdge, QueryLineage, analyse

_PATH = side_files.ROCKY / "lineage.json"
# What is remembered came from this code; other code may find out something else.
_CODE = (*sorted(Path(__file__).parents[1].glob("language/*.py")), Path(__file__).with_name("lineage.py"))
_KEPT = 5000


class QueryCache:
    """A dictionary of parsed queries; what was asked for is written back at the end of a `with` block.

    Example:
        >>> cache = QueryCache(Path("/nowhere/lineage.json"))
        >>> cache.analyse("SELECT t.a FROM s.t AS t").columns
        ['a']
    """

    def __init__(self, path: Path = _PATH) -> None:
        self._path = path
        self._learned = False

    @cached_property
    def _format(self) -> str:
        return hashlib.sha256(b"".join(path.read_bytes() for path in _CODE if path.exists())).hexdigest()

    @cached_property
    def _queries(self) -> dict[str, dict[str, Any]]:
        with suppress(OSError, ValueError, KeyError, TypeError):
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            if stored["format"] == self._format:
                return dict(stored["queries"])
        return {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self._learned or kind is not None:
            return
        kept = dict([*self._queries.items()][-_KEPT:])
        with suppress(OSError):  # A folder that cannot be written to: the next invocation parses again.
            side_files.replace(self._path, json.dumps({"format": self._format, "queries": kept}))

    def analyse(self, sql: str) -> QueryLineage:
        """Return the lineage of a query; one that cannot be analysed is never remembered."""
        entry = self._remembered("analyse", sql, lambda: analyse(sql)._asdict())
        return QueryLineage(**{**entry, "edges": [ColumnEdge(*edge) for edge in entry["edges"]]})

    def lower(self, source: str) -> str:
        """Return the SQL of a text in the pipeline language; an error is never remembered."""

        def lowered() -> dict[str, Any]:
            from rocky_local.language import to_sql  # noqa: PLC0415

            return {"sql": to_sql(source)}

        return str(self._remembered("lower", source, lowered)["sql"])

    def _remembered(self, what: str, text: str, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        key = hashlib.sha256(f"{what} {text}".encode()).hexdigest()
        entry = self._queries.pop(key, None)
        if entry is None:
            entry = find()
            self._learned = True
        self._queries[key] = entry  # What was asked for last is at the end and is kept longest.
        return entry
