"""Draw the example project's asset graph as `docs/graph.svg`, from what `dg list defs` says of it.

    python docs/draw_graph.py

Left to right: every asset stands right of all that it reads. The frame's colour is the component's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "example_project"
PICTURE = ROOT / "docs" / "graph.svg"

COLOURS = {"landing": "#2563eb", "marts": "#7c3aed", "daily": "#c2410c"}
BOX = (214, 40)
GAP = (64, 12)
MARGIN = 16
LEGEND = 40


@dataclass(frozen=True)
class Node:
    """One asset of the graph: its key, what it reads, and the component's folder as its group."""

    key: str
    deps: tuple[str, ...]
    group: str


def read_graph() -> dict[str, Node]:
    """The assets of the example project, as `dg` lists them.

    Raises:
        SystemExit: When `dg list defs` fails; its own words are shown.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["dg", "list", "defs", "--json"],
        cwd=PROJECT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"docs: `dg list defs` failed in {PROJECT}; run `make seed` first.\n{done.stderr}")
    listed = json.loads(done.stdout[done.stdout.index("{") :])["assets"]
    nodes = {
        a["asset_key"]: Node(a["asset_key"], tuple(a["dependency_keys"]), a["group_name"]) for a in listed
    }
    return {
        key: Node(key, tuple(d for d in node.deps if d in nodes), node.group) for key, node in nodes.items()
    }


def columns_of(nodes: Mapping[str, Node]) -> list[list[str]]:
    """The keys by column; within one, those that read the same things are near each other."""
    depth: dict[str, int] = {}

    def depth_of(key: str) -> int:
        if key not in depth:
            depth[key] = max((depth_of(dep) + 1 for dep in nodes[key].deps), default=0)
        return depth[key]

    columns: list[list[str]] = [[] for _ in range(max(map(depth_of, nodes)) + 1)]
    for key in sorted(nodes):
        readers = [depth_of(other) for other, node in nodes.items() if key in node.deps]
        columns[min(readers) - 1 if readers else depth_of(key)].append(key)
    place: dict[str, float] = {}

    def middle(key: str) -> tuple[float, str, str]:
        above = [place[dep] for dep in nodes[key].deps if dep in place]
        readers = sorted(other for other, node in nodes.items() if key in node.deps)
        return (sum(above) / len(above) if above else 0.0, readers[0] if readers else "", key)

    for column in columns:
        column.sort(key=middle)
        place.update({key: index / len(column) for index, key in enumerate(column)})
    return columns


def positions_of(columns: Sequence[Sequence[str]]) -> tuple[dict[str, tuple[float, float]], float, float]:
    """Where each box's top left corner is, and the picture's width and height in pixels."""
    rows = max(len(column) for column in columns)
    height = rows * (BOX[1] + GAP[1])
    corners = {}
    for x, column in enumerate(columns):
        top = MARGIN + LEGEND + (height - len(column) * (BOX[1] + GAP[1])) / 2
        for y, key in enumerate(column):
            corners[key] = (MARGIN + x * (BOX[0] + GAP[0]), top + y * (BOX[1] + GAP[1]))
    width = 2 * MARGIN + len(columns) * (BOX[0] + GAP[0]) - GAP[0]
    return corners, width, 2 * MARGIN + LEGEND + height


def modes() -> dict[str, str]:
    """The mode of each component, from its YAML."""
    files = sorted(PROJECT.glob("nyc_flights/defs/*/defs.yaml"))
    return {file.parent.name: yaml.safe_load(file.read_text())["attributes"]["mode"] for file in files}


def draw(nodes: Mapping[str, Node]) -> str:
    """The graph as an SVG document."""
    corners, width, height = positions_of(columns_of(nodes))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="ui-sans-serif, system-ui, sans-serif">',
        '<rect width="100%" height="100%" rx="8" fill="#ffffff"/>',
    ]
    x = MARGIN
    for group, mode in modes().items():
        colour = COLOURS.get(group, "#334155")
        parts.append(f'<rect x="{x}" y="{MARGIN}" width="12" height="12" rx="3" fill="{colour}"/>')
        label = f"defs/{group}/defs.yaml, mode: {mode}"
        parts.append(f'<text x="{x + 18}" y="{MARGIN + 11}" font-size="12" fill="#334155">{label}</text>')
        x += 18 + 7 * len(label) + 24
    for key, node in nodes.items():
        for dep in node.deps:
            (x1, y1), (x2, y2) = corners[dep], corners[key]
            x1, y1, y2 = x1 + BOX[0], y1 + BOX[1] / 2, y2 + BOX[1] / 2
            bend = (x2 - x1) / 2
            parts.append(
                f'<path d="M{x1:.0f} {y1:.0f} C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} '
                f'{x2:.0f} {y2:.0f}" fill="none" stroke="#94a3b8" stroke-width="1.2"/>'
            )
    for key, (x, y) in corners.items():
        colour = COLOURS.get(nodes[key].group, "#334155")
        *above, name = key.split("/")
        parts.append(
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{BOX[0]}" height="{BOX[1]}" rx="6" fill="#ffffff" '
            f'stroke="{colour}" stroke-width="1.5"/>'
            f'<text x="{x + 10:.0f}" y="{y + 15:.0f}" font-size="10" fill="#64748b">'
            f"{escape(' / '.join(above))}</text>"
            f'<text x="{x + 10:.0f}" y="{y + 31:.0f}" font-size="13" fill="#0f172a">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(draw(read_graph()))
    sys.stdout.write(f"docs: wrote {PICTURE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
