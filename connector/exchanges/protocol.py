"""The interface every exchange implements: a pure function from bytes to events.

An exchange does no I/O and keeps no state. It says what a channel is called on the wire and on
which connection it travels, writes the requests, and reads what comes back. The session owns the
socket and the order of things; whatever differs between exchanges is data here.
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
from connector.exchanges.requests import NOTHING, BackfillOffer, PublicRequests
from connector.exchanges.rest_service import Page, RestRequest, RestService

if TYPE_CHECKING:
    from connector.book import BookRules, Extent
    from connector.instruments import Instrument

E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)


@attrs.frozen
class Limits:
    """What one exchange allows; the adapter stays below every one of them."""

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
    """How both sides of a connection know that the other is alive.

    Whatever an exchange does, a WebSocket ping of its is answered, and a connection that brings
    nothing for 30 seconds is asked for a sign of life. This says what else there is.
    """

    greeting: tuple[str, ...] = ()
    """Messages to send at once after connecting."""
    ping: str | None = None
    """The message by which a client shows that it is alive, and by which it asks; None: a
    WebSocket ping, and only when it has to ask."""
    ping_seconds: float | None = None
    """How often the exchange wants to see `ping`, whatever else it is sent; None: never."""
    also_websocket_ping: bool = False
    """Whether a WebSocket ping goes with each `ping`: of an exchange that wants to see the one or
    the other, and does not say which."""
    silence_seconds: float | None = None
    """Longest time without any message after which a connection is dead for certain; None when
    none is promised."""
    unanswered: Literal["reconnect", "refused", "omitted"] = "reconnect"
    """What it means that a stream is not acknowledged while the connection is alive: something
    broke; or this is how the exchange says that there is no such stream. "omitted": the exchange
    answers with a `Subscribed` that leaves the stream out, so that it is refused if one came since,
    and something broke if none did."""
    idle_seconds: float | None = None
    """The exchange closes a connection without subscriptions after this time; None: it does not,
    or does not say."""


UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises: msgspec's own errors, text that is not UTF-8, nesting that is too deep.
Catching all three costs nothing; translating them would cost every message a call."""


class PartlyUndecodable(msgspec.DecodeError):
    """Elements of a frame with a list do not decode; the others are `events`.

    One of `UNDECODABLE`, for whoever does not look closer.
    """

    def __init__(
        self, reason: str, events: list[Event], *, lost: int, raw: bytes, symbol: str
    ) -> None:
        super().__init__(reason)
        self.events = events
        self.lost = lost
        """How many do not decode."""
        self.raw = raw
        """The first of those."""
        self.symbol = symbol
        """Its symbol, as far as that can be read; else empty."""


SequenceRule: TypeAlias = Callable[[int, Event], int]
"""``rule(last_id, event)``: the id to remember (> 0) when `event` follows, 0 when it is a
duplicate or out of order and must be dropped, or the negated id when events are missing before
it. `last_id` is 0 for the first event of a session."""

Fold: TypeAlias = Callable[[Any, Any], list[Any]]
"""``fold(last, event)``: the events to deliver for `event`. `last` is the event that was delivered
last on this connection, None for the first. A pure function; it returns new events."""


@attrs.frozen
class BookSource:
    """What a local order book is made of."""

    deltas: Stream[BookDelta[Number]]
    """Its events are `BookDelta`; where the snapshot comes in the stream, `BookSnapshot` too."""
    rules: BookRules
    extent: Extent
    snapshot: RestRequest[BookSnapshot[Number]] | None = None
    """How it is fetched; None when it only comes in the stream."""
    snapshot_levels: int | None = None
    """The most levels per side that the snapshot has; None when it is complete."""
    fallback: BookRules | None = None
    """Rules of a book whose `snapshot` is fetched, when none came in the stream though `rules` say
    that it does: of an exchange that is about to change."""


@attrs.frozen
class BackfillSource:
    """Where trades that a stream missed come from."""

    wire: Stream[Any]
    """The stream that brings the others."""
    offer: BackfillOffer


@attrs.frozen(eq=False)
class Stream(Generic[E_co]):
    """A channel as the wire knows it."""

    name: str
    """The exchange's name: the key under which frames arrive and requests are made."""
    route: str
    """Which of the exchange's connections carries it."""
    channel: Channel[E_co]
    decode: Callable[[bytes], E_co | list[E_co]]
    """Payload to event, or to a list of events, which may be empty. Raises one of `UNDECODABLE`
    when it is not what the documentation says; `PartlyUndecodable` when only elements are not."""
    decode_unchecked: Callable[[bytes], E_co] | None = None
    """`decode` without the check that its numbers are finite, for payloads in which nothing can be
    ``NaN`` or ``Infinity``; the compiled loop sees that for less than msgspec checks it. It may
    refuse what is unusual, which `decode` reads then."""
    many: bool = False
    """Whether it is of many symbols."""
    symbol: str = ""
    """As its events spell it; empty where they are of several, or of none."""
    silence_seconds: float | None = None
    """Longest time without data that cannot be a quiet market; None when any time can be."""
    sequence: SequenceRule | None = None
    repeats: Callable[[int, Any], bool] | None = None
    """Of a stream whose subscription begins with what was before it: ``repeats(last_id, event)``,
    whether an event that `sequence` calls old repeats one of that. Then it is dropped, however many
    there are. And what was delivered on one connection stays known to `sequence` and `fold` on the
    next."""
    blank_id: Callable[[Any], int] | None = None
    """The id of an event that stands for nothing, which takes an id and is not delivered; 0 for any
    other. `sequence` answers 0 for one that follows, and the next event is told in its
    `previous_id` what it follows instead."""
    glance: Callable[[bytes], Event] | None = None
    """Payload to an event of the same symbol with all that `sequence` looks at, for much less work
    than `decode`; where it is offered, `Overflow.CONFLATE` decodes late
    (`connector.feeds.late_decoding`)."""
    book: BookSource | None = None
    """Of an `OrderBook`, which is no stream of the wire: what it is kept from."""
    backfill: BackfillSource | None = None
    """Of a channel with `backfill`, which is no stream of the wire either."""
    fold: Fold | None = None
    """For a stream whose messages only say what has changed: what to deliver instead of them."""
    batch: str = ""
    """Streams of different batches cannot be in one request."""
    argument: Any = None
    """What `Exchange.subscribe` writes for it, if that is more than its name."""
    reading: str = ""
    """What tells apart streams of one name and channel that are decoded differently, such as the
    best 5 and all 10 levels of what comes."""

    @property
    def on_wire(self) -> Stream[Any]:
        """What is subscribed to for it: itself, but for a book and for what is backfilled."""
        if self.book is not None:
            return self.book.deltas
        return self if self.backfill is None else self.backfill.wire


AnyStream: TypeAlias = Stream[Event]


class Exchange(Protocol[N_co]):
    """A description of a venue: a frozen value, generic in the numbers of its events.

    What has a body here is what most venues need; a class that inherits from this one leaves it
    out.
    """

    @property
    def name(self) -> str:
        """Short name for logs and metrics, such as ``binance_usdm``."""
        ...

    @property
    def numbers(self) -> type[N_co]:
        """What prices and quantities are: `float` or `decimal.Decimal`."""
        return cast("type[N_co]", float)

    @property
    def limits(self) -> Limits:
        """What the exchange allows."""
        ...

    @property
    def liveness(self) -> Liveness:
        """How both sides know that the other is alive."""
        return Liveness()

    @property
    def envelope(self) -> Envelope | None:
        """How most frames are wrapped; None when each must be parsed."""
        return None

    @property
    def compression(self) -> bool:
        """Whether to offer permessage-deflate."""
        return False

    @property
    def default_route(self) -> str:
        """The route to connect when nothing is subscribed yet."""
        return "public"

    def url(self, route: str) -> str:
        """Where to connect for `route`: a ``ws://`` or ``wss://`` URL."""
        ...

    def stream(self, channel: Channel[E]) -> Stream[E]:
        """The stream of `channel`. Its events have `numbers`, whatever the type of the channel
        says: type checkers are told so by `Adapter.subscribe`.

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
        """What a whole frame says; the general way, for every shape of frame.

        Raises:
            UNDECODABLE: it is not JSON, or not of the documented form.
        """
        ...

    @property
    def rest(self) -> RestService:
        """Where snapshots and instruments are fetched.

        Raises:
            ConfigError: the exchange has no REST interface.
        """
        raise ConfigError(f"{self.name} has no REST interface")

    def instruments(self) -> RestRequest[tuple[Instrument, ...]] | RestRequest[Page[Instrument]]:
        """The request for everything that is traded, whole or a page at a time.

        Raises:
            ConfigError: the exchange does not tell.
        """
        raise ConfigError(f"{self.name} does not list its instruments")

    @property
    def requests(self) -> PublicRequests:
        """What it answers when it is asked once: books, trades, candles, funding rates."""
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
