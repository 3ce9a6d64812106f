"""What Bybit offers, where it is, and what it trades."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.channels import (
    AggregateTrades,
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
from connector.errors import ConfigError
from connector.exchanges import bybit
from connector.exchanges.protocol import Page
from connector.instruments import Instrument, find

EXCHANGES = [bybit.Spot(), bybit.Linear(), bybit.Inverse()]


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda each: each.name)
def test_where_it_is(exchange: Any) -> None:
    kind = exchange.name.removeprefix("bybit_")
    assert exchange.url("public") == f"wss://stream.bybit.com/v5/public/{kind}"
    there = type(exchange)(endpoints=bybit.TESTNET)
    assert there.url("public") == f"wss://stream-testnet.bybit.com/v5/public/{kind}"
    assert there.rest.url == "https://api-testnet.bybit.com"
    own = bybit.Endpoints.at(stream="ws://127.0.0.1:1/", rest="http://127.0.0.1:2")
    assert type(exchange)(endpoints=own).url("public") == f"ws://127.0.0.1:1/v5/public/{kind}"
    with pytest.raises(ConfigError, match="no route 'private'"):
        exchange.url("private")


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda each: each.name)
def test_too_frequent_requests_cost_ten_minutes(exchange: Any) -> None:
    """Source: bybit §2."""
    assert 403 in exchange.rest.banned
    assert exchange.rest.ban_seconds == 600


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        (Trades("btcusdt"), "publicTrade.BTCUSDT"),
        (BestQuote("BTCUSDT"), "orderbook.1.BTCUSDT"),
        (BookDeltas("BTCUSDT"), "orderbook.200.BTCUSDT"),
        (BookDeltas("BTCUSDT", 20), "orderbook.50.BTCUSDT"),
        (BookDeltas("BTCUSDT", 200), "orderbook.1000.BTCUSDT"),
        (Candles("BTCUSDT"), "kline.1.BTCUSDT"),
        (Candles("BTCUSDT", "1d"), "kline.D.BTCUSDT"),
        (Candles("BTCUSDT", "240"), "kline.240.BTCUSDT"),
        (Tickers("BTCUSDT"), "tickers.BTCUSDT"),
        (MarkPrices("BTCUSDT"), "tickers.BTCUSDT"),
        (Liquidations("BTCUSDT"), "allLiquidation.BTCUSDT"),
        (RawStream("priceLimit.BTCUSDT"), "priceLimit.BTCUSDT"),
        (OrderBook("BTCUSDT", 20), "book of orderbook.200.BTCUSDT, 20 levels"),
    ],
)
def test_streams(channel: Channel[Any], name: str) -> None:
    assert bybit.Linear().stream(channel).name == name


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (AggregateTrades("BTCUSDT"), "does not offer AggregateTrades.*it offers BestQuote, Book"),
        (PartialBook("BTCUSDT"), "does not offer PartialBook"),
        (BookDeltas("BTCUSDT", 0), "interval_ms can be 20, 100, 200"),
        (Candles("BTCUSDT", "2m"), "interval can be 1m, 3m"),
        (Tickers(), "for one symbol at a time"),
        (Trades('BTC"USDT'), "is not a symbol"),
        (Trades("B" * 45), "is not a stream"),
        (OrderBook("BTCUSDT", 500), "has 200 levels, not 500"),
        (RawStream("x" * 51), "is not a stream"),
    ],
)
def test_what_it_does_not_offer(channel: Channel[Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        bybit.Linear().stream(channel)


def test_spot_has_neither_mark_prices_nor_liquidations() -> None:
    for channel in (MarkPrices("BTCUSDT"), Liquidations("BTCUSDT")):
        with pytest.raises(ConfigError, match="bybit_spot does not offer"):
            bybit.Spot().stream(channel)
    assert bybit.Spot().limits.streams_per_request == 10


def test_parameters_are_checked() -> None:
    with pytest.raises(ConfigError, match="numbers is"):
        bybit.Spot(numbers=int)  # type: ignore[arg-type]
    with pytest.raises(
        ConfigError, match="endpoints='testnet' is not of this exchange; write bybit"
    ):
        bybit.Spot(endpoints="testnet")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="stream does not begin with ws://"):
        bybit.Endpoints.at(stream="http://x", rest="http://x")


def listed(folder: Path, exchange: Any, name: str) -> list[Instrument]:
    body = (folder / "bybit/frames/nautilus" / f"http_get_instruments_{name}.json").read_bytes()
    page: Page[Instrument] = exchange.instruments().decode(body)
    assert page.next is None
    return list(page.items)


def test_instruments(data_folder: Path) -> None:
    spot = find(listed(data_folder, bybit.Spot(), "spot"), base="BTC", quote="USDT")
    assert (spot.symbol, spot.kind, spot.tick_size, spot.step_size, spot.min_notional) == (
        "BTCUSDT", "spot", Decimal("0.1"), Decimal("0.0001"), 10
    )  # fmt: skip
    linear = find(
        listed(data_folder, bybit.Linear(), "linear"), base="BTC", quote="USDT", kind="perpetual"
    )
    assert (linear.settle, linear.inverse, linear.quantity_unit) == ("USDT", False, "base")
    assert (linear.step_size, linear.min_notional, linear.market_max_quantity) == (
        Decimal("0.001"), 5, 50
    )  # fmt: skip
    inverse = find(
        listed(data_folder, bybit.Inverse(), "inverse"), base="BTC", quote="USD", kind="perpetual"
    )
    assert (inverse.settle, inverse.inverse, inverse.quantity_unit) == ("BTC", True, "quote")
    # 5,000 contracts of 1 USD at 25,000 USD are as much as 0.2 of the others.
    assert inverse.base_quantity(Decimal(5000), Decimal(25_000)) == Decimal("0.2")
    assert linear.base_quantity(Decimal("0.2")) == Decimal("0.2")
    assert {spot.expires_ns, linear.expires_ns, inverse.expires_ns} == {None}


def test_instruments_come_in_pages() -> None:
    first = bybit.Linear().instruments()
    assert first.target == "/v5/market/instruments-info?category=linear&limit=1000"
    row = (
        b'{"symbol":"BTCUSDT","contractType":"LinearFutures","status":"Trading","baseCoin":"BTC",'
        b'"quoteCoin":"USDT","deliveryTime":"1702592000000"}'
    )
    body = b'{"retCode":0,"result":{"nextPageCursor":"a&b","list":[%b]}}' % row
    page = first.decode(body)
    assert page.items[0].kind == "future"
    assert page.items[0].expires_ns == 1702592000000 * 10**6
    assert page.next is not None
    assert page.next.target.endswith("&cursor=a%26b")


def test_a_refusal_comes_with_status_200() -> None:
    service = bybit.Spot().rest
    body = b'{"retCode":10001,"retMsg":"params error: symbol invalid","result":{}}'
    assert service.refuses(body)
    assert service.error(body) == (10001, "params error: symbol invalid")
    assert not service.refuses(b'{"retCode":0,"retMsg":"OK","result":{}}')
