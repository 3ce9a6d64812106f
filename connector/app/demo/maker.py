"""The demo's market maker: quotes in a market whose exchange breaks every connection now and then.

The account does not know that its exchange is simulated. What is claimed at the end is asked of the
exchange: no intent became two orders, the position stayed within its limit, the account's numbers
are the exchange's, and no order is open after the program has left.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import attrs
import msgspec
import trio

from connector import Adapter, Overflow, Reconnect, open_adapter
from connector.account import Account, Quotes
from connector.accounts import Fill, Synced, Timing, Unsynced
from connector.app.demo.faults import BREAKS, Break, strike
from connector.channels import BestQuote
from connector.events import Quote
from connector.exchanges import binance
from connector.inputs.decimals import written
from connector.keys import ApiKey
from connector.orders import Keep, Limits
from connector.testing import (
    MemoryNetwork,
    OrderFlow,
    SimulatedAccount,
    SimulatedExchange,
    TradingAccount,
    open_exchange,
)

SYMBOL = "ETHUSDC"
FUNDS = Decimal(10_000)
QUANTITY = Decimal("0.1")
MOST = Decimal("0.5")
LEVELS = 3
MAX_AGE_SECONDS = 1.0
LOOK_SECONDS = 0.2
BREAK_EVERY_SECONDS = 4.0
RECOVERY_SECONDS = 2.0
"""No break comes later than this before the end."""
RECONNECT = Reconnect(initial=0.05, cap=0.5, stable_after=0.5)
AUDIBLE = tuple(
    each for each in BREAKS if each.live.kind not in ("half_open", "mute", "close_and_hold")
)
"""Breaks that end a connection at once: silence takes longer than a demo lasts."""

Level = tuple[Decimal, Decimal]


@attrs.frozen(kw_only=True)
class MakerOptions:
    """What was asked for on the command line."""

    duration_seconds: float = 20.0
    seed: int = 0


@attrs.frozen(kw_only=True)
class MakerView:
    """The values that the screen shows at one moment."""

    seconds: float
    synced: bool
    """Whether balances and positions are certainly right."""
    cause: str
    """Why they are not."""
    market: tuple[Decimal, Decimal] | None
    """Best bid and ask."""
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    position: Decimal
    profit: Decimal
    """What the account would have won or lost if it were closed at the middle of the market."""
    fills: int
    orders: int
    """Orders placed so far."""
    behind: int
    """Quotes that are not yet as wanted."""
    open_at_exchange: int
    """As the exchange counts."""
    breaks: int
    told: tuple[str, ...]
    """The last things that happened, newest last."""


class MakerReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run."""

    seconds: float
    seed: int
    breaks: int
    orders: int
    fills: int
    withdrawn: int
    """Times that no quote was open at the exchange, because the market or the account was lost."""
    most_position: str
    position: str
    profit: str
    violations: tuple[str, ...]

    def to_json(self) -> str:
        """As one JSON object."""
        return msgspec.json.encode(self).decode()


class MakerScreen(Protocol):
    """A place to show the market maker: a terminal, lines, or nothing."""

    def show(self, view: MakerView) -> None: ...


def quotes_around(
    event: Quote[Decimal], position: Decimal, tick: Decimal
) -> tuple[list[Level], list[Level]]:
    """Bids and asks at the market, one tick further away for each step of the position."""
    lean = tick * int(position / QUANTITY)
    bid = min(event.bid_price, event.bid_price - lean)
    ask = max(event.ask_price, event.ask_price - lean)
    bids = [(bid - level * 5 * tick, QUANTITY) for level in range(LEVELS)]
    asks = [(ask + level * 5 * tick, QUANTITY) for level in range(LEVELS)]
    return bids, asks


async def run_maker(options: MakerOptions, screen: MakerScreen, stop: trio.Event) -> MakerReport:
    """Make a market until the duration is over or `stop` is set, and leave.

    Cancellation: every order is cancelled; there is no report.
    """
    network, spec = MemoryNetwork(), TradingAccount("maker", {"USDC": FUNDS}, maker_fee=0)
    async with open_exchange(
        "binance_usdm",
        source=OrderFlow(symbols=(SYMBOL,), seed=options.seed),
        network=network,
        accounts=(spec,),
    ) as exchange:
        usdm = binance.UsdMFutures(numbers=Decimal, endpoints=exchange.endpoints)
        show = Show(exchange, exchange.accounts["maker"], screen)
        async with open_adapter(
            usdm, dialer=network, reconnect=RECONNECT, stale_after=0.8
        ) as adapter:
            await _trade(adapter, ApiKey(spec.key, spec.secret), options, show, stop)
        return show.report(options)


async def _trade(
    adapter: Adapter[Decimal],
    key: ApiKey,
    options: MakerOptions,
    show: Show,
    stop: trio.Event,
) -> None:
    limits = Limits(position={SYMBOL: MOST}, open_notional=5_000)
    tick = {each.symbol: each.tick_size for each in await adapter.instruments()}[SYMBOL]
    assert tick is not None
    async with (
        adapter.open_account(
            key, name="maker", limits=limits, timing=Timing(blind_seconds=0.5)
        ) as account,
        account.quotes(
            SYMBOL, max_long=MOST, max_short=MOST, max_age=MAX_AGE_SECONDS, keep=Keep(ticks=1)
        ) as quotes,
        trio.open_nursery() as nursery,
    ):
        show.account, show.quotes = account, quotes
        nursery.start_soon(_hear, account, show)
        nursery.start_soon(_quote, adapter, account, quotes, tick, show)
        nursery.start_soon(_look, show)
        nursery.start_soon(_break, options, show)
        with trio.move_on_after(options.duration_seconds):
            await stop.wait()
        await _settle(account)
        show.end()
        nursery.cancel_scope.cancel()


async def _settle(account: Account) -> None:
    with trio.move_on_after(5):
        await account.wait_synced()


async def _quote(
    adapter: Adapter[Decimal], account: Account, quotes: Quotes, tick: Decimal, show: Show
) -> None:
    """Want new quotes whenever the market moves."""
    async with adapter.subscribe(BestQuote(SYMBOL), overflow=Overflow.CONFLATE) as best:
        async for event in best:
            show.market = event.bid_price, event.ask_price
            if account.synced and event.bid_price < event.ask_price:
                bids, asks = quotes_around(event, account.positions[SYMBOL].quantity, tick)
                quotes.want(bids=bids, asks=asks)


async def _hear(account: Account, show: Show) -> None:
    """Tell what happens to the account."""
    async with account.events() as feed:
        async for event in feed:
            match event:
                case Fill():
                    show.tell(f"{event.side} {written(event.quantity)} at {written(event.price)}")
                case Unsynced():
                    show.tell(f"not synced: {event.reason}")
                case Synced():
                    show.tell("synced")


async def _look(show: Show) -> None:
    while True:
        show.screen.show(show.look())
        await trio.sleep(LOOK_SECONDS)


async def _break(options: MakerOptions, show: Show) -> None:
    """Break all connections, each time in a different way, with time left to recover."""
    began, order = trio.current_time(), list(AUDIBLE)
    random.Random(options.seed).shuffle(order)
    count = 0
    while True:
        count += 1
        moment = count * BREAK_EVERY_SECONDS
        if moment + RECOVERY_SECONDS > options.duration_seconds:
            return
        await trio.sleep_until(began + moment)
        show.strike(order[count % len(order)])


@attrs.define(eq=False)
class Show:
    """What is remembered for the screen and the report."""

    exchange: SimulatedExchange
    truth: SimulatedAccount
    screen: MakerScreen
    account: Account | None = None
    quotes: Quotes | None = None
    market: tuple[Decimal, Decimal] | None = None
    breaks: int = 0
    withdrawn: int = 0
    most_position: Decimal = Decimal(0)
    _began: float = attrs.field(factory=trio.current_time)
    _seconds: float = 0.0
    _told: deque[str] = attrs.field(factory=lambda: deque(maxlen=5))
    _had_quotes: bool = False
    _violations: list[str] = attrs.field(factory=list)
    _last: MakerView | None = None

    def tell(self, text: str) -> None:
        """Remember what happened."""
        self._told.append(f"{trio.current_time() - self._began:5.1f} s  {text}")

    def strike(self, trouble: Break) -> None:
        """Break every connection."""
        self.breaks += 1
        self.tell(f"BREAK {self.breaks}: {trouble.title}")
        strike(self.exchange, trouble, links=4)

    def look(self) -> MakerView:
        """What there is now."""
        assert self.account is not None
        assert self.quotes is not None
        open_orders, statistics = self.truth.open_orders, self.account.statistics()
        self.withdrawn += self._had_quotes and not open_orders
        self._had_quotes = bool(open_orders)
        held = abs(self.truth.position(SYMBOL).quantity)
        self.most_position = max(self.most_position, held)
        levels = [
            (each.side, (each.price, each.remaining))
            for each in self.quotes.orders
            if each.price is not None and each.state == "open"
        ]
        self._last = MakerView(
            seconds=trio.current_time() - self._began,
            synced=self.account.synced,
            cause=statistics.unsynced_reason,
            market=self.market,
            bids=_best_first(levels, "buy"),
            asks=_best_first(levels, "sell"),
            position=self.account.last_known.positions[SYMBOL].quantity,
            profit=self._profit(self.account),
            fills=statistics.fills,
            orders=statistics.placed,
            behind=self.quotes.behind.number,
            open_at_exchange=len(open_orders),
            breaks=self.breaks,
            told=tuple(self._told),
        )
        return self._last

    def end(self) -> None:
        """The program is about to leave: compare the account with the exchange."""
        view = self.look()
        self._seconds = view.seconds
        if not view.synced:
            self._violations.append(f"at the end the account was not synced: {view.cause}")
        elif view.position != self.truth.position(SYMBOL).quantity:
            self._violations.append("the account's position is not the exchange's")
        elif view.fills != len(self.truth.fills):
            self._violations.append(f"{view.fills} of {len(self.truth.fills)} fills were told")

    def report(self, options: MakerOptions) -> MakerReport:
        """The result, after the program has left."""
        left, ids = self.truth.open_orders, self.truth.client_ids
        found = list(self._violations)
        if left:
            found.append(f"{len(left)} orders are open after the program has left")
        if len(set(ids)) != len(ids):
            found.append("an intent has become two orders")
        if self.most_position > MOST:
            found.append(f"the position was {self.most_position}, more than {MOST}")
        if not ids:
            found.append("nothing was quoted")
        assert self._last is not None
        return MakerReport(
            seconds=round(self._seconds, 3),
            seed=options.seed,
            breaks=self.breaks,
            orders=len(ids),
            fills=len(self.truth.fills),
            withdrawn=self.withdrawn,
            most_position=written(self.most_position),
            position=written(self.truth.position(SYMBOL).quantity),
            profit=f"{self._last.profit:.4f}",
            violations=tuple(found),
        )

    def _profit(self, account: Account) -> Decimal:
        known = account.last_known
        position = known.positions[SYMBOL]
        wallet = known.balances["USDC"].total or Decimal(0)
        if self.market is None or position.entry_price is None:
            return wallet - FUNDS
        middle = (self.market[0] + self.market[1]) / 2
        return wallet - FUNDS + position.quantity * (middle - position.entry_price)


def _best_first(levels: Sequence[tuple[str, Level]], side: str) -> tuple[Level, ...]:
    found = [level for each, level in levels if each == side]
    return tuple(sorted(found, reverse=side == "buy"))
