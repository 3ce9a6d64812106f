"""Draw a comparison over time: tasks, sockets and traffic, one panel each, as SVG or PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from xml.sax.saxutils import escape

import attrs

from connector.app.demo.axes import labels, ticks
from connector.app.demo.leaky import Comparison, traffic
from connector.app.demo.report import Sample
from connector.errors import ConfigError

Point = tuple[float, float]

WIDTH, HEIGHT = 760, 640
LEFT, RIGHT, TOP, GAP = 78, 24, 56, 44
TEXT_PIXELS = 13
PNG_SCALE = 2
STRUCTURED, LEAKY = "#1f77b4", "#d62728"
INK, GRID, PAPER = "#333333", "#dddddd", "#ffffff"
NAMES = ("structured", "with a flag and a callback")


class Canvas(Protocol):
    """What a picture is drawn on; units are pixels from the top left corner."""

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        """Draw lines from point to point."""
        ...

    def text(self, at: Point, text: str, colour: str, *, right: bool = False) -> None:
        """Write to the right of a point, or to its left; the point is on the base line."""
        ...

    def save(self, path: Path) -> None:
        """Write the file."""
        ...


class Svg:
    """A canvas of text."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        """A polyline."""
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(
            f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        )

    def text(self, at: Point, text: str, colour: str, *, right: bool = False) -> None:
        """A text element."""
        anchor = "end" if right else "start"
        self._parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" fill="{colour}" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )

    def save(self, path: Path) -> None:
        """Write the file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'font-family="sans-serif" font-size="{TEXT_PIXELS}">'
        )
        paper = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>'
        path.write_text("\n".join([head, paper, *self._parts, "</svg>"]) + "\n")


class Png:
    """A canvas of pixels, by `Pillow`.

    Raises:
        ConfigError: Pillow is not installed.
    """

    def __init__(self) -> None:
        try:
            from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415  # an extra
        except ImportError as missing:
            raise ConfigError(
                "a PNG needs Pillow; install it with python -m pip install 'trio-connector[plot]', "
                "or write an .svg"
            ) from missing
        self._image = Image.new("RGB", (WIDTH * PNG_SCALE, HEIGHT * PNG_SCALE), PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self._font = ImageFont.load_default(TEXT_PIXELS * PNG_SCALE)

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        """A polyline."""
        scaled = [(x * PNG_SCALE, y * PNG_SCALE) for x, y in points]
        self._draw.line(scaled, fill=colour, width=round(width * PNG_SCALE), joint="curve")

    def text(self, at: Point, text: str, colour: str, *, right: bool = False) -> None:
        """A text."""
        place = (at[0] * PNG_SCALE, at[1] * PNG_SCALE)
        anchor = "rs" if right else "ls"
        self._draw.text(place, text, fill=colour, font=self._font, anchor=anchor)

    def save(self, path: Path) -> None:
        """Write the file."""
        self._image.save(path, format="PNG")


CANVASES: dict[str, type[Svg | Png]] = {".svg": Svg, ".png": Png}


@attrs.frozen
class Panel:
    """One quantity of both connectors over time."""

    title: str
    structured: Sequence[Point]
    leaky: Sequence[Point]

    @property
    def most(self) -> float:
        """The highest value, and never nothing."""
        return max([1.0, *(value for _, value in (*self.structured, *self.leaky))])


def canvas_for(path: Path) -> Canvas:
    """An empty canvas for a file of that name.

    Raises:
        ConfigError: it is neither an .svg nor a .png, its folder is not there, or what a .png
            needs is not installed.
    """
    canvas = CANVASES.get(path.suffix.lower())
    if canvas is None:
        raise ConfigError(f"cannot draw {path.name}: use a name that ends with .svg or .png")
    if not path.parent.is_dir():
        raise ConfigError(f"cannot draw {path.name}: the folder {path.parent} does not exist")
    return canvas()


def draw(canvas: Canvas, comparison: Comparison) -> None:
    """Draw tasks, sockets and traffic of both connectors."""
    panels = (
        Panel("tasks", _counts(comparison.ours, "tasks"), _counts(comparison.leaky, "tasks")),
        Panel("sockets", _counts(comparison.ours, "sockets"), _counts(comparison.leaky, "sockets")),
        Panel("KB/s", _kilobytes(comparison.ours), _kilobytes(comparison.leaky)),
    )
    seconds = max(1.0, comparison.ours[-1].seconds)
    canvas.text((LEFT, 24), NAMES[0], STRUCTURED)
    canvas.text((LEFT + 100, 24), NAMES[1], LEAKY)
    canvas.text(
        (WIDTH - RIGHT, 24),
        f"the same exchange, the same {comparison.breaks} disconnects",
        INK,
        right=True,
    )
    height = (HEIGHT - TOP - GAP * len(panels)) / len(panels)
    for index, panel in enumerate(panels):
        _draw_panel(canvas, panel, TOP + index * (height + GAP), height, seconds)
    canvas.text((WIDTH - RIGHT, HEIGHT - 4), "seconds since the start", INK, right=True)


def _draw_panel(canvas: Canvas, panel: Panel, top: float, height: float, seconds: float) -> None:
    bottom = top + height
    across = WIDTH - LEFT - RIGHT

    def place(point: Point) -> Point:
        moment, value = point
        return LEFT + across * moment / seconds, bottom - height * value / panel.most

    canvas.text((LEFT, top - 8), panel.title, INK)
    values = ticks(0.0, panel.most)
    for value, label in zip(values, labels(values), strict=True):
        _, y = place((0.0, value))
        canvas.line([(LEFT, y), (WIDTH - RIGHT, y)], GRID, 1)
        canvas.text((LEFT - 8, y + 4), label, INK, right=True)
    times = ticks(0.0, seconds, 7)
    for moment, label in zip(times, labels(times), strict=True):
        x, _ = place((moment, 0.0))
        canvas.line([(x, top), (x, bottom)], GRID, 1)
        canvas.text((x + 3, bottom + 15), label, INK, right=True)
    for points, colour in ((panel.leaky, LEAKY), (panel.structured, STRUCTURED)):
        if len(points) > 1:
            canvas.line([place(point) for point in points], colour, 2)


def _counts(samples: Sequence[Sample], name: str) -> list[Point]:
    return [(sample.seconds, float(getattr(sample, name))) for sample in samples]


def _kilobytes(samples: Sequence[Sample]) -> list[Point]:
    return [(moment, rate / 1000) for moment, rate in traffic(samples)]
