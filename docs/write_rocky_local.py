"""Write `docs/rocky_local.md`, what the embedded engine does and leaves out, from its own table.

python docs/write_rocky_local.py
"""

from pathlib import Path

from rocky_local.support import table

PAGE = Path(__file__).resolve().parent / "rocky_local.md"
OPENING = """# What `rocky-local` does

`make docs` writes this page from `rocky_local.support`; `rocky-local doctor --check support` says the same.
What is accepted and ignored is said once in each run, as a WARN with file and line. What is left to the real `rocky`
ends the command that needs it with one line that says so.

Its state is `.rocky-state.local.sqlite`, in the folder where the real engine has its `.rocky-state.redb`, so both
live in one project. Neither reads the other's: the first run after a switch copies incremental tables anew, and
rocky-local never appends rows that are older than what a copy holds already. The real engine goes by its own state
alone: go back to it with a `full_refresh` of the tables that rocky-local has appended to since.
"""


def page() -> str:
    """The text of the page."""
    parts = [OPENING]
    for title, lines in table().items():
        parts.append(f"## {title}\n")
        for name, remark in lines.items():
            shown = name if " " in name else f"`{name}`"
            parts.append(f"- {shown}{': ' + remark if remark else ''}")
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
