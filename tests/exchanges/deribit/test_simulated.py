"""Deribit as it is simulated, met by the whole connector, in virtual time."""

from __future__ import annotations

import json
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
    Liquidations,
    MarkPrices,
    OrderBook,
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import SubscriptionRejected
from connector.events import BookView, Gap
from connector.exchanges import deribit
from connector.testing import (
    Fault,
    FaultPlan,
    MemoryNetwork,
    OrderFlow,
    SimulatedExchange,
    open_exchange,
)

SYMBOL = "BTC-PERPETUAL"
SYMBOLS = (SYMBOL, "ETH_USDC", "ETH-27AUG27-4000-P")
CHANNELS = [
    Trades(SYMBOL), BestQuote(SYMBOL), PartialBook(SYMBOL), PartialBook(SYMBOL, 20, 1000),
    BookDeltas(SYMBOL), OrderBook(SYMBOL, 10), Candles(SYMBOL), Tickers(SYMBOL),
    MarkPrices(SYMBOL), Liquidations(SYMBOL),
]  # fmt: skip


@asynccontextmanager
async def world(
    rate_per_second: float = 200, **options: Any
) -> AsyncIterator[tuple[SimulatedExchange, Adapter]]:
    network = MemoryNetwork()
    flow = OrderFlow(symbols=SYMBOLS, rate_per_second=rate_per_second)
    async with open_exchange("deribit", source=flow, network=network, **options) as exchange:
        made = deribit.Deribit(endpoints=exchange.endpoints, numbers=Decimal)
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
            for event in await events_of(adapter, channel):
                assert not isinstance(event, Gap), event
                assert event.symbol == SYMBOL
        assert adapter.statistics().decode_errors == 0


async def test_trades_are_numbered_without_holes(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter):
        ids = [each.trade_id for each in await events_of(adapter, Trades(SYMBOL), 50)]
        assert ids == list(range(ids[0], ids[0] + 50))


async def test_a_candle_is_closed_by_the_next(autojump_clock: MockClock) -> None:
    async with world(1) as (_, adapter), adapter.subscribe(Candles(SYMBOL)) as feed:
        closed = []
        with trio.fail_after(300):
            async for candle in feed:
                if candle.closed:
                    closed.append(candle)
                    after = await anext(feed)
                    assert after.open_time_ns == candle.open_time_ns + 60 * 10**9
                    if len(closed) == 2:
                        break
        assert closed[0].close_time_ns + 10**6 == closed[1].open_time_ns


async def test_what_is_left_out_of_the_reply_is_refused_and_the_others_live(
    autojump_clock: MockClock,
) -> None:
    async with world() as (_, adapter), trio.open_nursery() as nursery:
        nursery.start_soon(events_of, adapter, Tickers(SYMBOL))
        nursery.start_soon(events_of, adapter, OrderBook(SYMBOL))
        for channel in (Tickers("NOPE-PERPETUAL"), RawStream(f"book.{SYMBOL}.raw")):
            with pytest.raises(SubscriptionRejected, match="did not acknowledge"):
                await events_of(adapter, channel)


async def test_an_error_for_a_whole_request_refuses_the_one_that_is_wrong(
    autojump_clock: MockClock,
) -> None:
    fault = Fault("reject_subscription", stream="quote.*", code=11050, message="bad_request")
    async with world(faults=FaultPlan((fault,))) as (_, adapter), trio.open_nursery() as nursery:
        nursery.start_soon(events_of, adapter, Tickers(SYMBOL))
        nursery.start_soon(events_of, adapter, Trades(SYMBOL))
        with pytest.raises(SubscriptionRejected, match=r"11050.*bad_request"):
            await events_of(adapter, BestQuote(SYMBOL))


async def test_questions_are_answered_and_keep_a_quiet_connection(
    autojump_clock: MockClock,
) -> None:
    async with world(1e-9) as (exchange, adapter):
        async with adapter.subscribe(Trades(SYMBOL)):
            await trio.sleep(300)
            assert exchange.accepted == 1
            assert adapter.statistics().unknown_messages == 0
        requests = [json.loads(each.detail) for each in exchange.log if each.what == "request"]
        asked = [each["method"] for each in requests]
        assert asked[0] == "public/set_heartbeat"
        assert asked.count("public/test") >= 18


async def test_without_heartbeats_a_connection_is_dead(autojump_clock: MockClock) -> None:
    async with world(1e-9, faults=FaultPlan((Fault("half_open", times=1),))) as (exchange, adapter):
        async with adapter.subscribe(Trades(SYMBOL)):
            await trio.sleep(60)
            assert exchange.accepted == 2


@pytest.mark.parametrize("interval_ms", [100, 1000])
async def test_a_book_is_the_book_of_the_exchange(
    autojump_clock: MockClock, interval_ms: int
) -> None:
    compared = 0
    async with world() as (exchange, adapter):
        flow = exchange._player.desks[SYMBOL].flow  # type: ignore[attr-defined]  # the truth
        async with adapter.subscribe(OrderBook(SYMBOL, interval_ms=interval_ms)) as feed:
            with trio.fail_after(600):
                async for view in feed:
                    assert isinstance(view, BookView)
                    if not view.synced or view.update_id != flow.update_id * 7:
                        continue  # the market has gone on
                    for side, levels in ((flow.book.bids, view.bids), (flow.book.asks, view.asks)):
                        assert [
                            (int(level.price * 100), int(level.quantity / 10)) for level in levels
                        ] == side.best_levels(1 << 30)
                    compared += 1
                    if compared == 20:
                        break


@pytest.mark.parametrize(
    "fault", ["reset", "half_open", "close", Fault("truncated_json", stream="book.*")], ids=str
)
async def test_a_book_is_right_again_after_a_loss(autojump_clock: MockClock, fault: Any) -> None:
    async with world() as (exchange, adapter):
        flow = exchange._player.desks[SYMBOL].flow  # type: ignore[attr-defined]  # the truth
        async with adapter.subscribe(OrderBook(SYMBOL), gaps=True) as feed:
            while not (await anext(feed)).synced:  # type: ignore[union-attr]
                pass
            exchange.break_connections(fault)
            with trio.fail_after(300):
                while not isinstance(await anext(feed), Gap):
                    pass
                compared = 0
                while compared < 10:
                    view: Any = await anext(feed)
                    if isinstance(view, Gap) or not view.synced:
                        continue
                    if view.update_id == flow.update_id * 7:
                        best = Decimal(flow.best[0]).scaleb(-2), flow.best[1] * 10
                        assert tuple(view.best_bid) == best
                        compared += 1


async def test_instruments(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter):
        found = {each.symbol: each for each in await adapter.instruments(timeout=60)}
        assert set(found) == set(SYMBOLS)
        assert found[SYMBOL].base_quantity(Decimal(600), Decimal(60_000)) == Decimal("0.01")
        assert found[SYMBOLS[2]].strike == 4000
