"""Checks of an intent before it becomes an order, in the order in which they run."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

import attrs
import trio

from connector.accounts import Timing
from connector.errors import ConfigError, LimitReached, NotSynced, OrderInvalid
from connector.inputs.decimals import ZERO, difference, total
from connector.instruments import Instrument
from connector.orders import Intent, Limit, Market
from connector.trading.account_book import AccountBook
from connector.trading.budgets import OrderBudget
from connector.trading.exposure import OwnLimits
from connector.trading.filters import check_intent
from connector.trading.order_record import OrderRecord
from connector.trading.venue import Trading

_INTENTS = (Limit, Market)
_UNTIL_AN_ORDER_ENDS = 1.0
"""Nobody knows when that is: how soon to look again, in seconds."""


class Known(Protocol):
    """The state that checks use: `connector.account.account_state.Office`."""

    @property
    def trading(self) -> Trading: ...

    @property
    def instruments(self) -> Mapping[str, Instrument]: ...

    @property
    def timing(self) -> Timing: ...

    @property
    def book(self) -> AccountBook: ...

    @property
    def budget(self) -> OrderBudget: ...

    @property
    def own_limits(self) -> OwnLimits: ...

    @property
    def leaving(self) -> bool: ...

    @property
    def waiting_places(self) -> int: ...


def check(
    known: Known, intent: Intent, *, quote: bool, now: float
) -> tuple[Instrument, Decimal | None, float]:
    """Check an order that is to be sent at `now` of our monotonic clock.

    Returns:
        Its instrument; its notional, None for a market order; and the seconds that it must wait
        for the exchange's limit.

    Raises:
        NotSynced: the account does not know what it has, or is being left.
        OrderInvalid: there is no such instrument, or the order breaks a rule of it.
        LimitExceeded: it would exceed the program's own limits.
        LimitReached: the exchange's limit of orders is used up.
        ConfigError: `intent` is not an order.
    """
    if not isinstance(intent, _INTENTS):
        raise ConfigError(f"{intent!r} is not an order; write Limit(…) or Market(…)")
    if known.leaving:
        raise NotSynced("the account's block is ending: no new orders are placed")
    book, trading = known.book, known.trading
    if not book.synced and not intent.reduce_only:
        raise NotSynced("the account is not synced: only reduce_only orders may be placed")
    symbol = trading.symbol(intent.symbol)
    instrument = known.instruments.get(symbol)
    if instrument is None:
        raise OrderInvalid(f"{trading.name} has no instrument {symbol!r}; see Adapter.instruments")
    holdings = book.holdings
    if holdings.hedge_mode or intent.leg is not None:
        _check_leg(book, intent)
    reference = holdings.last_prices.get(symbol)
    worth = check_intent(instrument, intent, reference)
    own = known.own_limits
    limits = own.limits
    # Nothing is looked up for a limit that there is not.
    limited = limits.position is not None and symbol in limits.position
    own.check(
        intent,
        instrument,
        price=reference,
        position=holdings.held(symbol, intent.leg) if limited else ZERO,
        same_side=book.live.quantity(symbol, intent.side) if limited else ZERO,
        open_notional=ZERO
        if limits.open_notional is None
        else book.live.notional(holdings.last_prices),
        now=now,
        worth=worth,
    )
    if instrument.max_orders is not None:
        _check_most_orders(known, instrument, instrument.max_orders)
    if instrument.max_position is not None:
        _check_most_held(book, instrument, intent, instrument.max_position)
    wait = known.budget.wait_seconds(now, quotes=quote, orders=known.waiting_places + 1)
    if wait > known.timing.queue_seconds:
        raise LimitReached(
            f"the exchange's order limit is used up for {wait:.3g} s", retry_after=wait
        )
    return instrument, worth, wait


def check_amend(known: Known, changed: Limit, record: OrderRecord) -> None:
    """Refuse an amend that breaks a rule or a limit: the order as it is to be, instead of as it is.

    Raises:
        OrderInvalid, LimitExceeded: as `check`.
    """
    instrument = known.instruments[record.symbol]
    check_intent(instrument, changed)
    book = known.book
    known.own_limits.check(
        # What is filled of it is in the position already.
        attrs.evolve(
            changed,
            quantity=max(
                difference(changed.quantity, record.filled), instrument_step(known, record)
            ),
        ),
        instrument,
        price=None,
        position=book.holdings.held(record.symbol, changed.leg),
        same_side=book.live.exposure(record.symbol, without=record).of(changed.side),
        open_notional=book.live.notional(book.holdings.last_prices, without=record),
        now=trio.current_time(),
    )


def instrument_step(known: Known, record: OrderRecord) -> Decimal:
    """The least that an order can be of."""
    return known.instruments[record.symbol].step_size or Decimal(1)


def _check_leg(book: AccountBook, intent: Intent) -> None:
    if book.holdings.hedge_mode and intent.leg is None:
        raise OrderInvalid("the account is in hedge mode: write leg='long' or leg='short'")
    if not book.holdings.hedge_mode and intent.leg is not None:
        raise OrderInvalid(f"leg={intent.leg!r}: the account is not in hedge mode; leave it out")


def _check_most_held(
    book: AccountBook, instrument: Instrument, intent: Intent, most: Decimal
) -> None:
    """What is held of the base, and what open orders may still buy of it, ours and of others."""
    quantity = intent.quantity
    if quantity is None or intent.side != "buy":
        return
    symbol = instrument.symbol
    held = book.holdings.held(symbol)
    bought = [book.live.quantity(symbol, "buy")]
    bought += [
        difference(each.quantity or ZERO, each.filled)
        for each in book.others.values()
        if each.symbol == symbol and each.side == "buy" and each.client_id not in book.records
    ]
    room = difference(most, total((held, *bought)))
    if quantity <= room:
        return
    nearest = None
    if isinstance(intent, Limit) and room > ZERO:
        fits = instrument.tradable(room, intent.price, "buy")
        nearest = attrs.evolve(intent, quantity=fits) if fits else None
    raise OrderInvalid(
        f"{symbol}: {held} {instrument.base} are held and {total(bought)} may be bought by open "
        f"orders; with {quantity} more it would be above {most}, the most that the exchange allows",
        nearest,
    )


def _check_most_orders(known: Known, instrument: Instrument, most: int) -> None:
    """Open orders of the instrument: ours that are not over, and those of others."""
    book = known.book
    live = book.live.records()
    if len(live) + len(book.others) < most:
        return
    ours = sum(each.symbol == instrument.symbol for each in live)
    counts_all = known.trading.promises.conditional_count
    others = sum(
        each.symbol == instrument.symbol
        and each.client_id not in book.records
        and (counts_all or not each.conditional)
        for each in book.others.values()
    )
    if ours + others >= most:
        raise LimitReached(
            f"{ours + others} orders of {instrument.symbol} are open, and the exchange allows "
            f"{most}: cancel one first",
            retry_after=_UNTIL_AN_ORDER_ENDS,
        )


def own_limits_used(known: Known, now: float) -> dict[str, float]:
    """How much of each limit of the program's own is used: 1 is all of it."""
    book = known.book
    positions: dict[str, Decimal] = {}
    for symbol in known.own_limits.limits.position or {}:
        held = book.holdings.held(symbol)
        exposure = book.live.exposure(symbol)
        positions[symbol] = max(total((held, exposure.buys)), difference(exposure.sells, held))
    return known.own_limits.used(positions, book.live.notional(book.holdings.last_prices), now)
