"""Orders, fills and executions as values: the engine makes them, and reports describe them.

Source: binance_trading §3, §4, §5.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Literal, TypeAlias

import attrs

Side: TypeAlias = Literal["BUY", "SELL"]
PositionSide: TypeAlias = Literal["BOTH", "LONG", "SHORT"]
Status: TypeAlias = Literal[
    "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED",
    "NEW_ADL", "NEW_INSURANCE",
]  # fmt: skip
ExecutionType: TypeAlias = Literal[
    "NEW", "TRADE", "CANCELED", "EXPIRED", "REPLACED", "AMENDMENT", "TRADE_PREVENTION",
    "CALCULATED",
]  # fmt: skip
"""`REPLACED` is spot's word for an amended order, `AMENDMENT` is USD-M's."""

OPEN: frozenset[Status] = frozenset(("NEW", "PARTIALLY_FILLED"))
ZERO = Decimal(0)
EIGHT_PLACES = Decimal("1E-8")


def cut(number: Decimal) -> Decimal:
    """Cut a number to eight decimal places."""
    return number.quantize(EIGHT_PLACES, rounding=ROUND_DOWN)


def worth(price: Decimal, quantity: Decimal, contract_size: Decimal | None = None) -> Decimal:
    """The value of a quantity in its settlement asset: the quote, or the coin of contracts.

    Coins are cut to eight places, as wallets are written: assumed.

    Args:
        contract_size: dollars of one contract of COIN-M; None where quantities are coins.
    """
    if contract_size is None:
        return price * quantity
    return cut(quantity * contract_size / price) if price else ZERO


@attrs.frozen(kw_only=True)
class Trail:
    """How a trailing stop of futures follows the price."""

    activation_price: Decimal
    """The price that must have been reached before it may be triggered."""
    callback_rate: Decimal
    """How far the price must come back from its best, in percent."""
    best: Decimal
    """The lowest price since it was placed if it buys, the highest if it sells."""


@attrs.frozen(kw_only=True)
class Draft:
    """A requested order: its parameters are parsed but not checked yet."""

    symbol: str
    side: Side
    type: str
    client_id: str
    time_in_force: str = "GTC"
    quantity: Decimal = ZERO
    price: Decimal = ZERO
    quote_quantity: Decimal = ZERO
    """MARKET on spot: how much of the quote asset to spend or to get."""
    stop_price: Decimal = ZERO
    trail: Trail | None = None
    close_position: bool = False
    """Futures: it closes the whole position when it is triggered, and has no quantity before."""
    prevention: str = "NONE"
    """The self-trade prevention mode."""
    reduce_only: bool = False
    position_side: PositionSide = "BOTH"
    good_till_ms: int = 0
    strategy_id: int | None = None
    strategy_type: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it waits for a price."""
        return bool(self.stop_price) or self.trail is not None

    @property
    def is_limit(self) -> bool:
        return self.type in ("LIMIT", "LIMIT_MAKER")

    @property
    def only_closes(self) -> bool:
        """Reduce-only by its flag, or because it is against its side in hedge mode."""
        return self.reduce_only or self.position_side == ("SHORT" if self.side == "BUY" else "LONG")

    @property
    def is_post_only(self) -> bool:
        """LIMIT_MAKER on spot, GTX on USD-M."""
        return self.type == "LIMIT_MAKER" or self.time_in_force == "GTX"


@attrs.frozen(kw_only=True)
class Order:
    """One order at one moment; a change makes a new value."""

    account: str
    """The name of the account."""
    order_id: int
    """The exchange's id of the order."""
    symbol: str
    """The instrument."""
    side: Side
    """The side, "BUY" or "SELL"."""
    type: str
    """The type as Binance writes it, such as "LIMIT"."""
    time_in_force: str
    """As Binance writes it, such as "GTC"."""
    client_id: str
    """The client id of the order."""
    quantity: Decimal
    """As it is now: amended, cut."""
    price: Decimal
    """The limit price; 0 for a market order."""
    quote_quantity: Decimal = ZERO
    """The amount of the quote asset to trade; 0 if `quantity` is given."""
    stop_price: Decimal = ZERO
    """Of an order of spot or COIN-M that waits, or waited, for a price."""
    trail: Trail | None = None
    """COIN-M: of a trailing stop, instead of a stop price."""
    waits: bool = False
    """Whether it still waits for its price; it is on no book until then."""
    close_position: bool = False
    """COIN-M: it closes the whole position when it is triggered; its quantity is 0 before."""
    original_type: str = ""
    """COIN-M: what it was before it was triggered."""
    contract_size: Decimal | None = None
    """COIN-M: dollars of one contract."""
    prevention: str = "NONE"
    """The mode of self-trade prevention."""
    reduce_only: bool = False
    """Whether it may only reduce the position."""
    position_side: PositionSide = "BOTH"
    """The leg: "BOTH", "LONG" or "SHORT"."""
    good_till_ms: int = 0
    """Time at which it expires, milliseconds since the epoch; 0 if never."""
    strategy_id: int | None = None
    """As the request set it."""
    strategy_type: int | None = None
    """As the request set it."""
    created_ms: int = 0
    """Time of the order, milliseconds since the epoch."""
    updated_ms: int = 0
    """Time of the last change, milliseconds since the epoch."""
    status: Status = "NEW"
    """The state as Binance writes it, such as "NEW"."""
    filled: Decimal = ZERO
    """The filled quantity."""
    quote_filled: Decimal = ZERO
    """The value of the filled quantity, in the settlement asset."""
    prevented: Decimal = ZERO
    """What self-trade prevention took away."""
    changes: int = 0
    """How often it was amended or modified."""
    expiry_reason: str = ""
    """Why it expired; empty if it did not."""

    @property
    def only_closes(self) -> bool:
        """Reduce-only by its flag, or because it is against its side in hedge mode."""
        return self.reduce_only or self.position_side == ("SHORT" if self.side == "BUY" else "LONG")

    @property
    def remaining(self) -> Decimal:
        """The quantity that may still trade; meaningless for an order that is over."""
        return self.quantity - self.filled - self.prevented

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def average_price(self) -> Decimal:
        if not self.filled:
            return ZERO
        if self.contract_size is not None:
            return self.filled * self.contract_size / self.quote_filled
        return self.quote_filled / self.filled


@attrs.frozen(kw_only=True)
class Fill:
    """One trade of one order."""

    trade_id: int
    """The exchange's id of the trade."""
    order_id: int
    """The exchange's id of the order."""
    client_id: str
    """The client id of the order."""
    symbol: str
    """The instrument."""
    side: Side
    """The side, "BUY" or "SELL"."""
    position_side: PositionSide
    """The leg: "BOTH", "LONG" or "SHORT"."""
    price: Decimal
    """In the quote asset."""
    quantity: Decimal
    """In the base asset or in contracts."""
    fee: Decimal
    """Negative: a rebate."""
    fee_asset: str
    """The asset of the fee."""
    maker: bool
    """Whether the order was in the book before the trade."""
    realised: Decimal
    """Profit or loss of the closed part, in the quote asset."""
    ms: int
    """Time of the trade, milliseconds since the epoch."""
    contract_size: Decimal | None = None
    """COIN-M: dollars of one contract."""

    @property
    def quote(self) -> Decimal:
        """The value of the trade, in the settlement asset."""
        return worth(self.price, self.quantity, self.contract_size)


@attrs.frozen(kw_only=True)
class Execution:
    """A change of an order: one report to its owner."""

    kind: ExecutionType
    """The kind of report, as Binance writes it."""
    order: Order
    """The order after the change."""
    ms: int
    """Time of the report, milliseconds since the epoch."""
    execution_id: int
    """The exchange's number of the report."""
    fill: Fill | None = None
    """The trade that it reports; None for other kinds."""
    prevented: Decimal = ZERO
    """TRADE_PREVENTION: of this match."""
    previous_client_id: str = ""
    """CANCELED and REPLACED on spot: the id by which it was known."""
    reported_client_id: str = ""
    """CANCELED on spot: the id of the request; else that of the order."""
    modify_id: str | None = None
    """The id of a modification; None for other kinds."""
    touched: tuple[str, ...] = ()
    """Assets whose balance may have moved."""
