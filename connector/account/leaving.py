"""Leave an account: cancel and confirm every order, and name those that could not be confirmed."""

from __future__ import annotations

import logging

import trio

from connector.account.asking import Refused
from connector.account.order import Order
from connector.account.running import GRACE_SECONDS, RunningAccount
from connector.account.synchronising import read_open_orders
from connector.errors import ExchangeUnavailable, OrdersLeft
from connector.trading.order_record import OrderRecord
from connector.transport.error_groups import leaves

_log = logging.getLogger("connector.account")

_LOOK_AGAIN_SECONDS = 0.5


async def leave(
    running: RunningAccount, error: BaseException | None, *, cancel: bool
) -> tuple[tuple[Order, ...], KeyboardInterrupt | None]:
    """End the account, and return the orders that may still be open although they should not be.

    Ctrl-C during this is raised afterwards; a second Ctrl-C aborts.

    Args:
        running: the account.
        error: the error with which the block ends, if any.
        cancel: whether its orders are cancelled.

    Cancellation: shielded, for `Timing.leave_timeout` at most.
    """
    office = running.office
    office.leaving = True
    deadline = running.deadline.begin(error)
    running.end_by(deadline + GRACE_SECONDS)
    interrupted = error is not None and any(map(_is_interrupt, leaves(error)))
    interrupt: KeyboardInterrupt | None = None
    try:
        while True:
            try:
                with trio.CancelScope(shield=True, deadline=deadline):
                    await _settle(running, cancel=cancel)
                    if running.switch is not None and cancel:
                        await running.switch.disarm()
                break
            except KeyboardInterrupt as pressed:
                interrupt = pressed
                if interrupted:
                    break
                interrupted = True
        left = [each for each in office.book.records.values() if not each.over] if cancel else []
        for record in left:
            _log.error(
                "order left open when the account's block ended: %r",
                office.orders[record.client_id],
            )
        return tuple(office.orders[each.client_id] for each in left), interrupt
    finally:
        running.finish()


def _is_interrupt(error: BaseException) -> bool:
    return isinstance(error, KeyboardInterrupt)


async def _settle(running: RunningAccount, *, cancel: bool) -> None:
    office = running.office
    for record in tuple(office.book.records.values()):
        if record.state == "queued":
            office.withdraw(record)
        elif cancel and not record.over:
            running.cancel(record)
    if not cancel:
        return
    while not running.over.is_set():
        await wait_until_over(running, list(office.book.records.values()))
        if not office.orders:
            return
        try:
            reports = await read_open_orders(office)
        except (ExchangeUnavailable, Refused):
            await trio.sleep(_LOOK_AGAIN_SECONDS)
            continue
        found = [each for each in reports if office.book.is_ours(each.client_id)]
        for report in found:
            office.read(report)
        if not found or all(_is_stale(running, each.client_id) for each in found):
            return
        for report in found:
            ours = office.book.records.get(report.client_id)
            if ours is not None:
                running.cancel(ours)


def _is_stale(running: RunningAccount, client_id: str) -> bool:
    """Whether the list shows an order that the engine has told us is over: the list lags."""
    record = running.office.book.records.get(client_id)
    return record is not None and record.state in ("filled", "cancelled", "expired")


async def wait_until_over(running: RunningAccount, records: list[OrderRecord]) -> None:
    """Return when all of these orders are over, or the account is."""
    await trio.lowlevel.checkpoint()
    while not running.over.is_set() and not all(each.over for each in records):
        await running.wait_change()


def is_cancellation(error: BaseException) -> bool:
    """Whether nothing but a cancellation leaves a block."""
    return all(isinstance(leaf, trio.Cancelled) for leaf in leaves(error))


def orders_left(name: str, exchange: str, left: tuple[Order, ...]) -> OrdersLeft:
    """The error that names them."""
    named = "; ".join(
        f"{each.side} {each.remaining} {each.symbol} at {each.price}, id {each.client_id} "
        f"({each.state})"
        for each in left
    )
    return OrdersLeft(
        f"{len(left)} orders of account {name!r} may still be open: {named}. Cancel them with "
        f"`connector stop {name} --exchange {exchange} --live --key PREFIX`, or at the exchange by "
        "these ids",
        left,
    )
