"""Small curves as inline SVG: drawn by the server, without a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

WIDTH, HEIGHT = 240.0, 48.0
_ROOM = 2.0
"""Above the highest value and below 0, so that no line is cut off."""


def curve(title: str, unit: str, values: Sequence[float | None], places: int) -> str:
    """A curve with its title, its present value and its highest.

    Args:
        title: what it shows.
        unit: of the values, such as ``/s``.
        values: the oldest first; where there is none the line is interrupted.
        places: that the samples may take; the newest value is at the right edge.
    """
    known = [each for each in values if each is not None]
    newest = values[-1] if values else None
    said = "–" if newest is None else f"{_number(newest)} {unit}"
    highest = f"highest {_number(max(known))}" if known else "no values yet"
    label = escape(f"{title} in the last ten minutes: now {said}, {highest}")
    lines = "".join(_lines(values, max(known, default=0.0) or 1.0, places))
    return (
        f"<figure><figcaption>{escape(title)} <b>{escape(said)}</b> "
        f"<small>{escape(highest)}</small></figcaption>"
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}">{lines}</svg></figure>'
    )


def _lines(values: Sequence[float | None], highest: float, places: int) -> Iterator[str]:
    step = WIDTH / max(places - 1, 1)
    first = WIDTH - step * (len(values) - 1)
    for known, run in groupby(enumerate(values), lambda each: each[1] is not None):
        if not known:
            continue
        points = [(first + step * index, _y(value or 0.0, highest)) for index, value in run]
        if len(points) == 1:
            points.append((points[0][0] - step / 2, points[0][1]))
        written = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield f'<polyline points="{written}" vector-effect="non-scaling-stroke"/>'


def _y(value: float, highest: float) -> float:
    return HEIGHT - _ROOM - (HEIGHT - 2 * _ROOM) * value / highest


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
