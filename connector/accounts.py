"""What an account is and tells: balances, positions, its events, and how it is run.

Numbers are `decimal.Decimal`, to the exchange's last digit. A value that the exchange does not tell
is None, never 0.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeAlias

import attrs
import msgspec

from connector.decimals import ZERO
from connector.errors import ConfigError
from connector.orders import Leg, OrderState, Side
from connector.validation import check_seconds

# --- what it is


@attrs.frozen(kw_only=True)
class Balance:
    """How much of an asset an account has."""

    asset: str
    total: Decimal | None
    available: Decimal | None = None
    """What new orders may use."""
    locked: Decimal | None = None
    """What open orders hold."""


@attrs.frozen(kw_only=True)
class Position:
    """What an account holds of an instrument; all 0 if it is flat."""

    symbol: str
    long: Decimal = ZERO
    short: Decimal = ZERO
    """Also a positive number. In one-way mode one of the two is 0."""
    entry_price: Decimal | None = None
    """Average; None when flat, and where both legs are open."""
    unrealised: Decimal | None = None
    """Profit at the exchange's mark price, at the time of its last word about it."""
    mark_price: Decimal | None = None
    exchange_time_ns: int | None = None

    @property
    def quantity(self) -> Decimal:
        """Long minus short."""
        return self.long - self.short


@attrs.frozen(kw_only=True)
class Summary:
    """The account as a whole, where the exchange tells it: margin accounts."""

    asset: str
    """What the numbers are in."""
    equity: Decimal | None = None
    """With the unrealised profit."""
    available: Decimal | None = None
    unrealised: Decimal | None = None
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None


# --- what it tells


class AccountEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Anything that `Account.events` yields."""

    received_ns: int = 0
    """Wall clock, nanoseconds since the epoch."""


class OrderUpdate(AccountEvent, frozen=True, kw_only=True):
    """The state of one of our orders has changed."""

    client_id: str
    exchange_id: str | None
    symbol: str
    side: Side
    leg: Leg | None
    state: OrderState
    quantity: Decimal | None
    price: Decimal | None
    filled: Decimal
    average_price: Decimal | None = None
    tag: str = ""
    reason: str = ""
    """Why it ended, in the exchange's words or ours."""
    late: bool = False
    """Whether it was taken for absent or refused before: a constant of the venue was wrong."""
    exchange_time_ns: int | None = None


class Fill(AccountEvent, frozen=True, kw_only=True):
    """One trade of one of our orders, told once."""

    trade_id: str
    client_id: str
    """Empty if the order is not ours: of an app, another program, a liquidation."""
    symbol: str
    side: Side
    leg: Leg | None
    price: Decimal
    quantity: Decimal
    fee: Decimal | None = None
    """Negative for a rebate; None if it comes later, as a `FillFee`."""
    fee_asset: str | None = None
    maker: bool | None = None
    realised: Decimal | None = None
    """Profit or loss of the position that it closed, where the exchange tells it."""
    exchange_time_ns: int | None = None
    backfilled: bool = False
    """Whether it was read from the account's history, because it happened while nobody listened."""


class FillFee(AccountEvent, frozen=True, kw_only=True):
    """The fee of a fill that was told without it."""

    trade_id: str
    client_id: str
    symbol: str
    fee: Decimal
    fee_asset: str


class BalanceUpdate(AccountEvent, frozen=True, kw_only=True):
    """A balance has changed."""

    asset: str
    total: Decimal | None
    available: Decimal | None
    locked: Decimal | None
    reason: str = ""
    exchange_time_ns: int | None = None


class PositionUpdate(AccountEvent, frozen=True, kw_only=True):
    """A position has changed."""

    symbol: str
    quantity: Decimal
    long: Decimal
    short: Decimal
    entry_price: Decimal | None = None
    unrealised: Decimal | None = None
    reason: str = ""
    exchange_time_ns: int | None = None


class FundingPayment(AccountEvent, frozen=True, kw_only=True):
    """Funding was paid (negative) or received."""

    symbol: str | None
    """None where the exchange does not say for what."""
    asset: str
    amount: Decimal
    exchange_time_ns: int | None = None


class Orphan(AccountEvent, frozen=True, kw_only=True):
    """An order of this account's name and another run was found open."""

    client_id: str
    exchange_id: str | None
    symbol: str
    side: Side
    quantity: Decimal | None
    price: Decimal | None
    action: str
    """``cancel``, ``adopt`` or ``leave``: what becomes of it."""


class Synced(AccountEvent, frozen=True, kw_only=True):
    """From here on the account shows what the exchange has."""


class Unsynced(AccountEvent, frozen=True, kw_only=True):
    """From here on until `Synced`, what the account showed may be wrong; reading it raises."""

    reason: str


AnyAccountEvent: TypeAlias = (
    OrderUpdate
    | Fill
    | FillFee
    | BalanceUpdate
    | PositionUpdate
    | FundingPayment
    | Orphan
    | Synced
    | Unsynced
)


# --- how it is run


def _seconds(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_seconds(f"{type(instance).__name__}: {attribute.name}", value)


@attrs.frozen(kw_only=True)
class Timing:
    """How long an account waits, in seconds.

    Args:
        patience: for an order's outcome, before `place` raises `OrderUnknown`.
        window: how long after its signing the exchange may still accept a request.
        leave_timeout: for all orders to be cancelled and confirmed when the block is left.
        queue_seconds: how long a new order may wait before it is sent; then it is `NotSent`.
        audit_seconds: between two comparisons of what is shown with what the exchange has.
        blind_seconds: how long quotes stay while the account is not synced.

    Raises:
        ConfigError: one of them is not a finite number above 0.
    """

    patience: float = attrs.field(default=5.0, validator=_seconds)
    window: float = attrs.field(default=2.0, validator=_seconds)
    leave_timeout: float = attrs.field(default=20.0, validator=_seconds)
    queue_seconds: float = attrs.field(default=0.5, validator=_seconds)
    audit_seconds: float = attrs.field(default=30.0, validator=_seconds)
    blind_seconds: float = attrs.field(default=1.0, validator=_seconds)


@attrs.frozen
class DeadMan:
    """Let the exchange cancel the orders when this program is silent for `seconds`.

    Args:
        seconds: how long; renewed every third of it.
        others_too: that orders of other programs on the same account may be cancelled with them,
            where the exchange's switch does not tell them apart.

    Raises:
        ConfigError: `seconds` is not a finite number above 0.
    """

    seconds: float = attrs.field(validator=_seconds)
    others_too: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.others_too, bool):
            raise ConfigError(f"DeadMan: others_too={self.others_too!r}; write True or False")


__all__ = [
    "AccountEvent",
    "AnyAccountEvent",
    "Balance",
    "BalanceUpdate",
    "DeadMan",
    "Fill",
    "FillFee",
    "FundingPayment",
    "OrderUpdate",
    "Orphan",
    "Position",
    "PositionUpdate",
    "Summary",
    "Synced",
    "Timing",
    "Unsynced",
]
