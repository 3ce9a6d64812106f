"""A toy exchange: ticks that count, on streams named like their symbols, in small JSON frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import attrs
import msgspec

from connector.channels import Channel
from connector.events import Event
from connector.exchanges.protocol import (
    AnyStream,
    Data,
    Envelope,
    Heartbeat,
    Inbound,
    Limits,
    Liveness,
    Part,
    Question,
    Reply,
    SequenceRule,
    Shutdown,
    Stream,
    Unknown,
)
from connector.exchanges.symbol_form import ANY, SymbolForm
from connector.feeds.backpressure import Full
from connector.feeds.subscription import Subscription

ENVELOPE = Envelope((Part(b'{"stream":"', b'","data":'),), tail=b"}")
E = TypeVar("E", bound=Event)


class Tick(Event, gc=False, kw_only=True):
    """The `n`-th event of a symbol."""

    fields = (*Event.fields, "n")

    n: int
    symbol: str = "X"


@attrs.frozen
class Ticks(Channel[Tick]):
    symbol: str


class Glance(Event, gc=False, kw_only=True):
    """What there is of a tick but its number."""

    symbol: str = "X"


class _Frame(msgspec.Struct):
    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    id: int | None = None
    code: int | None = None
    error: str | None = None
    bye: str | None = None
    later: bool = False
    ask: str | None = None
    alive: bool = False


def rising(last_id: int, event: Event) -> int:
    """Ticks are numbered 1, 2, 3 …"""
    assert isinstance(event, Tick)
    if not last_id or event.n == last_id + 1:
        return event.n
    return 0 if event.n <= last_id else -event.n


LIMITS = Limits(
    streams_per_connection=1024,
    requests_per_second=5,
    streams_per_request=200,
    connections_per_window=300,
    window_seconds=300,
    lifetime_seconds=86400,
    max_message_bytes=1 << 20,
)

LIVENESS = Liveness()


@attrs.frozen
class Toy:
    """Serves `Ticks` of any symbol; a symbol that ends with "*" comes in lists."""

    envelope: Envelope | None = ENVELOPE
    limits: Limits = LIMITS
    liveness: Liveness = LIVENESS
    sequence: SequenceRule | None = None
    silence_seconds: float | None = None
    glance: type[Event] | None = None
    name: str = "toy"
    compression: bool = False
    default_route: str = "all"
    symbol_form: SymbolForm = ANY

    def url(self, route: str) -> str:
        return f"ws://toy.invalid/{route}"

    def stream(self, channel: Channel[E]) -> Stream[E]:
        assert isinstance(channel, Ticks)
        many = channel.symbol.endswith("*")
        kind: Any = list[Tick] if many else Tick
        return Stream(
            name=channel.symbol,
            route=self.default_route,
            channel=channel,
            decode=msgspec.json.Decoder(kind).decode,
            many=many,
            silence_seconds=self.silence_seconds,
            sequence=self.sequence,
            glance=self.glance and msgspec.json.Decoder(self.glance).decode,
        )

    def subscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        return f"{request_id} + {' '.join(each.name for each in streams)}"

    def unsubscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        return f"{request_id} - {' '.join(each.name for each in streams)}"

    def parse(self, frame: bytes) -> Inbound:
        read = msgspec.json.decode(frame, type=_Frame)
        if read.stream is not None:
            return Data(read.stream, bytes(read.data))
        if read.bye is not None:
            return Shutdown(read.bye)
        if read.ask is not None:
            return Question(read.ask)
        if read.alive:
            return Heartbeat()
        if read.later:
            return Reply(read.id, read.code, read.error, refusal="later")
        if read.id is not None or read.error is not None:
            return Reply(read.id, read.code, read.error)
        return Unknown("?")


def frame(stream: str, *numbers: int) -> bytes:
    """A frame of `stream`: one tick, or a list of them where the stream has lists."""
    ticks = [{"n": number, "symbol": stream} for number in numbers]
    payload = msgspec.json.encode(ticks if stream.endswith("*") else ticks[0])
    return b'{"stream":"%s","data":%s}' % (stream.encode(), payload)


def subscription(name: str, exchange: Toy | None = None, full: Full | None = None) -> Subscription:
    """What somebody wants of the toy exchange."""
    stream = (exchange or Toy()).stream(Ticks(name))
    return Subscription(stream, Full() if full is None else full)


def keyed(*subscriptions: Subscription) -> dict[bytes, Subscription]:
    """The wanted set as a link keeps it."""
    return {each.name.encode(): each for each in subscriptions}
