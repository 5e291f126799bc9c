"""Draw the rooms of `dagster_rocky` as `docs/rooms.svg`, in the order in which they may know each other.

    python docs/draw_rooms.py

`ROOMS` is also what the tests hold the imports against: a room may import from those that stand before it.
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

PICTURE = Path(__file__).resolve().parent / "rooms.svg"


@dataclass(frozen=True)
class Room:
    """A module or package below `dagster_rocky`: the question it answers, and the row that it is drawn in."""

    name: str
    question: str
    row: str


ROWS = {
    "shared": "what all of them know",
    "engine": "the engine",
    "project": "load time",
    "run": "run time",
    "concern": "one concern each",
    "entrance": "what a person writes",
}

ROOMS = [
    Room("installation", "Is it alone in its folder?", "shared"),
    Room("vocabulary", "Which words are shared by all?", "shared"),
    Room("results", "What does the engine's JSON mean?", "shared"),
    Room("partitions", "Engine keys and Dagster keys?", "shared"),
    Room("_dagster", "What of Dagster is private?", "shared"),
    Room("accepting", "What is kept where Dagster refuses?", "shared"),
    Room("engine", "How is one engine process run?", "engine"),
    Room("yaml", "What may the YAML say?", "entrance"),
    Room("project", "What did the engine say of it?", "project"),
    Room("translator", "What is it called in Dagster?", "project"),
    Room("graph", "What exists?", "project"),
    Room("planning", "What has to run?", "run"),
    Room("step", "What happened?", "run"),
    Room("resource", "How is it used from Python?", "entrance"),
    Room("automation", "What starts runs by itself?", "concern"),
    Room("health", "Is the engine fit to run?", "concern"),
    Room("deployment", "Where does a branch write?", "concern"),
    Room("observability", "History, advice, rules?", "concern"),
    Room("previewing", "What would a selection run?", "concern"),
    Room("yaml.scaffolding", "What does a new project get?", "entrance"),
    Room("component", "What does a defs.yaml make?", "entrance"),
    Room("standalone", "And a component in Python?", "entrance"),
    Room("checking", "Is every defs.yaml right?", "entrance"),
    Room("project_preview", "What would it run in a project?", "entrance"),
    Room("__main__", "Which commands are there?", "entrance"),
]

BOX = (250, 56)
GAP = (16, 40)
MARGIN = 20
LABEL = 150
COLOURS = {
    "shared": "#64748b",
    "engine": "#c2410c",
    "project": "#2563eb",
    "run": "#7c3aed",
    "entrance": "#0f766e",
    "concern": "#b45309",
}
STYLE = """text { font-family: ui-sans-serif, system-ui, sans-serif; fill: #1f2937 }
.name { font-size: 15px; font-weight: 600 }
.question { font-size: 12px }
.row { font-size: 13px; font-style: italic }
.box { fill: #ffffff; stroke-width: 1.5 }
.paper { fill: #ffffff }
.order { stroke: #9ca3af; stroke-width: 1.5; fill: none }
.tip { fill: #9ca3af }
@media (prefers-color-scheme: dark) {
text { fill: #e5e7eb }
.box { fill: #111827 }
.paper { fill: #0d1117 }
}"""


def draw() -> str:
    """The picture: a row for each part of the house, entrances on top, every arrow an import that is allowed."""
    rows = ["entrance", "concern", "run", "project", "engine", "shared"]
    widest = max(sum(room.row == row for room in ROOMS) for row in rows)
    width = 2 * MARGIN + LABEL + widest * (BOX[0] + GAP[0]) - GAP[0]
    height = 2 * MARGIN + len(rows) * (BOX[1] + GAP[1]) - GAP[1]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-label="The rooms of dagster_rocky, each above those that it may import from">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
    ]
    for number, row in enumerate(rows):
        y = MARGIN + number * (BOX[1] + GAP[1])
        parts.append(f'<text class="row" x="{MARGIN}" y="{y + BOX[1] // 2 + 4}">{escape(ROWS[row])}</text>')
        if number:
            x, top, tip = MARGIN + LABEL + BOX[0] // 2, y - GAP[1] + 6, y - 10
            parts.append(f'<path class="order" d="M{x} {top}V{tip}"/>')
            parts.append(f'<path class="tip" d="M{x - 5} {tip}h10l-5 7z"/>')
        for column, room in enumerate(room for room in ROOMS if room.row == row):
            x = MARGIN + LABEL + column * (BOX[0] + GAP[0])
            parts += [
                f'<rect class="box" x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="6" '
                f'stroke="{COLOURS[row]}"/>',
                f'<text class="name" x="{x + 14}" y="{y + 24}">{escape(room.name)}</text>',
                f'<text class="question" x="{x + 14}" y="{y + 43}">{escape(room.question)}</text>',
            ]
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
