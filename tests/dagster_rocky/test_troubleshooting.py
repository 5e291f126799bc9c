"""The page of symptoms keeps its word: the messages are those of the code, and what it names exists."""

import re
from pathlib import Path

import pytest

from dagster_rocky import RockyComponent

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in row.strip("|").split(" | ")] for row in PAGE.splitlines() if row[:3] == "| `"
]
OURS = [
    row[0].strip("` ") for row in ROWS
    if row[0].endswith("`") and "…" in row[0] and not row[0].startswith(("`No module", "`postgresql"))
]  # fmt: skip


def code() -> str:
    """Every module, with the strings that are wrapped over lines in one piece."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "src").rglob("*.py"))
    return re.sub(r'"\s*\n\s*f?"', "", text)


@pytest.mark.parametrize("message", OURS)
def test_a_message_is_the_codes_own(message: str):
    said = code()
    for piece in filter(None, (part.strip() for part in message.split("…"))):
        assert piece in said or re.search(re.escape(piece).replace("day", r"\{\w+\}"), said), piece


def test_the_page_is_about_something():
    assert len(OURS) >= 7
    assert all(len(row) == 3 for row in ROWS)


@pytest.mark.parametrize("field", ["allow_missing_binary", "binary_path", "pipelines", "filters", "models"])
def test_fields_exist(field: str):
    assert f"`{field}" in PAGE
    assert field in RockyComponent.model_fields
