"""Bitget as it is simulated, met by the whole connector, in virtual time."""

from __future__ import annotations

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
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.events import BookView, Gap
from connector.exchanges import bitget
from connector.testing import Fault
from tests.exchanges.simulated import Simulated, events_of, open_simulated

SYMBOL = "BTCUSDT"
SYMBOLS = {
    "bitget_spot": (SYMBOL, "ETHUSDC"),
    "bitget_futures": (SYMBOL, "ETHPERP", "BTCUSD_CM"),
}
EXCHANGES: dict[str, Any] = {"bitget_spot": bitget.Spot, "bitget_futures": bitget.Futures}


def world(
    venue: str = "bitget_futures", rate_per_second: float = 200
) -> AbstractAsyncContextManager[Simulated]:
    return open_simulated(venue, EXCHANGES[venue], SYMBOLS[venue], rate_per_second)


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
