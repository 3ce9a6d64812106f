"""From payloads to events: the innermost loop of the hot path.

It decodes messages one after another for as long as nothing is unusual, stamps the events, asks the
stream's rule whether they follow each other, and counts. `connector.transport.compiled` may have it
in C; this says what it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from connector.events import Event
from connector.exchanges.protocol import UNDECODABLE
from connector.feeds.subscription import Subscription
from connector.transport.compiled import EXTENSION

Taken: TypeAlias = tuple[int, Any, Any, int, int | None]
"""How far it went and why not farther: the index of the first message that was not taken, what the
last one was of and its event, whether the message at the index does not decode, and the rule's
verdict on the event if it does not follow. Of nothing: the first message is not for this loop."""

Shape: TypeAlias = tuple[int, bytes, int]
"""Of messages: where the stream's name begins, what follows it, how many bytes follow the data."""


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

    Args:
        payloads: the messages of one read.
        first: the index of the first to take.
        received_ns: stamped on the events.
        session: stamped on the events.
        events: grows by one event per message, but for one that does not follow.
        streams: the subscriptions by the stream's name.
        shape: of every message.
    """
    head, middle, tail = shape
    skipped, end = len(middle), -tail or None
    taken, stop = first, len(payloads)
    run: Subscription | None = None
    begin = size = odd = skip = last_id = 0
    prefix = b""
    decode: Callable[[bytes], Any]
    verdict: int | None = None
    event: Any = None
    while taken < stop:
        payload = payloads[taken]
        if run is None or not payload.startswith(prefix):
            name_end = payload.find(middle, head)
            found = streams.get(payload[head:name_end])
            if found is None or found.group is None or name_end < 0:
                break
            if run is None:
                # Nobody else runs meanwhile, so the room is what it is now.
                stop = min(stop, first + found.group.room())
            elif found.group is not run.group:
                break
            else:
                run.messages += taken - begin
                run.payload_bytes += size
                run.last_id = last_id
            run, begin, size = found, taken, 0
            decode, rule, last_id = run.decode, run.sequence, run.last_id
            skip = name_end + skipped
            prefix = payload[:skip]
        try:
            event = decode(payload[skip:end])
        except UNDECODABLE:
            odd = 1
            break
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
        run.last_id = last_id
    return taken, run, event, odd, verdict


take = take_in_python if EXTENSION is None else EXTENSION.take
