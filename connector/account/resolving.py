"""Find the outcome of an unanswered place request: carry out the rule.

`connector.trading.resolution` chooses the next step, and this module does it: ask, fence, read. Any
report that finds the order meanwhile ends it.
"""

from __future__ import annotations

import trio

from connector.account.account_state import Office
from connector.account.asking import Refused
from connector.account.cancel_request import outcome_of, send_cancel
from connector.account.history import find_owners, read_fills
from connector.account.late_timers import read_if_late
from connector.account.synchronising import read_holdings
from connector.errors import ExchangeUnavailable, OrderNotPlaced
from connector.trading.order_record import OrderRecord
from connector.trading.resolution import Resolution


async def resolve(office: Office, record: OrderRecord) -> None:
    """Return when the outcome of the place request is known.

    Cancellation: nothing is concluded.
    """
    constants = office.trading.constants
    signed_ns = record.signed_ns or office.clock.now_ns(trio.current_time())
    window = office.timing.window + constants.engine_seconds + constants.clock_ahead_seconds
    resolution = Resolution(signed_ns + round(window * 1e9), constants.settle_seconds)
    await trio.lowlevel.checkpoint()
    while record.state == "unknown":
        if office.book.holes != record.holes_before or not office.book.synced:
            resolution.broken()
        step, due = resolution.next(trio.current_time())
        match step:
            case "wait":
                with trio.move_on_at(due):
                    await office.orders[record.client_id]._wait_known()
                await read_if_late(due)
            case "ask":
                await _ask(office, record, resolution)
            case "fence":
                await _fence(office, record, resolution)
            case "read":
                await _read(office, record, resolution)
            case "absent":
                _conclude(office, record)


def _conclude(office: Office, record: OrderRecord) -> None:
    error = OrderNotPlaced(
        "the order was sent, not answered, and is neither open nor filled: proved after its window"
    )
    office.orders[record.client_id]._fail(error)
    office.move(record, "absent", "sent, not answered, and proved to be neither open nor filled")


async def _ask(office: Office, record: OrderRecord, resolution: Resolution) -> None:
    try:
        async with office.asking.open() as conversation:
            stamp_ns = await conversation.sample_clock()
            request = office.trading.order(record.symbol, record.client_id)
            report = await conversation.ask(request)
    except Refused as refused:
        if refused.verdict.meaning == "absent":
            resolution.not_found(stamp_ns, trio.current_time())
        else:
            resolution.failed(trio.current_time())
    except ExchangeUnavailable:
        resolution.failed(trio.current_time())
    else:
        office.read(report)
        resolution.failed(trio.current_time())  # unless it was found by that, ask again later


async def _fence(office: Office, record: OrderRecord, resolution: Resolution) -> None:
    job = await send_cancel(office, record)
    kind, report, _ = outcome_of(office, job)
    now = trio.current_time()
    if kind == "done" and report is not None:
        office.read(report)
        resolution.failed(now)
    elif kind == "absent":
        resolution.fenced(now)
    else:
        resolution.failed(now)


async def _read(office: Office, record: OrderRecord, resolution: Resolution) -> None:
    """Read position and trades; a trade that is known then is in neither, or in both.

    A trade of which nobody knows whose it is may be of this order, and so may what has moved more
    than the known trades say: the list of trades lags.
    """
    try:
        async with office.asking.open() as conversation:
            reading = await read_holdings(office, conversation)
            fills = await read_fills(office, conversation, record.symbol)
            owned = await find_owners(office, conversation, record)
    except (ExchangeUnavailable, Refused):
        resolution.failed(trio.current_time())
        return
    if record.state != "unknown":
        return
    explained = office.book.explains(record, reading)
    seen: object = None  # what the known trades explain needs no second look at each of them
    if explained is None:
        held = [
            (each.leg, each.quantity) for each in reading.positions if each.symbol == record.symbol
        ]
        seen = [each.trade_id for each in fills], held
    agrees = owned and explained is not False
    if resolution.read(seen, trio.current_time(), agrees=agrees):
        _conclude(office, record)
