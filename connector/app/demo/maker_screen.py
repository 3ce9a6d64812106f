"""Draw the demo's market maker: quotes, position and profit, in 80 by 24 characters."""

from __future__ import annotations

from typing import Self, TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from connector.app.demo.maker import LEVELS, MOST, Level, MakerReport, MakerView
from connector.inputs.decimals import written

WIDTH = 80
BAR = 30


def render(view: MakerView) -> RenderableType:
    """The whole screen."""
    return Panel(
        Group(_headline(view), Text(), _ladder(view), Text(), _result(view), Text(), _told(view)),
        title="connector demo --maker · simulated binance_usdm",
        box=box.ROUNDED,
        padding=(0, 1),
        width=WIDTH,
    )


def _headline(view: MakerView) -> Text:
    state = ("synced", "bold green") if view.synced else ("NOT SYNCED", "bold red")
    text = Text.assemble(
        (f"{view.seconds:5.1f} s  ", "bold"),
        state,
        (f"  ·  {view.orders} orders, {view.fills} fills, {view.breaks} breaks", "dim"),
        (f"  ·  open at the exchange: {view.open_at_exchange}", "bold"),
    )
    text.truncate(WIDTH - 4, overflow="ellipsis")
    return text


def _ladder(view: MakerView) -> Table:
    grid = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("right", "left"):
        grid.add_column(justify=justify, no_wrap=True)
    for level in reversed(range(LEVELS)):
        grid.add_row(*_level(view.asks, level, "red"))
    middle = "no market" if view.market is None else f"{view.market[0]}  |  {view.market[1]}"
    grid.add_row("", Text(middle, style="dim"))
    for level in range(LEVELS):
        grid.add_row(*_level(view.bids, level, "green"))
    return grid


def _level(levels: tuple[Level, ...], number: int, style: str) -> tuple[Text, Text]:
    if number >= len(levels):
        return Text("–", style="dim"), Text()
    price, quantity = levels[number]
    bar = "█" * max(1, round(float(quantity) * 100))
    return Text(f"{quantity}"), Text(f"{price}  {bar}", style=style)


def _result(view: MakerView) -> Text:
    share = round(float(abs(view.position) / MOST) * BAR)
    style = "green" if view.position >= 0 else "red"
    return Text.assemble(
        ("position ", "bold"), (f"{written(view.position):>6} ", style), ("█" * share, style),
        ("·" * (BAR - share), "dim"), f" of {MOST}   ",
        ("profit ", "bold"), (f"{view.profit:+.4f}", "green" if view.profit >= 0 else "red"),
    )  # fmt: skip


def _told(view: MakerView) -> Text:
    lines = [each[: WIDTH - 4] for each in view.told]
    return Text("\n".join(lines + [""] * (5 - len(lines))))


class MakerDashboard:
    """A screen for a terminal; shows as long as its block lasts."""

    def __init__(self, console: Console) -> None:
        # Without a thread of its own.
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, view: MakerView) -> None:
        """Draw it."""
        self._live.update(render(view), refresh=True)


class MakerLines:
    """A line a second, and one for everything that happens."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._next = 0.0
        self._said: tuple[str, ...] = ()

    def show(self, view: MakerView) -> None:
        """Write what is new."""
        for text in view.told:
            if text not in self._said:
                print(text, file=self._out, flush=True)
        self._said = view.told
        if view.seconds >= self._next:
            self._next = view.seconds + 1.0
            state = "synced" if view.synced else "NOT SYNCED"
            print(
                f"{view.seconds:5.1f} s  {state}, {view.open_at_exchange} open, "
                f"position {written(view.position)}, profit {view.profit:+.4f}",
                file=self._out,
                flush=True,
            )


class MakerNowhere:
    """Shows nothing: for ``--json``."""

    def show(self, view: MakerView) -> None:
        """Nothing."""


def summary(report: MakerReport) -> list[str]:
    """The result in words; the last line is the verdict."""
    done = f"{report.breaks} breaks, {report.orders} orders, {report.fills} fills"
    held = f"position {report.position} (at most {report.most_position} of {MOST})"
    lines = [
        f"{report.seconds:.1f} s, {done}; all quotes were withdrawn {report.withdrawn} times",
        f"{held}, profit {report.profit} USDC",
    ]
    if report.violations:
        return [*lines, *(f"BROKEN: {each}" for each in report.violations)]
    return [
        *lines,
        "Nothing is left: no order is open, no intent became two orders, every fill was reported.",
    ]
