"""Coinbase as it is simulated, met by the whole connector, in virtual time."""

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
    BookDeltas,
    Candles,
    Channel,
    OrderBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import RequestRejected, SubscriptionRejected
from connector.events import BookView, Gap, Trade
from connector.exchanges import coinbase
from connector.testing import (
    Fault,
    FaultPlan,
    MemoryNetwork,
    OrderFlow,
    SimulatedExchange,
    When,
    open_exchange,
)

SYMBOL = "BTC-USD"
CHANNELS = [
    Trades(SYMBOL), BestQuote(SYMBOL), BookDeltas(SYMBOL), OrderBook(SYMBOL, 10),
    Candles(SYMBOL, "5m"), Tickers(SYMBOL), RawStream(f"status:{SYMBOL}"),
]  # fmt: skip


@asynccontextmanager
async def world(
    rate_per_second: float = 200,
    faults: FaultPlan | None = None,
    symbols: tuple[str, ...] = (SYMBOL, "ETH-USDC"),
) -> AsyncIterator[tuple[SimulatedExchange, Adapter]]:
    network = MemoryNetwork()
    flow = OrderFlow(symbols=symbols, rate_per_second=rate_per_second)
    async with open_exchange("coinbase", source=flow, network=network, faults=faults) as exchange:
        made = coinbase.AdvancedTrade(endpoints=exchange.endpoints, numbers=Decimal)
        reconnect = Reconnect(initial=0.1, jitter="none")
        async with open_adapter(made, dialer=network, reconnect=reconnect) as adapter:
            yield exchange, adapter


async def events_of(adapter: Adapter, channel: Channel[Any], count: int = 3) -> list[Any]:
    with trio.fail_after(600):
        async with adapter.subscribe(channel, gaps=True) as feed:
            return [await anext(feed) for _ in range(count)]


async def test_every_channel_brings_events(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter):
        for channel in CHANNELS:
            count = 1 if isinstance(channel, RawStream) else 3
            for event in await events_of(adapter, channel, count):
                assert not isinstance(event, Gap), event
                assert event.symbol == SYMBOL
        assert adapter.statistics().decode_errors == 0


async def test_all_at_once_on_one_connection(autojump_clock: MockClock) -> None:
    async with world(20) as (exchange, adapter), trio.open_nursery() as nursery:
        for channel in CHANNELS[:-1]:
            nursery.start_soon(events_of, adapter, channel)
        await trio.sleep(15)
        assert exchange.accepted == 1


async def test_heartbeats_keep_a_quiet_connection(autojump_clock: MockClock) -> None:
    async with world(1e-9) as (exchange, adapter):
        await trio.sleep(60)  # nothing is subscribed yet
        async with adapter.subscribe(Trades(SYMBOL)):
            await trio.sleep(300)
            assert exchange.accepted == 1
            assert adapter.statistics().unknown_messages == 0


async def test_a_product_that_is_none_is_refused_and_the_others_live(
    autojump_clock: MockClock,
) -> None:
    """Alone it is an error that names nothing; among others it is left out of the answer."""
    async with world() as (_, adapter), trio.open_nursery() as nursery:
        with pytest.raises(SubscriptionRejected, match="not valid"):
            await events_of(adapter, Tickers("XX-USD"))
        nursery.start_soon(events_of, adapter, Trades(SYMBOL))
        with pytest.raises(SubscriptionRejected, match=r"not valid|did not acknowledge"):
            await events_of(adapter, Trades("XX-USD"))

    async with world() as (exchange, adapter):
        with pytest.raises(SubscriptionRejected, match="did not acknowledge"):
            async with adapter.subscribe(Trades(SYMBOL), Trades("XX-USD")):
                pass
        assert len(await events_of(adapter, Trades(SYMBOL))) == 3
        assert exchange.accepted == 1


async def test_a_refusal_of_everything_rejects_each_alone(autojump_clock: MockClock) -> None:
    faults = FaultPlan((Fault("reject_subscription", message="no", stream="*:ETH-USDC"),))
    async with world(faults=faults) as (_, adapter):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(events_of, adapter, Trades(SYMBOL))
            with pytest.raises(SubscriptionRejected, match="no"):
                await events_of(adapter, Trades("ETH-USDC"))
        with pytest.raises(SubscriptionRejected, match="no"):
            async with adapter.subscribe(BookDeltas(SYMBOL), BookDeltas("ETH-USDC")):
                pass


async def test_data_of_a_twin_has_the_symbol_that_was_asked_for(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter):
        for channel in (Trades("ETH-USDC"), OrderBook("ETH-USDC"), BestQuote("ETH-USDC")):
            assert {each.symbol for each in await events_of(adapter, channel)} == {"ETH-USDC"}


async def test_each_trade_once_in_order_over_reconnects(autojump_clock: MockClock) -> None:
    faults = FaultPlan((Fault("reset", When(messages=40)),))
    async with world(60, faults) as (exchange, adapter):
        with trio.fail_after(600):
            async with adapter.subscribe(Trades(SYMBOL), gaps=True) as feed:
                trades: list[Trade[Any]] = []
                while exchange.accepted < 4:
                    event = await anext(feed)
                    if isinstance(event, Trade):
                        trades.append(event)
    ids = [trade.trade_id for trade in trades]
    assert len(ids) > 100
    # What was missed while there was no connection came with the next subscription.
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def truth_of(exchange: SimulatedExchange) -> Any:
    flow: Any = exchange._player
    return flow.desks[SYMBOL]


async def compare(
    feed: AsyncIterator[Any], exchange: SimulatedExchange, times: int, *, seconds: float = 300
) -> None:
    """Every synced view is what the exchange has sent."""
    desk, compared = truth_of(exchange), 0
    with trio.fail_after(seconds):
        while compared < times:
            view = await anext(feed)
            if not isinstance(view, BookView) or not view.synced:
                continue
            shown = desk._book._shown
            if shown is None:
                continue
            for side, levels in zip((view.bids, view.asks), shown, strict=True):
                assert [(int(level.price * 100), int(level.quantity * 1000)) for level in side] == [
                    *levels.items()
                ]
            compared += 1


@pytest.mark.parametrize(
    "fault",
    [
        "reset", "half_open", "mute", Fault("truncated_json", stream="l2_data:*"),
        Fault("reorder", stream="l2_data:*", count=1), Fault("duplicate_frames", count=3),
    ],
    ids=lambda fault: getattr(fault, "kind", fault),
)  # fmt: skip
async def test_a_book_is_never_wrong_while_it_is_synced(
    autojump_clock: MockClock, fault: Any
) -> None:
    async with world() as (exchange, adapter):
        async with adapter.subscribe(OrderBook(SYMBOL), Trades("ETH-USDC"), gaps=True) as feed:
            await compare(feed, exchange, 5)
            exchange.break_connections(fault)
            await compare(feed, exchange, 60)


async def test_instruments(autojump_clock: MockClock) -> None:
    async with world(symbols=(SYMBOL, "BIT-26DEC26-CDE")) as (_, adapter):
        found = {each.symbol: each for each in await adapter.instruments(timeout=60)}
        assert found["BIT-26DEC26-CDE"].base_quantity(Decimal(100)) == 1
        assert found[SYMBOL].base == "BTC"


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
