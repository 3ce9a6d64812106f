"""``connector account``: watch an account in the terminal; it places and cancels nothing."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import signal
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, Self

import attrs
import click
import msgspec
import trio
from rich.console import Console
from rich.live import Live

from connector import Feed, open_adapter
from connector.account import Account
from connector.accounts import Fill
from connector.app.numbers import FiniteRange
from connector.app.options import duration_options, epilog, json_option
from connector.app.trading.access import (
    SIMULATED_NAME,
    Venue,
    access_options,
    open_access,
    paper_market,
    venue_of,
)
from connector.app.trading.board import MOST_FILLS, Board, as_plain, board_of, line, render
from connector.keys import Kind
from connector.orders import Limits
from connector.testing import OrderFlow, SimulatedExchange

NAME = "watch"
"""No program that trades has it: orders of that name would be taken for its own."""
REFRESH_SECONDS = 0.25
_ACT_SECONDS = 1.5


@attrs.frozen(kw_only=True)
class Options:
    """The account to show."""

    venue: Venue = attrs.field(factory=Venue)
    break_every_seconds: float = 12.0
    """Seconds between two breaks of the simulated exchange; 0 for none."""
    duration_seconds: float = math.inf


class Screen(Protocol):
    """A place to show an account: a terminal, or lines."""

    def show(self, board: Board) -> None: ...


async def run_account(options: Options, screen: Screen) -> None:
    """Show an account until the duration is over.

    Raises:
        ConnectorError: it cannot be opened, or has ended.

    Cancellation: nothing is left; no order is touched.
    """
    fills: deque[Fill] = deque(maxlen=MOST_FILLS)
    with trio.move_on_after(options.duration_seconds):
        async with open_watched(options) as account, account.events() as feed:
            while True:
                _take(feed, fills)
                screen.show(board_of(account, _title(options), fills))
                await trio.lowlevel.checkpoint()
                with trio.move_on_after(REFRESH_SECONDS):
                    _note(await feed.receive(), fills)


async def read_account(options: Options) -> Board:
    """What an account has at this moment; errors as of `run_account`."""
    async with open_watched(options) as account:
        return board_of(account, _title(options), ())


@asynccontextmanager
async def open_watched(options: Options) -> AsyncIterator[Account]:
    """The account for the length of a block, under a name of its own: it leaves all orders alone.

    Raises:
        ConnectorError: it cannot be opened, or has ended.
    """
    # A made-up market moves slowly enough for eyes.
    symbol, _ = paper_market(options.venue.exchange)
    source = OrderFlow(symbols=(symbol,), seed=options.venue.seed, rate_per_second=20.0)
    async with (
        open_access(options.venue, source) as access,
        trio.open_nursery() as nursery,
    ):
        if access.simulated is not None:
            nursery.start_soon(_trade, access.simulated)
            if options.break_every_seconds:
                nursery.start_soon(_break, access.simulated, options.break_every_seconds)
        async with (
            open_adapter(access.exchange, dialer=access.dialer) as adapter,
            adapter.open_account(
                access.key, name=NAME, limits=Limits.none(), orphans="leave", on_leave="keep"
            ) as account,
        ):
            yield account
        nursery.cancel_scope.cancel()


def _title(options: Options) -> str:
    return f"connector account · {options.venue.origin}"


def _take(feed: Feed[Any], fills: deque[Fill]) -> None:
    with contextlib.suppress(trio.WouldBlock):
        while True:
            _note(feed.receive_nowait(), fills)


def _note(event: object, fills: deque[Fill]) -> None:
    if isinstance(event, Fill):
        fills.appendleft(event)


# --- what happens to the simulated account


async def _trade(exchange: SimulatedExchange) -> None:
    """Somebody has orders around the market, of which one is filled now and then."""
    symbol, quantity = paper_market(exchange.rules.name)
    for number in itertools.count():
        side, price = ("BUY", 2995 - number % 5) if number % 2 else ("SELL", 3005 + number % 5)
        order = exchange.trading.place(
            SIMULATED_NAME,
            symbol=symbol,
            side=side,
            type="LIMIT",
            timeInForce="GTC",
            quantity=quantity,
            price=str(price),
            newClientOrderId=f"web_{number}",
        )
        await trio.sleep(_ACT_SECONDS)
        account = exchange.accounts[SIMULATED_NAME]
        if order.order_id in {each.order_id for each in account.open_orders} and number % 3 == 2:
            exchange.trading.fill(order)
        if len(account.open_orders) > 5:
            exchange.trading.cancel(account.open_orders[0])


async def _break(exchange: SimulatedExchange, seconds: float) -> None:
    while True:
        await trio.sleep(seconds)
        exchange.break_connections("reset")


# --- screens


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

    def show(self, board: Board) -> None:
        """Draw it."""
        self._live.update(render(board), refresh=True)


class Lines:
    """A `Screen` that prints a line when it is another one, at most once a second."""

    def __init__(self) -> None:
        self._last = ""
        self._next = -math.inf

    def show(self, board: Board) -> None:
        """Print it, if it is time."""
        text = line(board)
        if text != self._last and trio.current_time() >= self._next:
            self._last, self._next = text, trio.current_time() + 1.0
            click.echo(text)


# --- the command


@click.command(
    short_help="Watch an account: holdings, orders, fills.",
    epilog=epilog("account", "account --live --key BINANCE", "account --testnet --key T --json"),
)
@access_options
@click.option(
    "--break-every",
    type=FiniteRange(min=0),
    metavar="SECONDS",
    default=12.0,
    help="Seconds between two breaks of the simulated exchange; 0 for none.  [default: 12]",
)
@duration_options(default_seconds=None, least_seconds=0.1)
@json_option
def account(
    *,
    exchange: str,
    live: bool,
    testnet: bool,
    key: str | None,
    key_kind: Kind,
    break_every: float,
    seconds: float | None,
    as_json: bool,
) -> None:
    """Watch an account: balances, positions, open orders, last fills, synced or not and why.

    It places and cancels nothing; a key that can only read is enough. The exchange is simulated
    unless you say --live or --testnet; the key is then read from the environment.
    """
    options = Options(
        venue=venue_of(exchange=exchange, live=live, testnet=testnet, key=key, key_kind=key_kind),
        break_every_seconds=0.0 if as_json else break_every,
        duration_seconds=math.inf if seconds is None else seconds,
    )
    # The screen shows what the log says. Without a handler it would go to stderr as well.
    logging.getLogger("connector").addHandler(logging.NullHandler())
    console = Console()
    if as_json:
        board = trio.run(read_account, options)
        click.echo(msgspec.json.encode(as_plain(board)).decode())
    elif console.is_terminal:
        with Terminal(console) as terminal:
            trio.run(_until_interrupted, options, terminal)
    else:
        trio.run(_until_interrupted, options, Lines())


async def _until_interrupted(options: Options, screen: Screen) -> None:
    """Show the account; Ctrl-C ends it."""
    async with trio.open_nursery() as nursery:
        scope = nursery.cancel_scope

        async def stop_when_interrupted() -> None:
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    scope.cancel()

        nursery.start_soon(stop_when_interrupted)
        await run_account(options, screen)
        scope.cancel()
