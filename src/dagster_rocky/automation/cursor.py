"""What does a sensor remember from tick to tick?"""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT: Literal[1] = 1
NEVER_SEEN = ""
"""The last sync of a source of which none is known: it is remembered when it comes, and nothing is requested."""


class SourceCursor(BaseModel):
    """Which sync of each source was seen last, by pipeline and source id.

    A cursor of another format, older or newer, is read as far as it says the same; what cannot be read is left out, and
    its sources are remembered anew.

    Example:
        ```python
        cursor, note = SourceCursor.read('{"format": 1, "synced": {"landing": {"raw__jfk": "2026-05-01"}}}')
        cursor.synced["landing"]  # {'raw__jfk': '2026-05-01'}
        ```
    """

    model_config = ConfigDict(extra="ignore")

    format: Literal[1] = FORMAT
    synced: dict[str, dict[str, str]] = Field(default_factory=dict)
    next_pipeline: str | None = None

    @classmethod
    def read(cls, text: str | None) -> tuple["SourceCursor", str | None]:
        """The cursor that Dagster kept.

        Args:
            text: What `write` gave, in this version or another, or `None` before the first tick.

        Returns:
            The cursor, and what of it is lost: a part, or all, so that it starts anew.
        """
        if not text:
            return cls(), None
        try:
            kept = json.loads(text)
        except ValueError:
            kept = None
        synced, lost = _synced(kept)
        if synced is None:
            return cls(), f"the cursor could not be read ({lost}) and starts anew"
        following = kept.get("next_pipeline")
        read = cls(synced=synced, next_pipeline=following if isinstance(following, str) else None)
        written = kept.get("format", FORMAT)
        if not lost:
            return read, None if written == FORMAT else f"the cursor was of format {written!r}, and is read"
        return read, f"{lost} of the cursor could not be read, and are remembered anew"

    def write(self) -> str:
        """The cursor as Dagster keeps it."""
        return self.model_dump_json()


def _synced(kept: Any) -> tuple[dict[str, dict[str, str]] | None, str]:
    """The syncs that a cursor holds, and what of them cannot be read; `None` where there are none to read."""
    if not isinstance(kept, dict):
        return None, "its text"
    written = kept.get("synced", None if "format" in kept and kept["format"] != FORMAT else {})
    if not isinstance(written, dict):
        return None, "synced"
    found: dict[str, dict[str, str]] = {}
    lost = 0
    for pipeline, sources in written.items():
        if not isinstance(sources, dict):
            lost += 1
            continue
        known = {source: at for source, at in sources.items() if isinstance(at, str)}
        found[pipeline] = {**dict.fromkeys(sources, NEVER_SEEN), **known}
        lost += len(sources) - len(known)
    return found, f"{lost} entries" if lost else ""
