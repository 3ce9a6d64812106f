"""A recording at a glance: trades, spread, lag and gaps over time, one panel each, SVG or PNG."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import attrs

from connector.app.demo.axes import labels, moments, ticks
from connector.app.demo.comparison_plot import (
    GAP,
    GRID,
    HEIGHT,
    INK,
    LEAKY,
    LEFT,
    RIGHT,
    STRUCTURED,
    TOP,
    WIDTH,
    Canvas,
    Point,
)
from connector.app.recordings.decoding import Decoded, events_of
from connector.app.words import counted
from connector.errors import ConfigError
from connector.events import BookSnapshot, Event, Quote, Trade
from connector.exchanges.protocol import Exchange

NS_PER_SECOND = 1_000_000_000
NS_PER_MS = 1_000_000
COLUMNS = 600
"""The most points per line that an eye can distinguish."""


@attrs.define
class Look:
    """The values of one symbol in the picture."""

    symbol: str
    prices: list[Point] = attrs.field(factory=list)
    """Seconds of receipt since the epoch, and the price of a trade."""
    spreads: list[Point] = attrs.field(factory=list)
    lags: list[Point] = attrs.field(factory=list)
    """Milliseconds from the exchange's time to the receipt; below 0 when its clock is ahead."""
    breaks: list[float] = attrs.field(factory=list)
    """When connections were lost."""

    @property
    def moments(self) -> list[float]:
        """Of everything."""
        return [moment for moment, _ in (*self.prices, *self.spreads, *self.lags)]


def look_at(exchange: Exchange, paths: Iterable[Path], symbol: str | None = None) -> Look:
    """Gather what a picture of `symbol` needs; of the first symbol that has a trade or a book.

    Raises:
        ConfigError: the recording has no trades, quotes or partial books of it.
        OSError, RecordingDamaged: it cannot be read.
    """
    look = Look("" if symbol is None else symbol.upper())
    for item in events_of(exchange, paths):
        if isinstance(item, Decoded):
            _see(look, item.event)
        elif item.kind == "Disconnected":
            look.breaks.append(item.time_ns / NS_PER_SECOND)
    if not look.moments:
        what = look.symbol or "any symbol"
        raise ConfigError(f"the recording has no trades, quotes or partial books of {what}")
    return look


def _see(look: Look, event: Event) -> None:
    if not isinstance(event, Trade | Quote | BookSnapshot):
        return
    look.symbol = look.symbol or event.symbol
    if event.symbol != look.symbol:
        return
    moment = event.received_ns / NS_PER_SECOND
    if event.exchange_time_ns is not None:
        look.lags.append((moment, (event.received_ns - event.exchange_time_ns) / NS_PER_MS))
    if isinstance(event, Trade):
        look.prices.append((moment, float(event.price)))
    elif isinstance(event, Quote):
        look.spreads.append((moment, float(event.ask_price) - float(event.bid_price)))
    elif event.bids and event.asks:
        best = float(event.asks[0].price) - float(event.bids[0].price)
        look.spreads.append((moment, best))


def thinned(points: list[Point], begin: float, end: float) -> list[Point]:
    """The lowest and the highest point of each column, so that no peak is lost."""
    if len(points) <= 2 * COLUMNS:
        return points
    width = max(end - begin, 1e-9) / COLUMNS
    columns: dict[int, list[Point]] = {}
    for point in points:
        columns.setdefault(int((point[0] - begin) / width), []).append(point)
    kept: list[Point] = []
    for column in columns.values():
        ends = {min(column, key=lambda each: each[1]), max(column, key=lambda each: each[1])}
        kept += sorted(ends)
    return kept


def draw(canvas: Canvas, look: Look) -> None:
    """Draw the panels that have data."""
    begin, end = min(look.moments), max(look.moments)
    panels = [
        (title, points)
        for title, points in (
            (f"trades of {look.symbol}, price", look.prices),
            ("spread", look.spreads),
            ("lag, ms", look.lags),
        )
        if points
    ]
    canvas.text((LEFT, 24), look.symbol, STRUCTURED)
    ends = counted(len(look.breaks), "disconnect") if look.breaks else "no disconnects"
    canvas.text((WIDTH - RIGHT, 24), ends, LEAKY if look.breaks else INK, right=True)
    height = (HEIGHT - TOP - GAP * len(panels)) / len(panels)
    for index, (title, points) in enumerate(panels):
        top = TOP + index * (height + GAP)
        panel = _Panel(title, thinned(points, begin, end), top, height)
        _draw_panel(canvas, panel, look.breaks, (begin, end))
    date = f"{datetime.fromtimestamp(begin, UTC):%Y-%m-%d}"
    canvas.text((WIDTH - RIGHT, HEIGHT - 4), f"UTC, {date}, {end - begin:.0f} s", INK, right=True)


@attrs.frozen
class _Panel:
    title: str
    points: list[Point]
    top: float
    height: float


def _draw_panel(
    canvas: Canvas, panel: _Panel, breaks: list[float], span: tuple[float, float]
) -> None:
    points, top, height = panel.points, panel.top, panel.height
    values = [value for _, value in points]
    low, high = min(values), max(values)
    extent = (high - low) or 1.0
    begin, seconds = span[0], max(span[1] - span[0], 1e-9)

    def place(moment: float, value: float) -> Point:
        across = LEFT + (WIDTH - LEFT - RIGHT) * (moment - begin) / seconds
        return across, top + height * (1 - (value - low) / extent)

    canvas.text((LEFT, top - 8), panel.title, INK)
    levels = ticks(low, low + extent)
    for value, label in zip(levels, labels(levels), strict=True):
        _, y = place(begin, value)
        canvas.line([(LEFT, y), (WIDTH - RIGHT, y)], GRID, 1)
        canvas.text((LEFT - 8, y + 4), label, INK, right=True)
    for moment, label in moments(*span):
        x, _ = place(moment, low)
        canvas.line([(x, top), (x, top + height)], GRID, 1)
        canvas.text((x + 24, top + height + 15), label, INK, right=True)
    for moment in breaks:
        if span[0] <= moment <= span[1]:
            canvas.line([place(moment, low), place(moment, low + extent)], LEAKY, 1)
    if len(points) > 1:
        canvas.line([place(*point) for point in points], STRUCTURED, 1)
