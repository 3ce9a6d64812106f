"""Draw the demo of all venues: one line for each, within 80 by 24, or as plain lines."""

from __future__ import annotations

from decimal import Decimal
from typing import Self, TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from connector.app.demo.venues import LINES
from connector.app.demo.venues_report import Row, VenuesReport, VenuesView

WIDTH = 80
STATUS_EVERY_SECONDS = 2.0
REFRESH_SECONDS = 0.25
HEADINGS = ("exchange", "symbol", "bid", "ask", "session", "gaps", "  breaks by")
RIGHT = ("bid", "ask", "session", "gaps")


def render(view: VenuesView) -> RenderableType:
    """The whole screen."""
    return Panel(
        Group(_headline(view), _rows(view.rows), Text(), _told(view)),
        title="connector demo --venues · simulated exchanges",
        box=box.ROUNDED,
        padding=(0, 1),
        width=WIDTH,
    )


def _headline(view: VenuesView) -> Text:
    live = sum(row.live for row in view.rows)
    text = Text.assemble(
        (f"{view.seconds:5.1f} s  ", "bold"),
        (f"{live} of {len(view.rows)} live", "bold green" if live == len(view.rows) else "yellow"),
        (f"  ·  {view.breaks} breaks  ·  ", "dim"),
        (f"{view.tasks} tasks, {view.sockets} sockets", "bold"),
    )
    text.truncate(WIDTH - 4, overflow="ellipsis")
    return text


def _rows(rows: tuple[Row, ...]) -> Table:
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    for heading in HEADINGS:
        justify = "right" if heading in RIGHT else "left"
        grid.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        style = "default" if row.live else "dim"
        how = Text(f"  {row.how}", "dim") if row.live else Text(f"✗ {row.how}", "bold red")
        grid.add_row(
            row.name,
            row.symbol,
            Text(price(row.bid), "green" if row.live else style),
            Text(price(row.ask), "red" if row.live else style),
            str(row.session),
            str(row.gaps),
            how,
        )
    return grid


def price(number: Decimal | None) -> str:
    """A price with two digits, or that there is none."""
    return "–" if number is None else f"{number:.2f}"


def _told(view: VenuesView) -> Text:
    lines = [each[: WIDTH - 4] for each in view.told]
    return Text("\n".join(lines + [""] * (LINES - len(lines))))


class VenuesDashboard:
    """A screen for a terminal; shows as long as its block lasts."""

    def __init__(self, console: Console) -> None:
        # Without a thread of its own.
        self._live = Live(console=console, auto_refresh=False)
        self._next = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, view: VenuesView) -> None:
        """Draw it, if it is time."""
        if view.seconds >= self._next:
            self._next = view.seconds + REFRESH_SECONDS
            self._live.update(render(view), refresh=True)

    def say(self, text: str) -> None:
        """Nothing: the screen has the last lines."""


class VenuesLines:
    """A line for everything that happens, and the prices every two seconds."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._next = 0.0

    def show(self, view: VenuesView) -> None:
        """Write the prices, if it is time."""
        if view.seconds < self._next:
            return
        self._next = view.seconds + STATUS_EVERY_SECONDS
        for row in view.rows:
            lost = "" if row.live else "  LOST"
            self.say(
                f"{view.seconds:5.1f} s  {row.name:<14} {row.symbol:<13} "
                f"{price(row.bid)} | {price(row.ask)}{lost}"
            )

    def say(self, text: str) -> None:
        """Write a line."""
        print(text, file=self._out, flush=True)


class VenuesNowhere:
    """Shows nothing: for ``--json``."""

    def show(self, view: VenuesView) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""


def summary(report: VenuesReport) -> list[str]:
    """The result in words; the last line is the verdict."""
    head = f"{'exchange':<15}{'broken by':<18}{'breaks':>6}{'sessions':>10}{'gaps':>6}{'prices':>9}"
    lines = [
        head,
        *(
            f"{each.name:<15}{each.how:<18}{each.breaks:>6}{each.sessions:>10}{each.gaps:>6}"
            f"{each.prices:>9,}"
            for each in report.venues
        ),
        "",
        (
            f"{report.seconds:.1f} s, {report.breaks} breaks, "
            f"{report.tasks.last} tasks and {report.sockets.last} sockets at the end, "
            f"{report.tasks.first} and {report.sockets.first} at first"
        ),
    ]
    if report.violations:
        return [*lines, *(f"BROKEN: {each}" for each in report.violations)]
    return [*lines, "flat: nothing leaked, and every price was the venue's own"]
