"""The known state of one order: its intent, the reports of the exchange, and its trades.

The record accepts all reports, in any order, and keeps:

- the larger filled quantity, and for equal quantities the state that is final;
- each trade once, by its id, delivered in the order in which the trades happened;
- the exchange's quantity and price; after an unanswered amend the larger and the worse ones.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

import attrs

from connector.accounts import AnyAccountEvent, Fill, FillFee, OrderUpdate
from connector.inputs.decimals import ZERO, difference, plus, quotient, times, total
from connector.orders import OVER, Intent, Limit, OrderState
from connector.trading.holdings import Standing
from connector.trading.order_states import News, follow
from connector.trading.reports import FillReport, OrderReport


@attrs.frozen
class Contradiction:
    """A report about an order contradicts an earlier report."""

    client_id: str
    text: str


@attrs.frozen
class Stranger:
    """Another order than ours was found under our id."""

    client_id: str
    text: str


_Events: TypeAlias = list[AnyAccountEvent | Contradiction | Stranger]


@attrs.define(eq=False)
class OrderRecord:
    """The known state of one of our orders."""

    intent: Intent
    client_id: str
    symbol: str
    """In the exchange's spelling."""
    made_at: float = 0.0
    """Of our monotonic clock."""
    state: OrderState = "queued"
    exchange_id: str | None = None
    quantity: Decimal | None = None
    """As the exchange has it; in the beginning as the intent has it."""
    price: Decimal | None = None
    filled: Decimal = ZERO
    fills: dict[str, Fill] = attrs.field(factory=dict)
    """Those that were told, by trade id."""
    reason: str = ""
    late: bool = False
    heard: bool = False
    """Whether the private stream has mentioned it."""
    code: int | str | None = None
    exchange_time_ns: int | None = None
    signed_ns: int | None = None
    """The exchange's time at which the place was signed."""
    created_ns: int | None = None
    """Of an order of another run: the exchange's time at which it was made."""
    holes_before: int = 0
    """How many holes the private stream had had when it was sent."""
    before: Standing | None = None
    """What was held when it was sent, if that is certain."""
    over_at: float | None = None
    inverse: bool = False
    """Whether it is of contracts that are worth dollars and settle in the coin."""
    wanted: bool = True
    """Whether its block lasts; if not, it is to be cancelled whenever it is found."""
    amending: tuple[Decimal, Decimal | None] | None = None
    """Quantity and price of an amend that is on its way or unknown."""
    untold: Decimal = ZERO
    """What was traded before this order was adopted, and is not told one by one."""
    _shapes: tuple[tuple[Decimal | None, Decimal | None], ...] = ()
    """Quantities and prices that this order may have."""
    _average: Decimal | None = None
    _told: Decimal = ZERO
    _worth: Decimal = ZERO
    _held: tuple[FillReport, ...] = ()
    """Trades behind one that is missing."""
    _announced: frozenset[str] = frozenset()
    """Trades of which there was an early notice only."""
    _changed: list[OrderRecord] | None = None
    """Where it says that it has changed (`connector.trading.live_orders`)."""
    _is_counted: bool = False
    """Whether it has not changed since."""

    def __attrs_post_init__(self) -> None:
        self.quantity = self.intent.quantity
        self.price = self.intent.price if isinstance(self.intent, Limit) else None
        self._shapes = ((self.quantity, self.price),)

    # --- current values

    @property
    def over(self) -> bool:
        """Whether it has ended, as far as is known."""
        return self.state in OVER

    @property
    def remaining(self) -> Decimal:
        """The quantity that may still be traded; 0 when the order is over."""
        quantity = self.quantity
        if quantity is None or self.state in OVER:
            return ZERO
        if self.amending is not None:
            quantity = max(quantity, self.amending[0])
        return max(difference(quantity, self.filled), ZERO) if self.filled else quantity

    @property
    def worst_price(self) -> Decimal | None:
        """The worse of its price and the price of an unanswered amend."""
        if self.amending is None or self.amending[1] is None or self.price is None:
            return self.price
        worst = max if self.intent.side == "buy" else min
        return worst(self.price, self.amending[1])

    @property
    def told(self) -> Decimal:
        """The quantity of the trades that are known one by one."""
        return self._told

    @property
    def fills_complete(self) -> bool:
        """Whether the trades that are known add up to what is filled, with all their fees."""
        has_fees = all(fill.fee is not None for fill in self.fills.values())
        return has_fees and self.told == self.filled

    @property
    def has_hole(self) -> bool:
        """Whether a trade that must have happened is missing."""
        if self._held or self._announced:
            return True
        return (plus(self._told, self.untold) if self.untold else self._told) != self.filled

    @property
    def average_price(self) -> Decimal | None:
        """The average price of the trades."""
        if self.fills and self._told == self.filled:
            parts = (self._told, self._worth) if self.inverse else (self._worth, self._told)
            return quotient(*parts)
        return self._average

    # --- changes

    def note_changes_in(self, changed: list[OrderRecord]) -> None:
        """It is counted as it is: add itself to `changed` when it changes."""
        self._changed = changed
        self._is_counted = True

    def note_change(self) -> None:
        """What may still become of it is another than before, perhaps."""
        if self._is_counted and self._changed is not None:
            self._is_counted = False
            self._changed.append(self)

    def is_shown_as(self, report: OrderReport) -> bool:
        """Whether quantity and price are those of a list, as far as they can be known."""
        if self.amending is not None or report.quantity is None:
            return True
        same_price = not isinstance(self.intent, Limit) or report.price == self.price
        return same_price and report.quantity == self.quantity

    # --- actions of the account

    def move(self, news: News, reason: str = "", code: int | str | None = None) -> bool:
        """Apply news that is not a report, and return whether the state has changed."""
        effect, state = follow(self.state, news)
        if effect not in ("moves", "late") or state == self.state:
            return False
        was_over, self.state = self.state in OVER, state
        self.reason, self.code = reason, code
        if was_over != (state in OVER):
            self.note_change()
        return True

    def amend(self, quantity: Decimal, price: Decimal | None) -> None:
        """Note that an amend is about to be sent: from now on, old or new values may apply."""
        self.amending = quantity, price
        self._shapes += ((quantity, price),)
        self.note_change()

    def give_up_amend(self) -> None:
        """The amend was certainly not carried out."""
        self.amending = None
        self.note_change()

    # --- reports of the exchange

    def _belongs(self, report: OrderReport, is_as_known: bool) -> bool:
        """Whether the report can be of this order, by what it says of it."""
        if report.symbol != self.symbol or report.side != self.intent.side:
            return False
        if report.leg is not None and report.leg != self.intent.leg:
            return False
        if self.exchange_id is not None and report.exchange_id is not None:
            return report.exchange_id == self.exchange_id  # whatever was changed, by hand perhaps
        if is_as_known or report.partial:
            return True
        return any(self._fits(report, quantity, price) for quantity, price in self._shapes)

    def _fits(self, report: OrderReport, quantity: Decimal | None, price: Decimal | None) -> bool:
        if isinstance(self.intent, Limit) and report.price != price:
            return False
        if quantity is None or report.quantity is None or report.quantity == quantity:
            return True
        # The exchange cuts what would do more than reduce.
        return self.intent.reduce_only and report.quantity < quantity

    def read(self, report: OrderReport, received_ns: int) -> _Events:
        """Process a report, and return the events."""
        is_as_known = report.quantity == self.quantity and report.price == self.price
        if not self._belongs(report, is_as_known):
            text = f"{report.symbol} {report.side} {report.quantity} at {report.price}"
            return [Stranger(self.client_id, f"{text}, order {report.exchange_id}")]
        was, amending, shape = self.state, self.amending, (self.quantity, self.price)
        filled, is_other_fill = self.filled, report.filled != self.filled
        is_less = is_other_fill and report.filled < filled
        events: _Events = []
        if report.exchange_id is not None:
            self.exchange_id = report.exchange_id
        time_ns, known_ns = report.time_ns, self.exchange_time_ns
        # It may tell what was before something that is known, as a late reply does.
        is_older = time_ns is not None and known_ns is not None and time_ns < known_ns
        effect, state = follow(self.state, report.state)
        if effect == "impossible":
            text = f"it was {self.state} and is said to be {report.state}"
            events.append(Contradiction(self.client_id, text))
        elif is_less and state == "open":
            effect = "stale"
        if effect == "stale" and self.amending == (report.quantity, report.price):
            # Older in what is filled, and yet the amend is told to be carried out.
            self._take_shape(report)
        if effect in ("moves", "late"):
            self.late = self.late or effect == "late"
            is_change = amending is not None or not is_as_known
            if is_change and (not is_older or amending == (report.quantity, report.price)):
                self._take_shape(report)
            if state != self.state:
                self.state, self.reason = state, report.reason
        if is_other_fill and not is_less:
            self.filled = report.filled
        self._average = report.average_price or self._average
        if time_ns is not None and not is_older:
            self.exchange_time_ns = time_ns
        if report.fill is not None:
            events += self.read_fill(report.fill, received_ns)
        # Only another value takes the place of what is filled.
        is_other = filled is not self.filled or shape != (self.quantity, self.price)
        ends_or_lives = was != self.state and (was in OVER) != (self.state in OVER)
        if is_other or ends_or_lives or amending is not self.amending:
            self.note_change()
        if is_other or was != self.state:
            events.append(self.update(received_ns))
        return events

    def _take_shape(self, report: OrderReport) -> None:
        if report.partial:
            return
        shape = report.quantity, report.price
        if self.amending is not None and shape == self.amending:
            self.amending = None
        if report.quantity is not None:
            self.quantity = report.quantity
        if isinstance(self.intent, Limit):
            self.price = report.price

    def read_fill(self, fill: FillReport, received_ns: int, *, backfilled: bool = False) -> _Events:
        """Take a trade: what it tells, once, and in the order of the trades.

        A trade behind one that is missing waits until that has been read from the history.
        """
        if fill.trade_id in self.fills:
            return list(self._complete_fee(self.fills[fill.trade_id], fill, received_ns))
        if fill.early:
            # Nothing says where it stands among the trades: it is told when the report comes.
            self._announced |= {fill.trade_id}
            return []
        if self._is_counted:
            self.note_change()
        reached = plus(self._reached, fill.quantity)
        if fill.cumulative is not None and fill.cumulative != reached:
            if all(each.trade_id != fill.trade_id for each in self._held):
                held = (*self._held, fill)
                self._held = tuple(sorted(held, key=lambda each: each.cumulative or ZERO))
            self.filled = max(self.filled, fill.cumulative)
            return []
        events: _Events = [self._tell(fill, received_ns, backfilled=backfilled)]
        if self._held:
            self._held = tuple(each for each in self._held if each.trade_id != fill.trade_id)
            events += self._tell_held(received_ns)
            reached = self._reached
        if reached != self.filled:
            self.filled = max(self.filled, reached)
        if self.quantity is not None and self.filled > self.quantity and not self.amending:
            text = f"{self.filled} of {self.quantity} are said to be filled"
            events.append(Contradiction(self.client_id, text))
        return events

    def assume_untold(self, received_ns: int) -> _Events:
        """Of an adopted order: whatever is not told by now was traded before."""
        waiting = total(each.quantity for each in self._held)
        self.untold = max(difference(self.filled, plus(self.told, waiting)), ZERO)
        return self._tell_held(received_ns)

    @property
    def _reached(self) -> Decimal:
        return plus(self._told, self.untold) if self.untold else self._told

    def _tell_held(self, received_ns: int) -> _Events:
        events: _Events = []
        while self._held:
            first, behind = self._held[0], self._held[1:]
            if first.cumulative != plus(self._reached, first.quantity):
                break
            self._held = behind
            events.append(self._tell(first, received_ns, backfilled=False))
        return events

    def _tell(self, fill: FillReport, received_ns: int, *, backfilled: bool) -> Fill:
        intent, quantity, price = self.intent, fill.quantity, fill.price
        told = Fill(
            trade_id=fill.trade_id,
            client_id=self.client_id,
            symbol=self.symbol,
            side=intent.side,
            leg=intent.leg,
            price=price,
            quantity=quantity,
            fee=fill.fee,
            fee_asset=fill.fee_asset,
            maker=fill.maker,
            realised=fill.realised,
            exchange_time_ns=fill.time_ns,
            received_ns=received_ns,
            backfilled=backfilled,
        )
        self.fills[fill.trade_id] = told
        self._told = plus(self._told, quantity)
        # The average price of dollars is that at which their coins were counted.
        worth = quotient(quantity, price) if self.inverse else times(quantity, price)
        self._worth = plus(self._worth, worth)
        if self._announced:
            self._announced -= {fill.trade_id}
        return told

    def _complete_fee(
        self, known: Fill, fill: FillReport, received_ns: int
    ) -> list[AnyAccountEvent]:
        if known.fee is not None or fill.fee is None or fill.fee_asset is None:
            return []
        self.fills[known.trade_id] = Fill(
            **{name: getattr(known, name) for name in known.__struct_fields__}
            | {
                "fee": fill.fee,
                "fee_asset": fill.fee_asset,
                "realised": fill.realised if known.realised is None else known.realised,
            }
        )
        return [
            FillFee(
                trade_id=known.trade_id,
                client_id=self.client_id,
                symbol=self.symbol,
                fee=fill.fee,
                fee_asset=fill.fee_asset,
                received_ns=received_ns,
            )
        ]

    def update(self, received_ns: int) -> OrderUpdate:
        """The state as an event."""
        return OrderUpdate(
            client_id=self.client_id,
            exchange_id=self.exchange_id,
            symbol=self.symbol,
            side=self.intent.side,
            leg=self.intent.leg,
            state=self.state,
            quantity=self.quantity,
            price=self.price,
            filled=self.filled,
            average_price=self.average_price,
            tag=self.intent.tag,
            reason=self.reason,
            late=self.late,
            exchange_time_ns=self.exchange_time_ns,
            received_ns=received_ns,
        )
