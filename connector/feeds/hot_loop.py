"""Decode payloads to events: the innermost loop of the hot path.

It decodes usual messages one after another, stamps the events, checks the stream's sequence rule,
and counts in the stream's `Intake`. `connector.transport.compiled` may have it in C; the Python
code here defines its behaviour. (The C code uses `Stream.decode_unchecked` where it applies.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from connector.events import Event
from connector.exchanges.envelope import Shape, find_name
from connector.exchanges.protocol import UNDECODABLE, Fold
from connector.feeds.intake import fold_all
from connector.feeds.subscription import Subscription
from connector.transport.compiled import EXTENSION

Taken: TypeAlias = tuple[int, Any, Any, int, int | None]
"""How far the loop went and why it stopped: the index of the first message that was not taken, the
subscription and event of the last one, whether the message at the index does not decode, and the
rule's verdict if the event is out of sequence. Without a subscription, this loop cannot process the
first message."""

_SEVERAL_PARTS = -1, b"", b""
_NO_GROUP = object()


def take_in_python(  # noqa: PLR0917  # by position, which costs less
    payloads: Sequence[bytes],
    first: int,
    received_ns: int,
    session: int,
    events: list[Event],
    streams: Mapping[bytes, Subscription],
    shape: Shape,
) -> Taken:
    """Append the events of messages to `events`, as long as they go to the same buffers.

    Messages are taken while they belong to one `Subscription.group` and there is room. A stream is
    looked up once per run of its messages, because a lookup costs as much as decoding a trade.

    A message with a list of events is taken if there is room for all of them and each is in
    sequence. Otherwise it is treated as one that does not decode, and the general path processes
    it. A folded stream delivers such a list for each message.

    Args:
        payloads: the messages of one read.
        first: the index of the first message to take.
        received_ns: the receive time to stamp on the events.
        session: the session to stamp on the events.
        events: grows by the events of the messages, except one out of sequence.
        streams: the subscriptions by the stream's name.
        shape: the shape of every message.
    """
    parts, whole, tail = shape
    is_single = len(parts) == 1 and parts[0][0] >= 0
    head, _, middle = parts[0] if is_single else _SEVERAL_PARTS
    skipped, end = len(middle), -tail or None
    taken, stop, limit = first, len(payloads), 0
    begin = size = odd = skip = 0
    # A run of messages begins with its second one, and is counted when it ends. Where streams take
    # turns, each message is alone, and is counted by itself.
    prefix, alone = b"", True
    run: Any
    decode: Callable[[bytes], Any]
    fold: Fold | None
    newest: Any
    verdict: int | None
    event: Any
    group: Any
    run = fold = newest = verdict = event = None
    group = _NO_GROUP
    # Attributes of `run` are read and written rather than kept: that costs less where streams take
    # turns. `for` costs less than an index, and Python specialises it within the first read.
    for payload in payloads[first:] if first else payloads:
        if taken == stop:
            break
        if alone or not payload.startswith(prefix):
            if is_single:
                name_end = payload.find(middle, head)
                found = streams.get(payload[head:name_end])
            else:
                name, name_end = find_name(parts, payload)
                found = streams.get(name)
            if found is None or name_end < 0:
                break
            if found is run:
                prefix, alone = payload[: name_end + skipped], False
                begin, size = taken, 0
            else:
                if found.group is group:
                    if not alone:
                        run.messages += taken - begin
                        run.payload_bytes += size
                        alone = True
                elif run is not None or found.group is None:
                    break
                else:
                    # No other task runs meanwhile, so the room does not change; one event always
                    # fits.
                    group = found.group
                    if taken + 1 < stop:
                        limit = first + group.room()
                        stop = min(stop, limit)
                run = found
                decode, rule, fold = run.decode, run.sequence, run.fold
            if not whole:
                skip = name_end + skipped
        try:
            event = decode(payload[skip:end])
        except UNDECODABLE:
            odd = 1
            break
        if fold is not None:
            said = event if type(event) is list else (event,)
            event, newest = fold_all(fold, run.latest, said)
        if type(event) is list:
            count = len(event)
            limit = limit or first + group.room()
            if taken + count > limit:
                break
            following = run.last_id
            for each in event:
                each.received_ns = received_ns
                each.session = session
                if rule is not None:
                    following = rule(following, each)
                    if following <= 0:
                        odd = 1
                        break
            if odd:
                break
            run.last_id = following
            if fold is not None:
                run.latest = newest
            events += event
            limit -= count - 1
            stop = min(len(payloads), limit)
        else:
            event.received_ns = received_ns
            event.session = session
            if rule is not None:
                following = rule(run.last_id, event)
                if following > 0:
                    run.last_id = following
                    events.append(event)
                else:
                    verdict, stop = following, taken + 1
            else:
                events.append(event)
        taken += 1
        if alone:
            run.messages += 1
            run.payload_bytes += len(payload)
        else:
            size += len(payload)
    if run is not None and not alone:
        run.messages += taken - begin
        run.payload_bytes += size
    if taken == first and not odd:
        return first, None, None, 0, None  # a list for which there is no room
    return taken, run, event, odd, verdict


take = take_in_python if EXTENSION is None else EXTENSION.take

Unusual: TypeAlias = tuple[Subscription | None, Any, int, int | None]
"""The subscription and event of the last message, whether the next does not decode, and the rule's
verdict if the event is out of sequence. Without a subscription, this loop cannot process the next
message."""


def take_and_put_in_python(  # noqa: PLR0917  # as above
    payloads: Sequence[bytes],
    first: int,
    received_ns: int,
    session: int,
    streams: Mapping[bytes, Subscription],
    shape: Shape,
) -> tuple[int, Event | None, Unusual | None]:
    """Take messages as `take` does, and put their events into the buffers.

    Returns:
        How far it went; the newest event if it has an exchange time; and why it stopped, if only
        the general path can decide.
    """
    events: list[Event] = []
    taken, subscription, event, odd, verdict = take_in_python(
        payloads, first, received_ns, session, events, streams, shape
    )
    timed = None
    if events:
        # First the buffers whose consumers wait.
        subscription.group.put_run(events, subscription.name)
        if subscription.tells_time is None:
            subscription.tells_time = events[-1].exchange_time_ns is not None
        if subscription.tells_time:
            timed = events[-1]
    if subscription is not None and not odd and verdict is None:
        return taken, timed, None
    return taken, timed, (subscription, event, odd, verdict)


take_and_put = take_and_put_in_python if EXTENSION is None else EXTENSION.take_and_put
