"""The interface between engine and venue: what an account can pay, and what a trade moves."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from connector.testing.exchange.trading.accounts import SimulatedAccount
from connector.testing.exchange.trading.orders import Draft, Fill, Order
from connector.testing.exchange.trading.refusals import Refused


class Clearing(Protocol):
    """The rules for wallets and positions; one implementation for each venue."""

    def admit(
        self, account: SimulatedAccount, draft: Draft, quantity: Decimal, value: Decimal
    ) -> Decimal:
        """Return the quantity that may trade: all, or less for a reduce-only order.

        Raises:
            Refused: the account cannot pay for it, or there is nothing to reduce.
        """
        ...

    def readmit(self, account: SimulatedAccount, order: Order, last_price: Decimal) -> Decimal:
        """Return the quantity with which an order that has waited for its price may trade.

        Raises:
            Refused: the account cannot pay for it, or there is nothing to reduce.
        """
        ...

    def settle(
        self,
        account: SimulatedAccount,
        order: Order,
        price: Decimal,
        quantity: Decimal,
        *,
        maker: bool,
        trade_id: int,
        ms: int,
    ) -> Fill: ...

    def overhang(self, account: SimulatedAccount, symbol: str) -> list[tuple[Order, Decimal]]:
        """Reduce-only orders that exceed a shrunken position, with what may remain of each."""
        ...

    def expiry(self, cause: str) -> str:
        """The venue's name for a cause of expiry: "ioc", "fok", "market", "prevented", …."""
        ...

    def would_take(self) -> Refused:
        """The refusal of a post-only order that would take."""
        ...

    def unfillable(self) -> Refused | None:
        """The refusal of a fill-or-kill order; None if the venue accepts it and lets it expire."""
        ...
