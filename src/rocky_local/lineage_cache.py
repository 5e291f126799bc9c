"""Remembering the lineage of queries between invocations, so that unchanged ones are not parsed again.

The file lives in `.rocky/`, beside traces and plans. Losing it costs time only.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from rocky_local import __version__
from rocky_local.lineage import ColumnEdge, QueryLineage, analyse

_PATH = Path(".rocky", "lineage.json")
_FORMAT = f"{__version__}/1"
_KEPT = 5000


class LineageCache:
    """A dictionary of analysed queries; what was asked for is written back at the end of a `with` block.

    Example:
        >>> cache = LineageCache(Path("/nowhere/lineage.json"))
        >>> cache.analyse("SELECT t.a FROM s.t AS t").columns
        ['a']
    """

    def __init__(self, path: Path = _PATH) -> None:
        self._path = path
        self._known = _read(path)
        self._used: dict[str, dict[str, Any]] = {}
        self._learned = False

    def __enter__(self) -> LineageCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._learned and kind is None:
            self._write()

    def analyse(self, sql: str) -> QueryLineage:
        """Return the lineage of a query.

        Raises:
            LineageError: The query cannot be analysed; that is never remembered.
        """
        key = hashlib.sha256(sql.encode()).hexdigest()
        entry = self._known.get(key)
        if entry is None:
            entry = asdict(analyse(sql))
            self._learned = True
        self._used[key] = entry
        return QueryLineage(**{**entry, "edges": [ColumnEdge(**edge) for edge in entry["edges"]]})

    def _write(self) -> None:
        temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        older = {key: entry for key, entry in self._known.items() if key not in self._used}
        kept = dict([*older.items(), *self._used.items()][-_KEPT:])
        text = json.dumps({"format": _FORMAT, "queries": kept})
        try:
            self._path.parent.mkdir(exist_ok=True)
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self._path)
        except OSError:
            return  # A folder that cannot be written to: the next invocation parses again.


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    queries = stored.get("queries") if isinstance(stored, dict) and stored.get("format") == _FORMAT else None
    return queries if isinstance(queries, dict) else {}
