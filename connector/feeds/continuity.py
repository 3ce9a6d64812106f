"""An event whose id does not follow: a repetition, a loss, or ids that say nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connector.events import Event
from connector.exchanges.protocol import SequenceRule
from connector.feeds.subscription import Subscription

_MAX_OLD_IDS = 16
"""More events with old ids than these, without a jump between them, are no duplicates."""


def takes_out_of_sequence(
    subscription: Subscription, event: Event, verdict: int, received_ns: int | None, session: int
) -> bool:
    """Whether to deliver an `event` that does not follow: a jump is flagged, an old id not.

    Args:
        subscription: the stream; its readers get a gap for each loss.
        event: the one that does not follow.
        verdict: of the stream's rule on it; not above 0.
        received_ns: when it was received.
        session: which brought it.
    """
    if subscription.stream.blank_id is not None:
        blank_id = subscription.stream.blank_id(event)
        if blank_id:
            _pass_over(subscription, event, blank_id, received_ns, session)
            return False
        if verdict < 0 and _follows_blank(subscription, event):
            return True
    if verdict < 0:
        subscription.last_id = -verdict
        subscription.old_ids = 0
        subscription.lose("sequence", received_ns, session=session)
        return True
    if not subscription.last_id and not subscription.blank_id:
        return True  # nothing came before: the exchange counts from 0
    subscription.duplicates += 1
    repeats = subscription.stream.repeats
    if repeats is not None and repeats(subscription.last_id, event):
        return False
    subscription.old_ids += 1
    if subscription.old_ids <= _MAX_OLD_IDS:
        return False
    # Not a repetition: the exchange counts anew, or not at all. The ids of this session say
    # nothing; better to deliver too much than to stall silently.
    blanks = subscription.stream.blank_id
    subscription.sequence = None if blanks is None else _all_but_blanks(blanks)
    subscription.lose("sequence", received_ns, session=session)
    return True


def _pass_over(
    subscription: Subscription, event: Event, blank_id: int, received_ns: int | None, session: int
) -> None:
    """Note the id of an `event` that stands for nothing, and what is missing before it."""
    newest = max(subscription.last_id, subscription.blank_id)
    assert subscription.sequence is not None
    if blank_id <= newest:
        subscription.duplicates += 1
    elif subscription.sequence(newest, event) < 0:
        subscription.last_id = blank_id
        subscription.lose("sequence", received_ns, session=session)
    else:
        if not newest:
            # `merge()` needs this: the next event follows what came before this connection.
            subscription.last_id = blank_id - 1
        subscription.blank_id = blank_id


def _follows_blank(subscription: Subscription, event: Any) -> bool:
    """Whether before `event` there was nothing but what stands for nothing."""
    assert subscription.sequence is not None
    following = subscription.sequence(subscription.blank_id, event)
    if following <= 0 or subscription.blank_id <= subscription.last_id:
        return False
    event.previous_id, subscription.last_id = subscription.last_id, following
    return True


def _all_but_blanks(blank_id: Callable[[Any], int]) -> SequenceRule:
    """The rule where ids say nothing but that some events stand for nothing."""
    return lambda last_id, event: 0 if blank_id(event) else last_id or 1
