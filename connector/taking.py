"""From payloads to events: the innermost loops of the hot path.

Both decode messages one after another for as long as nothing is unusual, stamp the events, ask
the stream's rule whether they follow each other, and count. `connector.extension` may have them
in C; these say what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from connector.buffer import Buffer
from connector.events import Event
from connector.extension import EXTENSION
from connector.protocol import UNDECODABLE
from connector.subscription import Subscription

Taken: TypeAlias = tuple[int, Any, Any, int, int | None]
"""How far it went and why not farther: the index of the first message that was not taken, what the
last one was of and its event, whether the message at the index does not decode, and the rule's
verdict on the event if it does not follow."""

Shape: TypeAlias = tuple[int, bytes, int]
"""Of messages: where the stream's name begins, what follows it, how many bytes follow the data."""


def take_run_in_python(  # noqa: PLR0917  # by position, which costs less
    payloads: Sequence[bytes],
    first: int,
    stop: int,
    received_ns: int,
    session: int,
    events: list[Event],
    subscription: Subscription,
    skip: int,
    tail: int,
) -> Taken:
    """Append the events of the messages of one stream that follow each other to `events`.

    What is known of a stream is looked up once per run: it costs as much as decoding a trade.

    Args:
        payloads: the messages of one read.
        first: the index of the first to take.
        stop: the index behind the last that there is room for.
        received_ns: stamped on the events.
        session: stamped on the events.
        events: grows by one event per message.
        subscription: what the first message is of.
        skip: where the data begins in each of its messages.
        tail: how many bytes follow the data.
    """
    decode: Callable[[bytes], Any] = subscription.decode
    rule, last_id = subscription.sequence, subscription.last_id
    prefix, end = payloads[first][:skip], -tail or None
    taken, size, odd = first, 0, 0
    verdict: int | None = None
    event: Any = None
    while taken < stop:
        payload = payloads[taken]
        if not payload.startswith(prefix):
            break
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
    subscription.last_id = last_id
    subscription.messages += taken - first
    subscription.payload_bytes += size
    return taken, subscription, event, odd, verdict


def take_turns_in_python(  # noqa: PLR0917  # by position, which costs less
    payloads: Sequence[bytes],
    first: int,
    stop: int,
    received_ns: int,
    session: int,
    events: list[Event],
    streams: Mapping[bytes, Subscription],
    sole: Buffer[object],
    shape: Shape,
) -> Taken:
    """Append the events of messages of streams that take turns, as long as all are for `sole`.

    Args:
        payloads: the messages of one read.
        first: the index of the first to take.
        stop: the index behind the last that there is room for.
        received_ns: stamped on the events.
        session: stamped on the events.
        events: grows by one event per message.
        streams: the subscriptions by the stream's name.
        sole: the only buffer of the streams to take.
        shape: of every message.
    """
    head, middle, tail = shape
    find_stream, put = streams.get, events.append
    skipped, end = len(middle), -tail or None
    taken, odd = first, 0
    verdict: int | None = None
    subscription: Subscription | None = None
    event: Any = None
    while taken < stop:
        payload = payloads[taken]
        name_end = payload.find(middle, head)
        found = find_stream(payload[head:name_end])
        if found is None or found.sole is not sole or name_end < 0:
            break
        subscription = found
        try:
            event = subscription.decode(payload[name_end + skipped : end])
        except UNDECODABLE:
            odd = 1
            break
        taken += 1
        subscription.messages += 1
        subscription.payload_bytes += len(payload)
        event.received_ns = received_ns
        event.session = session
        rule = subscription.sequence
        if rule is not None:
            following = rule(subscription.last_id, event)
            if following <= 0:
                verdict = following
                break
            subscription.last_id = following
        put(event)
    return taken, subscription, event, odd, verdict


take_run = take_run_in_python if EXTENSION is None else EXTENSION.take_run
take_turns = take_turns_in_python if EXTENSION is None else EXTENSION.take_turns
