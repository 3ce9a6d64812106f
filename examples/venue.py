"""A venue in thirty lines: trades on topics, one answer per topic, kept alive by a text ping."""

# pyright: reportIncompatibleVariableOverride=false, reportIncompatibleMethodOverride=false
# pyright: reportAssignmentType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import msgspec
from msgspec import field

from connector.channels import Trades
from connector.errors import ConfigError
from connector.events import Trade
from connector.exchanges import protocol
from connector.exchanges.protocol import Envelope, Inbound, Limits, Liveness, Part, Stream
from connector.exchanges.spelling import spelled


@spelled(side=lambda deal: "buy" if deal.wire_side else "sell")
class Deal(Trade[float], gc=False, kw_only=True):
    """``{"topic":"A","p":1.5,"q":2,"n":7,"buy":true}``: a frame that is the event."""

    symbol: str = field(name="topic")
    price: float = field(name="p")
    quantity: float = field(name="q")
    trade_id: int = field(name="n")
    side: bool = field(name="buy")  # type: ignore[assignment]


class Said(msgspec.Struct):
    """``{"id":1,"of":"A","error":"…"}``, or anything with a topic."""

    topic: str = ""
    id: int | None = None
    of: str = ""
    error: str | None = None


@attrs.frozen
class Bazaar(protocol.Exchange):
    """Everything the connector needs to know of the bazaar."""

    server: str = "wss://bazaar.example"
    name = "bazaar"
    limits = Limits(
        streams_per_connection=100, requests_per_second=5, streams_per_request=10,
        connections_per_window=100, window_seconds=60, lifetime_seconds=86_400,
        max_message_bytes=2**20,
    )  # fmt: skip
    liveness = Liveness(ping="ping", ping_seconds=20.0, idle_seconds=30.0)
    envelope = Envelope((Part(b'"topic":"', b'"'),), anchored=False)

    def url(self, route: str) -> str:
        return f"{self.server}/{route}"

    def stream(self, channel: Any) -> Stream[Any]:
        if not isinstance(channel, Trades):
            raise ConfigError(f"the bazaar does not offer {channel!r}; it offers Trades")
        decode = msgspec.json.Decoder(Deal).decode
        return Stream(channel.symbol.upper(), self.default_route, channel, decode)

    def subscribe(self, request_id: int, streams: Sequence[Stream[Any]]) -> str:
        return write("subscribe", request_id, streams)

    def unsubscribe(self, request_id: int, streams: Sequence[Stream[Any]]) -> str:
        return write("unsubscribe", request_id, streams)

    def parse(self, frame: bytes) -> Inbound:
        if frame == b"pong":
            return protocol.Heartbeat()
        said = msgspec.json.decode(frame, type=Said)
        if said.id is not None:
            return protocol.Reply(said.id, None, said.error, streams=(said.of,))
        return protocol.Data(said.topic, frame) if said.topic else protocol.Unknown("message")


def write(op: str, request_id: int, streams: Sequence[Stream[Any]]) -> str:
    """``{"op":"subscribe","id":1,"topics":["A","B"]}``."""
    topics = [stream.name for stream in streams]
    return msgspec.json.encode({"op": op, "id": request_id, "topics": topics}).decode()
