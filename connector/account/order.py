"""`Order`: a live view of one order at the exchange, as a program sees it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import trio

from connector.accounts import Fill
from connector.errors import ConfigError, OrderNotPlaced
from connector.inputs.decimals import ZERO, difference, exact, product, total
from connector.instruments import Instrument
from connector.orders import Intent, Leg, OrderState, Side
from connector.trading.order_record import OrderRecord

_NOT_KNOWN = frozenset({"queued", "sent", "unknown"})


class Order:
    """One order. `Account.submit` and `Account.place` create it.

    Its values change while the program awaits. Read values that belong together without an
    ``await`` between them.
    """

    __slots__ = (
        "_changed",
        "_error",
        "_instrument",
        "_is_amended_by_us",
        "_is_out_of_patience",
        "_known",
        "_logged",
        "_record",
    )

    def __init__(self, record: OrderRecord, instrument: Instrument | None) -> None:
        # `record` and the methods with an underscore are for the account.
        self._record = record
        self._instrument = instrument
        record.inverse = instrument is not None and instrument.inverse
        self._changed: trio.Event | None = None
        """There is one only while somebody waits for a change."""
        self._known: trio.Event | None = None
        """The same, of those who wait until it is open or over."""
        self._is_out_of_patience = False
        self._error: OrderNotPlaced | None = None
        self._logged: tuple[str, ...] = ()
        self._is_amended_by_us = False

    def __repr__(self) -> str:
        return (
            f"<Order {self.client_id} {self.side} {self.quantity} {self.symbol} at {self.price}: "
            f"{self.state}, {self.filled} filled>"
        )

    @property
    def intent(self) -> Intent:
        """The intent that was placed."""
        return self._record.intent

    @property
    def symbol(self) -> str:
        """The instrument, as the exchange writes it."""
        return self._record.symbol

    @property
    def side(self) -> Side:
        """The side: "buy" or "sell"."""
        return self._record.intent.side

    @property
    def leg(self) -> Leg | None:
        """The leg in hedge mode, "long" or "short"; otherwise None."""
        return self._record.intent.leg

    @property
    def quantity(self) -> Decimal | None:
        """The total quantity; None for an order with `quote_quantity` that is not accepted yet."""
        return self._record.quantity

    @property
    def price(self) -> Decimal | None:
        """The limit price, in the quote asset; None for a market order."""
        return self._record.price

    @property
    def state(self) -> OrderState:
        """The current state (`connector.orders.OrderState`)."""
        return self._record.state

    @property
    def client_id(self) -> str:
        """The id that the account gave the order. It is never reused."""
        return self._record.client_id

    @property
    def exchange_id(self) -> str | None:
        """The exchange's id of the order; None until the exchange has sent it."""
        return self._record.exchange_id

    @property
    def filled(self) -> Decimal:
        """The filled quantity, in the base asset or in contracts."""
        return self._record.filled

    @property
    def remaining(self) -> Decimal:
        """The quantity that may still be filled; 0 when the order has ended."""
        return self._record.remaining

    @property
    def average_price(self) -> Decimal | None:
        """The average price of the fills, in the quote asset; None without known fills."""
        return self._record.average_price

    @property
    def fills(self) -> tuple[Fill, ...]:
        """The known trades of the order, oldest first."""
        return tuple(self._record.fills.values())

    @property
    def fills_complete(self) -> bool:
        """Whether `fills` has all trades of the order, with their fees."""
        return self._record.fills_complete

    @property
    def fees(self) -> dict[str, Decimal]:
        """The known fees by asset; negative for a rebate."""
        found: dict[str, Decimal] = {}
        for fill in self._record.fills.values():
            if fill.fee is not None and fill.fee_asset is not None:
                found[fill.fee_asset] = total([found.get(fill.fee_asset, ZERO), fill.fee])
        return found

    @property
    def net_base(self) -> Decimal:
        """The change of the base asset by the fills, minus fees in it; negative for a sell.

        For contracts: the base asset that they represent.
        """
        instrument = self._instrument
        moved = total(
            fill.quantity
            if instrument is None
            else instrument.base_quantity(fill.quantity, fill.price)
            for fill in self._record.fills.values()
        )
        base = "" if instrument is None else instrument.base
        signed = moved if self.side == "buy" else moved.copy_negate()
        return difference(signed, self.fees.get(base, ZERO))

    @property
    def net_quote(self) -> Decimal:
        """The change of the quote asset by the fills, minus fees in it; negative for a buy.

        For contracts: the quote asset that they represent.
        """
        instrument = self._instrument
        notional = product if instrument is None else instrument.notional
        moved = total(notional(fill.quantity, fill.price) for fill in self._record.fills.values())
        quote = "" if instrument is None else instrument.quote
        signed = moved if self.side == "sell" else moved.copy_negate()
        return difference(signed, self.fees.get(quote, ZERO))

    @property
    def ended(self) -> bool:
        """Whether the order has ended."""
        return self._record.over

    @property
    def reason(self) -> str:
        """Why the order ended, as the exchange or this library says it; empty if unknown."""
        return self._record.reason

    async def accepted(self) -> None:
        """Wait until the order is open or has ended. Executes a checkpoint.

        Raises:
            OrderNotPlaced: the order never was at the exchange; the subclass says why.

        Cancellation: the order does not change.
        """
        if self._is_known():
            await trio.lowlevel.checkpoint()
        await self._wait_known()
        self._raise_unless_placed()

    async def wait_done(self) -> OrderState:
        """Wait until the order has ended. Returns its last state. Executes a checkpoint.

        Cancellation: the order does not change.
        """
        await trio.lowlevel.checkpoint()
        while not self.ended:
            await self._wait_change()
        return self.state

    async def wait_filled(self, quantity: Decimal | int | str | None = None) -> Decimal:
        """Wait until `quantity` (by default all of it) is filled, or the order has ended.

        Returns the filled quantity. Executes a checkpoint.

        Raises:
            TypeError: the quantity is a float.

        Cancellation: the order does not change.
        """
        target = None if quantity is None else exact("quantity", quantity)
        await trio.lowlevel.checkpoint()
        while not self.ended:
            wanted = self.quantity if target is None else target
            if wanted is not None and self.filled >= wanted:
                break
            await self._wait_change()
        return self.filled

    # For the account.

    async def _wait_known(self) -> None:
        """Wait until it is open, or over."""
        while not self._is_known():
            if self._known is None:
                self._known = trio.Event()
            await self._known.wait()

    async def _wait_patiently(self) -> bool:
        """Wait until it is open or over, or `_lose_patience`; whether it is known.

        Raises:
            OrderNotPlaced: as of `accepted`.
        """
        if self._is_known() or self._is_out_of_patience:
            await trio.lowlevel.checkpoint()
        else:
            if self._known is None:
                self._known = trio.Event()
            await self._known.wait()
        self._raise_unless_placed()
        return self._is_known()

    def _is_known(self) -> bool:
        """Whether it is open, or over."""
        return self._record.state not in _NOT_KNOWN

    def _lose_patience(self) -> None:
        """Let those go on that wait patiently."""
        self._is_out_of_patience = True
        if self._known is not None:
            self._known.set()
            self._known = None

    def _raise_unless_placed(self) -> None:
        if self._error is not None and self.state in ("refused", "absent"):
            raise self._error

    async def _wait_change(self) -> None:
        if self._changed is None:
            self._changed = trio.Event()
        await self._changed.wait()

    async def _wait_amended(self) -> None:
        """Wait until no amend is on its way, or it is over."""
        while self._record.amending is not None and not self.ended:
            await self._wait_change()

    def _is_first(self, what: str) -> bool:
        """Whether that happens to this order for the first time: then it is logged."""
        if what in self._logged:
            return False
        self._logged += (what,)
        return True

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None
        if self._known is not None and self._is_known():
            self._known.set()
            self._known = None

    def _fail(self, error: OrderNotPlaced) -> None:
        self._error = error


def check_known(order: object, orders: Mapping[str, Order], account: str) -> None:
    """Refuse what is not an order of an account.

    Args:
        order: what a program passes; an order that has ended may be forgotten already.
        orders: the orders of the account by client id.
        account: its name.

    Raises:
        ConfigError: it is not an order, or an open order of another account.
    """
    if not isinstance(order, Order):
        raise ConfigError(f"{order!r} is not an order; write what place() or submit() returned")
    if orders.get(order.client_id) is not order and not order.ended:
        raise ConfigError(f"{order!r} is not among the orders of the account {account!r}")
