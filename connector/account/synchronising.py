"""Read the account over REST, join the result to the private stream, and audit it periodically.

The private stream is subscribed first, so its events include all changes during the reading. For
every symbol that the account trades, the trades since the last known one are fetched. The program
therefore also receives the trades that happened during a disconnect.

Source: binance_trading §8.
"""

from __future__ import annotations

import logging
import time

import attrs
import trio

from connector.account.account_state import Office
from connector.account.asking import Conversation, Refused
from connector.account.cancel_request import outcome_of, send_cancel
from connector.account.history import end_without_word, read_fills
from connector.account.unheard_trades import read_unheard_trades
from connector.accounts import Summary
from connector.errors import ExchangeUnavailable
from connector.trading.order_record import OrderRecord
from connector.trading.reports import (
    BalanceReport,
    OrderReport,
    PositionReport,
)
from connector.trading.venue import AccountReading

_log = logging.getLogger("connector.account")

_TRIES = 3
_TRY_SECONDS = 1.0


async def synchronise(office: Office) -> None:
    """Read the account and join it; it is synced then.

    Raises:
        ExchangeUnavailable: something could not be read.
        Refused: the exchange does not let the account be read.

    Cancellation: nothing is joined.
    """
    async with office.asking.open() as conversation:
        if office.synced_since_ns is None:
            await _read_limits(office, conversation)
        reading = await read_holdings(office, conversation)
        orders = await _read_orders(office, conversation)
        for record in office.book.missing(orders):
            await _find_missing(office, conversation, record)
        for order in orders:
            # Those of an earlier run first, so that their trades are known as theirs.
            if order.client_id not in office.book.records:
                office.read(order)
        adopted = list(office.adopted)
        all_listed = office.symbols() - office.book.read_trades.keys()
        await _read_all_fills(office, conversation)
        await read_unheard_trades(office, conversation, reading)
        if any(each.told < each.filled for each in adopted):
            # Of orders of an earlier run trades are missing: the list may lag.
            await trio.sleep(office.trading.constants.settle_seconds)
            await _read_all_fills(office, conversation)
    for record in adopted:
        made_ns = record.created_ns or 0
        if record.symbol in all_listed and made_ns >= office.since_ns:
            continue  # every trade of it will be listed
        office.tell(record.assume_untold(time.time_ns()))
    del office.adopted[: len(adopted)]
    if office.synced_since_ns is None:
        office.synced_since_ns = office.clock.now_ns(trio.current_time())
    office.tell(office.book.join(attrs.evolve(reading, orders=orders), time.time_ns()))


async def _read_all_fills(office: Office, conversation: Conversation) -> None:
    for symbol in sorted(office.symbols()):
        fills = await read_fills(office, conversation, symbol)
        if fills:
            office.book.trades_are_complete({symbol: fills[-1].trade_id})


async def _read_limits(office: Office, conversation: Conversation) -> None:
    """The account's limits of orders; those of the documentation stay where it does not tell."""
    try:
        uses = await conversation.ask(office.trading.order_limits())
    except Refused as refused:
        if refused.verdict.meaning == "permission":
            raise
        _log.warning("cannot read the order limits of %s: %s", office.name, refused)
    else:
        office.budget.adopt(uses, trio.current_time())


async def differences(office: Office) -> list[str]:
    """In what a new reading differs from what is shown; nothing if something happened meanwhile.

    Raises:
        ExchangeUnavailable, Refused: as `synchronise`.
    """
    before = office.happenings
    trades = dict(office.book.last_trades)
    async with office.asking.open() as conversation:
        reading = await read_holdings(office, conversation)
        orders = await _read_orders(office, conversation)
    if office.happenings != before or not office.book.synced:
        return []
    reading = attrs.evolve(reading, orders=orders)
    found = office.book.differences(reading)
    if not found:
        office.book.trades_are_complete(trades)
        office.book.agree(reading, round(office.trading.constants.settle_seconds * 1e9))
    return found


async def read_holdings(office: Office, conversation: Conversation) -> AccountReading:
    """Balances, positions and mode, with the exchange's time before they were read."""
    stamp_ns = await conversation.sample_clock()
    balances: list[BalanceReport] = []
    positions: list[PositionReport] = []
    summary: Summary | None = None
    hedge_mode = False
    for request in office.trading.reading():
        part = await conversation.ask(request)
        balances += part.balances
        positions += part.positions
        summary = summary or part.summary
        hedge_mode = hedge_mode or part.hedge_mode
    return AccountReading(
        balances=tuple(balances),
        positions=tuple(positions),
        hedge_mode=hedge_mode,
        summary=summary,
        time_ns=stamp_ns,
    )


async def _read_orders(office: Office, conversation: Conversation) -> tuple[OrderReport, ...]:
    orders: list[OrderReport] = []
    for request in office.trading.open_orders():
        orders += await conversation.ask(request)
    return tuple(orders)


async def read_open_orders(office: Office) -> tuple[OrderReport, ...]:
    """All that are open at the exchange; errors as of `synchronise`."""
    async with office.asking.open() as conversation:
        return await _read_orders(office, conversation)


async def _find_missing(office: Office, conversation: Conversation, record: OrderRecord) -> None:
    """How an order ended that is open as far as we know, and is not among the open ones.

    If the exchange cannot find it at all, a cancel makes it certain that it is over.
    """
    for _ in range(_TRIES):
        try:
            report = await conversation.ask(office.trading.order(record.symbol, record.client_id))
        except Refused as refused:
            if refused.verdict.meaning != "absent":
                raise
        else:
            office.read(report)
            return
        await trio.sleep(_TRY_SECONDS)
    job = await send_cancel(office, record)
    kind, report_of_cancel, _ = outcome_of(office, job)
    if report_of_cancel is not None:
        office.read(report_of_cancel)
    elif kind == "absent" and record.state == "open":
        await read_fills(office, conversation, record.symbol)
        end_without_word(office, record)
    elif record.state == "open":
        raise ExchangeUnavailable(f"the outcome of order {record.client_id} is not known yet")
