"""What type checkers must infer from the public names; checked by `nox -s lint`, never run."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar, assert_never, assert_type

from connector import Adapter, Feed, Gap, Overflow, Reconnect, merge, open_adapter
from connector.app.redis import RedisSource
from connector.channels import (
    BestQuote,
    BookDeltas,
    Candles,
    OrderBook,
    PartialBook,
    RawStream,
    Trades,
)
from connector.events import (
    BookDelta,
    BookSnapshot,
    BookView,
    Candle,
    Level,
    Quote,
    RawMessage,
    Trade,
    plain,
)
from connector.exchanges import binance, bybit
from connector.instruments import Instrument
from connector.lifecycle import Connected, Disconnected
from connector.link.source import FrameSource
from connector.merging.merge import MergedFeed
from connector.recording import replay
from connector.statistics import AdapterStatistics

N = TypeVar("N", float, Decimal)


async def exchanges_fit_the_interface() -> None:
    endpoints = binance.Endpoints(stream="ws://127.0.0.1:8080", rest="http://127.0.0.1:8080")
    async with open_adapter(binance.Spot(endpoints=endpoints, numbers=Decimal)) as adapter:
        assert_type(adapter, Adapter[Decimal])
    async with open_adapter(
        binance.UsdMFutures(endpoints=binance.TESTNET),
        reconnect=Reconnect(initial=0.25, factor=2, cap=10, jitter="full", stable_after=10),
        stale_after=5,
        close_timeout=1,
    ) as adapter:
        assert_type(adapter.statistics(), AdapterStatistics)
        assert_type(adapter.statistics().reconnects, Mapping[str, int])


async def a_merged_feed_has_the_type_of_its_sides(one: Adapter, other: Adapter) -> None:
    async with one.subscribe(Trades("X")) as feed, other.subscribe(Trades("X")) as copy:
        assert_type(merge(feed, copy), MergedFeed[Trade])
        async for trade in merge(feed, copy):
            assert_type(trade, Trade)
    async with (
        one.subscribe(Trades("X"), gaps=True) as feed_with_gaps,
        other.subscribe(Trades("X"), gaps=True) as copy_with_gaps,
    ):
        assert_type(await merge(feed_with_gaps, copy_with_gaps).receive(), Trade | Gap)


async def a_feed_has_the_type_of_its_channel(adapter: Adapter) -> None:
    async with adapter.subscribe(Trades("ETHUSDC")) as trades:
        assert_type(trades, Feed[Trade])
        async for trade in trades:
            assert_type(trade, Trade)
        assert_type(await trades.receive(), Trade)
        assert_type(trades.receive_nowait(), Trade)
        async for batch in trades.batches():
            assert_type(batch, list[Trade])
    async with adapter.subscribe(PartialBook("ETHUSDC", levels=5, interval_ms=100)) as books:
        assert_type(books, Feed[BookSnapshot])
    async with adapter.subscribe(BookDeltas("ETHUSDC", interval_ms=0)) as deltas:
        assert_type(deltas, Feed[BookDelta])
    async with adapter.subscribe(OrderBook("ETHUSDC", depth=20)) as views:
        assert_type(views, Feed[BookView])
        async for view in views:
            assert_type(view.best_bid, Level | None)
            assert_type(view.depth(5), BookView)
    async with adapter.subscribe(Candles("ETHUSDC", interval="1m")) as candles:
        assert_type(candles, Feed[Candle])
    async with adapter.subscribe(RawStream("ethusdc@trade")) as raw:
        assert_type(raw, Feed[RawMessage])


async def instruments_are_told(adapter: Adapter) -> None:
    assert_type(await adapter.instruments(), tuple[Instrument, ...])


async def gaps_are_part_of_the_type_when_asked_for(adapter: Adapter) -> None:
    async with adapter.subscribe(Trades("ETHUSDC"), gaps=True) as feed:
        assert_type(feed, Feed[Trade | Gap])
    async with adapter.subscribe(Trades("ETHUSDC"), gaps=False, overflow=Overflow.FAIL) as plain:
        assert_type(plain, Feed[Trade])


async def channels_of_different_types_can_share_a_feed(adapter: Adapter) -> None:
    async with adapter.subscribe(Trades("ETHUSDC"), BestQuote("ETHUSDC"), gaps=True) as feed:
        async for event in feed:
            match event:
                case Trade():
                    assert_type(event.trade_id, int)
                case Quote():
                    assert_type(event.update_id, int)
                case Gap():
                    assert_type(event.reason, str)


async def a_match_is_exhaustive(adapter: Adapter) -> None:
    async with adapter.subscribe(
        Trades("X"), BestQuote("X"), OrderBook("X"), RawStream("y"), gaps=True
    ) as feed:
        assert_type(feed, Feed[Trade | Quote | BookView | RawMessage | Gap])
        async for event in feed:
            match event:
                case Trade(price=price, quantity=quantity):
                    assert_type(price * quantity, float)
                case Quote():
                    assert_type(event.ask_price - event.bid_price, float)
                case BookView():
                    assert_type(event.spread, float | None)
                case RawMessage():
                    assert_type(event.data, bytes)
                case Gap():
                    assert_type([channel.symbol for channel in event.channels], list[str | None])
                case _:
                    assert_never(event)


async def many_channels_of_one_kind_have_its_type(adapter: Adapter, symbols: list[str]) -> None:
    async with adapter.subscribe(*(Trades(symbol) for symbol in symbols)) as feed:
        assert_type(feed, Feed[Trade])


async def decimals_are_seen_through_everything() -> None:
    async with open_adapter(binance.Spot(numbers=Decimal)) as adapter:
        assert_type(adapter, Adapter[Decimal])
        async with adapter.subscribe(Trades("X"), BestQuote("X"), gaps=True) as feed:
            assert_type(feed, Feed[Trade[Decimal] | Quote[Decimal] | Gap])
        async with adapter.subscribe(OrderBook("X")) as books:
            async for book in books:
                assert_type(book.mid, Decimal | None)
                assert_type(book.vwap("buy", Decimal(1)), Decimal | None)
                book.vwap("buy", 1.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
                assert_type(book.bids[0], Level[Decimal])
    async with open_adapter(bybit.Linear(numbers=Decimal)) as adapter:
        async with adapter.subscribe(PartialBook("X")) as snapshots:
            assert_type(snapshots, Feed[BookSnapshot[Decimal]])
    played = replay(binance.UsdMFutures(numbers=Decimal), "recording")
    async with open_adapter(played) as adapter, adapter.subscribe(Candles("X")) as candles:
        assert_type(candles, Feed[Candle[Decimal]])


def events_are_built_by_keyword() -> None:
    trade = Trade(symbol="X", price=1.5, quantity=2, side="buy", trade_id=1, exchange_time_ns=5)
    assert_type(trade, Trade[float])
    assert_type(plain(trade), Trade[float])
    assert_type(Level(Decimal(1), Decimal(2)), Level[Decimal])
    Trade(symbol="X", price=1.5, quantity=2.0, trade_id=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def mid_of(book: BookSnapshot[N]) -> N:
    """A program may be generic in the numbers, too."""
    return (book.bids[0].price + book.asks[0].price) / 2


def generic_programs(floats: BookSnapshot, decimals: BookSnapshot[Decimal]) -> None:
    assert_type(mid_of(floats), float)
    assert_type(mid_of(decimals), Decimal)


def sources_fit_the_interface() -> FrameSource:
    return RedisSource()


async def lifecycle_events_are_a_closed_set(adapter: Adapter) -> None:
    async for event in adapter.lifecycle():
        if isinstance(event, Connected):
            assert_type(event.session, int)
        elif isinstance(event, Disconnected):
            assert_type(event.retry_seconds, float)
