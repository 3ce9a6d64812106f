"""Hyperliquid as it is simulated, met by the whole connector, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector import Adapter, Reconnect, open_adapter
from connector.channels import (
    BestQuote,
    Candles,
    Channel,
    MarkPrices,
    OrderBook,
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import RequestRejected, SubscriptionRejected
from connector.events import BookView, Gap, Trade
from connector.exchanges import hyperliquid
from connector.testing import (
    Fault,
    FaultPlan,
    MemoryNetwork,
    OrderFlow,
    SimulatedExchange,
    When,
    open_exchange,
)

SYMBOL = "BTC"


def channels(symbol: str) -> list[Channel[Any]]:
    return [
        Trades(symbol), BestQuote(symbol), PartialBook(symbol), PartialBook(symbol, 20),
        OrderBook(symbol, 5), OrderBook(symbol), Candles(symbol), Tickers(symbol),
        MarkPrices(symbol),
    ]  # fmt: skip


@asynccontextmanager
async def world(
    rate_per_second: float = 100, faults: FaultPlan | None = None
) -> AsyncIterator[tuple[SimulatedExchange, Adapter]]:
    network = MemoryNetwork()
    flow = OrderFlow(symbols=(SYMBOL, "@107"), rate_per_second=rate_per_second)
    async with open_exchange(
        "hyperliquid", source=flow, network=network, faults=faults
    ) as exchange:
        made = hyperliquid.Hyperliquid(endpoints=exchange.endpoints, numbers=Decimal)
        reconnect = Reconnect(initial=0.1, jitter="none")
        async with open_adapter(made, dialer=network, reconnect=reconnect) as adapter:
            yield exchange, adapter


async def events_of(adapter: Adapter, channel: Channel[Any], count: int = 3) -> list[Any]:
    with trio.fail_after(600):
        async with adapter.subscribe(channel, gaps=True) as feed:
            return [await anext(feed) for _ in range(count)]


@pytest.mark.parametrize("symbol", [SYMBOL, "@107"])
async def test_every_channel_brings_events(autojump_clock: MockClock, symbol: str) -> None:
    async with world() as (exchange, adapter), trio.open_nursery() as nursery:

        async def check(channel: Channel[Any]) -> None:
            for event in await events_of(adapter, channel):
                assert not isinstance(event, Gap), event
                assert event.symbol == symbol

        for channel in channels(symbol):
            nursery.start_soon(check, channel)
        await trio.sleep(20)
        assert adapter.statistics().decode_errors == 0
        assert exchange.accepted == 1


async def test_raw_frames_of_both_books(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter):
        for name, fast in (("l2Book:BTC", True), ("l2Book.slow:BTC", False)):
            (message, *_) = await events_of(adapter, RawStream(name))
            assert (b'"fast":true' in message.data) is fast


async def test_pings_keep_a_quiet_connection(autojump_clock: MockClock) -> None:
    async with world(1e-9) as (exchange, adapter):
        await trio.sleep(200)
        async with adapter.subscribe(BestQuote(SYMBOL)):
            await trio.sleep(300)
            assert exchange.accepted == 1
            assert adapter.statistics().unknown_messages == 0


async def test_a_coin_that_is_none_is_refused_and_the_others_live(
    autojump_clock: MockClock,
) -> None:
    async with world() as (_, adapter), trio.open_nursery() as nursery:
        nursery.start_soon(events_of, adapter, Trades(SYMBOL))
        for channel in channels("btc")[:4]:
            with pytest.raises(SubscriptionRejected, match=r'Invalid subscription.*"btc"'):
                await events_of(adapter, channel)


async def test_each_trade_once_over_reconnects(autojump_clock: MockClock) -> None:
    faults = FaultPlan((Fault("reset", When(messages=40)),))
    async with world(40, faults) as (exchange, adapter):
        with trio.fail_after(600):
            async with adapter.subscribe(Trades(SYMBOL), gaps=True) as feed:
                trades: list[Trade[Any]] = []
                while exchange.accepted < 4:
                    event = await anext(feed)
                    if isinstance(event, Trade):
                        trades.append(event)
    ids = [(trade.exchange_time_ns, trade.trade_id) for trade in trades]
    assert len(ids) > 80
    assert len(set(ids)) == len(ids)
    times = [trade.exchange_time_ns for trade in trades]
    assert times == sorted(times)  # type: ignore[type-var]


@pytest.mark.parametrize("depth", [5, 20])
@pytest.mark.parametrize(
    "fault",
    ["reset", "half_open", "mute", Fault("truncated_json", stream="l2Book*"),
     Fault("reorder", stream="l2Book*", count=1), Fault("duplicate_frames", count=3)],
    ids=lambda fault: getattr(fault, "kind", fault),
)  # fmt: skip
async def test_a_book_is_never_wrong_while_it_is_synced(
    autojump_clock: MockClock, fault: Any, depth: int
) -> None:
    async with world(10) as (exchange, adapter):
        truth = exchange.keep_truth(SYMBOL, depth)
        seen = compared = 0
        async with adapter.subscribe(OrderBook(SYMBOL, depth), gaps=True) as feed:
            with trio.fail_after(600):
                while compared < 12:
                    if compared == 4:
                        exchange.break_connections(fault)
                    view = await anext(feed)
                    if not isinstance(view, BookView) or not view.synced:
                        continue
                    sides = [[tuple(level) for level in side] for side in (view.bids, view.asks)]
                    found = truth.find_book(*sides, seen)  # type: ignore[arg-type]
                    assert found is not None, "the book never was so, or not after the last view"
                    seen, compared = found, compared + 1


async def test_instruments(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter):
        found = {each.symbol: each for each in await adapter.instruments(timeout=60)}
        assert set(found) == {SYMBOL, "@107"}
        assert (found[SYMBOL].kind, found["@107"].kind) == ("perpetual", "spot")


async def test_what_is_asked_once_is_what_the_streams_bring(autojump_clock: MockClock) -> None:
    async with world() as (exchange, adapter):
        async with adapter.subscribe(Trades(SYMBOL)) as feed:
            live = [await anext(feed) for _ in range(60)]
            asked = await adapter.recent_trades(SYMBOL, limit=20)
            live += [await anext(feed) for _ in range(40)]
        ids = [trade.trade_id for trade in live]
        told = [trade.trade_id for trade in asked]
        assert len(told) == 20
        assert [each for each in told if each in ids] == [each for each in ids if each in told]
        assert len([each for each in told if each in ids]) >= 10

        book = await adapter.depth(SYMBOL, limit=5)
        assert len(book.bids) == len(book.asks) == 5
        assert book.bids[0].price < book.asks[0].price

        opened = exchange._audience.opened_ms * 10**6
        start = opened - opened % (60 * 10**9) - 20 * 3600 * 10**9
        candles = adapter.candles(SYMBOL, "1m", start=start, end=start + 18 * 3600 * 10**9)
        times = [candle.open_time_ns async for candle in candles]
        assert times == [start + n * 60 * 10**9 for n in range(18 * 60)]
        assert candles.missing == ()
        with pytest.raises(RequestRejected):
            await adapter.depth("NOPE", limit=5)
        rates = await adapter.funding_rates(SYMBOL, opened - 30 * 3600 * 10**9, opened)
        assert len(rates) in (30, 31)
        assert rates[0].funding_rate == Decimal("0.0000125")
