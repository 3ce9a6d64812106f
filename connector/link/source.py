"""The interface for other sources of frames than a connection: a recording, Redis.

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
    """What a carrier delivers into; the first two are `connector.transport.Sink`.

    A frame is what the exchange has sent, envelope included. A carrier calls `stamp` before the
    frames that it holds for.
    """

    def stamp(self, received_ns: int, session: int) -> None:
        """Let what is delivered from now on have been received at that time, in that session.

        Args:
            received_ns: wall clock, nanoseconds since the epoch.
            session: number of the connection that brought it, at whoever received it.
        """
        ...

    def wants(self, stream: str) -> bool:
        """Whether a feed reads `stream`; otherwise its frames need not be delivered."""
        ...

    def lost(self, stream: str, reason: str) -> None:
        """Data of `stream` was, or may have been, lost before what is delivered next.

        Feeds that asked get a `Gap` with that reason. A stream that nobody wants is ignored.
        """
        ...


class Ending(Protocol):
    """How a session ended."""

    @property
    def reason(self) -> str:
        """One of `connector.link.session.REASONS`, or a source's own word.

        ``ended`` when there is no more, and nothing was lost.
        """
        ...

    @property
    def text(self) -> str:
        """More about it, or nothing."""
        ...


class Carrier(Protocol):
    """What a session runs over: a `connector.transport.Connection`, or what a source opened."""

    @property
    def watched(self) -> bool:
        """Whether silence, requests without an answer, and age end the session.

        Not in a recording: its time is not ours, and its ends were recorded.
        """
        ...

    @property
    def wire_bytes(self) -> int:
        """Bytes received so far; a session over a carrier that is `watched` takes those that do not
        grow for silence.
        """
        ...

    @property
    def payload_bytes(self) -> int:
        """Bytes of the frames delivered so far."""
        ...

    @property
    def blocked(self) -> bool:
        """Whether it is not reading because the sink has no room."""
        ...

    async def run(self) -> Ending:
        """Deliver into the sink until the session ends, and return how it ended.

        It delivers nothing before it is called, and nothing after it has returned.

        Cancellation: what was received and not delivered is lost.
        """
        ...

    def deliver_to(self, sink: FrameSink) -> None:
        """Deliver into another sink from now on: a recording began or ended."""
        ...

    async def ask(self, request: Request) -> Reply | None:
        """Ask for the streams of `request`, or no longer for them.

        Returns:
            The reply; None when it will come as a frame, as that of an exchange does. A source
            that needs no request answers ``Reply(request.request_id)``, and a code and a message
            with it when it does not have a stream. `Wire` finds out which of many it was.

        Raises:
            ExchangeUnavailable: the session is over; `run` knows why.
        """
        ...

    async def send(self, text: str) -> None:
        """Send a message that asks for no stream; nothing happens in a recording.

        Raises:
            ExchangeUnavailable: the session is over.
        """
        ...

    async def ping(self) -> None:
        """Ask whether the other side is alive, and wait for its answer; only when `watched`.

        Raises:
            ExchangeUnavailable: the session is over.
        """
        ...

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """End it politely, within `timeout` seconds; quiet when it is over already."""
        ...


class Rest(Protocol):
    """What answers REST requests; `connector.transport.http.Http` for one."""

    async def get(self, target: str) -> Response:
        """The answer to ``GET target``.

        Raises:
            ExchangeUnavailable: there is none; it will be asked for again.
        """
        ...


class Supply(Protocol):
    """A source at work for one adapter."""

    def now_ns(self) -> int:
        """The time by which gaps and lifecycle events are stamped: `time.time_ns` for most."""
        ...

    def expect(self, link: str) -> None:
        """A link of that name will open sessions; it calls `next_session` when it can."""
        ...

    def dismiss(self, link: str) -> None:
        """Nothing is wanted of that link any more; `next_session` expects it again."""
        ...

    async def next_session(self, link: str, session: int, delay: float) -> int:
        """Wait until the next session of `link` may be opened; its number.

        Args:
            link: its name, such as ``binance_usdm/public``.
            session: number of the last session, 0 if there was none.
            delay: seconds that `pause` has answered after it, 0 before the first.

        Raises:
            trio.EndOfChannel: there will be none: the feeds of this link end.

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
        """Seconds before the next session of `link`, where the backoff says `delay`."""
        ...

    def asking(self) -> None:
        """A request waits for an answer from now on: `open_rest` will be called, or is in use."""
        ...

    def open_rest(self) -> AbstractAsyncContextManager[Rest]:
        """Answer requests for the length of a block.

        Raises:
            ExchangeUnavailable: as of `open`.
        """
        ...


class FrameSource(Protocol):
    """Where an adapter's frames come from: a frozen value.

    An exchange that has one as its attribute `source` needs no ``source=``.
    """

    def begin(self, exchange: AnyExchange) -> AbstractContextManager[Supply]:
        """Begin at the source's beginning, for the one adapter whose block this is.

        Raises:
            ConfigError: it is no source of that exchange.
        """
        ...


def source_of(exchange: object, given: FrameSource | None) -> FrameSource | None:
    """The source of an adapter: the one that was given, or the exchange's own."""
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
