"""Quotes of one instrument: the program sets a budget, and a loop places and cancels orders.

`connector.trading.quoting.plan` decides which requests to send. This module sends them, tracks
their outcome, and withdraws everything when the budget is too old or the account is not synced.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from itertools import chain
from typing import NamedTuple, TypeAlias

import attrs
import trio

from connector.account.order import Order
from connector.account.order_requests import QUOTE
from connector.account.running import RunningAccount
from connector.account.statistics import QuoteStatistics
from connector.errors import LimitReached, NotSent, NotSynced, OrderNotPlaced
from connector.inputs.decimals import ZERO, Exact, difference
from connector.instruments import Instrument
from connector.orders import Leg, Limit, Side
from connector.trading.exposure import exposure_of
from connector.trading.order_record import OrderRecord
from connector.trading.quoting import (
    Bounds,
    Plan,
    Quote,
    Resting,
    Wanted,
    plan,
    read_wanted,
)

_LIMIT_PAUSE = 0.05
"""How soon to look again when the exchange's limit of orders held something back."""
_NOTHING = Plan((), (), 0)

Pair: TypeAlias = tuple[Exact, Exact]
"""Price and quantity."""


class Behind(NamedTuple):
    """The difference between the wanted quotes and the orders."""

    number: int
    """The number of requests that are missing, including those that wait for a confirmation, a
    limit or a pause."""
    age: float
    """The time since `number` was last 0, in seconds."""


@attrs.frozen(kw_only=True)
class QuoteSettings:
    """The arguments of `Account.quotes`, checked."""

    instrument: Instrument
    bounds: Bounds
    max_age: float
    leg: Leg | None
    tag: str


class Quotes:
    """The quotes of one instrument. `Account.quotes` creates them."""

    def __init__(self, running: RunningAccount, settings: QuoteSettings) -> None:
        self._running = running
        self._office = running.office
        self._settings = settings
        self._wanted = Wanted()
        self._pairs: tuple[tuple[Pair, ...], tuple[Pair, ...]] | None = None
        """What `_wanted` was read from, as long as nothing of it was filled or withdrawn: wanted
        once more, it need not be read again."""
        self._wanted_at = -math.inf
        self._number = 0
        self._stale = True
        """Whether the account was not synced since the last `want`: then nothing is placed."""
        self._mine: dict[str, Order] = {}
        self._seen: dict[str, Decimal] = {}
        self._resting = Resting()
        self._plan = _NOTHING
        self._behind_since: float | None = None
        self._blind_since: float | None = None
        self._held_back = False
        self._closing = False

    def __repr__(self) -> str:
        return f"<Quotes of {self._settings.instrument.symbol}, {len(self._mine)} orders>"

    @property
    def symbol(self) -> str:
        """The instrument, as the exchange writes it."""
        return self._settings.instrument.symbol

    @property
    def orders(self) -> tuple[Order, ...]:
        """The orders of these quotes that have not ended."""
        return tuple(each for each in self._mine.values() if not each.ended)

    @property
    def behind(self) -> Behind:
        """The difference between the wanted quotes and the orders."""
        since = self._behind_since
        seconds = 0.0 if since is None else trio.current_time() - since
        return Behind(self._plan.behind, seconds)

    def statistics(self) -> QuoteStatistics:
        """Current counts of the quotes."""
        behind = self.behind
        return QuoteStatistics(self.symbol, len(self.orders), behind.number, behind.age)

    def want(
        self,
        *,
        bids: Iterable[tuple[Exact, Exact]] = (),
        asks: Iterable[tuple[Exact, Exact]] = (),
    ) -> None:
        """Set the wanted quotes, as pairs of price and quantity. They replace all earlier ones.

        The quotes are a budget: the filled part is not quoted again until the next `want`.

        Args:
            bids: the wanted buy orders.
            asks: the wanted sell orders.

        Raises:
            OrderInvalid: a quote breaks a rule of the instrument, or the sides cross. Nothing
                changes then.
            trio.ClosedResourceError: the block of the quotes has been left.
        """
        if self._closing:
            raise trio.ClosedResourceError(
                "the block of these quotes has been left; use them only inside their `async with`"
            )
        pairs = tuple(bids), tuple(asks)
        self._absorb_fills()
        if pairs != self._pairs or float in set(map(type, chain.from_iterable(chain(*pairs)))):
            self._wanted = read_wanted(self._settings.instrument, *pairs)
            self._pairs = pairs
        self._wanted_at = trio.current_time()
        self._number += 1
        self._stale = not self._office.book.synced
        self._running.changed()

    async def settled(self) -> None:
        """Wait until the orders equal the wanted quotes, or until the next `want`.

        Cancellation: the quotes do not change.
        """
        await trio.lowlevel.checkpoint()
        number = self._number
        while number == self._number and not self._closing:
            self._turn()
            if self._plan == _NOTHING and all(each.state == "open" for each in self.orders):
                return
            await self._running.wait_change()

    # For the account.

    async def run(self) -> None:
        """Make the orders what is wanted, until the block is left.

        Cancellation: the orders stay as they are.
        """
        while not self._closing:
            self._turn()
            with trio.move_on_at(self._next_look()):
                await self._running.wait_change()
            await trio.lowlevel.checkpoint()

    def close(self) -> list[OrderRecord]:
        """Want nothing more; the orders that are to be confirmed to be over."""
        self._closing = True
        records = [each._record for each in self._mine.values() if not each.ended]
        for record in records:
            self._running.cancel(record)
        self._running.changed()
        return records

    # Inside.

    def _turn(self) -> None:
        """Take in what has happened, and send what that asks for."""
        if self._closing:
            return
        now = trio.current_time()
        self._absorb_fills()
        self._absorb_ends(now)
        self._look_at_age(now)
        self._plan = self._make_plan(now)
        self._behind_since = (self._behind_since or now) if self._plan.behind else None
        for cancel in self._plan.cancels:
            self._running.cancel(self._mine[cancel.client_id]._record)
        self._held_back = False
        for place in self._plan.places:
            if not self._place(place.side, place.price, place.quantity, now):
                break

    def _make_plan(self, now: float) -> Plan:
        book = self._office.book
        settings = self._settings
        symbol = settings.instrument.symbol
        others = exposure_of(
            (each for each in book.live.records() if each.client_id not in self._mine), symbol
        )
        room = 0
        if book.synced and not self._stale and not self._office.leaving:
            free = self._office.budget.room(now, quotes=True) - self._office.waiting_places
            room = max(free, 0)
        return plan(
            self._wanted,
            self._quotes(),
            settings.instrument,
            settings.bounds,
            position=self._position(),
            others={"buy": others.buys, "sell": others.sells},
            room=room,
            resting=self._resting,
            now=now,
        )

    def _quotes(self) -> list[Quote]:
        found = []
        for order in self._mine.values():
            record = order._record
            if record.over or record.worst_price is None:
                continue
            found.append(
                Quote(
                    record.client_id,
                    record.intent.side,
                    record.worst_price,
                    record.remaining,
                    cancelling=self._running.is_cancelling(record.client_id),
                    reachable=record.state != "sent",
                )
            )
        return found

    def _position(self) -> Decimal:
        position = self._office.book.holdings.position(self._settings.instrument.symbol)
        match self._settings.leg:
            case "long":
                return position.long
            case "short":
                return -position.short
            case _:
                return position.quantity

    def _place(self, side: Side, price: Decimal, quantity: Decimal, now: float) -> bool:
        """Place one quote; whether the next may be tried."""
        settings = self._settings
        intent = Limit(
            settings.instrument.symbol,
            side,
            quantity=quantity,
            price=price,
            post_only=True,
            leg=settings.leg,
            tag=settings.tag,
        )
        try:
            order = self._office.submit(intent, priority=QUOTE)
        except (LimitReached, NotSynced):
            self._held_back = True
            return False
        except OrderNotPlaced:
            self._resting.refused(side, price, now)
            return True
        self._mine[order.client_id] = order
        self._seen[order.client_id] = ZERO
        return True

    def _absorb_fills(self) -> None:
        """What was filled since the last look is gone from the budget."""
        for client_id, order in self._mine.items():
            new = difference(order.filled, self._seen[client_id])
            if new > ZERO and order.price is not None:
                self._seen[client_id] = order.filled
                self._wanted.filled(order.side, order.price, new)
                self._pairs = None

    def _absorb_ends(self, now: float) -> None:
        """Let what was refused rest, and forget what is over."""
        for client_id, order in tuple(self._mine.items()):
            price = order.intent.price if isinstance(order.intent, Limit) else None
            if price is None:
                continue
            if order.state == "open":
                self._resting.accepted(order.side, price)
            if not order.ended:
                continue
            refused = order.state == "refused" and not isinstance(order._error, NotSent)
            if refused or (order.state == "expired" and not order.filled):
                self._resting.refused(order.side, price, now)
            del self._mine[client_id]
            del self._seen[client_id]

    def _look_at_age(self, now: float) -> None:
        """Want nothing if the budget is old, or the account has been blind for too long."""
        if self._office.book.synced:
            self._blind_since = None
        else:
            self._stale = True
            self._blind_since = self._blind_since or now
        blind = (
            self._blind_since is not None
            and now >= self._blind_since + self._office.timing.blind_seconds
        )
        if blind or now >= self._wanted_at + self._settings.max_age:
            self._wanted, self._pairs = Wanted(), None

    def _next_look(self) -> float:
        """When something may be due although nothing happens."""
        now = trio.current_time()
        due = [self._plan.resting_until]
        if self._wanted.bids or self._wanted.asks:
            due.append(self._wanted_at + self._settings.max_age)
            if self._blind_since is not None:
                due.append(self._blind_since + self._office.timing.blind_seconds)
        if self._held_back or (self._plan.behind and self._office.book.synced):
            due.append(now + _LIMIT_PAUSE)
        return max(min(due), now)
