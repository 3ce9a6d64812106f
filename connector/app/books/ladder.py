"""The picture of a local order book: asks above, bids below, the spread between them."""

from __future__ import annotations

import attrs
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from connector.events import BookView, Level, Trade

BAR_CHARACTERS = 16
NS_PER_MS = 1_000_000


@attrs.frozen(kw_only=True)
class Ladder:
    """The values that the screen shows at one moment."""

    symbol: str
    origin: str
    """The name of the exchange, such as "simulated Binance spot"."""
    book: BookView | None
    """A copy of the book; None before the first."""
    trades: tuple[Trade, ...]
    """The latest trades, newest first."""
    updates_per_second: float
    spans: int
    """The number of times that the book lost its sync."""
    reason: str
    """The cause of the last loss of sync."""

    @property
    def synced(self) -> bool:
        """Whether there is a synced book to show."""
        return self.book is not None and self.book.synced

    @property
    def lag_ms(self) -> float | None:
        """Seconds from the exchange's time to the receipt; the two clocks may differ."""
        if self.book is None or self.book.exchange_time_ns is None or not self.book.synced:
            return None
        return (self.book.received_ns - self.book.exchange_time_ns) / NS_PER_MS


def render(ladder: Ladder) -> RenderableType:
    """The ladder: asks above, bids below, the spread between; trades beside it."""
    body = Table.grid(padding=(0, 4))
    body.add_row(_levels(ladder), _trades(ladder))
    return Panel(
        Group(_headline(ladder), Text(), body),
        title=f"connector book · {ladder.symbol} · {ladder.origin}",
        box=box.ROUNDED,
        padding=(0, 1),
        expand=False,
    )


def _headline(ladder: Ladder) -> Text:
    state = ("synced", "bold green") if ladder.synced else ("not synced", "bold red")
    lag = ladder.lag_ms
    facts = [
        f"{ladder.updates_per_second:.0f} updates/s",
        "lag –" if lag is None else f"lag {lag:.1f} ms",
        f"out of sync {ladder.spans}×" + (f", last: {ladder.reason}" if ladder.reason else ""),
    ]
    return Text.assemble(state, *(("  ·  " + fact, "dim") for fact in facts))


def _levels(ladder: Ladder) -> RenderableType:
    grid = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("right", "right", "left"):
        grid.add_column(justify=justify, no_wrap=True)
    book = ladder.book
    if book is None or not book.synced:
        grid.add_row("", Text("waiting for a snapshot that joins …", style="dim"), "")
        return grid
    most = max((float(level.quantity) for level in (*book.bids, *book.asks)), default=1.0)
    decimals = _decimals(*book.bids, *book.asks)
    for level in reversed(book.asks):
        _add_level(grid, level, most, decimals, "red")
    spread = "one side is empty" if book.spread is None else f"spread {float(book.spread):g}"
    grid.add_row("", Text(spread, style="dim"), "")
    for level in book.bids:
        _add_level(grid, level, most, decimals, "green")
    return grid


def _decimals(*priced: Level | Trade) -> int:
    """Digits behind the point of the prices, so that they stand below each other."""
    return max((len(f"{each.price}".partition(".")[2]) for each in priced), default=0)


def _add_level(grid: Table, level: Level, most: float, decimals: int, style: str) -> None:
    price = Text(f"{float(level.price):.{decimals}f}", style=style)
    bar = "█" * max(1, round(float(level.quantity) / most * BAR_CHARACTERS))
    grid.add_row(f"{float(level.quantity):,.3f}", price, bar)


def _trades(ladder: Ladder) -> RenderableType:
    grid = Table(box=None, pad_edge=False, show_header=False, title="last trades")
    grid.title_style = "dim"
    for _ in range(2):
        grid.add_column(justify="right", no_wrap=True)
    levels = (*ladder.book.bids, *ladder.book.asks) if ladder.book is not None else ()
    decimals = _decimals(*levels, *ladder.trades)
    for trade in ladder.trades:
        style = "green" if trade.side == "buy" else "red"
        price = Text(f"{float(trade.price):.{decimals}f}", style=style)
        grid.add_row(price, f"{float(trade.quantity):,.3f}")
    return grid


def line(ladder: Ladder) -> str:
    """The same in one line, for output that is not a terminal."""
    book = ladder.book
    if book is None or not book.synced:
        return f"{ladder.symbol} not synced" + (f" ({ladder.reason})" if ladder.reason else "")
    bid, ask = book.best_bid, book.best_ask
    sides = [f"{level.quantity} @ {level.price}" if level else "–" for level in (bid, ask)]
    spread = "–" if book.spread is None else f"{float(book.spread):g}"
    lag = "–" if ladder.lag_ms is None else f"{ladder.lag_ms:.1f} ms"
    return f"{ladder.symbol} synced  {sides[0]} | {sides[1]}  spread {spread}  lag {lag}"
