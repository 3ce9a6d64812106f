"""``connector book SYMBOL``: a local order book in the terminal, as a ladder.

With ``--simulate --break-every 12`` one sees the book go out of sync and come back.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
from collections import deque
from typing import Any, Protocol, Self

import attrs
import click
import trio
from rich.console import Console
from rich.live import Live

from connector import Feed, Overflow, open_adapter
from connector.app.books.ladder import Ladder, line, render
from connector.app.options import (
    duration_options,
    epilog,
    exchange_option,
    simulation_options,
)
from connector.app.place import Place, open_place
from connector.app.stopping import stop_when_interrupted
from connector.channels import OrderBook, Trades
from connector.errors import ExchangeUnavailable
from connector.events import BookView, Gap, Trade

REFRESH_SECONDS = 0.1
TRADES = 8


@attrs.frozen(kw_only=True)
class Options:
    """The book to show, and its exchange."""

    symbol: str
    place: Place
    levels: int = 10
    duration_seconds: float = math.inf


class Screen(Protocol):
    """A place to show a ladder: a terminal, or lines."""

    def show(self, ladder: Ladder) -> None: ...


@attrs.define
class Observer:
    """Reads the feeds and keeps the values that a ladder shows."""

    options: Options
    _view: BookView | None = None
    _trades: deque[Trade] = attrs.field(factory=lambda: deque(maxlen=TRADES))
    _updates: deque[float] = attrs.field(factory=deque)
    _spans: int = 0
    """Number of gaps."""
    _reason: str = ""
    """The reason of the last gap."""

    @property
    def has_seen_anything(self) -> bool:
        """Whether any event has arrived."""
        return self._view is not None or bool(self._trades) or bool(self._spans)

    def see(self, event: BookView | Trade | Gap) -> None:
        """Take an event."""
        if isinstance(event, Trade):
            self._trades.appendleft(event)
        elif isinstance(event, Gap):
            self._spans += 1
            self._reason = event.reason
        else:
            self._view = event
            self._updates.append(trio.current_time())

    def drain(self, feed: Feed[Any]) -> None:
        """Take all buffered events of `feed`."""
        with contextlib.suppress(trio.WouldBlock):
            while True:
                self.see(feed.receive_nowait())

    def ladder(self) -> Ladder:
        """The current ladder."""
        horizon = trio.current_time() - 1.0
        while self._updates and self._updates[0] < horizon:
            self._updates.popleft()
        return Ladder(
            symbol=self.options.symbol.upper(),
            origin=self.options.place.words,
            book=None if self._view is None else self._view.depth(self.options.levels),
            trades=tuple(self._trades),
            updates_per_second=float(len(self._updates)),
            spans=self._spans,
            reason=self._reason,
        )


async def run_book(options: Options, screen: Screen) -> None:
    """Show a book until the duration is over.

    Raises:
        ConfigError: an option cannot work.
        ConnectorError: the exchange does not know the symbol, or cannot be reached for good.

    Cancellation: nothing is left.
    """
    observer = Observer(options)
    with trio.move_on_after(options.duration_seconds):
        async with (
            open_place(options.place, (options.symbol,)) as (exchange, dialer),
            open_adapter(exchange, dialer=dialer) as adapter,
            adapter.subscribe(
                OrderBook(options.symbol, depth=options.levels),
                overflow=Overflow.CONFLATE,
                gaps=True,
            ) as books,
            adapter.subscribe(
                Trades(options.symbol), buffer=64, overflow=Overflow.DROP_OLDEST
            ) as trades,
        ):
            while True:
                observer.drain(books)
                observer.drain(trades)
                screen.show(observer.ladder())
                await trio.lowlevel.checkpoint()
                with trio.move_on_after(REFRESH_SECONDS):
                    observer.see(await books.receive())
    if not observer.has_seen_anything:
        raise ExchangeUnavailable(
            f"received no book of {options.symbol} from {options.place.words} within "
            f"{options.duration_seconds:g} s; check the network, or add --simulate for an exchange "
            "on this machine"
        )


class Terminal:
    """A `Screen` that draws over itself, as long as its block lasts."""

    def __init__(self, console: Console) -> None:
        # Without a thread of its own.
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, ladder: Ladder) -> None:
        """Draw it."""
        self._live.update(render(ladder), refresh=True)


class Lines:
    """A `Screen` that prints a line a second."""

    def __init__(self) -> None:
        self._every = itertools.count()

    def show(self, ladder: Ladder) -> None:
        """Print it, if it is time."""
        if next(self._every) % round(1 / REFRESH_SECONDS) == 0:
            click.echo(line(ladder))


class Trouble(logging.Handler):
    """Writes to stderr why there is no connection, once per reason."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the detail of a failed attempt to connect."""
        fields = getattr(record, "lifecycle", {})
        detail = str(fields.get("detail", ""))
        if fields.get("connected") is False and detail != self._said:
            self._said = detail
            click.echo(f"not connected, trying again: {detail}", err=True)


# --- the command


@click.command(
    short_help="Watch a local order book in the terminal.",
    epilog=epilog(
        "book ETHUSDC",
        "book BTCUSDT --exchange bybit_linear --levels 20",
        "book ETHUSDC --simulate --break-every 12",
    ),
)
@click.argument("symbol", default="ETHUSDC")
@exchange_option("binance_usdm")
@click.option(
    "--levels",
    type=click.IntRange(1, 100),
    metavar="NUMBER",
    default=10,
    show_default=True,
    help="Levels shown per side.",
)
@duration_options(default_seconds=None, least_seconds=0.1)
@simulation_options
def book(
    *,
    symbol: str,
    exchange: str,
    levels: int,
    seconds: float | None,
    simulate: bool,
    break_every: float,
    seed: int,
) -> None:
    """Watch a local order book of SYMBOL: ladder, spread, last trades, lag.

    The book is built from snapshots and deltas. The screen shows whether it is synced, and why it
    was not. Without a terminal, the command prints one line per second.
    """
    options = Options(
        symbol=symbol,
        levels=levels,
        place=Place(
            exchange=exchange, simulate=simulate, seed=seed, break_every_seconds=break_every
        ),
        duration_seconds=math.inf if seconds is None else seconds,
    )
    # The screen shows the rest of the log.
    logging.getLogger("connector").addHandler(Trouble())
    console = Console()
    if console.is_terminal:
        with Terminal(console) as terminal:
            trio.run(_until_interrupted, options, terminal)
    else:
        trio.run(_until_interrupted, options, Lines())


async def _until_interrupted(options: Options, screen: Screen) -> None:
    """Show the book; Ctrl-C ends it."""
    stop = trio.Event()

    async def show() -> None:
        await run_book(options, screen)
        stop.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop_when_interrupted, stop)
        nursery.start_soon(show)
        await stop.wait()
        nursery.cancel_scope.cancel()
