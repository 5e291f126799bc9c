"""What does a sensor remember from tick to tick?"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class SourceCursor(BaseModel):
    """Which sync of each source was seen last, by pipeline and source id.

    What a newer version wrote beside it is left out; a cursor of another format is unreadable.

    Example:
        ```python
        cursor, note = SourceCursor.read('{"format": 1, "synced": {"landing": {"raw__jfk": "2026-05-01"}}}')
        cursor.synced["landing"]  # {'raw__jfk': '2026-05-01'}
        ```
    """

    model_config = ConfigDict(extra="ignore")

    format: Literal[1] = 1
    synced: dict[str, dict[str, str]] = Field(default_factory=dict)
    next_pipeline: str | None = None

    @classmethod
    def read(cls, text: str | None) -> tuple["SourceCursor", str | None]:
        """The cursor that Dagster kept.

        Args:
            text: What `write` gave, or `None` before the first tick.

        Returns:
            The cursor, and why it starts anew where it does.
        """
        if not text:
            return cls(), None
        try:
            return cls.model_validate_json(text), None
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "its text"
            return cls(), f"the cursor could not be read ({where}) and starts anew"

    def write(self) -> str:
        """The cursor as Dagster keeps it."""
        return self.model_dump_json()
