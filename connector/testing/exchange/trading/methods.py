"""Methods of an exchange as data: security, weight, and the function that carries each out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias

import attrs

from connector.testing.exchange.trading.accounts import SimulatedAccount
from connector.testing.exchange.trading.windows import Window

Security: TypeAlias = Literal["none", "key", "signed", "session"]
"""``key``: the API key alone; ``session``: of the WebSocket connection."""


class Session(Protocol):
    """The WebSocket connection of a request, as its method sees it."""

    @property
    def account(self) -> SimulatedAccount | None:
        """The account that has logged on."""
        ...

    def log_on(self, account: SimulatedAccount) -> None: ...

    def log_out(self) -> None: ...

    def subscribe(self, account: SimulatedAccount) -> int:
        """Start a user data stream, and return its number."""
        ...

    def unsubscribe(self, number: int | None) -> None: ...

    def described(self) -> dict[str, Any]:
        """As ``session.status`` shows it."""
        ...

    def subscriptions(self) -> list[dict[str, Any]]: ...


@attrs.frozen(kw_only=True)
class Call:
    """A parsed and accepted request."""

    name: str
    params: Mapping[str, str]
    account: SimulatedAccount | None = None
    window: Window | None = None
    session: Session | None = None

    @property
    def owner(self) -> SimulatedAccount:
        """The account of a request that has one."""
        if self.account is None:
            raise TypeError(f"{self.name} needs an account")
        return self.account


@attrs.frozen(kw_only=True)
class Method:
    """One method, the same over REST and the WebSocket API."""

    act: Callable[[Call], Any]
    security: Security = "signed"
    weight: int = 1
    weight_of_all: int | None = None
    """Weight if no symbol is given."""
    weight_of_order: int | None = None
    """Weight if an order is named."""
    engine: bool = False
    """Whether the matching engine carries it out; otherwise it is answered from memory."""
    orders: Mapping[str, int] | None = None
    """Its count in the order limits, by window; empty means one in each, None means none."""
    free_if_accepted: bool = False
    """Spot, since 2026-04-02: only a failed request has weight (binance_trading §9)."""
    names: frozenset[str] | None = None
    """Its allowed parameters, besides those of every request; None means any."""

    def weighs(self, params: Mapping[str, str]) -> int:
        """The weight of one request."""
        if self.weight_of_all is not None and not params.get("symbol"):
            return self.weight_of_all
        if self.weight_of_order is not None and params.get("orderId"):
            return self.weight_of_order
        return self.weight


class Methods(Protocol):
    """The methods of one venue."""

    @property
    def table(self) -> Mapping[str, Method]: ...

    @property
    def routes(self) -> Mapping[tuple[str, str], str]:
        """REST: verb and path to the name in `table`."""
        ...
