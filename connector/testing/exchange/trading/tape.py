"""The tape: numbers the executions, reports them in order, and publishes them to the market."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Protocol

import attrs

from connector.testing.exchange.trading.accounts import SimulatedAccount
from connector.testing.exchange.trading.market_access import Floor
from connector.testing.exchange.trading.orders import ZERO, Execution, ExecutionType, Fill, Order
from connector.testing.market.matching import Side as BookSideName
from connector.testing.market.payloads import TradeFacts

FIRST_EXECUTION_ID = 90_000_000


class Reports(Protocol):
    """The receiver of every execution."""

    def tell(self, account: SimulatedAccount, execution: Execution) -> None: ...


@attrs.define(eq=False)
class Tape:
    """The engine's record of executions.

    Args:
        trade_before_new: the first fill of a taking order is reported before its NEW
            (binance_trading §0 (6)).
    """

    floor: Floor
    reports: Reports
    trade_before_new: bool = False
    _execution_id: int = FIRST_EXECUTION_ID
    _changed: list[tuple[BookSideName, int]] = attrs.field(factory=list)
    _trades: list[TradeFacts] = attrs.field(factory=list)
    _deferred: tuple[SimulatedAccount, Execution] | None = None

    def changed(self, side: BookSideName, price: int) -> None:
        """Note that a level of the book has changed."""
        self._changed.append((side, price))

    def traded(self, trade: TradeFacts) -> None:
        """Note a trade that the market must publish."""
        self._trades.append(trade)

    @contextmanager
    def acting(self, symbol: str, ms: int) -> Iterator[None]:
        """Publish the changes of the book that happen within the block."""
        self._changed, self._trades = [], []
        yield
        self.tell_deferred()
        if self._changed or self._trades:
            changed = tuple(dict.fromkeys(self._changed))
            self.floor.show(symbol, ms, changed, tuple(self._trades))

    def tell(
        self,
        account: SimulatedAccount,
        kind: ExecutionType,
        order: Order,
        ms: int,
        *,
        fill: Fill | None = None,
        prevented: Decimal = ZERO,
        previous_client_id: str = "",
        reported_client_id: str = "",
        modify_id: str | None = None,
        may_wait: bool = False,
    ) -> Order:
        """Store the current state of an order, report it to its owner, and return it.

        `may_wait`: the report may follow the order's first trade.
        """
        self._execution_id += 1
        execution = Execution(
            kind=kind,
            order=order,
            ms=ms,
            execution_id=self._execution_id,
            fill=fill,
            prevented=prevented,
            previous_client_id=previous_client_id,
            reported_client_id=reported_client_id or order.client_id,
            modify_id=modify_id,
        )
        account.keep(order, ms)
        account.executions.append(execution)
        if fill is not None:
            account.fills.append(fill)
        if may_wait and self.trade_before_new:
            self._deferred = account, execution
            return order
        self.reports.tell(account, execution)
        deferred = self._deferred
        if deferred is not None and deferred[1].order.order_id == order.order_id:
            self.tell_deferred()
        return order

    def tell_deferred(self) -> None:
        """Send the report that waited for a trade."""
        deferred, self._deferred = self._deferred, None
        if deferred is not None:
            self.reports.tell(*deferred)
