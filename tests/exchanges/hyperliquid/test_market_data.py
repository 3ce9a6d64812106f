"""What Hyperliquid answers once: stored replies read as plain ``json`` and ``Decimal`` do."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from connector.exchanges import hyperliquid
from connector.exchanges.requests import Span

EXACT = hyperliquid.Hyperliquid(numbers=Decimal)
ASKED = EXACT.requests
MS = 10**6


def stored(folder: Path, name: str) -> bytes:
    return (folder / f"hyperliquid/frames/nautilus/http_{name}.json").read_bytes()


def question(request: Any) -> Any:
    """What is asked; no two questions have the same target."""
    assert request.target.startswith("/info#")
    return json.loads(request.body)


def test_depth(data_folder: Path) -> None:
    assert ASKED.depth is not None
    request = ASKED.depth.request("BTC", 20)
    assert question(request) == {"type": "l2Book", "coin": "BTC"}
    assert request.target != ASKED.depth.request("ETH", 20).target
    body = json.loads(stored(data_folder, "l2_book_btc")) | {"time": 5}
    book = request.decode(json.dumps(body).encode())
    for side, rows in zip((book.bids, book.asks), body["levels"], strict=True):
        assert [(level.price, level.quantity) for level in side] == [
            (Decimal(row["px"]), Decimal(row["sz"])) for row in rows
        ]
    assert (book.symbol, book.exchange_time_ns) == ("BTC", 5 * MS)


def test_recent_trades_come_oldest_first(data_folder: Path) -> None:
    assert ASKED.recent_trades is not None
    request = ASKED.recent_trades.request("BTC", 2)
    assert question(request) == {"type": "recentTrades", "coin": "BTC"}
    body = stored(data_folder, "recent_trades_btc")
    rows = json.loads(body)[:2]
    assert [
        (trade.trade_id, trade.price, trade.side, trade.exchange_time_ns)
        for trade in request.decode(body)
    ] == [
        (row["tid"], Decimal(row["px"]), {"A": "sell", "B": "buy"}[row["side"]], row["time"] * MS)
        for row in reversed(rows)
    ]


def test_candles() -> None:
    assert ASKED.candles is not None
    span = Span(begin_ms=0, end_ms=120_000, limit=500, now_ms=100_000)
    request = ASKED.candles.request("BTC", "1m", span)
    assert question(request) == {
        "type": "candleSnapshot",
        "req": {"coin": "BTC", "interval": "1m", "startTime": 0, "endTime": 119_999},
    }
    row = {"s": "BTC", "i": "1m", "o": "1", "c": "2", "h": "3", "l": "0.5", "v": "4", "n": 5}
    rows = [{**row, "t": begin, "T": begin + 59_999} for begin in (0, 60_000)]
    first, second = request.decode(json.dumps(rows).encode())
    assert (first.closed, second.closed, second.open_time_ns) == (True, False, 60_000 * MS)
    assert [first.open, first.high, first.low, first.close, first.volume, first.trades] == [
        1, 3, Decimal("0.5"), 2, 4, 5,
    ]  # fmt: skip


def test_funding(data_folder: Path) -> None:
    assert ASKED.funding_rates is not None
    span = Span(begin_ms=5, end_ms=10, limit=500, now_ms=100)
    request = ASKED.funding_rates.request("BTC", span)
    assert question(request) == {
        "type": "fundingHistory", "coin": "BTC", "startTime": 5, "endTime": 9,
    }  # fmt: skip
    body = stored(data_folder, "funding_history")
    assert [(each.funding_rate, each.exchange_time_ns) for each in request.decode(body)] == [
        (Decimal(row["fundingRate"]), row["time"] * MS) for row in json.loads(body)
    ]
