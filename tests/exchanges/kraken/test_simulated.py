"""Kraken as it is simulated, met by the whole connector, in virtual time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import attrs
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
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import SubscriptionRejected
from connector.events import BookSnapshot, BookView, Gap
from connector.exchanges import kraken
from connector.instruments import find
from connector.testing import (
    Fault,
    MemoryNetwork,
    OrderFlow,
    Silent,
    SimulatedExchange,
    Source,
    open_exchange,
)

MADE: dict[str, Any] = {
    "kraken": kraken.Spot,
    "kraken_futures": kraken.Futures,
    "kraken_unified": kraken.Unified,
}
SYMBOLS = {
    "kraken": ("BTC/USD", "ETH/USD"),
    "kraken_futures": ("PI_XBTUSD", "PF_ETHUSD"),
    "kraken_unified": ("PI_XBTUSD", "PF_ETHUSD"),
}
CHANNELS: dict[str, list[Any]] = {
    "kraken": [
        Trades("BTC/USD"), BestQuote("ETH/USD"), BookDeltas("BTC/USD"), OrderBook("BTC/USD", 50),
        Candles("BTC/USD"), Candles("BTC/USD", "1d"), Tickers("ETH/USD"),
        RawStream("trade:ETH/USD"),
    ],
    "kraken_futures": [
        Trades("PI_XBTUSD"), BookDeltas("PF_ETHUSD"), OrderBook("PI_XBTUSD"), Tickers("PI_XBTUSD"),
        MarkPrices("PF_ETHUSD"), Liquidations("PI_XBTUSD"), RawStream("ticker_lite:PI_XBTUSD"),
    ],
    "kraken_unified": [
        Trades("PI_XBTUSD"), BookDeltas("PF_ETHUSD"), OrderBook("PI_XBTUSD", 50),
        Candles("PI_XBTUSD"), Tickers("PF_ETHUSD"), RawStream("ohlc-5:PF_ETHUSD"),
    ],
}  # fmt: skip
LONG = 60


@attrs.frozen
class World:
    exchange: SimulatedExchange
    adapter: Adapter


@asynccontextmanager
async def world(
    venue: Any, *, source: Source | None = None, flow: Any = None, **options: Any
) -> AsyncIterator[World]:
    network = MemoryNetwork()
    flow = OrderFlow(symbols=SYMBOLS[venue]) if source is None else source
    async with open_exchange(venue, source=flow, network=network) as exchange:
        made = MADE[venue](endpoints=exchange.endpoints, **options)
        reconnect = Reconnect(initial=0.1, jitter="none")
        async with open_adapter(made, dialer=network, reconnect=reconnect) as adapter:
            yield World(exchange, adapter)


async def events_of(adapter: Adapter, channel: Channel[Any], count: int = 3) -> list[Any]:
    with trio.fail_after(600):
        async with adapter.subscribe(channel, gaps=True) as feed:
            return [await anext(feed) for _ in range(count)]


@pytest.mark.parametrize("venue", SYMBOLS)
async def test_every_channel_brings_events(autojump_clock: MockClock, venue: str) -> None:
    """With Decimals: tests/conformance does the same with floats."""
    flow = OrderFlow(symbols=SYMBOLS[venue], rate_per_second=200)
    async with world(venue, source=flow, numbers=Decimal) as there:
        for channel in CHANNELS[venue]:
            for event in await events_of(there.adapter, channel):
                assert not isinstance(event, Gap), event
                raw = isinstance(channel, RawStream)
                assert event.symbol == (channel.name.partition(":")[2] if raw else channel.symbol)
                assert event.exchange_time_ns or raw
        assert there.adapter.statistics().decode_errors == 0
        assert not list(there.exchange.log.of("violation"))


@pytest.mark.parametrize(
    ("venue", "options", "depth"),
    [
        ("kraken", {"book_levels": 10}, None),
        ("kraken", {"book_levels": 25, "numbers": Decimal}, 25),
        ("kraken", {}, 100),
        ("kraken_futures", {"numbers": Decimal}, None),
        ("kraken_unified", {"numbers": Decimal}, 100),
    ],
)
async def test_a_book_is_the_book_of_the_exchange(
    autojump_clock: MockClock, venue: str, options: dict[str, Any], depth: int | None
) -> None:
    symbol, seen = SYMBOLS[venue][0], 0
    most = depth or (10**6 if venue == "kraken_futures" else 10)
    async with world(venue, **options) as there:
        player: Any = there.exchange._player  # the truth
        states = remembered(player.desks[symbol], most)
        lots = 10 ** player.desks[symbol].flow.book.scale.lot_decimals
        async with there.adapter.subscribe(OrderBook(symbol, depth)) as feed:
            with trio.fail_after(600):
                async for view in feed:
                    assert isinstance(view, BookView)
                    shown = tuple(
                        [(round(level.price * 100), round(level.quantity * lots)) for level in side]
                        for side in (view.bids, view.asks)
                    )
                    # Never another state than one that was, and never an older one again.
                    seen = states.index(shown, seen)
                    if seen > 400:
                        break
        assert not list(there.exchange.log.of("violation"))


def remembered(desk: Any, levels: int) -> list[Any]:
    """All states of the best levels of a symbol, from now on."""
    book, show = desk.flow.book, desk.show

    def state() -> Any:
        return tuple(side.best_levels(levels) for side in (book.bids, book.asks))

    states = [state()]

    def show_and_remember(action: Any) -> None:
        states.append(state())
        show(action)

    desk.show = show_and_remember
    return states


async def test_a_wrong_checksum_or_a_lost_change_ends_the_sync_and_mends_itself(
    autojump_clock: MockClock,
) -> None:
    wrong = (
        b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":1.00,'
        b'"qty":1.00000000}],"asks":[],"checksum":%d,"timestamp":"2026-11-30T00:00:00.000000Z"}]}'
    )
    for trouble in ("checksum", "lost"):
        async with world("kraken") as there:
            async with there.adapter.subscribe(OrderBook("BTC/USD"), gaps=True) as feed:
                while not (await anext(feed)).synced:
                    pass
                if trouble == "checksum":
                    there.exchange.publish("book-100:BTC/USD", wrong % 12345)
                else:
                    fault = Fault("mute_stream", stream="book*", count=3)
                    there.exchange.break_connections(fault)
                    await trio.sleep(2)
                    (connection,) = there.exchange.connections
                    connection._spoiler._active.clear()
                with trio.fail_after(LONG):
                    while not isinstance(gap := await anext(feed), Gap):
                        pass
                    assert gap.reason == "checksum"
                    while not ((event := await anext(feed)) and getattr(event, "synced", False)):
                        pass
            assert there.exchange.accepted == 1


@pytest.mark.parametrize("venue", SYMBOLS)
async def test_a_snapshot_comes_first_and_changes_follow(
    autojump_clock: MockClock, venue: str
) -> None:
    async with world(venue) as there:
        first, *rest = await events_of(there.adapter, BookDeltas(SYMBOLS[venue][0]), 20)
        assert isinstance(first, BookSnapshot)
        assert first.bids[0].price < first.asks[0].price
        if venue == "kraken_futures":
            ids = [first.update_id, *(each.last_update_id for each in rest)]
            assert ids == list(range(first.update_id, first.update_id + 20))


@pytest.mark.parametrize(
    ("venue", "unknown", "words"),
    [
        ("kraken", "NO/PE", "Currency pair not supported NO/PE"),
        ("kraken", "NOUSD", "Currency pair not supported NOUSD'; did you mean NO/USD"),
        ("kraken_futures", "PI_NOPEUSD", "Invalid product id"),
        ("kraken_unified", "PI_NOPEUSD", "Currency pair not supported PI_NOPEUSD"),
    ],
)
async def test_one_bad_symbol_is_refused_and_the_others_live(
    autojump_clock: MockClock, venue: str, unknown: str, words: str
) -> None:
    async with world(venue) as there, trio.open_nursery() as nursery:
        for symbol in SYMBOLS[venue]:
            nursery.start_soon(events_of, there.adapter, Trades(symbol))
        with trio.fail_after(LONG):
            with pytest.raises(SubscriptionRejected, match=words):
                await events_of(there.adapter, Trades(unknown))
    assert there.exchange.accepted == 1


@pytest.mark.parametrize("venue", SYMBOLS)
async def test_a_quiet_connection_is_kept_by_pings_and_heartbeats(
    autojump_clock: MockClock, venue: str
) -> None:
    silent = OrderFlow(symbols=SYMBOLS[venue], rate_per_second=1e-9)
    async with world(venue, source=silent) as there:
        async with there.adapter.subscribe(Trades(SYMBOLS[venue][0])):
            await trio.sleep(200)
            assert there.exchange.accepted == 1
            pings = [each for each in there.exchange.log if "ping" in each.detail]
            assert len(pings) >= (6 if venue == "kraken_futures" else 30)
            (connection,) = there.exchange.connections
            # Requests, and pings of both kinds where nobody knows which counts.
            both = 2 if venue == "kraken_futures" else 1
            assert connection.messages_received >= both * len(pings)
        assert there.adapter.statistics().unknown_messages == 0


@pytest.mark.parametrize("venue", SYMBOLS)
@pytest.mark.parametrize("kind", ["reset", "half_open"])
async def test_a_break_is_a_gap_and_the_book_is_right_again(
    autojump_clock: MockClock, venue: str, kind: Any
) -> None:
    async with world(venue) as there:
        channel = OrderBook(SYMBOLS[venue][0])
        async with there.adapter.subscribe(channel, gaps=True) as feed:
            while not (await anext(feed)).synced:
                pass
            there.exchange.break_connections(kind)
            with trio.fail_after(120):
                while not isinstance(await anext(feed), Gap):
                    pass
                while not ((event := await anext(feed)) and getattr(event, "synced", False)):
                    pass
        assert there.exchange.max_concurrent == 1


@pytest.mark.parametrize("venue", SYMBOLS)
async def test_instruments(autojump_clock: MockClock, venue: str) -> None:
    async with world(venue) as there:
        found = await there.adapter.instruments(timeout=60)
        assert [each.symbol for each in found] == list(SYMBOLS[venue])
        kind: Any = "spot" if venue == "kraken" else "perpetual"
        one = find(found, base="BTC", quote="USD", kind=kind)
        assert (one.tick_size, one.inverse) == (Decimal("0.01"), kind != "spot")


async def test_each_product_is_asked_for_by_itself(autojump_clock: MockClock) -> None:
    symbols = SYMBOLS["kraken_futures"]
    async with world("kraken_futures") as there:
        async with there.adapter.subscribe(*(Trades(symbol) for symbol in symbols)):
            requests = [json.loads(each.detail) for each in there.exchange.log.of("request")]
    asked = [each["product_ids"] for each in requests if "product_ids" in each]
    assert asked == [[symbol] for symbol in symbols]


async def test_every_frame_of_a_capture_comes_once_and_the_books_are_right(
    autojump_clock: MockClock, v2_capture: Callable[[str], Iterator[bytes]]
) -> None:
    frames = list(v2_capture("v1_book1000_20210417"))
    names = [json.loads(frame)["data"][0]["symbol"] for frame in frames]
    pairs = sorted(set(names))
    got: dict[str, list[Any]] = {pair: [] for pair in pairs}
    views: dict[str, list[Any]] = {pair: [] for pair in pairs}

    async def read(adapter: Adapter, channel: Any, into: list[Any]) -> None:
        async with adapter.subscribe(channel, gaps=True, buffer=10_000) as feed:
            ready.append(channel)
            async for each in feed:
                into.append(each.depth() if isinstance(each, BookView) else each)  # noqa: PERF401

    ready: list[Any] = []
    async with world("kraken", source=Silent(), book_levels=1000) as there:
        async with trio.open_nursery() as nursery:
            for pair in pairs:
                nursery.start_soon(read, there.adapter, BookDeltas(pair), got[pair])
                nursery.start_soon(read, there.adapter, OrderBook(pair, 1000), views[pair])
            while len(ready) < 2 * len(pairs):
                await trio.sleep(0.1)
            for number, (pair, frame) in enumerate(zip(names, frames, strict=True)):
                assert there.exchange.publish(f"book-1000:{pair}", frame) == 1
                if number % 100 == 0:
                    await trio.sleep(0.01)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
    decode = kraken.Spot(book_levels=1000).stream(BookDeltas(pairs[0])).decode
    for pair in pairs:
        own = [decode(frame) for name, frame in zip(names, frames, strict=True) if name == pair]
        assert [(e.bids, e.asks, e.checksum) for e in got[pair]] == [
            (e.bids, e.asks, e.checksum)  # type: ignore[union-attr]
            for e in own
        ]
        truth: dict[str, dict[float, float]] = {}
        for event in own:
            for side in ("bids", "asks"):
                if isinstance(event, BookSnapshot):
                    truth[side] = {}
                truth[side] |= dict(getattr(event, side))
        assert 0 < len(views[pair]) <= len(own)
        assert all(isinstance(view, BookView) and view.synced for view in views[pair])
        last = views[pair][-1]
        for side, best_first in (("bids", True), ("asks", False)):
            rows = [(price, quantity) for price, quantity in truth[side].items() if quantity]
            assert [tuple(each) for each in getattr(last, side)][:900] == sorted(
                rows, reverse=best_first
            )[:900]
