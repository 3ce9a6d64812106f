"""Frames and requests: data and acknowledgements have an ``arg``, refusals name it in their text.

A stream of v3 is called ``topic:symbol``, a candle ``kline:symbol:interval``, liquidations
``liquidation:instType``; one of v2 ``v2.channel:instId``. Symbols are those of v3.

Source: bitget §1, §2, §3.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Literal, TypeAlias

import attrs
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
    Unknown,
)
from connector.exchanges.refusals import Refusals, not_an_object

Market: TypeAlias = Literal["spot", "futures"]

V3, V2 = "v3", "v2"
CLASSIC = "v2."
ENVELOPE = Envelope((Part(b'"topic":"', b'"'), Part(b'"symbol":"', b'"},"data":')), anchored=False)
"""Of v3, but for candles and liquidations, whose names have another form; v2 takes the long way.
What has no data behind its argument is an acknowledgement, which also takes the long way."""

PING, PONG = "ping", b"pong"
KLINE, LIQUIDATION = "kline", "liquidation"
INST_TYPES = ("spot", "usdt-futures", "usdc-futures", "coin-futures")
_TOPICS = MappingProxyType({"publictrade": "publicTrade"})
"""The topic that is not in lower case: v1 has answered in another case than it was asked in."""
_COIN_SUFFIX = "_CM"
_REFUSALS = Refusals(later=frozenset({"30006", "30007"}))
"""Too many requests."""
_ABSENT = msgspec.Raw()


class _Arg(msgspec.Struct, rename="camel"):
    inst_type: str = ""
    topic: str | None = None
    symbol: str | None = None
    interval: str | None = None
    channel: str | None = None
    inst_id: str | None = None

    @property
    def name(self) -> str:
        if self.channel is not None:
            symbol = (self.inst_id or "").upper()
            if self.inst_type.lower() == "coin-futures":
                symbol += _COIN_SUFFIX
            return f"{CLASSIC}{self.channel}:{symbol}"
        topic = self.topic or ""
        topic = _TOPICS.get(topic.lower(), topic)
        what = (self.symbol or self.inst_id or "").upper() or self.inst_type.lower()
        return f"{topic}:{what}" + (f":{self.interval}" if self.interval else "")


class _Frame(msgspec.Struct):
    """All fields of all kinds of frames."""

    arg: _Arg | None = None
    data: msgspec.Raw = _ABSENT
    event: str | None = None
    code: int | str | None = None
    msg: str = ""


_FRAME = msgspec.json.Decoder(_Frame)
_ARG = msgspec.json.Decoder(_Arg)


def parse(frame: bytes) -> Inbound:
    """Parse `frame`.

    Raises:
        connector.exchanges.protocol.UNDECODABLE: it is not JSON, or a field of it is not of its
            documented type.
    """
    if frame == PONG:
        return Heartbeat()
    if not frame.lstrip().startswith(b"{"):
        return not_an_object(frame)
    said = _FRAME.decode(frame)
    if said.arg is not None and said.data is not _ABSENT:
        return Data(said.arg.name, frame)
    if said.event in ("subscribe", "unsubscribe") and said.arg is not None:
        return Reply(None, streams=(said.arg.name,))
    if said.event == "error":
        return _refusal(said)
    return Unknown(said.event or "object without arg or event")


def _refusal(said: _Frame) -> Reply:
    """The code is a number on the wire, a text in the documentation."""
    arg = said.arg if said.arg is not None else _arg_in(said.msg)
    # The other arguments of the request have verdicts of their own.
    return _REFUSALS.reply(None, said.code, said.msg, None if arg is None else (arg.name,))


def _arg_in(message: str) -> _Arg | None:
    """The argument that a text begins with: ``{"instType":…} doesn't exist``."""
    try:
        return _ARG.decode(message[: message.rfind("}") + 1])
    except UNDECODABLE:
        return None


def inst_type(market: Market, symbol: str) -> str:
    """In which of Bitget's markets a symbol is: real ones in another market stay silent."""
    if symbol.lower() in INST_TYPES:
        return symbol.lower()
    if market == "spot":
        return "spot"
    if "USDT" in symbol:
        return "usdt-futures"
    return "usdc-futures" if "PERP" in symbol or "USDC" in symbol else "coin-futures"


class _Request(msgspec.Struct):
    op: str
    args: list[dict[str, str]]


def _write(op: str, streams: Sequence[AnyStream], market: Market) -> str:
    """The request to ``subscribe`` or ``unsubscribe``."""
    args = [argument(stream.name, market) for stream in streams]
    return msgspec.json.encode(_Request(op, args)).decode()


def argument(name: str, market: Market) -> dict[str, str]:
    """What a request says of the stream `name`."""
    topic, _, rest = name.partition(":")
    symbol, _, interval = rest.partition(":")
    market_of = inst_type(market, symbol)
    if topic.startswith(CLASSIC):
        return {
            "instType": market_of.upper(),
            "channel": topic.removeprefix(CLASSIC),
            "instId": symbol.removesuffix(_COIN_SUFFIX),
        }
    told = {"instType": market_of, "topic": topic}
    if symbol.lower() not in INST_TYPES:
        told["symbol"] = symbol
    if interval:
        told["interval"] = interval
    return told


@attrs.frozen
class Language:
    """The language of the streams of spot, or of futures; requests have no id."""

    market: Market
    ENVELOPE: Envelope = ENVELOPE

    def subscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        """The request that subscribes to `streams`."""
        return _write("subscribe", streams, self.market)

    def unsubscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        """The request that ends the subscription of `streams`."""
        return _write("unsubscribe", streams, self.market)

    def parse(self, frame: bytes) -> Inbound:
        """Parse a whole frame.

        Raises:
            connector.exchanges.protocol.UNDECODABLE: it is not JSON, or not of the documented form.
        """
        return parse(frame)
