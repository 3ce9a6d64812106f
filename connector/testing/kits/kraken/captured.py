"""Kraken's messages as somebody received them, of v2 and of the futures' v1.

v2 is what spot and the unified WebSocket write. A message of v2 does not say to which depth,
interval or trigger it belongs: the reply to the request does. Numbers keep their digits, of which
the checksum is made.

Source: kraken §3–§5, kraken_futures_v1.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from connector.testing.kits.kraken.futures_dialect import FEEDS
from connector.testing.kits.kraken.v2_dialect import both
from connector.testing.kits.kraken.websocket_v1 import WebSocketV1
from connector.testing.market.captured import Captured, Last, Row, Rows, Shown, content

_DEFAULTS = {"book": ("depth", 10), "ticker": ("event_trigger", "trades"), "ohlc": ("interval", 1)}


class _Level(msgspec.Struct):
    price: msgspec.Raw
    qty: msgspec.Raw


class _Book(msgspec.Struct):
    bids: list[_Level]
    asks: list[_Level]


class _SpotBook(msgspec.Struct):
    type: str
    data: list[_Book]


class V2Reader:
    """Reads messages of WebSocket v2, and books and trades of v1."""

    def __init__(self) -> None:
        self._before = WebSocketV1()
        self._parameters: dict[tuple[str, str], Any] = {}
        """By channel and symbol, as the replies say."""

    def read(self, text: str) -> list[Captured]:
        """Read a captured message as the messages that it stands for."""
        said = content(text)
        if isinstance(said, list):
            return self._read_v1(said)
        if not isinstance(said, dict):
            return []
        if said.get("method") == "subscribe" and said.get("success") is True:
            self._learn(said.get("result", {}))
            return []
        channel, rows = said.get("channel"), said.get("data")
        if channel not in ("trade", *_DEFAULTS) or not rows:
            return []
        symbol, data = rows[0]["symbol"], text.encode()
        if channel in ("trade", "ohlc"):
            return [self._event(channel, symbol, data, rows[0], whole=said["type"] == "snapshot")]
        parameter = self._parameters.get((channel, symbol), _DEFAULTS[channel][1])
        shown: Shown = Last(data) if channel == "ticker" else _spot_rows(text, parameter)
        whole, changes = (f"{each}:{symbol}" for each in both(f"{channel}-{parameter}"))
        read = [Captured((whole,), symbol, data, shown)]
        if said["type"] != "snapshot":
            read.append(Captured((changes,), symbol, data, awaited=False))
        return read

    def _read_v1(self, said: list[Any]) -> list[Captured]:
        rewritten = self._before.rewrite(said)
        if rewritten is None:
            return []
        text, depth = rewritten
        if depth is not None:
            (row,) = content(text)["data"]
            self._learn({"channel": "book", "symbol": row["symbol"], "depth": depth})
        return self.read(text)

    def _learn(self, result: dict[str, Any]) -> None:
        channel, symbol = result.get("channel"), result.get("symbol")
        if channel in _DEFAULTS and symbol is not None:
            name, default = _DEFAULTS[channel]
            self._parameters[channel, symbol] = result.get(name, default)

    @staticmethod
    def _event(
        channel: str, symbol: str, data: bytes, row: dict[str, Any], *, whole: bool
    ) -> Captured:
        """Past data goes to clients that request it, new data to all subscribers."""
        name = f"ohlc-{row['interval']}" if channel == "ohlc" else channel
        history = f"{name}-history:{symbol}"
        if whole:
            return Captured((history,), symbol, data, awaited=False)
        return Captured((f"{name}:{symbol}", history), symbol, data)


def _spot_rows(text: str, depth: int) -> Rows:
    said = msgspec.json.decode(text, type=_SpotBook)
    (book,) = said.data

    def write(bids: Any, asks: Any) -> bytes:
        told: dict[str, Any] = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        (row,) = msgspec.json.decode(told["data"], type=list[dict[str, msgspec.Raw]])
        data = [{**row, "bids": bids, "asks": asks}]
        return msgspec.json.encode({**told, "type": "snapshot", "data": data})

    return Rows(said.type == "snapshot", _levels(book.bids), _levels(book.asks), write, depth)


def _levels(levels: list[_Level]) -> list[Row]:
    return [
        (
            Decimal(bytes(level.price).decode()),
            {"price": level.price, "qty": level.qty},
            Decimal(bytes(level.qty).decode()) == 0,
        )
        for level in levels
    ]


class _FuturesSnapshot(_Book):
    product_id: str
    timestamp: int
    seq: int


class _FuturesChange(_Level):
    product_id: str
    side: str
    timestamp: int
    seq: int


class FuturesReader:
    """Reads messages of WebSocket v1."""

    def read(self, text: str) -> list[Captured]:
        """Read a captured message as the messages that it stands for."""
        said = content(text)
        if not isinstance(said, dict) or "product_id" not in said or "event" in said:
            return []
        feed, symbol = str(said.get("feed")).removesuffix("_snapshot"), said["product_id"]
        data = text.encode()
        if feed not in FEEDS:
            return []
        shown: Shown | None = None
        if said["feed"] == "book_snapshot":
            shown = _futures_snapshot(text)
        elif feed == "book":
            shown = _futures_change(text)
        elif feed.startswith("ticker"):
            shown = Last(data)
        return [Captured((f"{feed}:{symbol}",), symbol, data, shown)]


def _futures_snapshot(text: str) -> Rows:
    book = msgspec.json.decode(text, type=_FuturesSnapshot)
    return _futures_rows(book, _levels(book.bids), _levels(book.asks), whole=True)


def _futures_change(text: str) -> Rows:
    change = msgspec.json.decode(text, type=_FuturesChange)
    rows = _levels([change])
    bids, asks = (rows, []) if change.side == "buy" else ([], rows)
    return _futures_rows(change, bids, asks, whole=False)


def _futures_rows(
    said: _FuturesSnapshot | _FuturesChange, bids: list[Row], asks: list[Row], *, whole: bool
) -> Rows:
    def write(bids: Any, asks: Any) -> bytes:
        told = {
            "feed": "book_snapshot", "product_id": said.product_id, "timestamp": said.timestamp,
            "seq": said.seq, "tickSize": None, "bids": bids, "asks": asks,
        }  # fmt: skip
        return msgspec.json.encode(told)

    return Rows(whole, bids, asks, write)
