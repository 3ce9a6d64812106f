"""One wanted stream: the unit of the desired set, with the buffers that read it.

The adapter owns the set, a link holds its part of it, a session makes the wire equal to it. The
same channel subscribed twice is one subscription with two buffers.

Some exchanges send the events of several channels in one stream: a ticker with the mark price in
it. Then the wire has one subscription, and the others are `beside` it: each decodes the same
messages into its own events, for its own buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, ValuesView
from copy import copy
from typing import Any, cast

import attrs
import trio

from connector.errors import SlowConsumer, SubscriptionRejected
from connector.events import Event, Gap
from connector.exchanges.envelope import Parts, find_name
from connector.exchanges.protocol import AnyStream
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Buffer
from connector.feeds.intake import Intake, fold_all
from connector.feeds.late_decoding import Unread
from connector.feeds.lossy_buffers import ConflatingBuffer
from connector.feeds.readers import Readers

_HELD_BACK_SECONDS = 10.0
"""An acknowledgement that is still behind unread data after this time will not come by waiting."""


@attrs.frozen
class StreamStatistics:
    """One stream, over all sessions."""

    messages: int
    """The number of received messages."""
    payload_bytes: int
    """Bytes of messages, after decompression."""
    decode_errors: int
    """The number of messages that could not be decoded."""
    duplicates: int
    """The number of events dropped because they repeated an id or were out of order."""
    gaps: int
    """The number of losses."""
    live: bool
    """Whether the exchange has acknowledged it on the current connection."""
    silent_seconds: float | None = None
    """Seconds since the last data, if that is longer than its limit; otherwise None."""


def _kind_of(stream: AnyStream) -> tuple[type[Any], str]:
    """Streams of one name and one kind are decoded alike."""
    return type(stream.channel), stream.reading


class Subscription(Intake):
    """A stream that somebody wants.

    Args:
        stream: which.
        full: of the link that carries it.
        wire: the subscription beside which it is; None: it is on the wire itself.
    """

    __slots__ = (
        "__weakref__", "_beside", "_buffers", "_changed", "_eager", "_messages_before",
        "_waiting", "_wire",
        "blank_id", "decode_errors", "duplicates", "full", "gaps", "glance", "halted",
        "heard_times", "listed", "live", "old_ids", "over", "pace", "patience", "readers",
        "rejection", "silent_seconds", "stream", "unheard_since",
    )  # fmt: skip

    group: Buffer[object] | Readers | None

    def __init__(self, stream: AnyStream, full: Full, wire: Subscription | None = None) -> None:
        self.stream = stream
        self._wire = wire
        """Not itself: what is left is let go at once, without the garbage collector."""
        self._beside: dict[tuple[type[Any], str], Subscription] = {}
        """By how its messages are decoded."""
        self.name = stream.name
        self.decode = stream.decode
        self.decode_unchecked = stream.decode_unchecked
        self.sequence = stream.sequence
        self.fold = stream.fold
        self.latest = None
        self.glance: Callable[[bytes], Event] | None = None
        """How to look at an event that need not be decoded yet; None to decode it at once."""
        self.last_id = 0
        self.blank_id = 0
        """The newest id of what stands for nothing (`Stream.blank_id`)."""
        self.messages = 0
        self.payload_bytes = 0
        self._messages_before = 0
        self.decode_errors = 0
        self.duplicates = 0
        self.old_ids = 0
        self.gaps = 0
        self.live = False
        self.over = False
        """Whether its source has no more."""
        self.rejection: SubscriptionRejected | None = None
        self.patience = 1.0
        """Factor on the silence limit: doubled by each reconnect that did not end the silence."""
        self.silent_seconds: float | None = None
        """How long it was silent when it was looked at, if that is too long."""
        self.pace = 0.0
        """The longest time between data, which fades; seconds."""
        self.heard_times = 0
        """How often it had brought data when it was looked at."""
        self.unheard_since: float | None = None
        """Since when it is looked at and has brought nothing at all."""
        self.listed = False
        """Whether the exchange lists its symbol: it has been looked up."""
        self.halted = False
        """Whether the exchange lists its symbol as not traded now: it may be silent."""
        self.tells_time = None
        self._buffers: dict[Buffer[object], None] = {}
        """An ordered set."""
        self.readers = Readers(self._buffers)
        self.group = self.readers
        self._waiting: dict[Buffer[object], None] = {}
        """An ordered set of those that are not acknowledged yet."""
        self._changed: trio.Event | None = None
        """Set when it may be another answer; there is one only while somebody waits."""
        self._eager = False
        self.full = full

    def __repr__(self) -> str:
        return f"<Subscription {self.name}{' live' if self.live else ''}>"

    @property
    def symbol(self) -> str:
        """The symbol of its events; empty where they are of several, or of none."""
        return self.stream.symbol or getattr(self.stream.channel, "symbol", None) or ""

    @property
    def wire(self) -> Subscription:
        """What is asked for on the wire."""
        return self if self._wire is None else self._wire

    def beside(self, stream: AnyStream) -> Subscription:
        """The subscription of `stream`, which this one or a stream beside it brings."""
        kind = _kind_of(stream)
        if kind == _kind_of(self.stream):
            return self
        if kind not in self._beside:
            self._beside[kind] = beside = Subscription(stream, self.full, self)
            beside.live, beside.over = self.live, self.over
            self._readers_changed()
        return self._beside[kind]

    def others(self) -> ValuesView[Subscription]:
        """What is beside it."""
        return self._beside.values()

    def has_begun(self) -> bool:
        """Whether it has brought anything on the present connection, or may have."""
        return self.live or self.messages != self._messages_before

    def has_readers(self) -> bool:
        """Whether anybody reads its own events."""
        return bool(self._buffers)

    def _is_unread(self) -> bool:
        """Whether nobody reads it, nor what is beside it."""
        for kind, each in tuple(self._beside.items()):
            if not each._buffers:
                del self._beside[kind]
                self.gaps += each.gaps
                self.duplicates += each.duplicates
                self._readers_changed()
        return not self._buffers and not self._beside

    def attach(self, buffer: Buffer[object]) -> None:
        """Let `buffer` have the events from now on."""
        self._buffers[buffer] = None
        buffer.join(self.full)
        self._waiting[buffer] = None
        self._readers_changed()

    def detach(self, buffer: Buffer[object]) -> bool:
        """Undo `attach`; whether no reader needs the stream any more."""
        self._buffers.pop(buffer, None)
        self._waiting.pop(buffer, None)
        self._tell_waiting()
        self._readers_changed()
        if not self._buffers:
            # If somebody reads it again while it is on the wire, it has not seen what came between.
            self.latest, self.last_id, self.blank_id = None, 0, 0
        return self.wire._is_unread()

    def put_unread(self, event: Unread, count: int) -> bool:
        """Hand the last of a run of `count` events, undecoded, to buffers that all conflate.

        Returns:
            Whether it replaced one that waited.
        """
        waited = False
        for buffer in self._buffers:
            waited |= cast("ConflatingBuffer[object]", buffer).put_unread(event, count)
        return waited

    def _readers_changed(self) -> None:
        """Decode late if every reader conflates, and an event would often be decoded in vain."""
        conflated = all(isinstance(buffer, ConflatingBuffer) for buffer in self._buffers)
        self.glance = self.stream.glance if conflated and not self.stream.many else None
        if self._beside:
            self.glance = None
        if self.glance is not None or self._beside:
            self.group = None
        elif len(self._buffers) == 1 and not (single := next(iter(self._buffers))).by_stream:
            self.group = single
        else:
            self.group = self.readers
        eager = bool(self._buffers) and self.glance is None
        self.full.eager += eager - self._eager
        self._eager = eager

    def lose(
        self,
        reason: str,
        since_ns: int | None,
        dropped: int | None = None,
        *,
        session: int,
        symbol: str = "",
    ) -> None:
        """Tell every buffer that data of this stream was, or may have been, lost in `session`.

        Args:
            reason: as of `Gap`.
            since_ns: when something was read last.
            dropped: how many events, if that is known.
            session: of the connection.
            symbol: which of a stream of all symbols it is about, if it is about one.
        """
        self.gaps += 1
        for each in self._beside.values():
            each.lose(reason, since_ns, dropped, session=session, symbol=symbol)
            each.gaps -= 1  # it is the same loss
        for buffer in self._buffers:
            buffer.lose(
                Gap(
                    symbol=symbol or self.symbol,
                    received_ns=since_ns or 0,
                    session=session,
                    channels=(self.stream.channel,),
                    reason=reason,
                    dropped=dropped,
                    since_ns=since_ns,
                )
            )

    def buffers(self) -> tuple[Buffer[object], ...]:
        """The buffers that read this stream."""
        return tuple(self._buffers)

    def acknowledged(self) -> None:
        """The exchange has accepted the subscription on the present connection."""
        self.live = True
        self._tell_waiting()
        for buffer in self._buffers:
            buffer.resumed()
        for each in self._beside.values():
            each.acknowledged()

    def end(self) -> None:
        """The source of the stream has no more: nobody waits for an acknowledgement."""
        self.over = True
        self._tell_waiting()
        for each in self._beside.values():
            each.end()

    def interrupted(self) -> bool:
        """The connection that carried the stream is gone; whether it carried it indeed."""
        lost = self.has_begun()
        self._messages_before = self.messages
        self.live = False
        self.silent_seconds = None
        self.forget_sequence()
        for each in self._beside.values():
            each.live = False
        if lost:
            self.gaps += 1
        return lost

    def folded(self, events: list[Event]) -> list[Event]:
        """What to deliver of the `events` of a message."""
        if self.fold is None:
            return events
        complete, self.latest = fold_all(self.fold, self.latest, events)
        return complete

    def forget_sequence(self) -> None:
        """Start a new sequence: later ids are not compared with earlier ones."""
        if self.stream.repeats is None:
            self.latest = None
            self.last_id = self.blank_id = 0
        self.sequence = self.stream.sequence
        self.old_ids = 0
        for each in self._beside.values():
            each.forget_sequence()

    def reject(self, error: SubscriptionRejected) -> None:
        """The exchange refused: every waiting subscriber and every reader gets the error once."""
        self.rejection = error
        self._tell_waiting()
        for buffer in self._buffers:
            if buffer not in self._waiting:
                # Each its own: an exception that is raised gathers tracebacks and notes.
                buffer.fail(copy(error))
        for each in self._beside.values():
            channel = each.stream.channel
            each.reject(SubscriptionRejected(channel, error.code, error.message, error.hint))

    async def wait_live(self, buffer: Buffer[object]) -> None:
        """Wait until the exchange has acknowledged the subscription; executes a checkpoint.

        Args:
            buffer: an attached one; from now on a rejection goes into it.

        Raises:
            SubscriptionRejected: the exchange refused.
            SlowConsumer: feeds of the same link that nobody reads meanwhile hold all they can.
            trio.ClosedResourceError: `buffer` was detached meanwhile.
        """
        await trio.lowlevel.checkpoint()
        with self.full.awaiting_reply():
            while self.rejection is None:
                if buffer not in self._buffers:
                    raise trio.ClosedResourceError(
                        f"{self.stream.channel!r} was discarded, or its feed closed, before the "
                        "exchange had acknowledged it"
                    )
                if self.live or self.over:
                    self._waiting.pop(buffer, None)
                    if not self._waiting:
                        self._waiting.clear()  # or it keeps the room for what was in it
                    return
                if self._changed is None:
                    self._changed = trio.Event()
                with trio.move_on_after(_HELD_BACK_SECONDS) as patience:
                    await self._changed.wait()
                if patience.cancelled_caught and self.full.holds_back():
                    raise SlowConsumer(
                        f"the acknowledgement of {self.stream.channel!r} is behind the events of "
                        "a feed that nobody reads; read it in another task meanwhile, or choose "
                        "another overflow policy for it"
                    )
        raise copy(self.rejection)

    def _tell_waiting(self) -> None:
        """Wake the tasks that wait for the subscription."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def statistics(self) -> StreamStatistics:
        """Counts over all sessions."""
        return StreamStatistics(
            messages=self.messages,
            payload_bytes=self.payload_bytes,
            decode_errors=self.decode_errors
            + sum(each.decode_errors for each in self._beside.values()),
            duplicates=self.duplicates + sum(each.duplicates for each in self._beside.values()),
            gaps=self.gaps + sum(each.gaps for each in self._beside.values()),
            live=self.live,
            silent_seconds=self.silent_seconds,
        )


def named_in(
    payload: bytes, streams: Mapping[bytes, Subscription], parts: Parts
) -> Subscription | None:
    """The subscription of a frame that breaks off, if the frame has named its stream before.

    Args:
        payload: how the frame begins.
        streams: subscriptions by name.
        parts: of a name, as frames of the exchange have them.
    """
    spread, _ = find_name(parts, payload)
    quoted = {spread, *payload.split(b'"')[1:-1]}
    named = [streams[each] for each in quoted if each in streams]
    return named[0] if len(named) == 1 else None
