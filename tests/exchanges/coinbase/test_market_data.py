"""What Coinbase answers once: stored replies read as plain ``json`` and ``Decimal`` do."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from connector.errors import ConfigError
from connector.exchanges import coinbase
from connector.exchanges.requests import Span, offered
from tests.exchanges.coinbase.test_decode import nanoseconds_of

EXACT = coinbase.AdvancedTrade(numbers=Decimal)
ASKED = EXACT.requests
BASE = "/api/v3/brokerage/market"


def stored(folder: Path, name: str) -> bytes:
    return (folder / f"coinbase_advanced/frames/nautilus/http_{name}.json").read_bytes()


def test_depth(data_folder: Path) -> None:
    assert ASKED.depth is not None
    request = ASKED.depth.request("btc-usd", 5)
    assert request.target == f"{BASE}/product_book?product_id=BTC-USD&limit=5"
    body = stored(data_folder, "product_book")
    said, book = json.loads(body)["pricebook"], request.decode(body)
    for side, rows in ((book.bids, said["bids"]), (book.asks, said["asks"])):
        assert [(level.price, level.quantity) for level in side] == [
            (Decimal(row["price"]), Decimal(row["size"])) for row in rows
        ]
    assert (book.symbol, book.exchange_time_ns) == ("BTC-USD", nanoseconds_of(said["time"]))


def test_recent_trades_come_oldest_first(data_folder: Path) -> None:
    assert ASKED.recent_trades is not None
    request = ASKED.recent_trades.request("BTC-USD", 3)
    assert request.target == f"{BASE}/products/BTC-USD/ticker?limit=3"
    body = stored(data_folder, "ticker")
    taker = {"BUY": "sell", "SELL": "buy"}
    assert [
        (trade.trade_id, trade.price, trade.quantity, trade.side, trade.exchange_time_ns)
        for trade in request.decode(body)
    ] == [
        (int(row["trade_id"]), Decimal(row["price"]), Decimal(row["size"]), taker[row["side"]],
         nanoseconds_of(row["time"]))
        for row in reversed(json.loads(body)["trades"])
    ]  # fmt: skip


def test_candles(data_folder: Path) -> None:
    assert ASKED.candles is not None
    begin, end = 1_712_188_800_000, 1_712_196_000_000
    span = Span(begin_ms=begin, end_ms=end, limit=350, now_ms=end - 1)
    request = ASKED.candles.request("BTC-USD", "1h", span)
    assert request.target == (
        f"{BASE}/products/BTC-USD/candles?start=1712188800&end=1712195999&granularity=ONE_HOUR"
    )
    body = stored(data_folder, "candles")
    newer, older = request.decode(body)
    assert [newer.closed, older.closed] == [False, True]
    for candle, row in zip((newer, older), json.loads(body)["candles"], strict=True):
        assert candle.open_time_ns == int(row["start"]) * 10**9
        assert candle.close_time_ns == (int(row["start"]) + 3600) * 10**9 - 10**6
        assert [candle.open, candle.high, candle.low, candle.close, candle.volume] == [
            Decimal(row[name]) for name in ("open", "high", "low", "close", "volume")
        ]


def test_there_is_no_history_of_funding() -> None:
    with pytest.raises(ConfigError, match="it answers depth, recent_trades, candles"):
        offered("coinbase", ASKED, "funding_rates")
