"""A connection of a venue that has a kit: the client's requests and the replies to them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

import trio

from connector.testing.exchange.lasting_faults import Spoiler
from connector.testing.faults.faults import Fault
from connector.testing.kits.kit import Clockwork, Kit
from connector.testing.kits.table import KITS
from connector.testing.market.audience import Audience
from connector.testing.network.timers import Timers
from connector.testing.venues.rules import Venue


class Line(Protocol):
    """The connection, as its conversation uses it."""

    number: int
    route: str

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The subscribed streams."""
        ...

    def hold(self, stream: str) -> None:
        """Count a stream as subscribed."""

    def begin_stream(self, stream: str, first: Iterable[bytes]) -> None:
        """Send the first message of a stream, and its data from now on."""

    def drop(self, stream: str) -> None:
        """End a stream: undo `hold` and `begin_stream`."""

    def reply(self, text: bytes) -> None:
        """Send a reply, unless a fault withholds it."""

    def say(self, text: bytes) -> None:
        """Send a message that is not a reply."""

    def close(self, code: int, reason: str = "", *, drop: bool = False) -> None:
        """Close the connection."""


class KitConversation:
    """Connects a connection with the dialect of its venue (`connector.testing.kits.kit.Ears`)."""

    def __init__(
        self,
        kit: Kit,
        line: Line,
        venue: Venue,
        audience: Audience,
        spoiler: Spoiler,
        *,
        timers: Timers,
    ) -> None:
        self._line = line
        self._venue = venue
        self._audience = audience
        self._spoiler = spoiler
        self._timers = timers
        self._fresh: list[str] = []
        self._asked = False
        self._mute = False
        """Whether the dialect's timed messages are discarded now, because the server is mute."""
        self._wakes_at = math.inf
        self._dialect = kit.converse(self)

    def begin(self) -> None:
        """Start: the connection has been accepted."""
        for text in self._dialect.greet():
            self._line.say(text)
        self._wind()

    def receive(self, text: bytes) -> None:
        """Carry out a request: send its replies, then the first messages of its streams."""
        self._asked = False
        for said in self._dialect.hear(text):
            if self._asked:
                self._line.reply(said)
            elif self._spoiler.has("no_pong") is None:
                self._line.say(said)
        self.start()
        self._wind()

    def message(self, stream: str, data: bytes) -> bytes:
        """The message that carries the data of a stream."""
        return self._dialect.say(stream, data)

    def shut_down(self) -> None:
        """Announce the end, if the venue does so."""
        said = self._dialect.announce_shutdown()
        if said is not None:
            self._line.say(said)

    def _wake(self) -> None:
        """Let a dialect send its timed messages, if they are due."""
        self._wakes_at = math.inf
        if isinstance(self._dialect, Clockwork) and self._dialect.due_at <= trio.current_time():
            was_due_at = self._dialect.due_at
            # A mute server sends no heartbeat, and does not miss the answer to it.
            self._mute = self._spoiler.has("mute") is not None
            for said in self._dialect.speak():
                if self._spoiler.has("no_pong") is None and not self._mute:
                    self._line.say(said)
            self._mute = False
            # The next time may be past as well, if the process has not run: then it sends again.
            if self._dialect.due_at <= was_due_at:
                raise RuntimeError(
                    "the dialect did not advance its due time, so it would send forever"
                )
        self._wind()

    def _wind(self) -> None:
        if isinstance(self._dialect, Clockwork) and self._dialect.due_at < self._wakes_at:
            self._wakes_at = self._dialect.due_at
            self._timers.at(self._wakes_at, self._wake)

    # What the dialect sees.

    @property
    def number(self) -> int:
        """The number of the connection."""
        return self._line.number

    @property
    def route(self) -> str:
        """The path that the client connected to."""
        return self._line.route

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The streams to which the client has subscribed."""
        return self._line.subscriptions

    def knows(self, stream: str, symbol: str) -> bool:
        """Whether the route carries this stream, and its symbol is traded."""
        self._asked = True
        listing = self._audience.listing
        symbols = () if listing is None else listing.symbols
        return self._venue.serves(self.route, stream) and (
            not (symbols and symbol) or symbol in symbols
        )

    def refusal(self, stream: str) -> Fault | None:
        """The fault that makes the exchange refuse a stream, if any."""
        self._asked = True
        return self._spoiler.has("reject_subscription", stream)

    def subscribe(self, stream: str) -> None:
        """Subscribe the client to a stream, whose data follows the replies."""
        self._asked = True
        if self._spoiler.has("no_ack") is None:
            self._line.hold(stream)
            self._fresh.append(stream)

    def start(self) -> None:
        """Send the first messages of new streams, and their data from then on."""
        fresh, self._fresh = self._fresh, []
        for stream in fresh:
            listing = self._audience.listing
            self._line.begin_stream(stream, () if listing is None else listing.first(stream))

    def unsubscribe(self, stream: str) -> None:
        """Unsubscribe the client from a stream."""
        self._asked = True
        self._line.drop(stream)

    def close(self, code: int, reason: str = "", *, drop: bool = False) -> None:
        """Close the connection."""
        if not self._mute:
            self._line.close(code, reason, drop=drop)


def conversation_of(
    line: Line, venue: Venue, audience: Audience, spoiler: Spoiler, timers: Timers
) -> KitConversation | None:
    """Make the conversation of a new connection; None if the venue has no kit."""
    kit = KITS.get(venue.rules.name)
    if kit is None:
        return None
    return KitConversation(kit, line, venue, audience, spoiler, timers=timers)
