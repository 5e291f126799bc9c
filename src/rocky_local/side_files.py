"""Files in `.rocky/`, beside the project: traces, plans, what is remembered of queries."""

import os
from pathlib import Path

ROCKY = Path(".rocky")


def made(folder: Path) -> Path:
    """Return a folder in `.rocky`, which is made when missing and hidden from git."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = ROCKY / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return folder


def replace(path: Path, text: str) -> None:
    """Write a file so that nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
