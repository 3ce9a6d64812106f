"""The interface between engine and market: books, the market's clock, and published trades."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from connector.testing.market.matching import OrderBook, Scale, Side
from connector.testing.market.order_flow import Accounts
from connector.testing.market.payloads import TradeFacts


class Floor(Protocol):
    """A market on which accounts trade, beside its own traders."""

    @property
    def symbols(self) -> tuple[str, ...]: ...

    @property
    def scale(self) -> Scale:
        """How prices and quantities of its symbols are written."""
        ...

    def attend(self, accounts: Accounts) -> None:
        """Set the receiver of trades with orders of accounts."""
        ...

    def wake(self) -> None:
        """Note that an account's order rests: the market must run even without subscribers."""
        ...

    def advance(self) -> None:
        """Process everything that is due by now."""
        ...

    def book(self, symbol: str) -> OrderBook: ...

    def last_price(self, symbol: str) -> Decimal:
        """The price of the last trade, or the start price."""
        ...

    def mark(self, symbol: str) -> Decimal:
        """The mark price."""
        ...

    def trade(self, symbol: str, price: int, lots: int, *, taker_buys: bool, ms: int) -> TradeFacts:
        """Number and record a trade, in ticks and lots."""
        ...

    def show(
        self,
        symbol: str,
        ms: int,
        changed: Sequence[tuple[Side, int]],
        trades: Sequence[TradeFacts],
    ) -> None:
        """Publish an account's actions: changed levels, and trades."""
        ...
