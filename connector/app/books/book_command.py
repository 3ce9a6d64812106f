"""``connector book SYMBOL``: a local order book in the terminal, as a ladder.

By default the exchange is simulated, in memory, and breaks the connection now and then, so that
one sees the book go out of sync and come back.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import signal
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, Self

import attrs
import click
import trio
from rich.console import Console
from rich.live import Live

from connector import Feed, Overflow, open_adapter
from connector.app.books.ladder import Ladder, line, render
from connector.app.numbers import FiniteRange
from connector.channels import OrderBook, Trades
from connector.errors import ConfigError, ConnectorError
from connector.events import BookView, Gap, Trade
from connector.exchanges import binance
from connector.exchanges.protocol import Exchange
from connector.testing import MemoryNetwork, OrderFlow, open_exchange
from connector.testing.venues.rules import VenueName
from connector.transport import Dialer, TcpDialer

VENUES: dict[str, tuple[VenueName, type[binance.Spot | binance.UsdMFutures]]] = {
    "spot": ("spot", binance.Spot),
    "usdm": ("usdm", binance.UsdMFutures),
}
REFRESH_SECONDS = 0.1
TRADES = 8
NS_PER_MS = 1_000_000


@attrs.frozen(kw_only=True)
class Options:
    """What to show, and where it comes from."""

    symbol: str
    levels: int = 10
    venue: str = "usdm"
    live: bool = False
    """Whether the real exchange is connected."""
    break_every_seconds: float = 12.0
    """How often the simulated exchange breaks the connection; 0: never."""
    seed: int = 0
    duration_seconds: float = math.inf

    @property
    def origin(self) -> str:
        """What is watched, in words."""
        name = {"spot": "Binance spot", "usdm": "Binance USD-M"}[self.venue]
        return name if self.live else f"simulated {name}"


class Screen(Protocol):
    """Where a ladder is shown."""

    def show(self, ladder: Ladder) -> None: ...


@attrs.define
class Observer:
    """Looks at the feeds and remembers what a ladder needs."""

    options: Options
    _view: BookView | None = None
    _trades: deque[Trade] = attrs.field(factory=lambda: deque(maxlen=TRADES))
    _updates: deque[float] = attrs.field(factory=deque)
    _spans: int = 0
    _reason: str = ""

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
        """Take all that waits in `feed`."""
        with contextlib.suppress(trio.WouldBlock):
            while True:
                self.see(feed.receive_nowait())

    def ladder(self) -> Ladder:
        """What there is to be seen now."""
        horizon = trio.current_time() - 1.0
        while self._updates and self._updates[0] < horizon:
            self._updates.popleft()
        return Ladder(
            symbol=self.options.symbol.upper(),
            origin=self.options.origin,
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
            _exchange(options) as (exchange, dialer),
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


@asynccontextmanager
async def _exchange(options: Options) -> AsyncIterator[tuple[Exchange, Dialer]]:
    """The exchange to connect to, real or simulated."""
    venue, kind = VENUES[options.venue]
    if options.live:
        yield kind(), TcpDialer()
        return
    network = MemoryNetwork()
    async with (
        open_exchange(
            venue,
            source=OrderFlow(symbols=(options.symbol.upper(),), seed=options.seed),
            network=network,
            epoch_ms=time.time_ns() // NS_PER_MS,
        ) as simulated,
        trio.open_nursery() as nursery,
    ):

        async def break_now_and_then() -> None:
            while True:
                await trio.sleep(options.break_every_seconds)
                simulated.break_connections("reset")

        if options.break_every_seconds:
            nursery.start_soon(break_now_and_then)
        yield kind(endpoints=simulated.endpoints), network
        nursery.cancel_scope.cancel()


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


# --- the command


@click.command()
@click.argument("symbol", default="ETHUSDC")
@click.option(
    "--levels", type=click.IntRange(1, 100), default=10, show_default=True, help="Per side."
)
@click.option(
    "--venue",
    type=click.Choice(list(VENUES)),
    default="usdm",
    show_default=True,
    help="Binance spot, or USD-M futures.",
)
@click.option("--live", is_flag=True, help="Connect to the real exchange, over the network.")
@click.option(
    "--break-every",
    type=FiniteRange(min=0),
    default=12.0,
    show_default=True,
    help="Seconds between the breaks of the simulated exchange; 0 for none.",
)
@click.option("--seed", type=int, default=0, help="Another seed is another simulated market.")
@click.option("--duration", type=FiniteRange(min=0.1), help="Seconds; until Ctrl-C if left.")
def book(
    *,
    symbol: str,
    levels: int,
    venue: str,
    live: bool,
    break_every: float,
    seed: int,
    duration: float | None,
) -> None:
    """Watch a local order book of SYMBOL: ladder, spread, last trades, synced or not, lag.

    The exchange is simulated unless you say --live; no network is needed then.
    """
    if live and (given := _given("break_every", "seed")):
        raise click.UsageError(f"{given} is for the simulated exchange; leave it, or --live")
    options = Options(
        symbol=symbol,
        levels=levels,
        venue=venue,
        live=live,
        break_every_seconds=break_every,
        seed=seed,
        duration_seconds=math.inf if duration is None else duration,
    )
    # What the log says is on the screen; unhandled it would go to stderr as well.
    logging.getLogger("connector").addHandler(logging.NullHandler())
    console = Console()
    try:
        if console.is_terminal:
            with Terminal(console) as terminal:
                trio.run(_until_interrupted, options, terminal)
        else:
            trio.run(_until_interrupted, options, Lines())
    except* (ConfigError, ConnectorError, OSError) as group:
        error = group.exceptions[0]
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise click.ClickException(str(error)) from error


def _given(*parameters: str) -> str:
    """The first of `parameters` that was written on the command line, as an option; or ""."""
    context = click.get_current_context()
    chosen = (
        f"--{name.replace('_', '-')}"
        for name in parameters
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    )
    return next(chosen, "")


async def _until_interrupted(options: Options, screen: Screen) -> None:
    """Show the book; Ctrl-C ends it."""
    async with trio.open_nursery() as nursery:
        scope = nursery.cancel_scope

        async def stop_when_interrupted() -> None:
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    scope.cancel()

        nursery.start_soon(stop_when_interrupted)
        await run_book(options, screen)
        scope.cancel()
