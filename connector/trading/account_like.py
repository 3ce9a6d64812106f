"""`AccountLike`: the interface of an account that trading code uses, for wrappers and fakes.

`connector.account.Account` implements it. If you write your strategy against `AccountLike`, a test
can pass a simpler object. A real account at the simulated exchange needs only three lines, though.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Protocol, TypeVar

from connector.accounts import Balance, Fill, Position
from connector.orders import Intent, OrderState, Side


class OrderLike(Protocol):
    """An order: see `connector.account.Order`."""

    @property
    def intent(self) -> Intent: ...

    @property
    def symbol(self) -> str: ...

    @property
    def side(self) -> Side: ...

    @property
    def state(self) -> OrderState: ...

    @property
    def client_id(self) -> str: ...

    @property
    def filled(self) -> Decimal: ...

    @property
    def remaining(self) -> Decimal: ...

    @property
    def fills(self) -> tuple[Fill, ...]: ...

    @property
    def ended(self) -> bool: ...

    async def accepted(self) -> None: ...

    async def wait_done(self) -> OrderState: ...


OrderT = TypeVar("OrderT", bound=OrderLike)


class AccountLike(Protocol[OrderT]):
    """An account: see `connector.account.Account`."""

    @property
    def synced(self) -> bool: ...

    @property
    def balances(self) -> Mapping[str, Balance]: ...

    @property
    def positions(self) -> Mapping[str, Position]: ...

    @property
    def orders(self) -> Mapping[str, OrderT]: ...

    async def wait_synced(self) -> None: ...

    def submit(self, intent: Intent) -> OrderT: ...

    async def place(self, intent: Intent) -> OrderT: ...

    async def cancel(self, order: OrderT) -> OrderState: ...

    async def cancel_all(
        self, *, symbol: str | None = None, tag: str | None = None
    ) -> tuple[OrderT, ...]: ...

    def working(self, intent: Intent) -> AbstractAsyncContextManager[OrderT]: ...


__all__ = ["AccountLike", "OrderLike"]
