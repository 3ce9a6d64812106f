"""What the engine asks of a venue: what an account can pay for, and what a trade moves."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from connector.testing.exchange.trading.accounts import SimulatedAccount
from connector.testing.exchange.trading.orders import Draft, Fill, Order
from connector.testing.exchange.trading.refusals import Refused


class Clearing(Protocol):
    """What is moved between wallets; one for each venue."""

    def admit(
        self, account: SimulatedAccount, draft: Draft, quantity: Decimal, value: Decimal
    ) -> Decimal:
        """The quantity that may trade: all of it, or what a reduce-only order is cut to.

        Raises:
            Refused: there is not enough to pay for it, or nothing to reduce.
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
        """Reduce-only orders with what is left of them now that the position is smaller."""
        ...

    def expiry(self, cause: str) -> str:
        """How the venue names a cause of expiry: "ioc", "fok", "market", "prevented", …."""
        ...

    def would_take(self) -> Refused:
        """How a post-only order is refused that would take."""
        ...

    def unfillable(self) -> Refused | None:
        """How a fill-or-kill order is refused; None: it is accepted, and expires."""
        ...
