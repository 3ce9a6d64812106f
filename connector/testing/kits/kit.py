"""What a simulated venue other than Binance is made of: a table, a dialect, and a desk per symbol.

The connections, the faults, the limits and the order flow are the same for all venues and are
elsewhere. A kit is written from the venue's documentation, and knows nothing of the client.

.. code-block:: text

    client's text → ServerConnection → Dialect.hear → replies, and what is subscribed
    OrderFlow → SymbolFlow → VenueDesk → Audience → ServerConnection → Dialect.say → client
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from connector.testing.faults.faults import Fault
from connector.testing.market.audience import Audience
from connector.testing.market.captured import CaptureReader
from connector.testing.market.matching import Scale
from connector.testing.market.traders import Action, SymbolFlow
from connector.testing.network.server_websocket import Request
from connector.testing.venues.rules import Rules


class Ears(Protocol):
    """A connection, as its dialect sees it."""

    @property
    def number(self) -> int:
        """Of the connection, from 1 on."""
        ...

    @property
    def route(self) -> str:
        """The path that the client connected to."""
        ...

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """What the client has subscribed to."""
        ...

    def knows(self, stream: str, symbol: str) -> bool:
        """Whether the route carries such a stream, and the symbol, if there is one, is traded."""
        ...

    def refusal(self, stream: str) -> Fault | None:
        """The fault by which a stream is to be refused, if there is one."""
        ...

    def subscribe(self, stream: str) -> None:
        """Let the client have a stream, from behind the replies on."""
        ...

    def unsubscribe(self, stream: str) -> None:
        """Let the client have a stream no longer."""
        ...

    def close(self, code: int, reason: str = "", *, drop: bool = False) -> None:
        """Close the connection."""
        ...


class Dialect(Protocol):
    """How a venue speaks on one connection, whose state it may keep.

    Methods with a body here suit most venues; a subclass may omit them.
    """

    def greet(self) -> Iterable[bytes]:
        """The greeting on a new connection; empty by default."""
        return ()

    def hear(self, text: bytes) -> Iterable[bytes]:
        """Carry out a request, and answer it."""
        ...

    def say(self, stream: str, data: bytes) -> bytes:
        """The message with the data of a stream; by default, as the desk wrote it."""
        return data

    def announce_shutdown(self) -> bytes | None:
        """The message before the end of a connection; None without one."""
        return None


class PromptEars(Ears, Protocol):
    """A connection on which streams may begin before the reply."""

    def start(self) -> None:
        """Send the first messages of new streams now, before the replies."""
        ...


@runtime_checkable
class Clockwork(Protocol):
    """A dialect that also sends messages at certain times, such as heartbeats."""

    @property
    def due_at(self) -> float:
        """Time of its next message, as `trio.current_time`; infinity if there is none."""
        ...

    def speak(self) -> Iterable[bytes]:
        """The messages that are due now; none if it closes the connection instead.

        Afterwards `due_at` is later, or infinity.
        """
        ...


class VenueDesk(Protocol):
    """One symbol's streams."""

    @property
    def flow(self) -> SymbolFlow:
        """The order flow of the symbol."""
        ...

    def show(self, action: Action) -> None:
        """Publish the data that is sent in real time."""
        ...

    def pass_boundary(self, now_ms: int) -> None:
        """Publish the data that is due at a multiple of 50 ms."""
        ...

    def first(self, stream: str) -> Iterable[bytes]:
        """The first messages to a new subscriber of a stream."""
        ...


class Kit(Protocol):
    """One venue."""

    @property
    def rules(self) -> Rules:
        """The limits of its connections."""
        ...

    @property
    def scale(self) -> Scale:
        """The format of its numbers."""
        ...

    def converse(self, ears: Ears) -> Dialect:
        """The dialect of a new connection."""
        ...

    def open_desk(self, flow: SymbolFlow, audience: Audience) -> VenueDesk:
        """The streams of one symbol."""
        ...

    def capture_reader(self) -> CaptureReader:
        """A reader of its recorded messages, which may keep state."""
        ...

    def answer(self, request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
        """The complete HTTP response to a REST request."""
        ...

    def endpoints(self, stream: str, rest: str) -> Any:
        """The addresses of the simulated venue, for the ``endpoints=`` of the exchange."""
        ...
