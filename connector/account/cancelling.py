"""Cancel an order, and repeat until it is certain how the order ended."""

from __future__ import annotations

import trio

from connector.account.account_state import Office
from connector.account.asking import Refused
from connector.account.cancel_request import outcome_of, send_cancel
from connector.account.history import end_without_word, read_fills
from connector.errors import ExchangeUnavailable
from connector.trading.order_record import OrderRecord

_BACK_OFF = (0.1, 0.2, 0.5, 1.0, 2.0)


async def cancel_until_certain(office: Office, record: OrderRecord) -> None:
    """Return when the order is over.

    It is tried at once, signed anew after a refusal for its time, and repeated. A place that is on
    its way or unknown is cancelled again when it has shown itself.

    Cancellation: the order may be cancelled or not.
    """
    failures = 0
    await trio.lowlevel.checkpoint()
    while not is_over(record):
        if office.withdraw(record):
            return
        job = await send_cancel(office, record)
        if is_over(record):
            return
        kind, report, seconds = outcome_of(office, job)
        if kind == "done" and report is not None:
            office.read(report)
        elif kind == "absent":
            await _explain(office, record, failures)
        elif kind == "time":
            await _sample_clock(office)
        if is_over(record):
            return
        await trio.sleep(max(seconds, _BACK_OFF[min(failures, len(_BACK_OFF) - 1)]))
        failures += 1


def is_over(record: OrderRecord) -> bool:
    """Whether it has ended; asked anew each time."""
    return record.over


async def _explain(office: Office, record: OrderRecord, failures: int) -> None:
    """The engine has no open order of this id: it is over, or has not arrived yet."""
    if record.state in ("sent", "unknown"):
        await office.orders[record.client_id]._wait_known()
        return
    try:
        async with office.asking.open() as conversation:
            report = await conversation.ask(office.trading.order(record.symbol, record.client_id))
            if report.state != "open":
                office.read(report)
                return
    except Refused:
        pass
    except ExchangeUnavailable:
        return
    if failures < len(_BACK_OFF) or is_over(record):
        return
    try:
        async with office.asking.open() as conversation:
            await read_fills(office, conversation, record.symbol)
    except (Refused, ExchangeUnavailable):
        return
    if record.state == "open":
        end_without_word(office, record)


async def _sample_clock(office: Office) -> None:
    try:
        async with office.asking.open() as conversation:
            await conversation.sample_clock()
    except (Refused, ExchangeUnavailable):
        return
