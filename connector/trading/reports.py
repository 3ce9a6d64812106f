"""Reports about an account: orders, trades, balances, positions, the same for every exchange.

`Trading.read` of a venue converts its replies and events into reports. They contain only what the
exchange sent. `connector.trading.order_record` and `connector.trading.account_book` decide whether
a report is new, a repetition or a contradiction.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from connector.inputs.decimals import ZERO
from connector.orders import Leg, Side

ReportedState: TypeAlias = Literal["open", "filled", "cancelled", "expired", "refused"]


class FillReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A trade of the account."""

    symbol: str
    trade_id: str
    exchange_id: str
    """Of the order."""
    client_id: str = ""
    """Of the order; empty where the exchange does not say."""
    side: Side
    leg: Leg | None = None
    price: Decimal
    quantity: Decimal
    cumulative: Decimal | None = None
    """Of the order, this trade included; None where the exchange does not say."""
    fee: Decimal | None = None
    fee_asset: str | None = None
    maker: bool | None = None
    realised: Decimal | None = None
    time_ns: int | None = None
    early: bool = False
    """An early notice that leaves out fee, leg and place among the trades: the full report follows,
    and is missing if it does not."""


class OrderReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of an order at some moment."""

    symbol: str
    client_id: str
    exchange_id: str | None
    side: Side
    leg: Leg | None = None
    state: ReportedState
    price: Decimal | None = None
    """None of an order without one."""
    quantity: Decimal | None = None
    """In total; None where the exchange does not say."""
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    reduce_only: bool = False
    conditional: bool = False
    """Whether it waits for a trigger."""
    reason: str = ""
    time_ns: int | None = None
    """Of this state."""
    created_ns: int | None = None
    fill: FillReport | None = None
    """The trade that made this report."""
    partial: bool = False
    """Whether it is an acknowledgement that leaves out what the exchange did not say: only the
    ids and the state count."""


class BalanceReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A balance, in absolute numbers; None for what is not told."""

    asset: str
    total: Decimal | None = None
    available: Decimal | None = None
    locked: Decimal | None = None
    reason: str = ""
    time_ns: int | None = None


class BalanceChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """By how much a balance has changed: a deposit, say. The absolute numbers come beside it."""

    asset: str
    change: Decimal
    reason: str = ""
    time_ns: int | None = None


class PositionReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A position, or one leg of it."""

    symbol: str
    leg: Leg | None = None
    quantity: Decimal
    """With a sign for a position without legs; a leg's is never negative."""
    entry_price: Decimal | None = None
    unrealised: Decimal | None = None
    mark_price: Decimal | None = None
    reason: str = ""
    time_ns: int | None = None


class FundingReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Funding paid (negative) or received."""

    symbol: str | None
    asset: str
    amount: Decimal
    time_ns: int | None = None


class StreamEnded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The private stream is over although its connection may live: its key has expired, say."""

    reason: str


class ModeChanged(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The account works otherwise from now on: what is known of it must be read again."""

    what: str


class Ignored(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message that says nothing about orders, balances or positions, or of an unknown kind."""

    kind: str


Report: TypeAlias = (
    OrderReport
    | FillReport
    | BalanceReport
    | BalanceChange
    | PositionReport
    | FundingReport
    | StreamEnded
    | ModeChanged
    | Ignored
)
