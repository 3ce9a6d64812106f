"""The messages of Binance's private side, field by field.

Only the used fields are declared; others are ignored. Numbers are decimal. A field is None when
absent if its absence differs in meaning from zero.

Source: binance_trading §2–§5, §6.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from connector.inputs.decimals import ZERO

NOTHING = msgspec.Raw(b"")
"""Stands for an absent part that would be decoded later."""


class Struct(msgspec.Struct, gc=False):
    """The base of all structs here."""


# --- frames


class RateLimit(Struct, rename="camel"):
    """One of the rate limits in a reply."""

    rate_limit_type: str = ""
    interval: str = ""
    interval_num: int = 1
    limit: int = 0
    count: int = 0


class ExchangeLimits(Struct, rename="camel"):
    """The limits in ``exchangeInfo``."""

    rate_limits: list[RateLimit] = []


class ErrorData(Struct, rename="camel"):
    """The data of an error: when the exchange accepts requests again, in milliseconds."""

    retry_after: int | None = None


class Error(Struct):
    """A refusal."""

    code: int | str | None = None
    msg: str = ""
    data: msgspec.Raw = NOTHING


class Frame(Struct, rename="camel"):
    """Any frame of a private connection: a reply, an event, or an event in a wrapping."""

    id: int | str | None = None
    status: int | None = None
    result: msgspec.Raw = NOTHING
    error: Error | None = None
    rate_limits: list[RateLimit] = []
    subscription_id: int | None = None
    event: msgspec.Raw = NOTHING
    stream: str | None = None
    data: msgspec.Raw = NOTHING
    kind: str = msgspec.field(name="e", default="")


class EventKind(Struct):
    """The name of an event."""

    kind: str = msgspec.field(name="e", default="")


# --- replies


class Order(Struct, rename="camel"):
    """An order in a reply, or in a list."""

    symbol: str
    order_id: int
    client_order_id: str = ""
    orig_client_order_id: str = ""
    price: Decimal | None = None
    orig_qty: Decimal | None = None
    executed_qty: Decimal | None = None
    cummulative_quote_qty: Decimal | None = None
    status: str = ""
    side: str = ""
    type: str = ""
    orig_type: str = ""
    stop_price: Decimal | None = None
    reduce_only: bool = False
    position_side: str = "BOTH"
    transact_time: int | None = None
    update_time: int | None = None
    time: int | None = None
    is_working: bool | None = None


class AlgoOrder(Struct, rename="camel"):
    """A conditional order of futures, from their separate system."""

    algo_id: int
    symbol: str
    client_algo_id: str = ""
    side: str = ""
    position_side: str = "BOTH"
    quantity: Decimal | None = None
    price: Decimal | None = None
    reduce_only: bool = False
    update_time: int | None = None
    create_time: int | None = None


class AmendReply(Struct, rename="camel"):
    """The reply to an amend of spot."""

    amended_order: Amended
    transact_time: int | None = None


class Amended(Struct, rename="camel"):
    """The order in that reply, whose fields have different names."""

    symbol: str
    order_id: int
    client_order_id: str = ""
    orig_client_order_id: str = ""
    price: Decimal | None = None
    qty: Decimal | None = None
    executed_qty: Decimal | None = None
    status: str = ""
    side: str = ""
    type: str = ""


class SpotBalance(Struct):
    """A balance of spot."""

    asset: str
    free: Decimal = ZERO
    locked: Decimal = ZERO


class SpotAccount(Struct, rename="camel"):
    """The account of spot."""

    balances: list[SpotBalance]
    update_time: int | None = None


class FuturesAsset(Struct, rename="camel"):
    """A balance of futures."""

    asset: str
    wallet_balance: Decimal = ZERO
    available_balance: Decimal | None = None
    update_time: int | None = None


class FuturesAccount(Struct, rename="camel"):
    """The account of futures."""

    assets: list[FuturesAsset]
    total_margin_balance: Decimal | None = None
    total_unrealized_profit: Decimal | None = None
    total_initial_margin: Decimal | None = None
    total_maint_margin: Decimal | None = None
    available_balance: Decimal | None = None


class PositionRisk(Struct, rename="camel"):
    """A position of futures."""

    symbol: str
    position_side: str = "BOTH"
    position_amt: Decimal = ZERO
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None
    unrealized: Decimal | None = msgspec.field(name="unRealizedProfit", default=None)
    update_time: int | None = None


class PositionMode(Struct, rename="camel"):
    """Whether positions have two legs."""

    dual_side_position: bool


class Trade(Struct, rename="camel"):
    """A trade of the account."""

    symbol: str
    id: int
    order_id: int
    price: Decimal
    qty: Decimal
    commission: Decimal | None = None
    commission_asset: str | None = None
    time: int | None = None
    is_buyer: bool | None = None
    is_maker: bool | None = None
    buyer: bool | None = None
    maker: bool | None = None
    side: str = ""
    position_side: str = "BOTH"
    realized_pnl: Decimal | None = None


class ServerTime(Struct, rename="camel"):
    """The exchange's time, in milliseconds."""

    server_time: int


class ListenKey(Struct, rename="camel"):
    """A key to the private stream of futures."""

    listen_key: str


# --- events of spot


class ExecutionReport(Struct):
    """An order of spot has changed."""

    symbol: str = msgspec.field(name="s")
    client_id: str = msgspec.field(name="c")
    side: str = msgspec.field(name="S")
    type: str = msgspec.field(name="o")
    quantity: Decimal = msgspec.field(name="q")
    price: Decimal = msgspec.field(name="p")
    execution: str = msgspec.field(name="x")
    status: str = msgspec.field(name="X")
    order_id: int = msgspec.field(name="i")
    cumulative: Decimal = msgspec.field(name="z")
    former_client_id: str = msgspec.field(name="C", default="")
    last_quantity: Decimal = msgspec.field(name="l", default=ZERO)
    last_price: Decimal = msgspec.field(name="L", default=ZERO)
    fee: Decimal | None = msgspec.field(name="n", default=None)
    fee_asset: str | None = msgspec.field(name="N", default=None)
    time: int | None = msgspec.field(name="T", default=None)
    trade_id: int = msgspec.field(name="t", default=-1)
    on_book: bool = msgspec.field(name="w", default=False)
    maker: bool = msgspec.field(name="m", default=False)
    created: int | None = msgspec.field(name="O", default=None)
    cumulative_quote: Decimal = msgspec.field(name="Z", default=ZERO)
    reject_reason: str = msgspec.field(name="r", default="")
    expiry_reason: int | str | None = msgspec.field(name="eR", default=None)


class AssetAmounts(Struct):
    """Free and locked of an asset."""

    asset: str = msgspec.field(name="a")
    free: Decimal = msgspec.field(name="f")
    locked: Decimal = msgspec.field(name="l")


class AccountPosition(Struct):
    """Balances of spot, absolute."""

    updated: int = msgspec.field(name="u")
    balances: list[AssetAmounts] = msgspec.field(name="B")


class BalanceDelta(Struct):
    """A deposit, a withdrawal or a transfer."""

    asset: str = msgspec.field(name="a")
    change: Decimal = msgspec.field(name="d")
    time: int | None = msgspec.field(name="T", default=None)


# --- events of futures


class FuturesOrder(Struct):
    """The order in an event of futures."""

    symbol: str = msgspec.field(name="s")
    client_id: str = msgspec.field(name="c")
    side: str = msgspec.field(name="S")
    type: str = msgspec.field(name="o")
    quantity: Decimal = msgspec.field(name="q")
    price: Decimal = msgspec.field(name="p")
    execution: str = msgspec.field(name="x")
    status: str = msgspec.field(name="X")
    order_id: int = msgspec.field(name="i")
    cumulative: Decimal = msgspec.field(name="z")
    average_price: Decimal | None = msgspec.field(name="ap", default=None)
    last_quantity: Decimal = msgspec.field(name="l", default=ZERO)
    last_price: Decimal = msgspec.field(name="L", default=ZERO)
    fee: Decimal | None = msgspec.field(name="n", default=None)
    fee_asset: str | None = msgspec.field(name="N", default=None)
    time: int | None = msgspec.field(name="T", default=None)
    trade_id: int = msgspec.field(name="t", default=0)
    maker: bool = msgspec.field(name="m", default=False)
    reduce_only: bool = msgspec.field(name="R", default=False)
    position_side: str = msgspec.field(name="ps", default="BOTH")
    realised: Decimal | None = msgspec.field(name="rp", default=None)
    expiry_reason: int | str | None = msgspec.field(name="er", default=None)


class OrderTradeUpdate(Struct):
    """An order of futures has changed."""

    order: FuturesOrder = msgspec.field(name="o")
    time: int | None = msgspec.field(name="T", default=None)


class TradeLite(Struct):
    """Early notice of a fill, without fee, leg and cumulative quantity."""

    symbol: str = msgspec.field(name="s")
    client_id: str = msgspec.field(name="c")
    side: str = msgspec.field(name="S")
    last_price: Decimal = msgspec.field(name="L")
    last_quantity: Decimal = msgspec.field(name="l")
    trade_id: int = msgspec.field(name="t")
    order_id: int = msgspec.field(name="i")
    maker: bool = msgspec.field(name="m", default=False)
    time: int | None = msgspec.field(name="T", default=None)


class WalletChange(Struct):
    """A balance of futures in an event."""

    asset: str = msgspec.field(name="a")
    wallet_balance: Decimal = msgspec.field(name="wb")
    change: Decimal = msgspec.field(name="bc", default=ZERO)


class PositionChange(Struct):
    """A position of futures in an event."""

    symbol: str = msgspec.field(name="s")
    amount: Decimal = msgspec.field(name="pa")
    entry_price: Decimal | None = msgspec.field(name="ep", default=None)
    unrealised: Decimal | None = msgspec.field(name="up", default=None)
    position_side: str = msgspec.field(name="ps", default="BOTH")


class AccountChange(Struct):
    """The balances and positions that have changed."""

    reason: str = msgspec.field(name="m", default="")
    balances: list[WalletChange] = msgspec.field(name="B", default_factory=list)
    positions: list[PositionChange] = msgspec.field(name="P", default_factory=list)
    symbol: str | None = msgspec.field(name="S", default=None)


class AccountUpdate(Struct):
    """Balances and positions of futures, absolute."""

    change: AccountChange = msgspec.field(name="a")
    time: int | None = msgspec.field(name="T", default=None)


class AlgoChange(Struct):
    """A conditional order of futures in an event."""

    client_id: str = msgspec.field(name="caid")
    algo_id: int = msgspec.field(name="aid")
    symbol: str = msgspec.field(name="s")
    side: str = msgspec.field(name="S")
    status: str = msgspec.field(name="X")
    position_side: str = msgspec.field(name="ps", default="BOTH")
    quantity: Decimal | None = msgspec.field(name="q", default=None)
    price: Decimal | None = msgspec.field(name="p", default=None)
    reduce_only: bool = msgspec.field(name="R", default=False)
    reason: str = msgspec.field(name="rm", default="")


class AlgoUpdate(Struct):
    """A conditional order of futures has changed."""

    order: AlgoChange = msgspec.field(name="o")
    time: int | None = msgspec.field(name="T", default=None)


class ConfigUpdate(Struct):
    """Leverage (``ac``) or the multi-asset mode (``ai``) has changed."""

    leverage: msgspec.Raw = msgspec.field(name="ac", default=NOTHING)
    assets: msgspec.Raw = msgspec.field(name="ai", default=NOTHING)
