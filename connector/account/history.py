"""Fetch trades that happened while the stream was down, and find out how missed orders ended."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec
import trio

from connector.account.account_state import Office
from connector.account.asking import Conversation, Refused
from connector.trading.order_record import OrderRecord
from connector.trading.reports import FillReport


async def fetch_fills(
    office: Office, conversation: Conversation, symbol: str, since_ns: int
) -> tuple[FillReport, ...]:
    """The trades of a symbol behind the last that is known; if none is, those since a time.

    A list since a time ends after some span; a list behind an id does not.
    """
    found: list[FillReport] = []
    after = office.book.read_trades.get(symbol)
    span_ns = int(office.trading.constants.trades_span_seconds * 1e9)
    while True:
        request = office.trading.fills(symbol, after, since_ns if after is None else None)
        page = await conversation.ask(request)
        found += page
        is_full = len(page) >= office.trading.fills_per_request
        now_ns = office.clock.now_ns(trio.current_time())
        if not is_full and (after is not None or since_ns + span_ns >= now_ns):
            return tuple(found)
        if page:
            after = page[-1].trade_id
        else:
            since_ns += span_ns


async def read_fills(
    office: Office, conversation: Conversation, symbol: str, *, since_ns: int | None = None
) -> tuple[FillReport, ...]:
    """Fetch trades, find their orders, and deliver those that the stream did not deliver.

    Args:
        office: of the account.
        conversation: with the exchange.
        symbol: the instrument.
        since_ns: from when on, of one of which no trade is known; by default since the account
            was opened, or its bookmark.
    """
    since_ns = office.since_ns if since_ns is None else since_ns
    fills = await fetch_fills(office, conversation, symbol, since_ns)
    await _look_at_strange(office, conversation, fills)
    names = await _client_ids(office, conversation, symbol, fills)
    _tell_fills(office, [_named(each, names) for each in fills])
    return fills


async def _client_ids(
    office: Office, conversation: Conversation, symbol: str, fills: tuple[FillReport, ...]
) -> dict[str, str]:
    """Client ids by the exchange's, of orders that this run does not know.

    They are of an earlier run, or of others. A list of trades does not tell, a list of orders does.
    """
    untold = {
        each.exchange_id
        for each in fills
        if office.book.record_of(each) is None and not office.book.is_known_trade(each)
    }
    names: dict[str, str] = {}
    wanted = sorted(untold, key=_number)
    while wanted:
        orders = await conversation.ask(office.trading.orders_from(symbol, wanted[0]))
        for each in orders:
            if each.exchange_id in untold:
                names[each.exchange_id or ""] = each.client_id
        last = max((_number(each.exchange_id or "") for each in orders), default=(0, ""))
        # One that is not listed, although the list passes it, is not kept any more.
        wanted = [each for each in wanted[1:] if each not in names and _number(each) > last]
    return names


def _named(fill: FillReport, names: dict[str, str]) -> FillReport:
    client_id = names.get(fill.exchange_id, "")
    return msgspec.structs.replace(fill, client_id=client_id) if client_id else fill


def _number(exchange_id: str) -> tuple[int, str]:
    """Ids that are numbers rise by number, others by text."""
    return (int(exchange_id), "") if exchange_id.isdecimal() else (0, exchange_id)


async def _look_at_strange(
    office: Office, conversation: Conversation, fills: tuple[FillReport, ...]
) -> None:
    """Ask whose a trade is that is of no known order: a list of trades tells no client ids.

    It may be of an order of ours that was sent and not answered yet.
    """
    asked: set[str] = set()
    for fill in fills:
        if fill.exchange_id in asked or office.book.record_of(fill) is not None:
            continue
        if office.book.is_known_trade(fill):
            continue
        if not any(_may_be_of(fill, each) for each in office.book.records.values()):
            continue
        asked.add(fill.exchange_id)
        try:
            request = office.trading.order_by_exchange_id(fill.symbol, fill.exchange_id)
            office.read(await conversation.ask(request))
        except Refused:
            continue


async def find_owners(office: Office, conversation: Conversation, record: OrderRecord) -> bool:
    """Find out whose the trades are that may be of an order, and were told without one.

    Returns:
        Whether it is known of all of them.
    """
    # Our clock may be ahead of the exchange's.
    ahead_ns = round(office.trading.constants.clock_ahead_seconds * 1e9)
    since_ns = (record.signed_ns or 0) - ahead_ns
    fills = office.book.trades.of_nobody(record.symbol, record.intent.side, since_ns)
    for exchange_id in dict.fromkeys(each.exchange_id for each in fills):
        request = office.trading.order_by_exchange_id(record.symbol, exchange_id)
        try:
            report = await conversation.ask(request)
        except Refused:
            return False
        office.read(report)
        if report.client_id not in office.book.records:
            office.book.trades.belongs_to_others(record.symbol, exchange_id)
    return True


def _may_be_of(fill: FillReport, record: OrderRecord) -> bool:
    return (
        record.exchange_id is None
        and record.state in ("sent", "unknown", "absent")
        and (record.symbol, record.intent.side) == (fill.symbol, fill.side)
    )


def _tell_fills(office: Office, fills: Iterable[FillReport]) -> None:
    """Deliver trades that the stream did not deliver."""
    for fill in fills:
        office.tell(office.book.read_fill(fill, time.time_ns(), backfilled=True))


def end_without_word(office: Office, record: OrderRecord) -> None:
    """The engine says that it is over, and nothing says how: by what is filled of it."""
    full = record.quantity is not None and record.filled >= record.quantity
    office.move(record, "filled" if full else "cancelled", "over; the exchange does not say how")
