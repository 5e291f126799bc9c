"""Draws a picture of measured curves, as SVG: sizes to the right, what was measured upwards, both logarithmic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, GAP = 360, 250, 60, 46, 44, 40
COLOURS = ("#0f766e", "#94a3b8", "#7c3aed", "#c2a5f5")
STYLE = """text { font-family: ui-sans-serif, system-ui, sans-serif; font-size: 12px; fill: #1f2937 }
.title { font-size: 14px; font-weight: 600 }
.paper { fill: #ffffff }
.grid { stroke: #e5e7eb }
@media (prefers-color-scheme: dark) {
text { fill: #e5e7eb }
.paper { fill: #0d1117 }
.grid { stroke: #374151 }
}"""


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    Attributes:
        title: What is measured, with its unit.
        curves: By name, what was measured by size.
    """

    title: str
    curves: Mapping[str, Mapping[int, float]]


def draw(panels: Sequence[Panel], label: str) -> str:
    """The picture of several panels side by side."""
    width = len(panels) * (LEFT + WIDTH + GAP)
    height = TOP + HEIGHT + BOTTOM + 20 * max(len(panel.curves) for panel in panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(label)}">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
    ]
    for number, panel in enumerate(panels):
        parts += [f'<g transform="translate({number * (LEFT + WIDTH + GAP)} 0)">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel) -> list[str]:
    sizes = sorted({size for curve in panel.curves.values() for size in curve})
    values = [value for curve in panel.curves.values() for value in curve.values()]
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    high = max(high, low + 1)
    first, last = log10(sizes[0]), log10(sizes[-1])

    def x(size: float) -> float:
        return LEFT + WIDTH * ((log10(size) - first) / (last - first or 1))

    def y(value: float) -> float:
        return TOP + HEIGHT * (1 - (log10(value) - low) / (high - low))

    parts = [f'<text class="title" x="{LEFT}" y="24">{escape(panel.title)}</text>']
    for power in range(low, high + 1):
        at = y(10.0**power)
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}h{WIDTH}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
    for size in sizes:
        parts.append(f'<path class="grid" d="M{x(size):.1f} {TOP}v{HEIGHT}"/>')
        parts.append(f'<text x="{x(size):.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{size:,}</text>')
    for number, (name, curve) in enumerate(panel.curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [(x(size), y(value)) for size, value in sorted(curve.items())]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in points]
        below = TOP + HEIGHT + 40 + 20 * number
        parts.append(f'<path d="M{LEFT} {below - 4}h22" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{LEFT + 30}" y="{below}">{escape(name)}</text>')
    return parts
