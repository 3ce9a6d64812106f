"""A network that cuts, delays and swallows bytes at random, and a program that trades over it.

The proxy stands between an adapter and the simulated exchange and knows nothing of either: it sees
bytes. The program knows the public API only. The judge asks the exchange what is true.

Run ten thousand orders: ``python -m tests.account.hostile usdm --orders 13500 --seed 9``.
"""

from __future__ import annotations

import argparse
import logging
import random
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Literal

import attrs
import trio
from trio.testing import MockClock

from connector import open_adapter
from connector.account.account import Account
from connector.account.order import Order
from connector.accounts import Fill, Timing
from connector.errors import (
    AmendRefused,
    LimitReached,
    NotSent,
    NotSynced,
    OrderEnded,
    OrderInvalid,
    OrderNotPlaced,
    OrdersLeft,
    OrderUnknown,
)
from connector.exchanges import binance
from connector.exchanges.binance import Endpoints
from connector.keys import ApiKey
from connector.orders import Limit, Limits
from connector.testing import MemoryNetwork, OrderFlow, SimulatedExchange, open_exchange
from connector.testing.exchange.trading.accounts import SimulatedAccount, TradingAccount
from connector.testing.explore.schedule import Seeded, taken_over

SYMBOLS = {"spot": "ETHUSDC", "usdm": "ETHUSDC", "binance_coinm": "ETHUSD_PERP"}
UNITS = {"spot": Decimal("0.001"), "usdm": Decimal("0.001"), "binance_coinm": Decimal(1)}
"""The steps of quantities."""
KINDS: dict[str, Any] = {
    "spot": binance.Spot,
    "usdm": binance.UsdMFutures,
    "binance_coinm": binance.CoinMFutures,
}
RICH = {"USDC": "100000000", "ETH": "50000"}
Fate = Literal["pass", "delay", "cut", "swallow"]


@attrs.frozen(kw_only=True)
class Weather:
    """How likely each chunk of bytes is to meet each fate, and for how long, in seconds."""

    delay: float = 0.0
    cut: float = 0.0
    swallow: float = 0.0
    refuse: float = 0.0
    longest_delay: float = 3.0
    longest_silence: float = 20.0


CALM = Weather()
STORM = Weather(delay=0.04, cut=0.01, swallow=0.005, refuse=0.05)


@attrs.define(eq=False)
class Proxy:
    """Carries bytes between two networks, and loses some."""

    dial: Callable[[], Awaitable[trio.abc.Stream]]
    random: random.Random
    weather: Weather = CALM
    fates: Counter[str] = attrs.field(factory=Counter)

    async def serve(self, listener: trio.abc.Listener[Any]) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                nursery.start_soon(self._carry, await listener.accept())

    async def _carry(self, near: trio.abc.Stream) -> None:
        if self.random.random() < self.weather.refuse:
            self.fates["refuse"] += 1
            await _break(near)
            return
        try:
            far = await self.dial()
        except OSError:
            await _break(near)
            return
        try:
            async with trio.open_nursery() as nursery:
                scope = nursery.cancel_scope
                nursery.start_soon(self._pump, near, far, scope)
                nursery.start_soon(self._pump, far, near, scope)
        finally:
            with trio.CancelScope(shield=True):
                for end in (near, far):
                    await _break(end)

    async def _pump(
        self, source: trio.abc.Stream, target: trio.abc.Stream, both: trio.CancelScope
    ) -> None:
        try:
            while data := await source.receive_some(65_536):
                fate = self._fate()
                self.fates[fate] += 1
                if fate == "delay":
                    await trio.sleep(self.random.uniform(0, self.weather.longest_delay))
                if fate in ("cut", "swallow"):
                    await target.send_all(data[: self.random.randrange(len(data) + 1)])
                if fate == "swallow":
                    # Nothing of this direction any more; the other may go on. Nobody is told.
                    with trio.move_on_after(self.random.uniform(0, self.weather.longest_silence)):
                        while await source.receive_some(65_536):
                            pass
                if fate in ("cut", "swallow"):
                    break
                await target.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        both.cancel()

    def _fate(self) -> Fate:
        drawn = self.random.random()
        for fate in ("delay", "cut", "swallow"):
            drawn -= getattr(self.weather, fate)
            if drawn < 0:
                return fate  # type: ignore[return-value]
        return "pass"


async def _break(stream: Any) -> None:
    if isinstance(stream, trio.SocketStream):
        with_reset = struct.pack("ii", 1, 0)
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, with_reset)
    await trio.aclose_forcefully(stream)


@attrs.define(eq=False)
class Judge:
    """What the program was told, held against what the exchange knows."""

    truth: SimulatedAccount
    exchange: SimulatedExchange
    start: Decimal
    fills: list[Fill] = attrs.field(factory=list)
    not_placed: dict[tuple[Any, ...], str] = attrs.field(factory=dict)
    left: set[str] = attrs.field(factory=set)
    outcomes: Counter[str] = attrs.field(factory=Counter)
    comparisons: int = 0
    _told: int = 0
    _new: dict[tuple[Any, ...], str] = attrs.field(factory=dict)
    _held: set[Decimal] = attrs.field(factory=set)
    _seen_fills: int = 0
    _holding: Decimal = Decimal(0)

    def read_exchange(self) -> None:
        """Each intent has a price and a quantity of its own: it is accepted once at most."""
        told = self.exchange.trading.told
        for _, event in told[self._told :]:
            order = event.get("o", event) if event.get("e") == "ORDER_TRADE_UPDATE" else event
            if order.get("x") != "NEW":
                continue
            key = (order["S"].lower(), Decimal(order["p"]), Decimal(order["q"]))
            assert key not in self._new, f"two orders of one intent: {key}"
            self._new[key] = order["c"]
        self._told = len(told)
        if not self._held:
            self._holding = self.start
            self._held.add(self._holding)
        for fill in self.truth.fills[self._seen_fills :]:
            self._holding += fill.quantity if fill.side == "BUY" else -fill.quantity
            if fill.fee_asset == "ETH" and fill.contract_size is None:
                self._holding -= fill.fee
            self._held.add(self._holding)
        self._seen_fills = len(self.truth.fills)

    def refused(self, intent: Limit, why: OrderNotPlaced) -> None:
        """Called not placed: then it must not be open, now or later, and have no fill."""
        self.outcomes[type(why).__name__] += 1
        self.not_placed[key_of(intent)] = repr(why)

    def at_any_time(self, account: Account) -> None:
        """What is shown while it says synced is something that the exchange had."""
        self.read_exchange()
        open_now = {each.client_id: each for each in self.truth.open_orders}
        for each in open_now.values():
            key = (each.side.lower(), each.price, each.quantity)
            assert key not in self.not_placed, f"{self.not_placed.get(key)}, and open: {key}"
        for client_id, order in account.orders.items():
            if order.state in ("absent", "refused"):
                assert client_id not in open_now, f"{order!r}, and open"
        if not account.synced:
            return
        self.comparisons += 1
        held = shown_holding(account)
        assert held in self._held, f"shown {held}, which it never had"

    def at_rest(self, account: Account) -> None:
        """Everything has arrived: what is shown is what the exchange has."""
        self.at_any_time(account)
        assert account.synced
        assert shown_holding(account) == self._holding
        shown = {asset: each.total for asset, each in account.balances.items() if each.total}
        assert shown == {asset: each for asset, each in self.truth.balances.items() if each}
        open_now = {each.client_id: each for each in self.truth.open_orders}
        ours = {key: each for key, each in account.orders.items() if not each.ended}
        assert set(ours) == set(open_now), set(ours) ^ set(open_now)
        for client_id, order in ours.items():
            true = open_now[client_id]
            assert (order.price, order.quantity) == (true.price, true.quantity)
            assert order.filled == true.filled
        self.each_fill_once()

    def each_fill_once(self) -> None:
        ids = [each.trade_id for each in self.fills]
        doubled = [key for key, count in Counter(ids).items() if count > 1]
        assert not doubled, f"told twice: {doubled[:5]}"
        true = {str(each.trade_id): each for each in self.truth.fills}
        missing = [key for key in true if key not in set(ids)]
        assert not missing, f"{len(missing)} never told: {missing[:5]}"
        assert not set(ids) - set(true), "a fill that there was not"
        for each in self.fills:
            fill = true[each.trade_id]
            assert (each.price, each.quantity) == (fill.price, fill.quantity)
            assert (each.fee, each.fee_asset) == (fill.fee, fill.fee_asset)
        last: dict[str, int] = {}
        for each in self.fills:
            assert last.get(each.client_id, -1) < int(each.trade_id), "out of order"
            last[each.client_id] = int(each.trade_id)

    def after_leaving(self) -> None:
        self.read_exchange()
        ids = self.truth.client_ids
        assert len(set(ids)) == len(ids)
        open_now = {each.client_id for each in self.truth.open_orders}
        assert open_now <= self.left, f"open and not named: {open_now - self.left}"
        names = {self._new[key] for key in self.not_placed if key in self._new}
        filled = [each.client_id for each in self.truth.orders if each.filled]
        assert not names & set(filled), "called not placed, and filled"


def shown_holding(account: Account) -> Decimal:
    (holding,) = account.positions.values()
    return holding.quantity


def key_of(intent: Limit) -> tuple[Any, ...]:
    return (intent.side, intent.price, intent.quantity)


@attrs.define(eq=False)
class Program:
    """Places, amends and cancels, in every way that the API has."""

    venue: str
    judge: Judge
    random: random.Random
    numbers: Iterator[int]

    def intent(self) -> Limit | None:
        """One that no other is alike: its number is in its price and quantity."""
        number = next(self.numbers, None)
        if number is None:
            return None
        side: Any = self.random.choice(["buy", "sell"])
        crosses = self.random.random() < 0.2
        away = Decimal(number % 7000) / 100
        base = 3150 if (side == "buy") == crosses else 2800
        quantity = (10 + number // 7000) * UNITS[self.venue]
        return Limit(
            SYMBOLS[self.venue],
            side,
            quantity=quantity,
            price=base + away,
            post_only=not crosses and self.random.random() < 0.5,
            time_in_force="IOC" if crosses else "GTC",
        )

    async def trade(self, account: Account) -> None:
        while True:
            intent = self.intent()
            if intent is None:
                self.judge.outcomes["over"] += 1
                return
            self.judge.at_any_time(account)
            try:
                await self._one(account, intent)
            except NotSynced:
                self.judge.outcomes["NotSynced"] += 1
                await account.wait_synced()
            except LimitReached as error:
                self.judge.refused(intent, error)
                await trio.sleep(min(error.retry_after, 5.0))
            except NotSent as error:
                self.judge.refused(intent, error)
                await trio.sleep(0.5)
            except OrderInvalid:
                raise
            except OrderNotPlaced as error:
                self.judge.refused(intent, error)
            except OrderUnknown:
                self.judge.outcomes["OrderUnknown"] += 1
            else:
                self.judge.outcomes["done"] += 1
            await trio.sleep(self.random.uniform(0, 0.2))

    async def _one(self, account: Account, intent: Limit) -> None:
        way = self.random.choice(["place", "cancelled", "working", "submit", "amend", "cancel"])
        brief = self.random.uniform(0, 2)
        if way == "working":
            with trio.move_on_after(brief):
                async with account.working(intent) as order:
                    await order.wait_done()
        elif way == "cancelled":
            with trio.move_on_after(self.random.uniform(0, 0.05)):
                await account.place(intent)
        elif way == "submit":
            order = account.submit(intent)
            await order.accepted()
        else:
            order = await account.place(intent)
            if way == "amend" and self.venue != "spot":
                await self._amend(account, order, intent)
            if way != "place" or self.random.random() < 0.5:
                await self._cancel(account, order)

    async def _amend(self, account: Account, order: Order, intent: Limit) -> None:
        try:
            changed = self.random.randrange(1001, 1009) * UNITS[self.venue]
            await account.amend(order, quantity=intent.quantity + changed)
            self.judge.outcomes["amended"] += 1
        except (AmendRefused, OrderEnded, NotSent, LimitReached, OrderUnknown) as error:
            self.judge.outcomes[f"amend: {type(error).__name__}"] += 1

    async def _cancel(self, account: Account, order: Order) -> None:
        with trio.move_on_after(self.random.uniform(0, 10)):
            state = await account.cancel(order)
            true = {each.client_id: each for each in self.judge.truth.open_orders}
            assert order.client_id not in true, f"{state}, and open"
            self.judge.outcomes["cancelled"] += 1


@attrs.define(eq=False)
class Run:
    """One run: chapters of storm and calm, each with a block of its own."""

    venue: str
    seed: int
    orders: int
    storm: Weather = STORM
    chapter_seconds: float = 120.0
    traders: int = 4
    over_sockets: bool = False
    calm: bool = False
    """Whether each block ends in calm, so that no second one has to wait for what is unknown."""

    async def main(self) -> Judge:
        inner = None if self.over_sockets else MemoryNetwork()
        outer = None if self.over_sockets else MemoryNetwork()
        draw = random.Random(self.seed)
        async with open_exchange(
            self.venue,  # type: ignore[arg-type]
            source=OrderFlow(symbols=(SYMBOLS[self.venue],), rate_per_second=1e-6),
            network=inner,
            accounts=[TradingAccount("mm1", RICH)],
        ) as exchange:
            truth = exchange.accounts["mm1"]
            start = truth.balances["ETH"] if self.venue == "spot" else Decimal(0)
            judge = Judge(truth, exchange, start)
            numbers = iter(range(self.orders))

            async def dial() -> trio.abc.Stream:
                if inner is not None:
                    return await inner.open_stream(exchange.host, exchange.port)
                return await trio.open_tcp_stream(exchange.host, exchange.port)

            proxy = Proxy(dial, random.Random(draw.random()))
            async with trio.open_nursery() as nursery:
                if outer is not None:
                    listener: Any = outer.listen()
                    port = listener.port
                else:
                    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
                    port = listener.socket.getsockname()[1]
                nursery.start_soon(proxy.serve, listener)
                endpoints = Endpoints(f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}")
                bookmark: str | None = None
                program = Program(self.venue, judge, random.Random(draw.random()), numbers)
                while program.judge.outcomes["over"] == 0:
                    self._draw = random.Random(draw.random())
                    bookmark = await self._chapter(endpoints, outer, program, proxy, bookmark)
                    judge.after_leaving()
                self.fates = proxy.fates
                nursery.cancel_scope.cancel()
            await listener.aclose()
        return judge

    fates: Counter[str] = attrs.field(factory=Counter, init=False)

    _draw: random.Random = attrs.field(factory=random.Random, init=False)

    async def _chapter(
        self,
        endpoints: Endpoints,
        network: Any,
        program: Program,
        proxy: Proxy,
        bookmark: str | None,
    ) -> str | None:
        judge, draw = program.judge, self._draw
        kind = KINDS[self.venue]
        key = ApiKey(judge.truth.key, judge.truth.secret)
        options: dict[str, Any] = {} if network is None else {"dialer": network}
        proxy.weather = self.storm
        cancelled = not self.calm and draw.random() < 0.5
        try:
            async with open_adapter(kind(endpoints=endpoints), **options) as adapter:
                async with adapter.open_account(
                    key,
                    name="mm1",
                    limits=Limits.none(),
                    bookmark=bookmark,
                    symbols=(SYMBOLS[self.venue],),
                    timing=Timing(leave_timeout=120.0),
                ) as account:
                    async with account.events() as feed:
                        with trio.CancelScope() as body:
                            await self._storm(account, feed, program, proxy, draw)
                            if cancelled:
                                body.cancel()
                                await trio.lowlevel.checkpoint()
                            proxy.weather = CALM
                            # Until nothing is mute any more: silence is noticed late.
                            await trio.sleep(self.storm.longest_delay)
                            if self.storm.swallow:
                                await trio.sleep(self.storm.longest_silence)
                            await settled(account, 0.5 if self.over_sockets else 5.0)
                            drain(feed, judge)
                            judge.at_rest(account)
                            proxy.weather = self.storm
                        drain(feed, judge)
                        bookmark = account.bookmark
        except OrdersLeft as left:
            judge.left |= {each.client_id for each in left.orders}
            judge.outcomes["OrdersLeft"] += len(left.orders)
        judge.outcomes["blocks"] += 1
        return bookmark

    async def _storm(
        self, account: Account, feed: Any, program: Program, proxy: Proxy, draw: random.Random
    ) -> None:
        judge = program.judge

        async def market() -> None:
            """The market takes some of what rests, in parts."""
            while True:
                await trio.sleep(draw.uniform(0, 0.3))
                drain(feed, judge)
                resting = judge.truth.open_orders
                if resting:
                    order = draw.choice(resting)
                    part = order.remaining * draw.choice([1, 2, 5]) / 5
                    part = part.quantize(UNITS[self.venue]) or order.remaining
                    judge.exchange.trading.fill(order, part)

        with trio.move_on_after(self.chapter_seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(market)
                async with trio.open_nursery() as traders:
                    for _ in range(self.traders):
                        traders.start_soon(program.trade, account)
                nursery.cancel_scope.cancel()


def drain(feed: Any, judge: Judge) -> None:
    while True:
        try:
            event = feed.receive_nowait()
        except trio.WouldBlock:
            return
        if isinstance(event, Fill):
            judge.fills.append(event)
        judge.outcomes[type(event).__name__] += 1
        if getattr(event, "late", False):
            raise AssertionError(f"late: {event}")


async def settled(account: Account, pause: float) -> None:
    with trio.fail_after(300.0):
        while True:
            await trio.sleep(pause)
            states = {each.state for each in account.orders.values()}
            if account.synced and not states & {"queued", "sent", "unknown"}:
                return


class Secrets(logging.Handler):
    """Whether a log record shows something that must not be seen."""

    def __init__(self, *secrets: str) -> None:
        super().__init__(logging.DEBUG)
        self.secrets = secrets
        self.found: list[str] = []
        self.records = 0

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage() + repr(record.exc_info)
        self.records += 1
        if any(each in text for each in (*self.secrets, "signature", "listenKey")):
            self.found.append(text)


@contextmanager
def watching_logs() -> Iterator[Secrets]:
    account = TradingAccount("mm1", RICH)
    handler = Secrets(account.key, account.secret)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


def run(venue: str, seed: int, orders: int, **options: Any) -> tuple[Judge, Counter[str]]:
    """A run; in virtual time, unless it goes over sockets."""
    this = Run(venue, seed, orders, **options)
    clock = None if this.over_sockets else MockClock(autojump_threshold=0)
    random.seed(seed)
    with watching_logs() as secrets, taken_over(Seeded(seed).begin()):
        judge = trio.run(this.main, clock=clock)
    assert secrets.records
    assert not secrets.found, secrets.found[:3]
    return judge, this.fates


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("venue", choices=list(SYMBOLS))
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--over-sockets", action="store_true")
    given = parser.parse_args()
    began = time.perf_counter()
    judged, fates = run(given.venue, given.seed, given.orders, over_sockets=given.over_sockets)
    print(f"{len(judged.truth.client_ids)} orders at the exchange, {len(judged.fills)} fills")
    print(f"{judged.comparisons} comparisons, {dict(judged.outcomes)}")
    print(f"bytes: {dict(fates)}; {time.perf_counter() - began:.1f} s", file=sys.stdout)
