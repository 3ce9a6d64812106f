"""Coinbase as it is simulated, met by the whole connector, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector.channels import (
    BestQuote,
    BookDeltas,
    Candles,
    OrderBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import SubscriptionRejected
from connector.events import BookView, Trade
from connector.exchanges import coinbase
from connector.testing import (
    Fault,
    FaultPlan,
    SimulatedExchange,
    When,
)
from tests.exchanges.simulated import Simulated, events_of, open_simulated

SYMBOL = "BTC-USD"
CHANNELS = [
    Trades(SYMBOL), BestQuote(SYMBOL), BookDeltas(SYMBOL), OrderBook(SYMBOL, 10),
    Candles(SYMBOL, "5m"), Tickers(SYMBOL), RawStream(f"status:{SYMBOL}"),
]  # fmt: skip


def world(
    rate_per_second: float = 200,
    faults: FaultPlan | None = None,
    symbols: tuple[str, ...] = (SYMBOL, "ETH-USDC"),
) -> AbstractAsyncContextManager[Simulated]:
    make = coinbase.AdvancedTrade
    return open_simulated("coinbase", make, symbols, rate_per_second, faults=faults)


async def test_all_at_once_on_one_connection(autojump_clock: MockClock) -> None:
    async with world(20) as (exchange, adapter), trio.open_nursery() as nursery:
        for channel in CHANNELS[:-1]:
            nursery.start_soon(events_of, adapter, channel)
        await trio.sleep(15)
        assert exchange.accepted == 1


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
