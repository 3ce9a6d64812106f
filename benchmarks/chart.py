"""Curves as an SVG: one panel per question, a line per workload, both axes from the data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

Curve = Mapping[str, float]
"""Size, as JSON has it, to cost."""

PANEL_WIDTH, HEIGHT = 280, 240
LEFT, TOP, BOTTOM, RIGHT = 40, 44, 40, 24
COLOURS = ("#1f77b4", "#d62728")
INK, GRID = "#333333", "#dddddd"


def panel(title: str, lines: Mapping[str, Curve], offset: int) -> list[str]:
    """One panel: the sizes at powers of two or ten, on a logarithmic axis; cost from zero."""
    sizes = sorted({float(size) for curve in lines.values() for size in curve})
    most = max(cost for curve in lines.values() for cost in curve.values()) * 1.1
    across, up = PANEL_WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    widest = math.log(sizes[-1]) or 1.0

    def place(size: float, cost: float) -> tuple[float, float]:
        x = offset + LEFT + across * math.log(size) / widest
        return x, TOP + up * (1 - cost / most)

    def text(x: float, y: float, what: str, anchor: str = "middle", ink: str = INK) -> str:
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{ink}">{what}</text>'

    parts = [text(offset + LEFT, TOP - 22, escape(title), "start")]
    step = 10 ** math.floor(math.log10(most)) / (2 if most < 3 else 1)
    for tick in range(int(most / step) + 1):
        (x, y), (end, _) = place(sizes[0], tick * step), place(sizes[-1], 0)
        parts.append(f'<path d="M{x:.1f} {y:.1f}H{end:.1f}" stroke="{GRID}"/>')
        parts.append(text(x - 6, y + 4, f"{tick * step:g}", "end"))
    parts += [text(place(size, 0)[0], HEIGHT - BOTTOM + 18, f"{size:g}") for size in sizes]
    for (name, curve), colour in zip(lines.items(), COLOURS, strict=True):
        points = [place(float(size), cost) for size, cost in curve.items()]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        style = f'fill="none" stroke="{colour}" stroke-width="2"'
        parts.append(f'<polyline points="{joined}" {style}/>')
        x, y = points[-1]
        parts.append(text(x, y - 7, escape(name), "end", colour))
    return parts


def draw(curves: Mapping[str, Mapping[str, Curve]], path: Path) -> None:
    """Write the picture of all `curves`: CPU µs per message."""
    width = PANEL_WIDTH * len(curves)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}"'
    parts = [
        f'{head} font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for number, (title, lines) in enumerate(curves.items()):
        parts += panel(title, lines, number * PANEL_WIDTH)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")
