"""Frames and requests: one subscription per request, named by an object that the reply repeats.

The reply has more keys than the request. A refusal has no id, and the request in its text.

Source: hyperliquid §2, §3, §5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

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
    Unknown,
)
from connector.exchanges.refusals import Refusals, not_an_object

ENVELOPE = Envelope((Part(b'{"channel":"', b'"'), Part(b'"coin":"', b'"')))
"""Names are ``channel:coin``; candles, which name no coin, take the long way."""

PING = '{"method":"ping"}'

BOOK, SLOW_BOOK = "l2Book", "l2Book.slow"
"""Both forms of a book come as ``l2Book``; ``fast`` in their data tells them apart."""
CONTEXT, SPOT_CONTEXT = "activeAssetCtx", "activeSpotAssetCtx"

_REFUSALS = Refusals(already_words=("already subscribed",))


def name_of(kind: str, coin: str, interval: str = "", *, fast: bool | None = None) -> str:
    """What the stream of a subscription is called."""
    if kind == "candle":
        return f"candle:{coin}:{interval}"
    if kind == BOOK and not fast:
        return f"{SLOW_BOOK}:{coin}"
    if kind in (CONTEXT, SPOT_CONTEXT):
        return f"{SPOT_CONTEXT if is_spot(coin) else CONTEXT}:{coin}"
    return f"{kind}:{coin}"


def is_spot(coin: str) -> bool:
    """Whether it is ``PURR/USDC`` or ``@107``. Source: hyperliquid §9."""
    return coin.startswith("@") or "/" in coin


def name_as_told(argument: Mapping[str, Any]) -> str:
    """What the stream of a subscription is called."""
    fast, interval = argument.get("fast"), argument.get("interval", "")
    return name_of(argument["type"], argument["coin"], interval, fast=fast)


class _Named(msgspec.Struct):
    """What names the stream: of data, of a row of trades, or of a subscription."""

    type: str = ""
    coin: str = ""
    s: str = ""
    i: str = ""
    interval: str = ""
    fast: bool | None = None


class _Reply(msgspec.Struct):
    subscription: _Named


class _Frame(msgspec.Struct):
    channel: str
    data: msgspec.Raw = msgspec.Raw()


_FRAME = msgspec.json.Decoder(_Frame)
_NAMED = msgspec.json.Decoder(_Named)
_ROWS = msgspec.json.Decoder(list[_Named])
_REPLY = msgspec.json.Decoder(_Reply)
_TEXT = msgspec.json.Decoder(str)
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
    channel = said.channel
    if channel == "pong":
        return Heartbeat()
    if channel == "subscriptionResponse":
        return Reply(None, streams=_names_in_reply(_REPLY.decode(said.data).subscription))
    if channel == "error":
        return _refusal(_TEXT.decode(said.data))
    if channel == "trades":
        return _of_rows(frame, said)
    if channel in _OF_A_COIN:
        named = _NAMED.decode(said.data)
        coin, interval = named.coin or named.s, named.i
        return Data(name_of(channel, coin, interval, fast=named.fast), frame)
    return Unknown(channel)


TYPES = frozenset({"trades", BOOK, "bbo", "candle", CONTEXT})
"""Of subscriptions to market data of a coin."""
_OF_A_COIN = TYPES | {SPOT_CONTEXT}


def _of_rows(frame: bytes, said: _Frame) -> Inbound:
    """Trades, which name the coin in each row; nothing says that it is always the same."""
    coins = sorted({row.coin for row in _ROWS.decode(said.data)})
    if len(coins) == 1:
        return Data(name_of("trades", coins[0]), frame)
    rows: list[dict[str, Any]] = _ANYTHING.decode(said.data)
    return Several(
        tuple(
            Data(
                name_of("trades", coin),
                msgspec.json.encode({"data": [row for row in rows if row["coin"] == coin]}),
            )
            for coin in coins
        )
    )


def _names_in_reply(said: _Named) -> tuple[str, ...]:
    """The stream of a subscription; of a book, if it is not told which of the two, either."""
    if said.type == BOOK and said.fast is None:
        return name_of(BOOK, said.coin), name_of(BOOK, said.coin, fast=True)
    return (name_of(said.type, said.coin, said.interval, fast=said.fast),)


def _refusal(text: str) -> Reply:
    """The text has the request in it, or the subscription."""
    begin, end = text.find("{"), text.rfind("}")
    streams = None
    if 0 <= begin < end:
        written = text[begin : end + 1].encode()
        try:
            named = _NAMED.decode(written)
            named = named if named.type else _REPLY.decode(written).subscription
            streams = (name_of(named.type, named.coin, named.interval, fast=named.fast),)
        except UNDECODABLE:
            pass
    return _REFUSALS.reply(None, None, text, streams)


class _Request(msgspec.Struct):
    method: str
    subscription: dict[str, Any]


def subscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request for the one of `streams`."""
    return _write("subscribe", streams)


def unsubscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request to end the one of `streams`."""
    return _write("unsubscribe", streams)


def _write(method: str, streams: Sequence[AnyStream]) -> str:
    (stream,) = streams
    return msgspec.json.encode(_Request(method, argument(stream.name))).decode()


def argument(name: str) -> dict[str, Any]:
    """The subscription of the stream called `name`."""
    kind, _, coin = name.partition(":")
    if kind == "candle":
        # A coin may hold a colon itself: that of a builder's exchange.
        coin, _, interval = coin.rpartition(":")
        return {"type": kind, "coin": coin, "interval": interval}
    if kind == SLOW_BOOK:
        return {"type": BOOK, "coin": coin}
    if kind == BOOK:
        return {"type": BOOK, "coin": coin, "fast": True}
    return {"type": CONTEXT if kind == SPOT_CONTEXT else kind, "coin": coin}
