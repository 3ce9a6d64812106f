"""The trades of the account that nobody listened to, and orders that are over without a word."""

from __future__ import annotations

import time

from connector.account.asking import Conversation
from connector.account.office import Office
from connector.trading.order_record import OrderRecord
from connector.trading.reports import FillReport


async def fetch_fills(
    office: Office, conversation: Conversation, symbol: str
) -> tuple[FillReport, ...]:
    """The trades of a symbol behind the last that is known, or since the account was opened."""
    found: list[FillReport] = []
    after = office.book.read_trades.get(symbol)
    while True:
        since_ns = office.since_ns if after is None else None
        page = await conversation.ask(office.trading.fills(symbol, after, since_ns))
        found += page
        if len(page) < office.trading.fills_per_request:
            return tuple(found)
        after = page[-1].trade_id


def tell_fills(office: Office, fills: tuple[FillReport, ...]) -> None:
    """Tell those that were not told by the stream."""
    for fill in fills:
        office.tell(office.book.read_fill(fill, time.time_ns(), backfilled=True))


def end_without_word(office: Office, record: OrderRecord) -> None:
    """The engine says that it is over, and nothing says how: by what is filled of it."""
    full = record.quantity is not None and record.filled >= record.quantity
    office.move(record, "filled" if full else "cancelled", "over; the exchange does not say how")
