"""Frames and requests of WebSocket v2: channel and symbol name a stream.

Spot and the unified WebSocket write the same frames. Requests of the latter name the class of the
assets, too (`connector.exchanges.kraken.unified_frames`).

A request has one channel and several symbols, and each symbol is answered by itself. A refusal
repeats the number of the request and sometimes the symbol, never the channel; so a request's number
says which channel it is about.

Source: kraken §2, §3, §8b.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from connector.exchanges.protocol import (
    AnyStream,
    Data,
    Envelope,
    Heartbeat,
    Inbound,
    Part,
    Reply,
    Unknown,
)
from connector.exchanges.refusals import Refusals, not_an_object

ENVELOPE = Envelope((Part(b'{"channel":"', b'"'), Part(b'"symbol":"', b'"')))
"""Names are ``channel:symbol``. Those of candles have the interval, too, as ``ohlc-5:BTC/USD``,
which a frame says at its end: it takes the long way."""

PING = '{"method":"ping"}'

CHANNELS = ("", "trade", "ticker", "book", "ohlc", "instrument")
"""By their numbers in the numbers of requests; 0 is any other."""
_CHANNELS = 16
_INTERVALS = 1 << 15
_REQUEST = _CHANNELS * _INTERVALS
_NAMED = re.compile(r"\b(?:[A-Za-z0-9.]+/[A-Za-z0-9.]+|[FP][FI]_[A-Z0-9]+(?:_[0-9]{6})?\b)")
"""A symbol in a text: of spot, ``BTC/USD``, or of a derivative, ``PF_XBTUSD``."""
_REFUSALS = Refusals(already_words=("already subscribed",), later_words=("msg rate",))
_LONGEST_KIND = 40
_ABSENT = msgspec.Raw()
_ALIVE = frozenset({"heartbeat", "status"})


class _Of(msgspec.Struct):
    """What a row, or the result of a request, is of."""

    symbol: str | None = None
    interval: int | None = None
    channel: str = ""


class _Frame(msgspec.Struct):
    """All fields of all kinds of frames."""

    channel: str | None = None
    data: msgspec.Raw = _ABSENT
    method: str | None = None
    req_id: int | None = None
    success: bool | None = None
    error: str | None = None
    symbol: str | None = None
    result: _Of | None = None


_FRAME = msgspec.json.Decoder(_Frame)
_ROWS = msgspec.json.Decoder(list[_Of] | dict[str, Any])


def parse(frame: bytes) -> Inbound:
    """Parse `frame`.

    Raises:
        connector.exchanges.protocol.UNDECODABLE: it is not JSON, or a field of it is not of its
            documented type.
    """
    if not frame.lstrip().startswith(b"{"):
        return not_an_object(frame)
    said = _FRAME.decode(frame)
    if said.channel in _ALIVE or said.method == "pong":
        return Heartbeat()
    if said.channel is not None and said.data is not _ABSENT:
        rows = _ROWS.decode(said.data)
        first = rows[0] if isinstance(rows, list) and rows else _Of()
        return Data(name_of(said.channel, first.symbol, first.interval), frame)
    if said.method in ("subscribe", "unsubscribe") and said.success is not None:
        return _accepted(said) if said.success else _refused(said)
    if said.error is not None:
        return _refused(said)
    return Unknown((said.channel or said.method or "object without channel")[:_LONGEST_KIND])


def name_of(channel: str, symbol: str | None, interval: int | None = None) -> str:
    """The name of a stream."""
    kind = f"{channel}-{interval}" if channel == "ohlc" and interval else channel
    return kind if symbol is None else f"{kind}:{symbol}"


def _accepted(said: _Frame) -> Reply:
    request_id, channel, interval = _split(said.req_id)
    about = said.result or _Of()
    name = name_of(about.channel or channel, about.symbol, about.interval or interval)
    return Reply(request_id, streams=(name,))


def _refused(said: _Frame) -> Reply:
    request_id, channel, interval = _split(said.req_id)
    message = said.error or ""
    named = _NAMED.search(message)
    symbol = said.symbol or (named and named[0])
    streams = (name_of(channel, symbol, interval),) if symbol and channel else None
    return _REFUSALS.reply(request_id, None, message, streams)


def _split(number: int | None) -> tuple[int | None, str, int | None]:
    """The request, its channel and its interval, of what is its number on the wire."""
    if number is None:
        return None, "", None
    request_id, option = divmod(number, _REQUEST)
    index, interval = divmod(option, _INTERVALS)
    return request_id, CHANNELS[index] if index < len(CHANNELS) else "", interval or None


_OPTIONS: Mapping[str, str] = MappingProxyType(
    {"ticker": "event_trigger", "ohlc": "interval", "book": "depth"}
)


def subscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request for `streams`, which are of one batch."""
    return write("subscribe", request_id, streams)


def unsubscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request to end `streams`, which are of one batch."""
    return write("unsubscribe", request_id, streams)


def write(
    method: str, request_id: int, streams: Sequence[AnyStream], asset_class: str | None = None
) -> str:
    """A request of `method` for `streams`, which are of one batch.

    Args:
        method: ``subscribe`` or ``unsubscribe``.
        request_id: its number among the requests of a connection.
        streams: what it is for.
        asset_class: the class of the assets, where a request has to name it.
    """
    channel, _, option = streams[0].batch.partition(",")
    symbols = [symbol for stream in streams if (symbol := stream.name.partition(":")[2])]
    params: dict[str, Any] = {"channel": channel}
    if asset_class is not None:
        params["asset_class"] = asset_class
    if symbols:
        params["symbol"] = symbols
    interval = 0
    if option:
        params[_OPTIONS[channel]] = int(option) if option.isdecimal() else option
        interval = int(option) if channel == "ohlc" else 0
    if method == "subscribe" and channel in ("trade", "ohlc"):
        # What happened before is not what the stream is about.
        params["snapshot"] = False
    number = (
        request_id * _REQUEST
        + (CHANNELS.index(channel) if channel in CHANNELS else 0) * _INTERVALS
        + interval
    )
    return msgspec.json.encode({"method": method, "params": params, "req_id": number}).decode()


def batch_of(name: str) -> str:
    """The batch of the stream called `name`, whose parameters are those of the venue."""
    kind, _, _ = name.partition(":")
    channel, _, interval = kind.partition("-")
    return f"{channel},{interval}" if interval else channel
