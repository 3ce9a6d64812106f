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
        """What is said when the connection has come to be; nothing."""
        return ()

    def hear(self, text: bytes) -> Iterable[bytes]:
        """Carry out a request, and answer it."""
        ...

    def say(self, stream: str, data: bytes) -> bytes:
        """The message that brings the data of a stream: as the desk has written it."""
        return data

    def announce_shutdown(self) -> bytes | None:
        """The message before the end; None where there is none."""
        return None


class PromptEars(Ears, Protocol):
    """A connection on which streams may begin before the reply."""

    def start(self) -> None:
        """Send what new streams begin with now, and not behind the replies."""
        ...


@runtime_checkable
class Clockwork(Protocol):
    """A dialect that also speaks by the clock."""

    @property
    def due_at(self) -> float:
        """When it wants to speak next, as `trio.current_time`; infinity if never."""
        ...

    def speak(self) -> Iterable[bytes]:
        """What is said now that it is due; nothing where it closes the connection instead.

        It is due later from then on, or never.
        """
        ...


class VenueDesk(Protocol):
    """One symbol's streams."""

    @property
    def flow(self) -> SymbolFlow:
        """What happens to the symbol."""
        ...

    def show(self, action: Action) -> None:
        """Publish what is sent in real time."""
        ...

    def pass_boundary(self, now_ms: int) -> None:
        """Publish what is due at a multiple of 50 ms."""
        ...

    def first(self, stream: str) -> Iterable[bytes]:
        """What a new listener of a stream gets before anything else."""
        ...


class Kit(Protocol):
    """One venue."""

    @property
    def rules(self) -> Rules:
        """What it allows."""
        ...

    @property
    def scale(self) -> Scale:
        """How it writes numbers."""
        ...

    def converse(self, ears: Ears) -> Dialect:
        """How it speaks on a new connection."""
        ...

    def open_desk(self, flow: SymbolFlow, audience: Audience) -> VenueDesk:
        """The streams of one symbol."""
        ...

    def capture_reader(self) -> CaptureReader:
        """How its messages are read as somebody received them; it may keep state."""
        ...

    def answer(self, request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
        """The whole HTTP response to a REST request."""
        ...

    def endpoints(self, stream: str, rest: str) -> Any:
        """Where the simulated venue is, for the ``endpoints=`` of the exchange."""
        ...
