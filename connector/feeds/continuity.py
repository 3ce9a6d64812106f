"""Handle an event whose id is out of sequence: a repetition, a loss, or meaningless ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connector.events import Event
from connector.exchanges.protocol import SequenceRule
from connector.feeds.subscription import Subscription

_MAX_OLD_IDS = 16
"""After this many old ids in a row, the events are no longer considered duplicates."""


def takes_out_of_sequence(
    subscription: Subscription, event: Event, verdict: int, received_ns: int | None, session: int
) -> bool:
    """Whether to deliver an `event` out of sequence; a jump is flagged as a loss.

    Args:
        subscription: the stream; its readers get a gap for each loss.
        event: the event out of sequence.
        verdict: the result of the stream's rule, at most 0.
        received_ns: time of receipt.
        session: the session that received it.
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
    # Not a repetition: the exchange counts anew, or not at all. The ids of this connection prove
    # nothing; better to deliver too much than to stall silently.
    blanks = subscription.stream.blank_id
    subscription.sequence = None if blanks is None else _all_but_blanks(blanks)
    subscription.lose("sequence", received_ns, session=session)
    return True


def _pass_over(
    subscription: Subscription, event: Event, blank_id: int, received_ns: int | None, session: int
) -> None:
    """Note the id of a blank `event`, and the loss before it, if any."""
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
    """Whether only blank events preceded `event`."""
    assert subscription.sequence is not None
    following = subscription.sequence(subscription.blank_id, event)
    if following <= 0 or subscription.blank_id <= subscription.last_id:
        return False
    event.previous_id, subscription.last_id = subscription.last_id, following
    return True


def _all_but_blanks(blank_id: Callable[[Any], int]) -> SequenceRule:
    """A rule for meaningless ids, which only drops blank events."""
    return lambda last_id, event: 0 if blank_id(event) else last_id or 1
