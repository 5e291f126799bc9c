"""Write `docs/troubleshooting.md` from the catalogue of messages, `docs/messages.toml`.

python docs/write_troubleshooting.py
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "docs" / "messages.toml"
REFERENCE = ROOT / "docs" / "troubleshooting.md"
VARIES = "{…}"
OPENING = """# What you see, why, and what to do

The words in code are the beginnings of the messages themselves; `…` stands for what differs: search this page for words
that do not. Those about a value of the YAML name file, line, field and what would be right, and are not repeated here:
`python -m dagster_rocky check` shows them for every file at once.

`make docs` writes this page from `docs/messages.toml`.
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A message or a symptom; the catalogue's first lines say what its parts are."""

    theme: str
    why: str
    do: str
    message: str | None = None
    symptom: str | None = None
    where: tuple[str, ...] = ()
    recorded: bool = False

    @property
    def seen(self) -> str:
        """What a person sees, as Markdown."""
        if self.message is None:
            return self.symptom or ""
        text = self.message.strip().replace("\n", " ").replace(VARIES, "…")
        text = re.sub(r"\s+", " ", text).rstrip(":;,.")
        return f"`` {text} ``" if "`" in text else f"`{text}`"

    def fits(self, text: str) -> bool:
        """Whether a message begins as this one."""
        if self.message is None:
            return False
        pieces = [re.escape(piece) for piece in self.message.split(VARIES)]
        return re.match(".*?".join(pieces), text, flags=re.DOTALL) is not None


def entries() -> list[Entry]:
    """Everything that the catalogue lists."""
    with CATALOGUE.open("rb") as file:
        listed = tomllib.load(file)["entry"]
    return [Entry(**{**entry, "where": tuple(entry.get("where", ()))}) for entry in listed]


def left_out() -> dict[str, str]:
    """Places whose errors are not listed, as patterns, with the reason."""
    with CATALOGUE.open("rb") as file:
        return dict(tomllib.load(file)["left_out"])


def lines(found: list[Entry]) -> Iterator[str]:
    """The tables, a heading for each theme."""
    for theme, together in groupby(found, key=lambda entry: entry.theme):
        yield f"\n## {theme}\n"
        yield "| what you see | why | what to do |\n| --- | --- | --- |"
        for entry in together:
            yield f"| {entry.seen} | {entry.why} | {entry.do} |"


def reference() -> str:
    """The whole page as Markdown."""
    return OPENING + "\n".join(lines(entries())) + "\n"


def main() -> None:
    """Write the page."""
    REFERENCE.write_text(reference(), encoding="utf-8")
    sys.stdout.write(f"docs: wrote {REFERENCE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
