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
    head, _, middle = parts[0] if len(parts) == 1 else _SEVERAL_PARTS
    skipped, end = len(middle), -tail or None
    taken, stop, limit = first, len(payloads), 0
    begin = size = odd = skip = last_id = 0
    # Where streams take turns, each message is alone: it does not begin as the one before it.
    prefix, alone = b"", True
    run: Subscription | None
    decode: Callable[[bytes], Any]
    fold: Fold | None
    latest: Any
    newest: Any
    verdict: int | None
    event: Any
    group: Any
    run = group = fold = latest = newest = verdict = event = None
    while taken < stop:
        payload = payloads[taken]
        if alone or not payload.startswith(prefix):
            if head >= 0:
                name_end = payload.find(middle, head)
                found = streams.get(payload[head:name_end])
            else:
                name, name_end = find_name(parts, payload)
                found = streams.get(name)
            if found is None or name_end < 0:
                break
            if found is run:
                prefix, alone = payload[: name_end + skipped], False
            else:
                if found.group is not group:
                    if run is not None:
                        break
                    # No other task runs meanwhile, so the room does not change; one event always
                    # fits.
                    group = found.group
                    if taken + 1 < stop:
                        limit = first + group.room()
                        stop = min(stop, limit)
                elif run is None:
                    break
                else:
                    run.messages += taken - begin
                    run.payload_bytes += size
                    run.last_id, run.latest = last_id, latest
                run, begin, size, alone = found, taken, 0, True
                decode, rule, fold = run.decode, run.sequence, run.fold
                last_id, latest = run.last_id, run.latest
            skip = 0 if whole else name_end + skipped
        try:
            event = decode(payload[skip:end])
        except UNDECODABLE:
            odd = 1
            break
        if fold is not None:
            said = event if type(event) is list else (event,)
            event, newest = fold_all(fold, latest, said)
        if type(event) is list:
            count = len(event)
            limit = limit or first + group.room()
            if taken + count > limit:
                break
            following = last_id
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
            last_id = following
            if fold is not None:
                latest = newest
            events += event
            taken += 1
            size += len(payload)
            limit -= count - 1
            stop = min(len(payloads), limit)
            continue
        taken += 1
        size += len(payload)
        event.received_ns = received_ns
        event.session = session
        if rule is not None:
            following = rule(last_id, event)
            if following <= 0:
                verdict = following
                break
            last_id = following
        events.append(event)
    if run is not None:
        run.messages += taken - begin
        run.payload_bytes += size
        run.last_id, run.latest = last_id, latest
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
