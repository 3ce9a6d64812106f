"""Frames and requests: one channel per request, and every answer lists what is subscribed now.

A refusal names neither a request nor a channel nor a product. All messages of a connection are
numbered, whatever channel they are of: three observers say so, where the documentation speaks of a
number per product.

Source: coinbase A3, A4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from connector.exchanges.coinbase.decode import listed_as
from connector.exchanges.protocol import (
    UNDECODABLE,
    AnyStream,
    Data,
    Envelope,
    Heartbeat,
    Inbound,
    Part,
    Reply,
    Several,
    Subscribed,
    Unknown,
)
from connector.exchanges.refusals import NO_REASON, not_an_object
from connector.exchanges.shortcuts import numbered


class _Numbered(msgspec.Struct):
    sequence_num: int | None = None


_NUMBERED = msgspec.json.Decoder(_Numbered)
_NUMBER = b'"sequence_num":'
_NUMBER_BEFORE = 512
"""The number stands before the data, so it is not searched in all of a frame."""


def number(frame: bytes) -> int | None:
    """The number of a message on its connection; None if it has none."""
    begin = frame.find(_NUMBER, 0, _NUMBER_BEFORE)
    end = frame.find(b",", begin)
    if 0 <= begin < end:
        try:
            return int(frame[begin + len(_NUMBER) : end])
        except ValueError:
            pass
    # It is written in another way, as in an example of the documentation.
    try:
        return _NUMBERED.decode(frame).sequence_num
    except UNDECODABLE:
        return None


ENVELOPE = Envelope(
    (Part(b'{"channel":"', b'"'), Part(b'"product_id":"', b'"')),
    number=numbered(number, _NUMBER, _NUMBER_BEFORE),
)
"""Names are ``channel:product``."""

HEARTBEATS = "heartbeats"
GREETING = '{"type":"subscribe","channel":"heartbeats"}'
"""Without it the exchange closes a connection of which nothing is traded. Source: coinbase A2."""

BOOK, BOOK_FRAMES = "level2", "l2_data"
"""The channel of books, and what it is called in its frames."""

CHANNELS = frozenset({BOOK_FRAMES, "market_trades", "ticker", "ticker_batch", "candles", "status"})
"""Of market data, as frames name them. Source: coinbase A4."""


class _Product(msgspec.Struct):
    """What names the product of a row, or of an event."""

    product_id: str = ""
    id: str = ""


class _Event(msgspec.Struct):
    """Every field of every form of event in which products are named."""

    product_id: str = ""
    trades: list[_Product] = []
    tickers: list[_Product] = []
    candles: list[_Product] = []
    products: list[_Product] = []
    subscriptions: dict[str, list[str]] = {}

    @property
    def named(self) -> list[str]:
        rows = (*self.trades, *self.tickers, *self.candles, *self.products)
        own = [self.product_id] if self.product_id else []
        return own + [row.product_id or row.id for row in rows]


class _Frame(msgspec.Struct):
    """All fields of all kinds of frames."""

    channel: str | None = None
    events: list[_Event] = []
    type: str | None = None
    message: str = ""


_FRAME = msgspec.json.Decoder(_Frame)
_ANYTHING = msgspec.json.Decoder()


def parse(frame: bytes) -> Inbound:
    """Parse `frame`.

    Raises:
        connector.exchanges.protocol.UNDECODABLE: it is not JSON, or a field of it is not of its
            documented type.
    """
    if not frame.lstrip().startswith(b"{"):
        return not_an_object(frame)
    said = _FRAME.decode(frame)
    if said.type == "error":
        return Reply(None, None, said.message or NO_REASON)
    if said.channel is None:
        return Unknown(said.type or "object without channel or type")
    if said.channel == HEARTBEATS:
        return Heartbeat()
    if said.channel == "subscriptions":
        return _subscribed(said.events)
    if said.channel not in CHANNELS:
        return Unknown(said.channel)
    names = {f"{said.channel}:{listed_as(each)}" for event in said.events for each in event.named}
    if len(names) == 1:
        return Data(names.pop(), frame)
    return Several(tuple(Data(name, _part(frame, name)) for name in sorted(names)))


def _subscribed(events: list[_Event]) -> Subscribed:
    """All that is subscribed, by the names of streams."""
    names = [
        f"{BOOK_FRAMES if channel == BOOK else channel}:{listed_as(product)}"
        for event in events
        for channel, products in event.subscriptions.items()
        if channel != HEARTBEATS
        for product in products
    ]
    return Subscribed(frozenset(names))


def _part(frame: bytes, name: str) -> bytes:
    """What is of one stream in a frame of several."""
    said: dict[str, Any] = _ANYTHING.decode(frame)

    def concerns(row: Any) -> bool:
        product = row.get("product_id") or row.get("id") or ""
        return f"{said['channel']}:{listed_as(product)}" == name

    kept = []
    for event in said["events"]:
        if "product_id" in event:
            kept += [event] if concerns(event) else []
            continue
        rows = {
            key: [row for row in value if concerns(row)]
            for key, value in event.items()
            if isinstance(value, list)
        }
        if any(rows.values()):
            kept.append({**event, **rows})
    return msgspec.json.encode({**said, "events": kept})


class _Request(msgspec.Struct):
    type: str
    product_ids: list[str]
    channel: str


def subscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request for `streams`, which are of one channel."""
    return _write("subscribe", streams)


def unsubscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request to end `streams`, which are of one channel."""
    return _write("unsubscribe", streams)


def _write(kind: str, streams: Sequence[AnyStream]) -> str:
    channel = streams[0].batch
    products = [stream.argument for stream in streams]
    return msgspec.json.encode(_Request(kind, products, channel)).decode()
