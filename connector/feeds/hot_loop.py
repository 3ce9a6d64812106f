"""From payloads to events: the innermost loop of the hot path.

It decodes messages one after another for as long as nothing is unusual, stamps the events, asks the
stream's rule whether they follow each other, and counts in the stream's `Intake`.
`connector.transport.compiled` may have it in C; this says what it does. (C decodes unchecked what
`Stream.decode_unchecked` is for.)
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
"""How far it went and why not farther: the index of the first message that was not taken, what the
last one was of and its event, whether the message at the index does not decode, and the rule's
verdict on the event if it does not follow. Of nothing: the first message is not for this loop."""

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

    That is as long as they are of one `Subscription.group`, and there is room for them. What is
    known of a stream is looked up once per run of its messages: it costs as much as decoding a
    trade.

    A message with a list of events is taken when there is room for all of them and each follows;
    if one does not, the message counts as one that does not decode: the long way decides. What a
    stream that is folded delivers for a message is such a list.

    Args:
        payloads: the messages of one read.
        first: the index of the first to take.
        received_ns: stamped on the events.
        session: stamped on the events.
        events: grows by the events of the messages, but for one that does not follow.
        streams: the subscriptions by the stream's name.
        shape: of every message.
    """
    parts, whole, tail = shape
    head, _, middle = parts[0] if len(parts) == 1 else _SEVERAL_PARTS
    skipped, end = len(middle), -tail or None
    taken, stop, limit = first, len(payloads), 0
    begin = size = odd = skip = last_id = 0
    prefix = b""
    run: Subscription | None
    decode: Callable[[bytes], Any]
    fold: Fold | None
    latest: Any
    newest: Any
    verdict: int | None
    event: Any
    run = fold = latest = newest = verdict = event = None
    while taken < stop:
        payload = payloads[taken]
        if run is None or not payload.startswith(prefix):
            if head >= 0:
                name_end = payload.find(middle, head)
                found = streams.get(payload[head:name_end])
                behind = name_end + skipped
            else:
                name, name_end = find_name(parts, payload)
                found = streams.get(name)
                behind = name_end
            if found is None or found.group is None or name_end < 0:
                break
            if run is None:
                # Nobody else runs meanwhile, so the room is what it is now; one event always fits.
                group = found.group
                if taken + 1 < stop:
                    limit = first + group.room()
                    stop = min(stop, limit)
            elif found.group is not group:
                break
            else:
                run.messages += taken - begin
                run.payload_bytes += size
                run.last_id, run.latest = last_id, latest
            run, begin, size = found, taken, 0
            decode, rule, fold = run.decode, run.sequence, run.fold
            last_id, latest = run.last_id, run.latest
            skip = 0 if whole else behind
            prefix = payload[:behind]
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
"""Of what the last message was and its event, whether the next does not decode, and the verdict of
the rule on the event if it does not follow. Of nothing: the next message is not for this loop."""


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
        How far it went; the newest event if it says when it happened; and why it went no farther,
        if only the long way can tell what to do.
    """
    events: list[Event] = []
    taken, subscription, event, odd, verdict = take_in_python(
        payloads, first, received_ns, session, events, streams, shape
    )
    timed = None
    if events:
        # First what somebody waits for.
        subscription.group.put_run(events, subscription.name)
        if subscription.tells_time is None:
            subscription.tells_time = events[-1].exchange_time_ns is not None
        if subscription.tells_time:
            timed = events[-1]
    if subscription is not None and not odd and verdict is None:
        return taken, timed, None
    return taken, timed, (subscription, event, odd, verdict)


take_and_put = take_and_put_in_python if EXTENSION is None else EXTENSION.take_and_put
