"""Values of an account: balances, positions, events, and its time limits.

Numbers are `decimal.Decimal`, to the exchange's last digit. A value that the exchange does not send
is None, never 0.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeAlias

import attrs
import msgspec

from connector.errors import ConfigError
from connector.inputs.decimals import ZERO, difference
from connector.inputs.validation import check_seconds
from connector.orders import Leg, OrderState, Side

# --- what it is


@attrs.frozen(kw_only=True)
class Balance:
    """The amount of an asset on an account."""

    asset: str
    """The asset, such as "USDT"."""
    total: Decimal | None
    """The whole amount, in the asset."""
    available: Decimal | None = None
    """The amount that new orders can use, in the asset."""
    locked: Decimal | None = None
    """The amount that open orders hold, in the asset."""


@attrs.frozen(kw_only=True)
class Position:
    """The position of an account in an instrument. All quantities are 0 if there is none."""

    symbol: str
    """The instrument, as the exchange writes it."""
    long: Decimal = ZERO
    """The long quantity, in the base asset or in contracts."""
    short: Decimal = ZERO
    """The short quantity, as a positive number. In one-way mode, `long` or `short` is 0."""
    entry_price: Decimal | None = None
    """The average entry price, in the quote asset; None without a position, or if both legs are
    open."""
    unrealised: Decimal | None = None
    """The unrealised profit at the mark price of the exchange's last update."""
    mark_price: Decimal | None = None
    """The mark price of that update, in the quote asset."""
    exchange_time_ns: int | None = None
    """Time of that update by the exchange's clock, nanoseconds since the epoch."""

    @property
    def quantity(self) -> Decimal:
        """Long minus short."""
        return difference(self.long, self.short)


@attrs.frozen(kw_only=True)
class Summary:
    """The totals of a margin account."""

    asset: str
    """The asset of all amounts here, such as "USDT"."""
    equity: Decimal | None = None
    """The balance plus the unrealised profit."""
    available: Decimal | None = None
    """The amount that new positions can use."""
    unrealised: Decimal | None = None
    """The unrealised profit of all positions."""
    initial_margin: Decimal | None = None
    """The margin that open orders and positions require."""
    maintenance_margin: Decimal | None = None
    """The margin below which the exchange liquidates."""


# --- what it tells


class AccountEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of all events that `Account.events` yields."""

    received_ns: int = 0
    """Time of arrival by this machine's clock, nanoseconds since the epoch."""


class OrderUpdate(AccountEvent, frozen=True, kw_only=True, gc=False):
    """The state of an order of this account has changed."""

    client_id: str
    """The id that the account gave the order."""
    exchange_id: str | None
    """The exchange's id of the order; None until the exchange has sent it."""
    symbol: str
    """The instrument, as the exchange writes it."""
    side: Side
    """"buy" or "sell"."""
    leg: Leg | None
    """"long" or "short" in hedge mode; otherwise None."""
    state: OrderState
    """The new state."""
    quantity: Decimal | None
    """The total quantity, in the base asset or in contracts."""
    price: Decimal | None
    """The limit price, in the quote asset; None for a market order."""
    filled: Decimal
    """The quantity that has been filled so far."""
    average_price: Decimal | None = None
    """The average price of the fills, in the quote asset; None without fills."""
    tag: str = ""
    """The tag of the intent."""
    reason: str = ""
    """Why the order ended, as the exchange or this library says it."""
    late: bool = False
    """Whether the account had given the order up as absent or refused. It means that an assumption
    about the exchange was wrong."""
    exchange_time_ns: int | None = None
    """Time of the change by the exchange's clock, nanoseconds since the epoch."""


class Fill(AccountEvent, frozen=True, kw_only=True, gc=False):
    """One trade of an order on this account. Each trade is reported once."""

    trade_id: str
    """The exchange's id of the trade."""
    client_id: str
    """The client id of the order; empty if another program, an app or a liquidation placed it."""
    symbol: str
    """The instrument, as the exchange writes it."""
    side: Side
    """The side of the order."""
    leg: Leg | None
    """"long" or "short" in hedge mode; otherwise None."""
    price: Decimal
    """The price of the trade, in the quote asset."""
    quantity: Decimal
    """The traded quantity, in the base asset or in contracts."""
    fee: Decimal | None = None
    """The fee, in `fee_asset`. Negative for a rebate; None if it arrives later, as a `FillFee`."""
    fee_asset: str | None = None
    """The asset of the fee."""
    maker: bool | None = None
    """Whether the order was in the book before the trade; None if the exchange does not say."""
    realised: Decimal | None = None
    """The profit or loss of the position that the trade closed; None if the exchange does not send
    it."""
    exchange_time_ns: int | None = None
    """Time of the trade by the exchange's clock, nanoseconds since the epoch."""
    backfilled: bool = False
    """Whether the account read the trade from the history, because it happened during a
    disconnect or before this run."""


class FillFee(AccountEvent, frozen=True, kw_only=True, gc=False):
    """The fee of a fill that was reported without it."""

    trade_id: str
    """The `Fill.trade_id` to which the fee belongs."""
    client_id: str
    """The client id of the order."""
    symbol: str
    """The instrument, as the exchange writes it."""
    fee: Decimal
    """The fee, in `fee_asset`; negative for a rebate."""
    fee_asset: str
    """The asset of the fee."""


class BalanceUpdate(AccountEvent, frozen=True, kw_only=True, gc=False):
    """A balance has changed. The amounts are the new ones."""

    asset: str
    """The asset, such as "USDT"."""
    total: Decimal | None
    """The whole amount, in the asset."""
    available: Decimal | None
    """The amount that new orders can use, in the asset."""
    locked: Decimal | None
    """The amount that open orders hold, in the asset."""
    reason: str = ""
    """The cause, as the exchange writes it; empty if it sends none."""
    exchange_time_ns: int | None = None
    """Time of the change by the exchange's clock, nanoseconds since the epoch."""


class PositionUpdate(AccountEvent, frozen=True, kw_only=True, gc=False):
    """A position has changed. The quantities are the new ones."""

    symbol: str
    """The instrument, as the exchange writes it."""
    quantity: Decimal
    """`long` minus `short`, in the base asset or in contracts."""
    long: Decimal
    """The long quantity."""
    short: Decimal
    """The short quantity, as a positive number."""
    entry_price: Decimal | None = None
    """The average entry price, in the quote asset; None without a position."""
    unrealised: Decimal | None = None
    """The unrealised profit; None if the exchange does not send it."""
    reason: str = ""
    """The cause, as the exchange writes it; empty if it sends none."""
    exchange_time_ns: int | None = None
    """Time of the change by the exchange's clock, nanoseconds since the epoch."""


class FundingPayment(AccountEvent, frozen=True, kw_only=True, gc=False):
    """A funding payment."""

    symbol: str | None
    """The instrument; None if the exchange does not send it."""
    asset: str
    """The asset of the payment."""
    amount: Decimal
    """The amount in `asset`: positive if the account received it, negative if it paid."""
    exchange_time_ns: int | None = None
    """Time of the payment by the exchange's clock, nanoseconds since the epoch."""


class Orphan(AccountEvent, frozen=True, kw_only=True, gc=False):
    """The account found an open order of another run with the same name."""

    client_id: str
    """The id that the other run gave the order."""
    exchange_id: str | None
    """The exchange's id of the order."""
    symbol: str
    """The instrument, as the exchange writes it."""
    side: Side
    """"buy" or "sell"."""
    quantity: Decimal | None
    """The total quantity, in the base asset or in contracts."""
    price: Decimal | None
    """The limit price, in the quote asset; None for a market order."""
    action: str
    """What the account does with it: "cancel", "adopt" or "leave"."""


class Synced(AccountEvent, frozen=True, kw_only=True, gc=False):
    """The account is in sync with the exchange from here on."""


class Unsynced(AccountEvent, frozen=True, kw_only=True, gc=False):
    """The account is out of sync until the next `Synced`. Reading its values raises `NotSynced`."""

    reason: str
    """The cause."""


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
    """The time limits of an account, in seconds.

    Args:
        patience: how long `place` waits for an order's outcome before it raises `OrderUnknown`.
        window: how long after its signing the exchange may still accept a request.
        leave_timeout: how long leaving the block may take to cancel and confirm all orders.
        queue_seconds: how long a new order may wait to be sent. After that it raises `NotSent`.
        audit_seconds: the interval between two comparisons with the exchange's state.
        blind_seconds: how long quotes stay open while the account is not synced.

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
        seconds: the time after which the exchange cancels. The account renews it three times as
            often.
        others_too: allow the exchange to cancel orders of other programs on the account as well.
            Required if the exchange's switch cannot distinguish them.

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
