"""The demo on a terminal: the links, their events, and the curve that stays flat."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import attrs
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from connector.app.demo.demo import Options, Result
from connector.app.demo.report import HEADINGS, table, verdict
from connector.app.demo.snapshot import LinkView, View

EVENTS = 8
CURVE_CHARACTERS = 60
BARS = "▁▂▃▄▅▆▇█"
REFRESH_SECONDS = 0.25
FIXED_LINES = 12
"""Of the picture, without links and events."""
LINES_PER_LINK = 2

STATE_STYLES = {
    "idle": "dim",
    "waiting": "yellow",
    "connecting": "yellow",
    "subscribing": "cyan",
    "streaming": "green",
    "closing": "magenta",
}


@attrs.frozen
class Happening:
    """A line of the log."""

    seconds: float
    text: str

    def render(self) -> Text:
        """The line, breaks in red."""
        style = "bold red" if self.text.startswith("BREAK") else "default"
        line = f"{max(self.seconds, 0.0):6.1f} s  {self.text}"
        return Text(line, style=style, no_wrap=True, overflow="ellipsis")


class Board:
    """What is on the screen: remembers what was shown and said, and draws it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._happenings: deque[Happening] = deque(maxlen=EVENTS)
        self._tasks: deque[int] = deque(maxlen=CURVE_CHARACTERS)
        self._sockets: deque[int] = deque(maxlen=CURVE_CHARACTERS)
        self._view: View | None = None

    def show(self, view: View) -> bool:
        """Take a view, a few times a second; whether it is time to draw."""
        if self._view is not None and 0 <= view.seconds - self._view.seconds < REFRESH_SECONDS:
            return False
        self._view = view
        self._tasks.append(view.tasks)
        self._sockets.append(view.sockets)
        return True

    def say(self, seconds: float, text: str) -> None:
        """Add a line to the log."""
        self._happenings.append(Happening(seconds, text))

    def render(self, height: int | None = None) -> RenderableType:
        """The whole picture.

        Args:
            height: lines that it may take; the oldest events are left out for it.
        """
        view, options = self._view, self._options
        if view is None:
            return Text("connecting …", style="dim")
        newest = [*self._happenings]
        if height is not None:
            room = max(height - FIXED_LINES - LINES_PER_LINK * len(view.links), 1)
            newest = newest[-room:]
        market = "recorded" if options.capture else f"seed {options.seed}"
        return Panel(
            Group(
                _links(view.links),
                _reconnects(view.links),
                Text(),
                _top(view),
                Text(),
                _curve("tasks", self._tasks),
                _curve("sockets", self._sockets),
                Text(),
                *(happening.render() for happening in newest),
            ),
            title=f"connector demo · {view.seconds:.0f} of {options.duration_seconds:g} s",
            subtitle=f"simulated exchange on loopback · {market}{' · TLS' * options.tls}",
            box=box.ROUNDED,
            padding=(0, 1),
        )


class Dashboard:
    """A `Screen` for a terminal; shows as long as its block lasts."""

    def __init__(self, console: Console, options: Options) -> None:
        self._console = console
        self._board = Board(options)
        # Without a thread of its own: it is refreshed by the task that measures.
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, view: View) -> None:
        """Draw it, if it is time."""
        if self._board.show(view):
            # The last line is the cursor's.
            picture = self._board.render(self._console.height - 1)
            self._live.update(picture, refresh=True)

    def say(self, seconds: float, text: str) -> None:
        """Add a line to the log."""
        self._board.say(seconds, text)


def _links(links: Sequence[LinkView]) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False)
    for heading in ("link", "state"):
        grid.add_column(heading, no_wrap=True)
    for heading in ("session", "sockets", "tasks", "msg/s", "KB/s", "gaps"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for link in links:
        grid.add_row(
            _short(link.name),
            Text(link.state, style=STATE_STYLES.get(link.state, "default")),
            str(link.session),
            str(link.sockets),
            str(link.tasks),
            f"{link.messages_per_second:,.0f}",
            f"{link.wire_bytes_per_second / 1000:,.0f}",
            str(link.gaps),
        )
    return grid


def _reconnects(links: Sequence[LinkView]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for link in links:
        reasons = ", ".join(f"{why} {count}" for why, count in sorted(link.reconnects.items()))
        said = Text(reasons or "none yet", no_wrap=True, overflow="ellipsis")
        grid.add_row(Text(f"{_short(link.name)} reconnects", style="bold", no_wrap=True), said)
    return grid


def _short(link: str) -> str:
    """The link's name without the exchange's, which is the same for all."""
    return link.partition("/")[2] or link


def _top(view: View) -> Text:
    if view.top is None:
        return Text("no book yet", style="dim")
    top = view.top
    return Text.assemble(
        (f"{top.symbol}  ", "bold"),
        (f"{top.bid_quantity} @ {top.bid_price}", "green"),
        "  |  ",
        (f"{top.ask_price} @ {top.ask_quantity}", "red"),
        (f"     {view.messages:,} messages, {view.wire_bytes / 1000:,.0f} KB", "dim"),
    )


def _curve(name: str, values: Sequence[int]) -> Text:
    """A line of bars: what there was at first is half of the height, so growth would show."""
    full = 2 * values[0] if values and values[0] else 2 * max(values, default=1) or 1
    bars = "".join(BARS[min(value * len(BARS) // full, len(BARS) - 1)] for value in values)
    return Text.assemble((f"{name:<8}", "bold"), (bars, "cyan"), f" {values[-1] if values else 0}")


def render_summary(result: Result) -> RenderableType:
    """The table that found the original bug, and the verdict."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in HEADINGS:
        grid.add_column(heading, justify="right")
    for row in table(result.samples):
        grid.add_row(*row)
    style = "bold red" if result.report.violations else "green"
    *facts, last = verdict(result.report)
    return Group(grid, *map(Text, facts), Text(last, style=style))
