"""Stored replies to requests decode to what plain ``json`` and ``Decimal`` say."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.errors import ConfigError
from connector.exchanges import binance, bybit, okx
from connector.exchanges.protocol import UNDECODABLE, Exchange, PublicRequests
from connector.exchanges.requests import DAY_MS, HOUR_MS, Span, offered, requests_of

MS = 1_000_000
SPAN = Span(begin_ms=1_000, end_ms=61_000, limit=7, now_ms=100_000)
EXACT: dict[str, Exchange[Decimal]] = {
    "binance_spot": binance.Spot(numbers=Decimal),
    "binance_usdm": binance.UsdMFutures(numbers=Decimal),
    "binance_coinm": binance.CoinMFutures(numbers=Decimal),
    "bybit": bybit.Linear(numbers=Decimal),
    "okx": okx.Okx(numbers=Decimal),
}
FROM: dict[str, list[tuple[str, str]]] = {
    "okx": [
        ("recent_trades", "okx/frames/nautilus/http_get_trades.json"),
        ("candles", "okx/frames/nautilus/http_get_candlesticks_full.json"),
        ("candles", "okx/frames/nautilus/http_get_candlesticks.json"),
        ("funding_rates", "okx/frames/nautilus/http_get_funding_rate_history.json"),
        ("depth", "okx/frames/nautilus/http_get_order_book.json"),
    ],
    "bybit": [
        ("recent_trades", "bybit/frames/nautilus/http_get_trades_recent.json"),
        ("candles", "bybit/frames/nautilus/http_get_klines_linear.json"),
        ("funding_rates", "bybit/frames/nautilus/http_get_funding_history.json"),
        ("depth", "bybit/frames/nautilus/http_get_orderbook.json"),
    ],
    "binance_spot": [
        ("recent_trades", "binance_spot/frames/nautilus/http_json__trades_response.json"),
        ("candles", "binance_spot/frames/nautilus/http_json__klines_response.json"),
        ("depth", "binance_spot/frames/nautilus/http_json__depth_response.json"),
    ],
}


def request(name: str, kind: str) -> Any:
    offer: Any = getattr(EXACT[name].requests, kind)
    symbol = "BTC-USDT-SWAP" if name == "okx" else "BTCUSDT"
    if kind == "candles":
        return offer.request(symbol, "1m", SPAN)
    return offer.request(symbol, SPAN if kind == "funding_rates" else 5)


def rows(name: str, body: bytes) -> Any:
    said = json.loads(body, parse_float=Decimal)
    if name == "okx":
        return said["data"]
    return said["result"].get("list", said["result"]) if name == "bybit" else said


@pytest.mark.parametrize(
    ("name", "kind", "file"),
    [(name, kind, file) for name, stored in FROM.items() for kind, file in stored],
)
def test_stored_replies_decode(data_folder: Path, name: str, kind: str, file: str) -> None:
    path = data_folder / file
    if not path.exists():
        pytest.skip(f"no {file}")
    body = path.read_bytes()
    found: Any = request(name, kind).decode(body)
    told = rows(name, body)
    if kind == "depth":
        book = told[0] if name == "okx" else told
        for side, theirs in ((found.bids, ("bids", "b")), (found.asks, ("asks", "a"))):
            levels = next(book[each] for each in theirs if each in book)
            assert [tuple(each) for each in side] == [
                (Decimal(price), Decimal(quantity)) for price, quantity, *_ in levels
            ]
        return
    newest_first = name != "binance_spot"
    expected = told[::-1] if newest_first and kind == "recent_trades" else told
    assert len(found) == len(expected) > 0
    for event, row in zip(found, expected, strict=True):
        if kind == "candles":
            numbers = [event.open, event.high, event.low, event.close, event.volume]
            assert numbers == [Decimal(each) for each in row[1:6]]
            assert event.open_time_ns == int(row[0]) * MS
            ends = int(row[6]) if name == "binance_spot" else int(row[0]) + 59_999
            assert event.close_time_ns == ends * MS
            assert event.interval in ("1m", "1")
            quote = {"okx": 7, "bybit": 6, "binance_spot": 7}[name]
            assert event.quote_volume == Decimal(row[quote])
            assert event.closed == (name != "okx" or row[8] == "1")
        elif kind == "funding_rates":
            rate = row.get("realizedRate") or row["fundingRate"]
            assert event.funding_rate == Decimal(rate)
            time = row.get("fundingTime") or row["fundingRateTimestamp"]
            assert event.exchange_time_ns == int(time) * MS
            assert event.symbol == row.get("symbol", row.get("instId"))
        else:
            assert event.price == Decimal(row.get("price") or row["px"])
            assert event.quantity == Decimal(row.get("size") or row.get("sz") or row["qty"])
            assert event.exchange_time_ns == int(row.get("time") or row["ts"]) * MS
            side = row.get("side")
            maker = row.get("isBuyerMaker")
            assert event.side == (side.lower() if side else "sell" if maker else "buy")
            assert event.symbol in ("BTCUSDT", "BTC-USDT")


def test_replies_of_coin_margined_futures_decode() -> None:
    """In the words of the notes: binance_coinm §4, §5."""
    depth = b'{"lastUpdateId":16769853,"symbol":"BTCUSD_PERP","pair":"BTCUSD","E":1591250106370,'
    depth += b'"T":1591250106368,"bids":[["9638.0","431"]],"asks":[["9638.2","12"]]}'
    offers = EXACT["binance_coinm"].requests
    assert offers.depth is not None
    assert offers.funding_rates is not None
    book = offers.depth.request("btcusd_perp", 5).decode(depth)
    assert book.symbol == "BTCUSD_PERP"
    assert book.exchange_time_ns == 1591250106368 * MS
    assert book.bids[0].quantity == 431
    rates = offers.funding_rates.request("btcusd_perp", SPAN)
    assert rates.target.startswith("/dapi/v1/fundingRate?symbol=BTCUSD_PERP&startTime=1000&end")
    (rate,) = rates.decode(
        b'[{"symbol":"BTCUSD_PERP","fundingTime":1596038400000,"fundingRate":"-0.00300000"}]'
    )
    assert (rate.funding_rate, rate.mark_price) == (Decimal("-0.003"), None)
    assert rates.decode(b"[]") == (), "of delivery contracts"
    assert offers.candles is not None
    assert offers.candles.most_ms == 200 * DAY_MS


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("binance_spot", "depth", "/api/v3/depth?symbol=BTCUSDT&limit=5"),
        ("binance_usdm", "recent_trades", "/fapi/v1/trades?symbol=BTCUSDT&limit=5"),
        (
            "binance_spot",
            "candles",
            "/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1000&endTime=60999&limit=7",
        ),
        (
            "bybit",
            "candles",
            (
                "/v5/market/kline?category=linear&symbol=BTCUSDT&interval=1&start=1000&end=60999"
                "&limit=7"
            ),
        ),
        (
            "bybit",
            "funding_rates",
            (
                "/v5/market/funding/history?category=linear&symbol=BTCUSDT&startTime=1000"
                "&endTime=60999&limit=7"
            ),
        ),
        (
            "okx",
            "candles",
            "/api/v5/market/candles?instId=BTC-USDT-SWAP&bar=1m&after=61000&limit=7",
        ),
        (
            "okx",
            "funding_rates",
            "/api/v5/public/funding-rate-history?instId=BTC-USDT-SWAP&after=61000&limit=7",
        ),
    ],
)
def test_requests_are_written_as_documented(name: str, kind: str, target: str) -> None:
    assert request(name, kind).target == target


def test_weights_are_those_of_the_notes() -> None:
    offers = EXACT["binance_usdm"].requests
    assert offers.depth is not None
    assert {each: offers.depth.request("X", each).weight for each in offers.depth.limits} == {
        5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20,
    }  # fmt: skip
    assert offers.candles is not None
    weights = {}
    for limit in (1, 99, 100, 499, 500, 1000):
        span = Span(begin_ms=0, end_ms=1, limit=limit, now_ms=0)
        weights[limit] = offers.candles.request("X", "1m", span).weight
    assert weights == {1: 1, 99: 1, 100: 2, 499: 2, 500: 5, 1000: 5}


def test_old_candles_of_okx_are_asked_for_where_they_are() -> None:
    offer = EXACT["okx"].requests.candles
    assert offer is not None
    now = 2000 * HOUR_MS
    for hours, path in ((1300, "candles"), (1400, "history-candles")):
        begin = now - hours * HOUR_MS
        span = Span(begin_ms=begin, end_ms=begin + HOUR_MS, limit=1, now_ms=now)
        assert offer.request("BTC-USDT", "1h", span).target.startswith(f"/api/v5/market/{path}?")


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"result":{"list":[{}]}}', b"nonsense"])
@pytest.mark.parametrize("kind", ["depth", "recent_trades", "candles", "funding_rates"])
@pytest.mark.parametrize("name", EXACT)
def test_what_is_no_reply_does_not_decode(name: str, kind: str, body: bytes) -> None:
    if getattr(EXACT[name].requests, kind) is not None:
        with pytest.raises(UNDECODABLE):
            request(name, kind).decode(body)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1_0", " 1"])
def test_what_is_no_number_does_not_decode(number: str) -> None:
    row = f'[[0,"{number}","1","1","1","1",59999,"1",3,"1","1","0"]]'.encode()
    with pytest.raises(msgspec.ValidationError):
        request("binance_usdm", "candles").decode(row)
    rate = f'[{{"symbol":"X","fundingTime":1,"fundingRate":"{number}"}}]'.encode()
    with pytest.raises(msgspec.ValidationError):
        request("binance_usdm", "funding_rates").decode(rate)


def test_an_exchange_that_says_nothing_of_requests_answers_none() -> None:
    assert requests_of(object()) == PublicRequests()


def test_what_is_not_offered_says_what_is() -> None:
    with pytest.raises(ConfigError, match="x does not answer depth; it answers none of these"):
        offered("x", PublicRequests(), "depth")
    with pytest.raises(ConfigError, match="has no funding; write a swap"):
        offer = EXACT["okx"].requests.funding_rates
        assert offer is not None
        offer.request("BTC-USDT", SPAN)
