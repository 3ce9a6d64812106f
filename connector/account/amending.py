"""Amend an order in place, and assume the worse values while the outcome is unknown.

Until a report shows whether the order was amended, the larger quantity and the worse price count.
"""

from __future__ import annotations

from decimal import Decimal

import attrs
import trio

from connector.account.account_state import Office
from connector.account.asking import Refused
from connector.account.checking import check_amend
from connector.account.late_timers import read_if_late
from connector.account.order import Order
from connector.account.order_requests import PLACE, Job
from connector.errors import (
    AmendRefused,
    ConfigError,
    ExchangeUnavailable,
    NotSent,
    OrderEnded,
    OrderUnknown,
)
from connector.exchanges.protocol import UNDECODABLE
from connector.orders import Limit
from connector.trading.order_record import OrderRecord

_ASK_SECONDS = 0.5


def wanted_shape(
    office: Office, order: Order, price: Decimal | None, quantity: Decimal | None
) -> Limit:
    """The intent that the order is to be.

    Raises:
        ConfigError: the exchange does not amend that in place; it says what it does.
        OrderInvalid, LimitExceeded: as for a new order.
        OrderEnded: it is over.
    """
    if order.ended:
        raise OrderEnded(f"the order has already ended: {order!r}")
    if not isinstance(order.intent, Limit) or order.quantity is None or order.price is None:
        raise ConfigError("only orders with a price can be amended")
    offered = office.trading.promises.amends
    asked = {name for name, value in (("price", price), ("quantity", quantity)) if value}
    if not asked:
        raise ConfigError("amend() needs a price, a quantity, or both")
    if not asked <= offered:
        names = ", ".join(sorted(offered)) or "nothing"
        raise ConfigError(f"{office.trading.name} amends {names} of an order in place")
    changed = attrs.evolve(
        order.intent, price=price or order.price, quantity=quantity or order.quantity
    )
    check_amend(office, changed, order._record)
    return changed


async def wait_for_earlier(office: Office, order: Order) -> None:
    """Wait until an amend of the order that was sent before is known.

    Raises:
        NotSent: it is not known after `Timing.patience`. Two amends that may both be carried out,
            in either order, would leave nobody knowing what the order is.
    """
    with trio.move_on_after(office.timing.patience):
        while order._is_amended_by_us or order._record.amending is not None:
            if order.ended:
                return
            await order._wait_change()
        return
    raise NotSent("the outcome of an earlier amend of the order is not known yet: nothing was sent")


async def amend(office: Office, order: Order, changed: Limit) -> None:
    """Send the amend, and return when the order is so; errors as of `Account.amend`.

    Cancellation: a request that was not sent is dropped. If it was sent, the account finds out the
    outcome.
    """
    order._is_amended_by_us = True
    try:
        await _amend(office, order, changed)
    finally:
        order._is_amended_by_us = False
        order._wake()


async def _amend(office: Office, order: Order, changed: Limit) -> None:
    record = order._record
    assert office.link is not None
    request = office.trading.amend(order.intent, order.client_id, changed.quantity, changed.price)
    now = trio.current_time()
    job = Job(request, PLACE, record, deadline=now + office.timing.queue_seconds)
    record.amend(changed.quantity, changed.price)
    office.link.put(job)
    try:
        with trio.move_on_after(office.timing.patience) as limit:
            await job.wait()
        await read_if_late(limit.deadline)
    except trio.Cancelled:
        if office.link.withdraw(job, "amend() was cancelled before it was sent"):
            record.give_up_amend()
        else:
            office.tasks.resolve_amend(record)
        raise
    if office.link.withdraw(job, "it could not be sent in time"):
        record.give_up_amend()
        raise NotSent("the amend could not be sent in time: the order is unchanged")
    if job.state == "unsent":
        record.give_up_amend()
        raise NotSent("the amend was not sent: the order is unchanged")
    answer = job.answer
    if answer is not None and answer.refusal is not None:
        verdict = office.trading.verdict(answer.refusal)
        # One that cannot be found has ended, or the exchange's answer lags: it is asked for.
        if verdict.meaning not in ("unknown", "duplicate", "absent"):
            record.give_up_amend()
            raise AmendRefused(verdict.reason, answer.refusal.code, answer.refusal.text)
    elif answer is not None:
        try:
            report = request.decode(answer.payload)
        except UNDECODABLE:
            report = None
        if report is not None:
            office.read(report)
    office.tasks.resolve_amend(record)
    with trio.move_on_after(office.timing.patience):
        await order._wait_amended()
    if order.ended:
        raise OrderEnded(f"the order has already ended: {order!r}")
    if record.amending is not None:
        raise OrderUnknown(f"it is not known yet whether the order was amended: {order!r}", order)
    if (order.quantity, order.price) != (changed.quantity, changed.price):
        raise AmendRefused("other", None, "the order is unchanged after the amend's window")


async def resolve_amend(
    office: Office, record: OrderRecord, amending: tuple[Decimal, Decimal | None]
) -> None:
    """Return when the order's state shows whether it was amended; another amend may follow then.

    Asked once after the amend's window and once more after the venue's settle time: a copy that
    lags may show the old state after the new one is true.
    """
    constants = office.trading.constants
    window = office.timing.window + constants.engine_seconds + constants.clock_ahead_seconds
    window_end = trio.current_time() + window
    unchanged_since: float | None = None
    await trio.lowlevel.checkpoint()
    while record.amending is amending and not record.over:
        try:
            async with office.asking.open() as conversation:
                report = await conversation.ask(
                    office.trading.order(record.symbol, record.client_id)
                )
        except (ExchangeUnavailable, Refused):
            await trio.sleep(_ASK_SECONDS)
            continue
        now = trio.current_time()
        shape = report.quantity, report.price
        if amending == shape or report.state != "open":
            office.read(report)
        elif record.amending is amending and now > window_end:
            unchanged_since = now if unchanged_since is None else unchanged_since
            if now - unchanged_since >= constants.settle_seconds:
                record.give_up_amend()
                office.orders[record.client_id]._wake()
                return
        await trio.sleep(_ASK_SECONDS)
