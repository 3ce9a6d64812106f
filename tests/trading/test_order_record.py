"""One order, told of in any order: one truth, each fill once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from connector.accounts import Fill, FillFee, OrderUpdate
from connector.orders import OVER, Limit, Market
from connector.trading.order_record import Contradiction, OrderRecord, Stranger
from connector.trading.reports import FillReport, OrderReport

INTENT = Limit("ETHUSDC", "buy", quantity="1.0", price="3000", tag="t")


def record(intent: Any = INTENT) -> OrderRecord:
    made = OrderRecord(intent, "c1", "ETHUSDC")
    made.move("sent")
    return made


def report(state: Any = "open", filled: str = "0", **changes: Any) -> OrderReport:
    return msgspec.structs.replace(
        OrderReport(
            symbol="ETHUSDC",
            client_id="c1",
            exchange_id="77",
            side="buy",
            state=state,
            price=Decimal(3000),
            quantity=Decimal(1),
            filled=Decimal(filled),
            time_ns=1,
        ),
        **changes,
    )


def fill(trade_id: str, quantity: str, cumulative: str | None, fee: str | None = "1") -> FillReport:
    return FillReport(
        symbol="ETHUSDC",
        trade_id=trade_id,
        exchange_id="77",
        client_id="c1",
        side="buy",
        price=Decimal(3000),
        quantity=Decimal(quantity),
        cumulative=None if cumulative is None else Decimal(cumulative),
        fee=None if fee is None else Decimal(fee),
        fee_asset=None if fee is None else "USDC",
        time_ns=1,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[OrderReport]:
    """What an exchange says of one order, from its beginning to its end."""
    parts = draw(st.lists(st.integers(1, 4), max_size=5))
    size = Decimal("0.05")
    told, cumulative = [report()], Decimal(0)
    for number, part in enumerate(parts):
        cumulative += part * size
        told.append(
            report(
                filled=str(cumulative),
                fill=fill(str(number + 1), str(part * size), str(cumulative)),
                time_ns=number + 2,
            )
        )
    end = draw(st.sampled_from(["open", "cancelled", "expired"]))
    if cumulative == 1:
        told[-1] = msgspec.structs.replace(told[-1], state="filled")
    elif end != "open":
        told.append(report(end, str(cumulative), time_ns=99))
    return told


@given(histories(), st.data())
def test_any_order_of_what_was_said_gives_the_same_truth(
    history: list[OrderReport], data: st.DataObject
) -> None:
    """Reply, events and answers, doubled and in any order; a fill is told once, in its place."""
    doubled = history + data.draw(st.lists(st.sampled_from(history), max_size=4))
    order = record()
    told: list[object] = []

    for each in data.draw(st.permutations(doubled)):
        told += order.read(each, 5)

    last = history[-1]
    assert order.state == last.state
    assert order.filled == last.filled
    assert not order.has_hole
    assert order.fills_complete
    fills = [each for each in told if isinstance(each, Fill)]
    assert [each.trade_id for each in fills] == [
        each.fill.trade_id for each in history if each.fill is not None
    ]
    assert not [each for each in told if isinstance(each, Contradiction | Stranger)]
    updates = [each for each in told if isinstance(each, OrderUpdate)]
    assert updates[-1].state == last.state
    assert [each.filled for each in updates] == sorted(each.filled for each in updates)
    assert order.remaining == (0 if order.state in OVER else 1 - last.filled)


def test_a_fill_behind_a_missing_one_waits_for_it() -> None:
    order = record()
    order.read(report(), 1)

    assert not [
        each
        for each in order.read(report(filled="0.6", fill=fill("2", "0.4", "0.6")), 1)
        if isinstance(each, Fill)
    ]
    assert order.has_hole
    assert order.filled == Decimal("0.6")
    assert not order.fills_complete

    told = order.read_fill(fill("1", "0.2", None), 1, backfilled=True)

    assert [(each.trade_id, each.backfilled) for each in told if isinstance(each, Fill)] == [
        ("1", True),
        ("2", False),
    ]
    assert order.fills_complete


def test_a_fee_that_comes_later_is_told_once() -> None:
    order = record()
    order.read_fill(fill("1", "0.2", None, fee=None), 1)
    assert not order.fills_complete

    (fee,) = order.read_fill(fill("1", "0.2", "0.2"), 2)

    assert isinstance(fee, FillFee)
    assert (fee.trade_id, fee.fee, fee.fee_asset) == ("1", Decimal(1), "USDC")
    assert order.read_fill(fill("1", "0.2", "0.2"), 3) == []
    assert order.fills_complete
    assert order.fills["1"].fee == 1


def test_an_early_notice_is_told_with_its_report_and_missed_without() -> None:
    order = record()
    order.read(report(), 1)
    early = msgspec.structs.replace(fill("1", "0.2", None, fee=None), early=True)

    assert order.read_fill(early, 1) == []
    assert order.has_hole

    told = order.read(report(filled="0.2", fill=fill("1", "0.2", "0.2")), 2)
    assert [type(each) for each in told] == [Fill, OrderUpdate]
    assert not order.has_hole
    assert order.read_fill(early, 3) == []
    assert not order.has_hole


def test_an_adopted_order_has_a_past() -> None:
    order = record()
    order.read(report(filled="0.5"), 1)
    order.read_fill(fill("7", "0.2", None), 1, backfilled=True)
    order.read_fill(fill("8", "0.1", "0.6"), 1)

    (told,) = order.assume_untold(2)

    assert isinstance(told, Fill)
    assert (told.trade_id, order.untold) == ("8", Decimal("0.3"))
    assert not order.has_hole


def test_average_price() -> None:
    order = record()
    order.read_fill(fill("1", "0.25", "0.25"), 1)
    order.read_fill(msgspec.structs.replace(fill("2", "0.75", "1"), price=Decimal(2996)), 1)

    assert order.average_price == 2997


def test_what_is_not_ours_is_a_stranger() -> None:
    for changes in (
        {"side": "sell"},
        {"symbol": "ETHUSDT"},
        {"price": Decimal(3001)},
        {"quantity": Decimal(2)},
        {"quantity": Decimal("0.5")},
        {"leg": "long"},
    ):
        order = record()
        (told,) = order.read(report(**changes), 1)
        assert isinstance(told, Stranger)
        assert order.state == "sent"


def test_another_order_of_the_exchange_under_our_id_is_a_stranger() -> None:
    order = record()
    order.read(report(), 1)

    (told,) = order.read(report(exchange_id="78"), 1)

    assert isinstance(told, Stranger)


def test_an_order_that_somebody_amended_by_hand_stays_ours() -> None:
    """The exchange's own id says that it is the same order."""
    order = record()
    order.read(report(), 1)

    (told,) = order.read(report(price=Decimal(2999), quantity=Decimal(3), time_ns=2), 2)

    assert isinstance(told, OrderUpdate)
    assert (order.price, order.remaining) == (2999, 3)
    assert order.is_shown_as(report(price=Decimal(2999), quantity=Decimal(3)))


def test_a_reduce_only_order_may_be_cut() -> None:
    order = record(attrs.evolve(INTENT, reduce_only=True))

    (told,) = order.read(report(quantity=Decimal("0.4")), 1)

    assert isinstance(told, OrderUpdate)
    assert order.quantity == order.remaining == Decimal("0.4")


def test_a_market_order_has_no_price_to_compare() -> None:
    order = record(Market("ETHUSDC", "buy", quote_quantity="100"))

    (told,) = order.read(report(price=None, quantity=Decimal("0.03")), 1)

    assert isinstance(told, OrderUpdate)
    assert order.quantity == Decimal("0.03")


def test_an_order_that_was_given_up_and_lives_is_late() -> None:
    order = record()
    order.move("lost")
    order.move("absent")
    assert order.remaining == 0

    (told,) = order.read(report(), 1)

    assert isinstance(told, OrderUpdate)
    assert told.late
    assert (order.state, order.remaining) == ("open", 1)


def test_a_contradiction_is_told_and_changes_nothing() -> None:
    order = record()
    order.read(report("cancelled"), 1)

    told = order.read(report("filled", "1"), 1)

    assert isinstance(told[0], Contradiction)
    assert order.state == "cancelled"


def test_an_acknowledgement_that_says_little_counts_for_what_it_says() -> None:
    order = record()

    order.read(report(partial=True, price=None, quantity=None), 1)

    assert (order.state, order.price, order.quantity) == ("open", 3000, 1)


def test_an_unanswered_amend_counts_the_larger_and_the_worse() -> None:
    order = record()
    order.read(report(), 1)

    order.amend(Decimal("0.5"), Decimal(3001))

    assert (order.remaining, order.worst_price) == (1, 3001)
    order.read(report(quantity=Decimal("0.5"), price=Decimal(3001)), 1)
    assert (order.remaining, order.worst_price) == (Decimal("0.5"), 3001)

    order.amend(Decimal(2), Decimal(2999))
    assert (order.remaining, order.worst_price) == (2, 3001)


def test_an_amend_is_told_by_a_report_that_is_older_in_what_is_filled() -> None:
    order = record()
    order.read(report(filled="0.2", fill=fill("1", "0.2", "0.2")), 1)
    order.amend(Decimal("0.5"), Decimal(3001))

    order.read(report(quantity=Decimal("0.5"), price=Decimal(3001)), 2)

    assert order.amending is None
    assert (order.quantity, order.filled) == (Decimal("0.5"), Decimal("0.2"))


def test_a_record_that_was_never_sent_is_refused_for_certain() -> None:
    order = OrderRecord(INTENT, "c1", "ETHUSDC")

    assert order.move("unsent", "not sent")
    assert (order.state, order.over) == ("refused", True)
