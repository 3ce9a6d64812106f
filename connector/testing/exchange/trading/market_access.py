"""What the engine needs of a market: its books, its clock of events, and where trades are shown."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from connector.testing.market.matching import OrderBook, Scale, Side
from connector.testing.market.order_flow import Accounts
from connector.testing.market.payloads import TradeFacts


class Floor(Protocol):
    """A market on which accounts trade beside its own traders."""

    @property
    def symbols(self) -> tuple[str, ...]: ...

    @property
    def scale(self) -> Scale:
        """How prices and quantities of its symbols are written."""
        ...

    def attend(self, accounts: Accounts) -> None:
        """Names who is told of trades with orders of accounts."""
        ...

    def wake(self) -> None:
        """Says that an order of an account rests: the market has to go on though nobody listens."""
        ...

    def advance(self) -> None:
        """Lets everything happen that is due by now."""
        ...

    def book(self, symbol: str) -> OrderBook: ...

    def last_price(self, symbol: str) -> Decimal:
        """Of the last trade, or the price at which the market began."""
        ...

    def mark(self, symbol: str) -> Decimal:
        """The mark price."""
        ...

    def trade(self, symbol: str, price: int, lots: int, *, taker_buys: bool, ms: int) -> TradeFacts:
        """Numbers and records a trade, in ticks and lots."""
        ...

    def show(
        self,
        symbol: str,
        ms: int,
        changed: Sequence[tuple[Side, int]],
        trades: Sequence[TradeFacts],
    ) -> None:
        """Publishes what an account has done: levels that changed, and trades."""
        ...
