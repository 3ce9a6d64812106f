"""The interface every exchange implements: a pure function from bytes to events.

An exchange does no I/O and keeps no state. It maps a channel to its stream and connection, writes
requests, and parses frames. The session owns the socket and decides the order of messages; every
difference between exchanges is data here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypeVar, cast

import attrs
import msgspec

from connector.channels import AnyChannel, Channel
from connector.errors import ConfigError
from connector.events import BookDelta, BookSnapshot, Event, N_co, Number
from connector.exchanges.envelope import Envelope, Part
from connector.exchanges.inbound import (
    Data,
    Heartbeat,
    Inbound,
    Question,
    Reply,
    Several,
    Shutdown,
    Subscribed,
    Unknown,
)
from connector.exchanges.refusals import UNDECODABLE, ErrorBodies, Refusals
from connector.exchanges.requests import NOTHING, BackfillOffer, PublicRequests
from connector.exchanges.rest_service import Page, RestRequest, RestService
from connector.exchanges.symbol_form import ANY, SymbolForm

if TYPE_CHECKING:
    from connector.book import BookRules, Extent
    from connector.instruments import Instrument

E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)


@attrs.frozen
class Limits:
    """The limits of one exchange; the adapter stays below each of them."""

    streams_per_connection: int
    requests_per_second: float
    """Messages we send per second and connection, leaving room for the pongs we must send."""
    streams_per_request: int
    connections_per_window: int
    """Connection attempts per `window_seconds` and host."""
    window_seconds: float
    lifetime_seconds: float
    """The exchange closes a connection of this age; sessions end themselves a little before."""
    max_message_bytes: int
    requests_per_hour: int | None = None
    """Requests to subscribe or unsubscribe, per hour and connection; None: no such limit."""
    bytes_per_request: int | None = None
    """The longest request; None: `streams_per_request` bounds it."""


@attrs.frozen(kw_only=True)
class Liveness:
    """How each side of a connection shows that it is alive.

    On every exchange, the link answers WebSocket pings, and checks a connection that receives
    nothing for 30 seconds. This describes the rest.
    """

    greeting: tuple[str, ...] = ()
    """Messages to send at once after connecting."""
    ping: str | None = None
    """The message with which the client shows that it is alive, and checks the connection; None
    means a WebSocket ping, and only for a check."""
    ping_seconds: float | None = None
    """Interval at which the exchange expects `ping`, even between other messages; None means
    never."""
    also_websocket_ping: bool = False
    """Whether to send a WebSocket ping with each `ping`, because the exchange expects one of the
    two and does not document which."""
    silence_seconds: float | None = None
    """Time without any message after which a connection is certainly dead; None if the exchange
    promises none."""
    unanswered: Literal["reconnect", "refused", "omitted"] = "reconnect"
    """The meaning of a missing acknowledgement on a live connection. "reconnect": something broke.
    "refused": the exchange ignores requests for unknown streams. "omitted": the exchange answers
    with a `Subscribed` without the stream, so the stream is refused if such an answer has arrived
    since, and otherwise something broke."""
    idle_seconds: float | None = None
    """Time after which the exchange closes a connection without subscriptions; None if it does not,
    or if this is not documented."""


class PartlyUndecodable(msgspec.DecodeError):
    """Some elements of a list do not decode; `events` has the others.

    It is one of `UNDECODABLE`, for code that makes no distinction.
    """

    def __init__(
        self, reason: str, events: list[Event], *, lost: int, raw: bytes, symbol: str
    ) -> None:
        super().__init__(reason)
        self.events = events
        self.lost = lost
        """Number of elements that do not decode."""
        self.raw = raw
        """The first of those elements."""
        self.symbol = symbol
        """The symbol of that element; empty if it cannot be read."""


SequenceRule: TypeAlias = Callable[[int, Event], int]
"""``rule(last_id, event)``: the id to remember (> 0) when `event` follows, 0 when it is a
duplicate or out of order and must be dropped, or the negated id when events are missing before
it. `last_id` is 0 for the first event of a session."""

Fold: TypeAlias = Callable[[Any, Any], list[Any]]
"""``fold(last, event)``: the events to deliver for `event`. `last` is the event that was delivered
last on this connection, None for the first. A pure function; it returns new events."""


@attrs.frozen
class BookSource:
    """The data from which a local order book is made."""

    deltas: Stream[BookDelta[Number]]
    """The stream of `BookDelta` events; also of `BookSnapshot`, if the stream carries snapshots."""
    rules: BookRules
    extent: Extent
    snapshot: RestRequest[BookSnapshot[Number]] | None = None
    """The request for the snapshot; None if it arrives only in the stream."""
    snapshot_levels: int | None = None
    """Most levels per side of the snapshot; None if it is complete."""
    fallback: BookRules | None = None
    """Rules for a book with a fetched `snapshot`, used if the stream lacks the snapshot that
    `rules` expect: for an exchange that is about to change."""


@attrs.frozen
class BackfillSource:
    """The source of trades that a stream missed."""

    wire: Stream[Any]
    """The stream of the other trades."""
    offer: BackfillOffer


@attrs.frozen(eq=False)
class Stream(Generic[E_co]):
    """A channel as it appears on the wire."""

    name: str
    """The exchange's name: the key under which frames arrive and requests are made."""
    route: str
    """Which of the exchange's connections carries it."""
    channel: Channel[E_co]
    decode: Callable[[bytes], E_co | list[E_co]]
    """Decodes a payload to an event, or to a list of events, which may be empty. Raises one of
    `UNDECODABLE` for an undocumented form, and `PartlyUndecodable` if only some elements have
    one."""
    decode_unchecked: Callable[[bytes], E_co] | None = None
    """`decode` without the check that its numbers are finite, for payloads in which nothing can be
    ``NaN`` or ``Infinity``; the compiled loop detects that more cheaply than msgspec. It may refuse
    unusual payloads, which `decode` then reads."""
    many: bool = False
    """Whether it has many symbols."""
    symbol: str = ""
    """The symbol in the spelling of its events; empty if they have several symbols, or none."""
    silence_seconds: float | None = None
    """Time without data that a quiet market cannot explain; None if any time is possible."""
    sequence: SequenceRule | None = None
    repeats: Callable[[int, Any], bool] | None = None
    """For a stream whose subscription begins with older events: ``repeats(last_id, event)`` tells
    whether an event that `sequence` calls old repeats one of them. Such events are dropped, however
    many there are. `sequence` and `fold` also remember, on the next connection, the events that the
    last one delivered."""
    blank_id: Callable[[Any], int] | None = None
    """The id of a blank event, which takes an id and is not delivered; 0 for any other event.
    `sequence` returns 0 for a blank event in sequence, and the `previous_id` of the next event
    names the id that it follows."""
    glance: Callable[[bytes], Event] | None = None
    """Decodes only the fields that `sequence` needs, with much less work than `decode`. If present,
    `Overflow.CONFLATE` postpones the full decoding
    (`connector.feeds.late_decoding`)."""
    book: BookSource | None = None
    """The source of an `OrderBook`, which does not exist on the wire."""
    backfill: BackfillSource | None = None
    """The source of a channel with `backfill`, which does not exist on the wire either."""
    fold: Fold | None = None
    """For a stream whose messages contain only changes: makes the events to deliver instead."""
    batch: str = ""
    """Streams of different batches cannot be in one request."""
    argument: Any = None
    """The argument that `Exchange.subscribe` writes for it, if the name is not enough."""
    reading: str = ""
    """Distinguishes streams of one name and channel that are decoded differently, such as the best
    5 and all 10 of the received levels."""

    @property
    def on_wire(self) -> Stream[Any]:
        """The stream to subscribe to: itself, except for a book and for a backfilled channel."""
        if self.book is not None:
            return self.book.deltas
        return self if self.backfill is None else self.backfill.wire


AnyStream: TypeAlias = Stream[Event]


class Exchange(Protocol[N_co]):
    """A description of a venue: a frozen value, generic in the numbers of its events.

    Methods with a body here suit most venues; a subclass may omit them.
    """

    @property
    def name(self) -> str:
        """Short name for logs and metrics, such as ``binance_usdm``."""
        ...

    @property
    def numbers(self) -> type[N_co]:
        """The type of prices and quantities: `float` or `decimal.Decimal`."""
        return cast("type[N_co]", float)

    @property
    def symbol_form(self) -> SymbolForm:
        """How the exchange writes symbols."""
        return ANY

    @property
    def limits(self) -> Limits:
        """The limits of the exchange."""
        ...

    @property
    def liveness(self) -> Liveness:
        """How each side shows that it is alive."""
        return Liveness()

    @property
    def envelope(self) -> Envelope | None:
        """The wrapping of most frames; None if each frame must be parsed."""
        return None

    @property
    def compression(self) -> bool:
        """Whether to offer permessage-deflate."""
        return False

    @property
    def default_route(self) -> str:
        """The route to connect when nothing is subscribed yet."""
        return "public"

    @property
    def notice(self) -> str | None:
        """What the program that opens an adapter should know; it is logged as a warning.

        For example, the day on which the exchange switches this interface off. None if there is
        nothing.
        """
        return None

    def url(self, route: str) -> str:
        """Where to connect for `route`: a ``ws://`` or ``wss://`` URL."""
        ...

    def stream(self, channel: Channel[E]) -> Stream[E]:
        """The stream of `channel`.

        Its events have `numbers`, regardless of the channel's type: `Adapter.subscribe` declares
        this to type checkers.

        Raises:
            ConfigError: the exchange does not offer it; the message lists what it does.
        """
        ...

    def subscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        """The request that subscribes to `streams`."""
        ...

    def unsubscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        """The request that ends the subscription of `streams`."""
        ...

    def parse(self, frame: bytes) -> Inbound:
        """Parse a whole frame, of any shape.

        Raises:
            UNDECODABLE: it is not JSON, or not of the documented form.
        """
        ...

    @property
    def rest(self) -> RestService:
        """The REST service for snapshots and instruments.

        Raises:
            ConfigError: the exchange has no REST interface.
        """
        raise ConfigError(f"{self.name} has no REST interface")

    def instruments(self) -> RestRequest[tuple[Instrument, ...]] | RestRequest[Page[Instrument]]:
        """The request for all instruments, whole or a page at a time.

        Raises:
            ConfigError: the exchange does not tell.
        """
        raise ConfigError(f"{self.name} does not list its instruments")

    @property
    def requests(self) -> PublicRequests:
        """The requests that the exchange answers: books, trades, candles, funding rates."""
        return NOTHING


AnyExchange: TypeAlias = Exchange[Any]
"""An exchange, whatever its numbers are."""


__all__ = [
    "UNDECODABLE",
    "AnyChannel",
    "AnyExchange",
    "AnyStream",
    "BookSource",
    "Data",
    "Envelope",
    "ErrorBodies",
    "Exchange",
    "Fold",
    "Heartbeat",
    "Inbound",
    "Limits",
    "Liveness",
    "Page",
    "Part",
    "PartlyUndecodable",
    "PublicRequests",
    "Question",
    "Refusals",
    "Reply",
    "RestRequest",
    "RestService",
    "SequenceRule",
    "Several",
    "Shutdown",
    "Stream",
    "Subscribed",
    "Unknown",
]
