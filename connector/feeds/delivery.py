"""The hot path: from the text messages of one read to the buffers of the feeds.

The path is one pass without an await, with one clock reading per batch. The stream's name is sliced
out of the exchange's envelope and selects the decoder and the buffers. A frame of any other shape
is parsed by `Exchange.parse`. No data of an exchange makes this code raise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import trio

from connector.errors import RAW_EXCERPT_BYTES, DecodeError
from connector.events import Event
from connector.exchanges.envelope import NO_SHAPE, find_name
from connector.exchanges.inbound import data_of
from connector.exchanges.protocol import (
    UNDECODABLE,
    Data,
    Exchange,
    Inbound,
    PartlyUndecodable,
    Several,
    Unknown,
)
from connector.feeds.backpressure import Full
from connector.feeds.continuity import takes_out_of_sequence
from connector.feeds.hot_loop import Unusual, take_and_put
from connector.feeds.late_decoding import Unread
from connector.feeds.message_numbers import MessageNumbers
from connector.feeds.subscription import Subscription, named_in

_REST_SECONDS = 0.001
"""How long a link lets frames collect when slow consumers will see only the newest: one read, with
its steps of the scheduler, costs as much as decoding thirty books."""


class Reader(Protocol):
    """Processes messages that are not data of a stream."""

    def read_message(self, message: Inbound) -> None:
        """Process a reply, an announcement, or an unknown message."""

    def read_undecodable(self, error: DecodeError) -> None:
        """Process a frame that does not decode."""


class Delivery:
    """The sink of a session's carrier (`connector.link.source.FrameSink`).

    Args:
        exchange: parses frames.
        session: the number that is stamped on every event.
        streams: the subscriptions of the link by the stream's name in UTF-8, shared with the link.
        full: the buffers of this link that are full, shared with them.
        reader: the session; it processes messages that are not data of a stream.
    """

    __slots__ = (
        "_behind", "_end", "_exchange", "_full", "_is_usual", "_numbers", "_reader", "_rest",
        "_shape", "_stamped_ns", "_streams", "first_data", "leisurely", "messages",
        "received_ns", "session", "timed",
    )  # fmt: skip

    def __init__(
        self,
        exchange: Exchange,
        session: int,
        streams: dict[bytes, Subscription],
        full: Full,
        reader: Reader,
    ) -> None:
        self._exchange = exchange
        self.session = session
        """The session number for delivered events."""
        self._streams = streams
        self._full = full
        self._reader = reader
        envelope = exchange.envelope
        self._shape = NO_SHAPE if envelope is None else envelope.shape
        self._end = -self._shape[2] or None
        number = None if envelope is None else envelope.number
        self._numbers = None if number is None else MessageNumbers(number)
        self._rest: list[tuple[Subscription, Event]] = []
        self._stamped_ns = 0
        self._behind = False
        self._is_usual = False
        """Whether nothing but a full buffer can hold messages back, and nothing is to be noted."""
        self.leisurely = False
        self.received_ns: int | None = None
        """Wall clock time of the last read with a message."""
        self.first_data: float | None = None
        """`trio.current_time` of the first event."""
        self.messages = 0
        """Number of stream messages."""
        self.timed: Event | None = None
        """The newest event with an exchange time, once per batch."""

    def deliver(self, payloads: Sequence[bytes], first: int, in_order: bool = False) -> int:
        """Take ``payloads[first:]``, and return the index of the first that must wait for room.

        A frame with a list is taken when all of its events are in the buffers.

        Args:
            payloads: the messages of one read.
            first: the index of the first to take.
            in_order: whether messages that the exchange numbers are known to follow each other.
        """
        if first or not self._is_usual or self._full:
            return self._deliver_from(payloads, first, in_order)
        # What is usual: nothing waits, and nobody is slow. Lone messages are made of this.
        self.received_ns = received_ns = self._stamped_ns or time.time_ns()
        taken, timed, unusual = take_and_put(
            payloads, 0, received_ns, self.session, self._streams, self._shape
        )
        self.messages += taken
        if timed is not None:
            self.timed = timed
        if taken == len(payloads) and (unusual is None or not payloads):
            return taken
        if unusual is not None:
            taken = self._deliver_unusual(unusual, payloads, taken)
        return self._deliver_on(payloads, taken, received_ns)

    def _deliver_from(self, payloads: Sequence[bytes], first: int, in_order: bool) -> int:
        """Deliver as `deliver`, in any state."""
        if self._numbers is not None and not in_order:
            return self._deliver_numbered(self._numbers, payloads, first)
        taken = first
        if self._rest:
            if not self._put_rest():
                return first
            taken += 1
        if self._full and self._full.holds_back():
            return taken
        received_ns = self.received_ns
        if not taken or received_ns is None:
            self.received_ns = received_ns = self._stamped_ns or time.time_ns()
        return self._deliver_on(payloads, taken, received_ns)

    def _deliver_on(self, payloads: Sequence[bytes], taken: int, received_ns: int) -> int:
        """Deliver ``payloads[taken:]`` unless a buffer is full, and see what is usual now."""
        full = self._full
        last = len(payloads)
        while taken < last and not (full and full.holds_back()):
            begin = taken
            taken, timed, unusual = take_and_put(
                payloads, begin, received_ns, self.session, self._streams, self._shape
            )
            self.messages += taken - begin
            if timed is not None:
                self.timed = timed
            if unusual is not None:
                taken = self._deliver_unusual(unusual, payloads, taken)
        if self.first_data is None and self.messages:
            self.first_data = trio.current_time()
        if self._behind or self.leisurely:
            self.leisurely = self._behind and not full.eager and not full.waiting
            self._behind = False
        self._is_usual = not (
            self._rest or self.leisurely or self.first_data is None or self._numbers is not None
        )
        return taken - 1 if self._rest else taken

    def _deliver_numbered(
        self, numbers: MessageNumbers, payloads: Sequence[bytes], first: int
    ) -> int:
        """Do as `deliver` for numbered messages, whose numbers show missing and late ones."""
        for begin, end, lost, late in numbers.runs(payloads, first):
            if lost:
                self._lose_all("sequence")
            if late:
                self._parse(payloads[begin], data=False)
                continue
            run = payloads if end == len(payloads) else payloads[:end]
            taken = self.deliver(run, begin, True)
            numbers.passed(payloads, begin, taken)
            if taken < end:
                return taken
        return len(payloads)

    def _deliver_unusual(self, unusual: Unusual, payloads: Sequence[bytes], taken: int) -> int:
        """Deliver messages that `take_and_put` could not process, from index `taken` on."""
        subscription, event, odd, verdict = unusual
        if subscription is None:
            return self._deliver_otherwise(payloads, taken)
        if verdict is not None and self._takes_out_of_sequence(subscription, event, verdict):
            subscription.readers.put_run((event,), subscription.name)
        return self._parse_odd(payloads, taken) if odd else taken

    def _deliver_otherwise(self, payloads: Sequence[bytes], first: int) -> int:
        """Deliver a message that cannot be taken in a run, or several that are not decoded yet.

        Returns:
            The index of the first message that was not taken.
        """
        payload = payloads[first]
        parts, whole, _ = self._shape
        name, end = find_name(parts, payload)
        subscription = self._streams.get(name) if end >= 0 else None
        if subscription is None or subscription.others():
            self._parse(payload)
            return first + 1
        if subscription.glance is not None:
            return self._deliver_unread(subscription, subscription.glance, end, payloads, first)
        try:
            event = subscription.decode(payload[0 if whole else end : self._end])
        except UNDECODABLE:
            self._parse(payload)
        else:
            self._put_message(subscription, payload, event)
        return first + 1

    def _parse_odd(self, payloads: Sequence[bytes], index: int) -> int:
        """Parse a frame with an unusual envelope in the general way, if there is room.

        Returns:
            The index of the first message that was not taken.
        """
        if self._full.holds_back():
            return index
        self._parse(payloads[index])
        return index + 1

    def _deliver_unread(
        self,
        subscription: Subscription,
        glance: Callable[[bytes], Any],
        behind: int,
        payloads: Sequence[bytes],
        first: int,
    ) -> int:
        """Deliver to conflating readers only: decode just the symbol and the ids.

        In a run without a loss, the last message replaces all before it.
        """
        end, rule, last_id = self._end, subscription.sequence, subscription.last_id
        prefix = payloads[first][:behind]
        skip = 0 if self._shape[1] else behind
        stop = len(payloads)
        taken, size, count, verdict, odd = first, 0, 0, 1, False
        event: Any = None
        latest: Any = None
        while taken < stop:
            payload = payloads[taken]
            if not payload.startswith(prefix):
                break
            try:
                event = glance(payload[skip:end])
            except UNDECODABLE:
                odd = True
                break
            if latest is not None and event.symbol != latest.symbol:
                break
            taken += 1
            size += len(payload)
            if rule is not None:
                verdict = rule(last_id, event)
                if verdict <= 0:
                    break
                last_id = verdict
            count += 1
            latest, last = event, payload
        subscription.last_id = last_id
        subscription.messages += taken - first
        subscription.payload_bytes += size
        self.messages += taken - first
        if latest is not None:
            unread = self._unread(subscription, latest, last, skip)
            self._behind |= subscription.put_unread(unread, count)
        if verdict <= 0 and self._takes_out_of_sequence(subscription, event, verdict):
            subscription.put_unread(self._unread(subscription, event, payload, skip), 1)
        if odd:
            self._parse(payloads[taken])
            taken += 1
        return taken

    def _note_lag(self, subscription: Subscription, event: Event) -> None:
        """Remember `event`, one of a batch, if it has an exchange time."""
        if subscription.tells_time is None:
            subscription.tells_time = event.exchange_time_ns is not None
        if subscription.tells_time:
            self.timed = event

    def _unread(
        self, subscription: Subscription, glance: Event, payload: bytes, skip: int
    ) -> Unread:
        return Unread(
            stream=subscription.name,
            symbol=glance.symbol,
            payload=payload,
            data=slice(skip, self._end),
            decode=subscription.decode,
            received_ns=self.received_ns or 0,
            session=self.session,
            origin=self,
        )

    def lose_unread(self, stream: str, payload: bytes, error: Exception) -> None:
        """Report a frame of `stream` that does not decode."""
        self._lose(payload, error, self._streams.get(stream.encode()))

    def stamp(self, received_ns: int, session: int) -> None:
        """Set the receive time of later deliveries (`connector.link.source`)."""
        self._stamped_ns = received_ns
        self.session = session

    def wants(self, stream: str) -> bool:
        """Whether a feed reads `stream` (`connector.link.source`)."""
        return stream.encode() in self._streams

    def lost(self, stream: str, reason: str) -> None:
        """Note a loss in `stream` before it arrived here (`connector.link.source`)."""
        subscription = self._streams.get(stream.encode())
        if subscription is not None:
            subscription.lose(reason, self.received_ns, session=self.session)
            # As after a reconnect: that ids are missing is told already.
            subscription.forget_sequence()

    def _lose_all(self, reason: str) -> None:
        """Note a possible loss in every stream."""
        for subscription in self._streams.values():
            if subscription.live or subscription.messages:
                subscription.lose(reason, self.received_ns, session=self.session)
                subscription.forget_sequence()

    async def wait_for_room(self) -> None:
        """Wait until no buffer of this link is full; cancellation loses no data."""
        await self._full.wait_for_room()

    async def rest(self) -> None:
        """Wait a moment, or until a consumer of this link waits for an event."""
        self.leisurely = False
        await self._full.rest(_REST_SECONDS)

    def _put_list(self, subscription: Subscription, events: list[Event]) -> None:
        """Put the events of one frame, even if they exceed the room."""
        for event in events:
            event.received_ns = self.received_ns or 0
            event.session = self.session
        if not events:
            return
        self._note_lag(subscription, events[-1])
        readers = subscription.readers
        if subscription.sequence is None and len(events) <= readers.room():
            readers.put_run(events, subscription.name)
            return
        self._rest.extend((subscription, event) for event in events)
        self._put_rest()

    def _put_rest(self) -> bool:
        """Put the rest of a list until a buffer is full, and return whether all was put."""
        rest = self._rest
        for index, (subscription, event) in enumerate(rest):
            if self._full.holds_back():
                del rest[:index]
                return False
            if self._in_sequence(subscription, event):
                subscription.readers.put_run((event,), subscription.name)
        rest.clear()
        return True

    def _in_sequence(self, subscription: Subscription, event: Event) -> bool:
        """Whether the ids of `event` allow its delivery."""
        if subscription.sequence is None:
            return True
        verdict = subscription.sequence(subscription.last_id, event)
        if verdict <= 0:
            return self._takes_out_of_sequence(subscription, event, verdict)
        subscription.last_id = verdict
        return True

    def _takes_out_of_sequence(
        self, subscription: Subscription, event: Event, verdict: int
    ) -> bool:
        """Whether to deliver an `event` that does not follow."""
        received_ns = self.received_ns
        return takes_out_of_sequence(subscription, event, verdict, received_ns, self.session)

    def _parse(self, payload: bytes, *, data: bool = True) -> None:
        """Read a frame in the general way; data in it only if it is wanted."""
        try:
            message = self._exchange.parse(payload)
        except UNDECODABLE as error:
            self._lose(payload, error)
            return
        if not isinstance(message, Data | Several):
            self._reader.read_message(message)
        for part in data_of(message) if data else ():
            self._take_data(part, payload)

    def _take_data(self, message: Data, payload: bytes) -> None:
        """Decode a payload of a stream from the frame `payload`."""
        subscription = self._streams.get(message.stream.encode())
        if subscription is None:
            # Data of an unwanted stream, or of an unknown kind.
            self._reader.read_message(Unknown(message.stream))
            return
        others = subscription.others()
        counted = False
        for each in (subscription, *others):
            if others and not each.has_readers():
                continue
            event = self._decode(each, payload, message.payload)
            if event is not None:
                self._put_message(each, payload, event, counts=not counted)
                counted = True

    def _decode(self, subscription: Subscription, payload: bytes, said: bytes) -> Any:
        """Decode a message for a channel; None if it does not decode, which is then reported."""
        try:
            return subscription.decode(said)
        except PartlyUndecodable as error:
            self._lose_elements(error, subscription)
            return error.events
        except UNDECODABLE as error:
            self._lose(payload, error, subscription)
            return None

    def _put_message(
        self, subscription: Subscription, payload: bytes, event: Any, *, counts: bool = True
    ) -> None:
        """Count a message, and put its events."""
        if counts:
            self.messages += 1
            subscription.wire.messages += 1
            subscription.wire.payload_bytes += len(payload)
        events = event if isinstance(event, list) else [event]
        self._put_list(subscription, subscription.folded(events))

    def _lose_elements(self, error: PartlyUndecodable, subscription: Subscription) -> None:
        """Report elements of a frame that do not decode."""
        subscription.decode_errors += error.lost
        alone = error.lost == 1
        symbol, since_ns = error.symbol if alone else "", self.received_ns
        subscription.lose("decode error", since_ns, error.lost, session=self.session, symbol=symbol)
        name = error.symbol or "the first of them"
        said = str(error) if alone else f"{error.lost} elements, of which {name}: {error}"
        self._reader.read_undecodable(DecodeError(subscription.name, said, error.raw))

    def _lose(
        self, payload: bytes, error: Exception, subscription: Subscription | None = None
    ) -> None:
        """Report a frame that does not decode, and the loss in its stream."""
        guessed = subscription is None
        if guessed:
            subscription = named_in(payload[:RAW_EXCERPT_BYTES], self._streams, self._shape[0])
        if subscription is not None:
            subscription.decode_errors += 1
        if guessed and self._numbers is not None:
            self._lose_all("decode error")  # it was counted, whatever was in it
        elif subscription is not None:
            subscription.lose("decode error", self.received_ns, session=self.session)
        name = getattr(subscription, "name", None)
        self._reader.read_undecodable(DecodeError(name, str(error), payload))
