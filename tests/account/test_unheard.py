"""A stream that says nothing of the orders that the exchange has accepted is mute."""

from __future__ import annotations

from connector.account.unheard import Unheard
from connector.orders import Limit
from connector.trading.order_record import OrderRecord


def record(name: str) -> OrderRecord:
    return OrderRecord(Limit("ETHUSDC", "buy", quantity=1, price=1), name, "ETHUSDC")


def test_the_oldest_that_is_not_mentioned_in_time_is_overdue() -> None:
    unheard = Unheard(2.0)
    first, second, third = record("first"), record("second"), record("third")
    unheard.accepted(first, 10.0)
    unheard.accepted(second, 11.0)
    unheard.accepted(third, 11.5)

    assert unheard.overdue(11.9) is None
    assert unheard.overdue(12.0) is first
    first.heard = third.heard = True
    assert unheard.overdue(12.9) is None
    assert unheard.overdue(13.0) is second
    second.heard = True
    assert unheard.overdue(100.0) is None


def test_one_that_was_mentioned_before_its_reply_is_not_waited_for() -> None:
    unheard, early, later = Unheard(2.0), record("early"), record("later")
    early.heard = True
    unheard.accepted(early, 10.0)
    unheard.accepted(later, 11.0)

    assert unheard.overdue(12.5) is None
    assert unheard.overdue(13.0) is later


def test_another_stream_is_not_judged_by_what_the_last_one_kept_silent() -> None:
    unheard, lost, accepted = Unheard(2.0), record("lost"), record("accepted")
    unheard.accepted(lost, 10.0)
    unheard.forget()
    unheard.accepted(accepted, 20.0)

    assert unheard.overdue(21.9) is None
    assert unheard.overdue(22.0) is accepted
