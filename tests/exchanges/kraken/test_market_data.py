"""What Kraken answers once: stored replies, and the simulated venue against its streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import Candles, RawStream, Trades
from connector.errors import ConfigError, RequestRejected
from connector.exchanges import kraken
from connector.exchanges.protocol import UNDECODABLE
from connector.exchanges.requests import Span, offered
from connector.testing import MemoryNetwork, OrderFlow, open_exchange

SPOT = kraken.Spot(numbers=Decimal).requests
FUTURES = kraken.Futures(numbers=Decimal).requests
SPAN = Span(begin_ms=1_762_777_020_000, end_ms=1_762_820_280_000, limit=720, now_ms=0)
MINUTE = 60 * 10**9


def stored(folder: Path, name: str) -> tuple[bytes, Any]:
    body = (folder / f"kraken/frames/nautilus/{name}.json").read_bytes()
    return body, json.loads(body, parse_float=Decimal)


def test_stored_replies_of_spot(data_folder: Path) -> None:
    body, said = stored(data_folder, "http_order_book")
    assert SPOT.depth is not None
    request = SPOT.depth.request("btc/usdt", 5)
    assert request.target == "/0/public/Depth?pair=XBTUSDT&count=5"
    book = request.decode(body)
    for side in ("bids", "asks"):
        assert [tuple(level) for level in getattr(book, side)] == [
            (Decimal(price), Decimal(quantity))
            for price, quantity, _ in said["result"]["XBTUSDT"][side]
        ]
    body, said = stored(data_folder, "http_ohlc")
    assert SPOT.candles is not None
    candles: Any = SPOT.candles.request("BTC/USDT", "1m", SPAN)
    assert candles.target == "/0/public/OHLC?pair=XBTUSDT&interval=1&since=1762777019"
    assert [
        (e.open_time_ns, e.open, e.high, e.low, e.close, e.volume, e.quote_volume, e.trades)
        for e in candles.decode(body)
    ] == [
        (
            time * 10**9,
            *map(Decimal, prices),
            Decimal(volume),
            Decimal(volume) * Decimal(vwap),
            count,
        )
        for time, *prices, vwap, volume, count in said["result"]["XBTUSDT"]
    ]
    assert SPOT.recent_trades is not None
    (trade,) = SPOT.recent_trades.request("BTC/USDT", 1).decode(
        b'{"error":[],"result":{"XBTUSDT":[["30243.40000","0.34507674",1688669597.8277369,"b","m"'
        b',"",61044952]],"last":"1688669597827736900"}}'
    )
    assert (trade.price, trade.side, trade.trade_id) == (Decimal("30243.40000"), "buy", 61044952)
    assert trade.exchange_time_ns == 1_688_669_597_827_736_900


def test_stored_replies_of_futures(data_folder: Path) -> None:
    body, said = stored(data_folder, "http_futures_orderbook")
    assert FUTURES.depth is not None
    book = FUTURES.depth.request("pi_xbtusd", 5).decode(body)
    assert [tuple(each) for each in book.bids] == list(map(tuple, said["orderBook"]["bids"]))
    assert book.exchange_time_ns == 1_752_235_200 * 10**9
    body, said = stored(data_folder, "http_futures_candles_trade")
    assert FUTURES.candles is not None
    request: Any = FUTURES.candles.request("PI_XBTUSD", "1h", SPAN)
    assert request.target == ("/api/charts/v1/trade/PI_XBTUSD/1h?from=1762777020&to=1762820280")
    assert [
        (e.open_time_ns, e.open, e.high, e.low, e.close, e.volume) for e in request.decode(body)
    ] == [
        (row["time"] * 10**6,
         *(Decimal(row[name]) for name in ("open", "high", "low", "close", "volume")))
        for row in said["candles"]
    ]  # fmt: skip
    body, said = stored(data_folder, "http_futures_historical_funding_rates")
    assert FUTURES.funding_rates is not None
    rates = FUTURES.funding_rates.request("PF_XBTUSD", SPAN).decode(body)
    assert [each.funding_rate for each in rates] == [
        row["relativeFundingRate"] for row in said["rates"]
    ]
    assert rates[0].exchange_time_ns == 1_752_220_800 * 10**9


def test_what_cannot_be_asked_and_what_does_not_decode() -> None:
    assert SPOT.depth is not None
    with pytest.raises(ConfigError, match="'BTCUSD' is not a symbol"):
        SPOT.depth.request("BTCUSD", 5)
    with pytest.raises(UNDECODABLE):
        SPOT.depth.request("A/B", 5).decode(b'{"error":[],"result":{}}')
    assert SPOT.funding_rates is None
    assert FUTURES.recent_trades is None
    with pytest.raises(ConfigError, match=r"recent_trades: .* numbers of its feed;.* it answers d"):
        offered("kraken_futures", FUTURES, "recent_trades")


@asynccontextmanager
async def world(venue: Any, symbol: str) -> AsyncIterator[Any]:
    network = MemoryNetwork()
    flow = OrderFlow(symbols=(symbol,), rate_per_second=20)
    async with open_exchange(venue, source=flow, network=network) as exchange:
        kind: Any = {
            "kraken": kraken.Spot,
            "kraken_futures": kraken.Futures,
            "kraken_unified": kraken.Unified,
        }[venue]
        made = kind(endpoints=exchange.endpoints, numbers=Decimal)
        async with open_adapter(made, dialer=network) as adapter:
            yield exchange, adapter


VENUES = [
    ("kraken", "BTC/USD"),
    ("kraken_futures", "PI_XBTUSD"),
    ("kraken_unified", "PI_XBTUSD"),
]


@pytest.mark.parametrize(("venue", "symbol"), VENUES)
async def test_depth_and_an_unknown_symbol(
    autojump_clock: MockClock, venue: str, symbol: str
) -> None:
    async with world(venue, symbol) as (exchange, adapter):
        await trio.sleep(5)
        book = await adapter.depth(symbol.lower(), limit=7)
        truth = exchange._player.desks[symbol].flow.book
        lots = 10**truth.scale.lot_decimals
        for shown, side in ((book.bids, truth.bids), (book.asks, truth.asks)):
            assert [
                (int(level.price * 100), int(level.quantity * lots)) for level in shown
            ] == side.best_levels(7)
        unknown = symbol.replace("BTC", "NO").replace("XBT", "NO")
        with pytest.raises(RequestRejected):
            await adapter.depth(unknown, limit=7)


async def test_recent_trades_are_those_of_the_stream(autojump_clock: MockClock) -> None:
    async with world("kraken", "BTC/USD") as (_, adapter):
        async with adapter.subscribe(Trades("BTC/USD")) as feed:
            streamed = [await anext(feed) for _ in range(30)]
            fetched = await adapter.recent_trades("BTC/USD", limit=20)
            streamed += [await anext(feed) for _ in range(20)]
    numbers = [each.trade_id for each in streamed]
    assert numbers == list(range(numbers[0], numbers[0] + 50))
    found = {each.trade_id: each for each in streamed}
    known = [each for each in fetched if each.trade_id in found]
    assert len(known) >= 15
    for each in known:
        live = found[each.trade_id]
        assert (each.price, each.quantity, each.side, each.exchange_time_ns) == (
            live.price, live.quantity, live.side, live.exchange_time_ns
        )  # fmt: skip


async def test_candles_are_those_of_the_stream_and_only_the_newest_can_be_had(
    autojump_clock: MockClock,
) -> None:
    async with world("kraken", "BTC/USD") as (_, adapter):
        async with adapter.subscribe(Candles("BTC/USD", "1m")) as feed:
            async for live in feed:
                if live.closed:
                    break
        at = live.open_time_ns
        (fetched,) = [each async for each in adapter.candles("BTC/USD", "1m", start=at, end=at + 1)]
        for name in ("interval", "open_time_ns", "close_time_ns", "open", "high", "low", "close",
                     "volume", "quote_volume", "trades", "closed"):  # fmt: skip
            assert getattr(fetched, name) == getattr(live, name), name
        begin = at - 1000 * MINUTE
        candles = adapter.candles("BTC/USD", "1m", start=begin, end=at)
        times = [each.open_time_ns async for each in candles]
        assert times == list(range(times[0], at, MINUTE))
        assert 715 <= len(times) <= 720
        assert candles.requests == 1
        assert [each.dropped for each in candles.missing] == [1000 - len(times)]


@pytest.mark.parametrize("venue", ["kraken_futures", "kraken_unified"])
async def test_candles_and_funding_of_derivatives(autojump_clock: MockClock, venue: str) -> None:
    async with world(venue, "PI_XBTUSD") as (exchange, adapter):
        opened = exchange._audience.opened_ms * 10**6
        begin = opened - 600 * MINUTE
        candles = adapter.candles("PI_XBTUSD", "1m", start=begin, end=opened - 2 * MINUTE)
        times = [each.open_time_ns async for each in candles]
        assert times == list(range(times[0], times[0] + len(times) * MINUTE, MINUTE))
        assert len(times) >= 597
        assert (candles.requests, candles.missing) == (2, ())
        rates = await adapter.funding_rates("PI_XBTUSD", start=opened - 1440 * MINUTE, end=opened)
        assert [each.funding_rate for each in rates] == [Decimal("0.0001")] * 3


async def test_the_feed_of_futures_begins_with_the_newest_trades(
    autojump_clock: MockClock,
) -> None:
    """What the error of `recent_trades` says to use."""
    async with world("kraken_futures", "PI_XBTUSD") as (_, adapter):
        await trio.sleep(3)
        async with adapter.subscribe(RawStream("trade:PI_XBTUSD")) as feed:
            first = json.loads((await anext(feed)).data)
    assert first["feed"] == "trade_snapshot"
    numbers = [each["seq"] for each in first["trades"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) > 20
