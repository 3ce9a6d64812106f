"""The interface for sources of frames other than a connection: a recording, Redis.

A link opens sessions. Each session runs over a *carrier*: a WebSocket connection, or an object that
a `FrameSource` has opened, such as a recording or a queue on another machine. The code above is the
same for all of them: decoding, feeds, gaps, policies, lifecycle, statistics and local books.

.. code-block:: text

    FrameSource   frozen: says where; ``open_adapter(exchange, source=…)``
      └─ begin()  for one adapter, as long as its block lasts
         Supply   serves every link of that adapter
           └─ open()  for one session
              Carrier   delivers frames into a FrameSink; has the methods of a connection
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from connector.exchanges.protocol import AnyExchange, Reply
from connector.link.wire_subscriptions import Request
from connector.transport import Sink
from connector.transport.http import Response


class FrameSink(Sink, Protocol):
    """The receiver of a carrier's frames; extends `connector.transport.Sink`.

    A frame is a message of the exchange, envelope included. A carrier calls `stamp` before the
    frames to which the stamp applies.
    """

    def stamp(self, received_ns: int, session: int) -> None:
        """Set the receive time and session of the frames delivered from now on.

        Args:
            received_ns: wall clock, nanoseconds since the epoch.
            session: number of the connection that received it, in the receiving process.
        """
        ...

    def wants(self, stream: str) -> bool:
        """Whether a feed reads `stream`; otherwise its frames need not be delivered."""
        ...

    def lost(self, stream: str, reason: str) -> None:
        """Note that data of `stream` was, or may have been, lost before the next delivery.

        Feeds with ``gaps=True`` get a `Gap` with that reason. An unwanted stream is ignored.
        """
        ...


class Ending(Protocol):
    """How a session ended."""

    @property
    def reason(self) -> str:
        """One of `connector.link.session.REASONS`, or a reason of the source.

        ``ended`` means that the source has ended and nothing was lost.
        """
        ...

    @property
    def text(self) -> str:
        """Details, or an empty string."""
        ...


class Carrier(Protocol):
    """The carrier of a session: a `connector.transport.Connection`, or an object of a source."""

    @property
    def watched(self) -> bool:
        """Whether silence, requests without an answer, and age end the session.

        False for a recording: its time is in the past, and its ends were recorded.
        """
        ...

    @property
    def wire_bytes(self) -> int:
        """Bytes received so far. If a `watched` carrier's number does not grow, the session takes
        this for silence.
        """
        ...

    @property
    def payload_bytes(self) -> int:
        """Bytes of the frames delivered so far."""
        ...

    @property
    def blocked(self) -> bool:
        """Whether it does not read because the sink is full."""
        ...

    async def run(self) -> Ending:
        """Deliver into the sink until the session ends, and return how it ended.

        It delivers nothing before it is called, and nothing after it has returned.

        Cancellation: what was received and not delivered is lost.
        """
        ...

    def deliver_to(self, sink: FrameSink) -> None:
        """Deliver into another sink from now on, because a recording began or ended."""
        ...

    async def ask(self, request: Request) -> Reply | None:
        """Send `request`, which subscribes or unsubscribes streams.

        Returns:
            The reply; None if it will arrive as a frame, as an exchange's reply does. A source that
            needs no request returns ``Reply(request.request_id)``, with a code and a message if it
            lacks a stream. `Wire` finds out which stream of several it was.

        Raises:
            ExchangeUnavailable: the session is over; `run` returns why.
        """
        ...

    async def send(self, text: str) -> None:
        """Send a message that is not a request for streams; a recording ignores it.

        Raises:
            ExchangeUnavailable: the session is over.
        """
        ...

    async def ping(self) -> None:
        """Ping the other side, and wait for its answer; only if `watched`.

        Raises:
            ExchangeUnavailable: the session is over.
        """
        ...

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """End the session gracefully, within `timeout` seconds; no effect if it is over already."""
        ...


class Rest(Protocol):
    """Answers REST requests, as `connector.transport.http.Http` does."""

    async def get(self, target: str) -> Response:
        """The answer to ``GET target``.

        Raises:
            ExchangeUnavailable: there is no answer; the request will be repeated.
        """
        ...


class Supply(Protocol):
    """A running source of one adapter."""

    def now_ns(self) -> int:
        """The time for the stamps of gaps and lifecycle events; usually `time.time_ns`."""
        ...

    def expect(self, link: str) -> None:
        """Announce a link that will open sessions; it calls `next_session` when ready."""
        ...

    def dismiss(self, link: str) -> None:
        """Announce that this link wants no streams any more; `next_session` expects it again."""
        ...

    async def next_session(self, link: str, session: int, delay: float) -> int:
        """Wait until the next session of `link` may be opened, and return its number.

        Args:
            link: its name, such as ``binance_usdm/public``.
            session: number of the last session, 0 if there was none.
            delay: seconds that `pause` has answered after it, 0 before the first.

        Raises:
            trio.EndOfChannel: the source has ended, and with it the feeds of this link.

        Cancellation: nothing is lost.
        """
        ...

    def open(
        self, link: str, session: int, sink: FrameSink
    ) -> AbstractAsyncContextManager[Carrier]:
        """Open a session for the length of a block.

        Raises:
            ExchangeUnavailable: it could not be opened; the link will try again.
        """
        ...

    def pause(self, link: str, delay: float) -> float:
        """Seconds before the next session of `link`, given the backoff's `delay`."""
        ...

    def asking(self) -> None:
        """Note that a request waits for an answer: `open_rest` will be called, or is in use."""
        ...

    def open_rest(self) -> AbstractAsyncContextManager[Rest]:
        """Answer requests for the length of a block.

        Raises:
            ExchangeUnavailable: as for `open`.
        """
        ...


class FrameSource(Protocol):
    """The source of an adapter's frames: a frozen value.

    An exchange that has one as its attribute `source` needs no ``source=``.
    """

    def begin(self, exchange: AnyExchange) -> AbstractContextManager[Supply]:
        """Begin at the source's beginning, for the one adapter whose block this is.

        Raises:
            ConfigError: it is not a source of that exchange.
        """
        ...


def source_of(exchange: object, given: FrameSource | None) -> FrameSource | None:
    """The source of an adapter: the given one, or the exchange's own."""
    return getattr(exchange, "source", None) if given is None else given


def stream_names(request: Request) -> Sequence[str]:
    """Names of the streams of `request`."""
    return [each.name for each in request.subscriptions]


__all__ = [
    "Carrier",
    "Ending",
    "FrameSink",
    "FrameSource",
    "Rest",
    "Supply",
]
