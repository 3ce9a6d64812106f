"""Bitget as it is simulated, met by the whole connector, in virtual time."""

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
from connector.exchanges import bitget
from connector.testing import Fault, MemoryNetwork, OrderFlow, SimulatedExchange, open_exchange

SYMBOL = "BTCUSDT"
SYMBOLS = {
    "bitget_spot": (SYMBOL, "ETHUSDC"),
    "bitget_futures": (SYMBOL, "ETHPERP", "BTCUSD_CM"),
}
EXCHANGES: dict[str, Any] = {"bitget_spot": bitget.Spot, "bitget_futures": bitget.Futures}
COMMON = [
    Trades(SYMBOL), BestQuote(SYMBOL), PartialBook(SYMBOL), PartialBook(SYMBOL, 15),
    PartialBook(SYMBOL, 50, 20), BookDeltas(SYMBOL), BookDeltas(SYMBOL, 150), OrderBook(SYMBOL, 10),
    Candles(SYMBOL), Candles(SYMBOL, "1d"), Tickers(SYMBOL),
]  # fmt: skip
OF_FUTURES = [
    MarkPrices(SYMBOL), Liquidations(), Trades("ETHPERP"), BookDeltas("BTCUSD_CM"),
    BookDeltas("BTCUSD_CM", 150),
]  # fmt: skip


@asynccontextmanager
async def world(
    venue: Any = "bitget_futures", rate_per_second: float = 200
) -> AsyncIterator[tuple[SimulatedExchange, Adapter]]:
    network = MemoryNetwork()
    flow = OrderFlow(symbols=SYMBOLS[venue], rate_per_second=rate_per_second)
    async with open_exchange(venue, source=flow, network=network) as exchange:
        made = EXCHANGES[venue](endpoints=exchange.endpoints, numbers=Decimal)
        reconnect = Reconnect(initial=0.1, jitter="none")
        async with open_adapter(made, dialer=network, reconnect=reconnect) as adapter:
            yield exchange, adapter


async def events_of(adapter: Adapter, channel: Channel[Any], count: int = 3) -> list[Any]:
    with trio.fail_after(600):
        async with adapter.subscribe(channel, gaps=True) as feed:
            return [await anext(feed) for _ in range(count)]


@pytest.mark.parametrize("venue", EXCHANGES)
async def test_every_channel_brings_events(autojump_clock: MockClock, venue: str) -> None:
    channels = COMMON if venue == "bitget_spot" else COMMON + OF_FUTURES
    async with world(venue) as (_, adapter):
        for channel in channels:
            for event in await events_of(adapter, channel):
                assert not isinstance(event, Gap), event
                assert event.symbol == (channel.symbol or event.symbol)
                assert event.exchange_time_ns
        assert adapter.statistics().decode_errors == 0


async def test_what_was_traded_before_is_left_out(autojump_clock: MockClock) -> None:
    async with world() as (exchange, adapter):
        await events_of(adapter, Tickers(SYMBOL))
        known = exchange._player.desks[SYMBOL].flow.bars.day.last_id  # type: ignore[attr-defined]
        trades = await events_of(adapter, Trades(SYMBOL), 30)
        assert trades[0].trade_id > known * 1_000_003 > 0
        ids = [each.trade_id for each in trades]
        assert ids == sorted(set(ids))


async def test_a_candle_is_closed_by_the_next(autojump_clock: MockClock) -> None:
    async with world(rate_per_second=1) as (_, adapter):
        async with adapter.subscribe(Candles(SYMBOL)) as feed:
            with trio.fail_after(300):
                while not (candle := await anext(feed)).closed:
                    pass
                after = await anext(feed)
                assert after.open_time_ns == candle.close_time_ns + 10**6


async def test_a_bad_symbol_is_refused_and_the_others_live(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter), trio.open_nursery() as nursery:
        nursery.start_soon(events_of, adapter, Tickers(SYMBOL))
        nursery.start_soon(events_of, adapter, PartialBook(SYMBOL, 15))
        for channel in (Tickers("NOPEUSDT"), BookDeltas("NOPEUSDT", 150), Candles("XPERP", "1d")):
            with pytest.raises(SubscriptionRejected, match=r"30001.*exist"):
                await events_of(adapter, channel)


async def test_text_pings_keep_a_connection_on_which_data_flows(
    autojump_clock: MockClock,
) -> None:
    async with world(rate_per_second=1) as (exchange, adapter):
        async with adapter.subscribe(Trades(SYMBOL)) as feed:
            with trio.move_on_after(300):
                async for _ in feed:
                    pass
            assert exchange.accepted == 1
            assert adapter.statistics().unknown_messages == 0


async def test_many_streams_are_asked_for_in_several_requests(autojump_clock: MockClock) -> None:
    channels = [
        made(symbol)
        for symbol in SYMBOLS["bitget_futures"]
        for made in (Trades, BestQuote, PartialBook, BookDeltas, Tickers, Candles)
    ]
    channels += [RawStream(f"rpi-books5:{symbol}") for symbol in SYMBOLS["bitget_futures"]]
    async with world(rate_per_second=1) as (exchange, adapter):
        with trio.fail_after(60):
            async with adapter.subscribe(*channels):
                requests = [each.detail for each in exchange.log if '"subscribe"' in each.detail]
                assert max(each.count("instType") for each in requests) <= 10
                assert exchange.accepted == 1


@pytest.mark.parametrize(("interval_ms", "levels"), [(100, 1000), (150, 200)])
async def test_a_book_is_the_book_of_the_exchange(
    autojump_clock: MockClock, interval_ms: int, levels: int
) -> None:
    compared = 0
    async with world() as (exchange, adapter):
        flow = exchange._player.desks[SYMBOL].flow  # type: ignore[attr-defined]  # the truth
        async with adapter.subscribe(OrderBook(SYMBOL, interval_ms=interval_ms)) as feed:
            with trio.fail_after(600):
                async for view in feed:
                    assert isinstance(view, BookView)
                    if not view.synced or view.update_id != flow.update_id * 17:
                        continue  # the market has gone on
                    for side, shown in ((flow.book.bids, view.bids), (flow.book.asks, view.asks)):
                        assert [
                            (int(level.price * 100), int(level.quantity * 1000)) for level in shown
                        ] == side.best_levels(levels)
                    compared += 1
                    if compared == 20:
                        break


@pytest.mark.parametrize(
    "fault", ["reset", "half_open", "close", Fault("truncated_json", stream="books:*")], ids=str
)
async def test_a_book_is_right_again_after_a_loss(autojump_clock: MockClock, fault: Any) -> None:
    async with world("bitget_spot") as (exchange, adapter):
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
                    if view.update_id == flow.update_id * 17:
                        best = Decimal(flow.best[0]).scaleb(-2), Decimal(flow.best[1]).scaleb(-3)
                        assert tuple(view.best_bid) == best
                        compared += 1


async def test_instruments(autojump_clock: MockClock) -> None:
    for venue, symbols in SYMBOLS.items():
        async with world(venue) as (_, adapter):
            found = {each.symbol: each for each in await adapter.instruments(timeout=60)}
            assert set(found) == set(symbols)
            assert found[SYMBOL].tick_size == Decimal("0.01")
    coin = found["BTCUSD_CM"]
    assert (coin.base, coin.quote, coin.settle, coin.inverse) == ("BTC", "USD", "BTC", True)
    assert coin.base_quantity(Decimal(600), Decimal(60_000)) == Decimal("0.01")
    assert (found["ETHPERP"].quote, found["ETHPERP"].settle) == ("USDC", "USDC")
