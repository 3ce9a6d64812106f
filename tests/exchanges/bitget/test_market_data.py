"""What Bitget is asked once, and how its answers are read (bitget §6)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.exchanges import bitget
from connector.exchanges.protocol import UNDECODABLE
from connector.exchanges.requests import DAY_MS, Span

FUTURES: Any = bitget.Futures(numbers=Decimal).requests
SPOT: Any = bitget.Spot(numbers=Decimal).requests
NOW = 1_700_000_000_000
MS = 1_000_000


def asked(request: Any) -> tuple[str, dict[str, str]]:
    url = urlsplit(request.target)
    query = {name: value for name, (value,) in parse_qs(url.query).items()}
    return url.path.removeprefix("/api/v3/market/"), query


def answer(data: Any) -> bytes:
    return json.dumps({"code": "00000", "msg": "success", "requestTime": 1, "data": data}).encode()


def test_a_book_is_of_json_numbers_and_has_no_id() -> None:
    request = FUTURES.depth.request("btcusd_cm", 7)
    assert asked(request) == (
        "orderbook", {"category": "COIN-FUTURES", "symbol": "BTCUSD_CM", "limit": "7"},
    )  # fmt: skip
    book = request.decode(answer({"a": [[76794.01, 1.049783]], "b": [[76794, 2]], "ts": "1777"}))
    assert (book.symbol, book.update_id, book.exchange_time_ns) == ("BTCUSD_CM", 0, 1777 * MS)
    assert [tuple(each) for each in book.asks] == [(Decimal("76794.01"), Decimal("1.049783"))]
    assert [tuple(each) for each in book.bids] == [(76794, 2)]


def test_trades_are_read_oldest_first() -> None:
    request = SPOT.recent_trades.request("btcusdt", 50)
    assert asked(request) == ("fills", {"category": "SPOT", "symbol": "BTCUSDT", "limit": "50"})
    rows = [
        {"execId": str(number), "execLinkId": "1", "price": "1.50", "size": "2", "side": "sell",
         "ts": str(number // 2), "isRPI": "no"}
        for number in (9, 8, 5)
    ]  # fmt: skip
    trades = request.decode(answer(rows))
    assert [each.trade_id for each in trades] == [5, 8, 9]
    assert [each.exchange_time_ns for each in trades] == [2 * MS, 4 * MS, 4 * MS]
    assert (trades[0].price, trades[0].side, trades[0].symbol) == (
        Decimal("1.5"),
        "sell",
        "BTCUSDT",
    )


@pytest.mark.parametrize(
    ("begin", "what", "start", "end"),
    [
        # Without the begin of the span, and with its end.
        (NOW - DAY_MS, "candles", NOW - DAY_MS - 1, NOW - 1),
        # The other way round.
        (NOW - 60 * DAY_MS, "history-candles", NOW - 60 * DAY_MS, NOW),
    ],
)
def test_candles_of_now_and_of_long_ago(begin: int, what: str, start: int, end: int) -> None:
    span = Span(begin_ms=begin, end_ms=NOW, limit=24, now_ms=NOW)
    request = FUTURES.candles.request("btcusdt", "1d", span)
    assert asked(request) == (
        what,
        {
            "category": "USDT-FUTURES", "symbol": "BTCUSDT", "interval": "1Dutc",
            "startTime": str(start), "endTime": str(end), "limit": "24",
        },
    )  # fmt: skip
    row = ["1695672000000", "2200.1", "2201", "2199", "2200.5", "3", "6600"]
    (candle,) = request.decode(answer([row]))
    assert [candle.open, candle.high, candle.low, candle.close, candle.volume,
            candle.quote_volume] == [Decimal(each) for each in row[1:]]  # fmt: skip
    assert (candle.interval, candle.symbol) == ("1Dutc", "BTCUSDT")
    assert candle.open_time_ns == 1_695_672_000_000 * MS
    assert candle.close_time_ns == candle.open_time_ns + DAY_MS * MS - MS


def test_parts_of_a_long_span_are_no_longer_than_the_window() -> None:
    assert FUTURES.candles.most_ms <= 90 * DAY_MS


def test_funding_rates_come_in_pages() -> None:
    span = Span(begin_ms=NOW - DAY_MS, end_ms=NOW, limit=100, now_ms=NOW, page=3)
    request = FUTURES.funding_rates.request("ethperp", span)
    assert asked(request) == (
        "history-fund-rate",
        {"category": "USDC-FUTURES", "symbol": "ETHPERP", "limit": "100", "cursor": "3"},
    )
    rows = [
        {"symbol": "ETHPERP", "fundingRate": "0.000110", "fundingRateTimestamp": str(NOW)},
        {"symbol": "ETHPERP", "fundingRate": "-0.00002", "fundingRateTimestamp": str(NOW - 1)},
    ]
    rates = request.decode(answer({"resultList": rows}))
    assert [(each.symbol, each.funding_rate, each.exchange_time_ns) for each in rates] == [
        ("ETHPERP", Decimal("0.000110"), NOW * MS),
        ("ETHPERP", Decimal("-0.00002"), (NOW - 1) * MS),
    ]
    assert FUTURES.funding_rates.most == 100
    assert SPOT.funding_rates is None


def test_funding_rates_may_be_a_plain_list_with_the_names_of_v2() -> None:
    span = Span(begin_ms=0, end_ms=NOW, limit=100, now_ms=NOW)
    request = FUTURES.funding_rates.request("BTCUSDT", span)
    rows = [{"symbol": "BTCUSDT", "fundingRate": "0.0001", "fundingTime": str(NOW)}]
    (rate,) = request.decode(answer(rows))
    assert (rate.funding_rate, rate.exchange_time_ns) == (Decimal("0.0001"), NOW * MS)
    assert request.decode(answer({"resultList": []})) == ()
    for bad in (None, {}, [{"fundingRate": "0.1"}], [{"fundingTime": "1"}]):
        with pytest.raises(UNDECODABLE):
            request.decode(answer(bad))
