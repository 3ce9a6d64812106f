"""An account at the simulated exchange: its description, and its true state.

The description (`TradingAccount`) is a frozen value that a test passes to `open_exchange`. The
running account (`SimulatedAccount`) holds the truth for a judge; it never asks the program under
test.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

import attrs

from connector.testing.exchange.trading.credentials import Credentials, KeyKind, made_up
from connector.testing.exchange.trading.history import History
from connector.testing.exchange.trading.orders import (
    ZERO,
    Execution,
    Fill,
    Order,
    PositionSide,
    worth,
)

Numbers = Decimal | int | str


def _decimals(values: Mapping[str, Numbers]) -> Mapping[str, Decimal]:
    return MappingProxyType({asset: Decimal(value) for asset, value in values.items()})


def _decimal(value: Numbers) -> Decimal:
    return Decimal(value)


@attrs.frozen
class TradingAccount:
    """Describes a simulated account. Pass it to `open_exchange(accounts=[…])`.

    Args:
        name: the key of the account in `SimulatedExchange.accounts`.
        balances: the balances by asset, as `Decimal`, `int` or `str`.
        kind: the kind of its key: "hmac", "ed25519" or "rsa".
        maker_fee, taker_fee: the fees, as a fraction of the value; negative for a rebate.
        fee_asset: an asset that pays the fees while the balance suffices, such as "BNB".
        fee_asset_price: the price of that asset in any quote asset.
        hedge: USD-M: whether the account is in hedge mode.
        leverage: USD-M: the leverage of every symbol at the start.
        trade_group: accounts of one group count as one for self-trade prevention; empty for the
            account alone.
        credentials: a key of your own.
    """

    name: str
    balances: Mapping[str, Decimal] = attrs.field(factory=dict, converter=_decimals)
    kind: KeyKind = attrs.field(default="hmac", kw_only=True)
    maker_fee: Decimal = attrs.field(default=Decimal("0.0002"), kw_only=True, converter=_decimal)
    taker_fee: Decimal = attrs.field(default=Decimal("0.0005"), kw_only=True, converter=_decimal)
    fee_asset: str | None = attrs.field(default=None, kw_only=True)
    fee_asset_price: Decimal = attrs.field(default=Decimal(600), kw_only=True, converter=_decimal)
    hedge: bool = attrs.field(default=False, kw_only=True)
    leverage: int = attrs.field(default=20, kw_only=True)
    trade_group: str = attrs.field(default="", kw_only=True)
    credentials: Credentials = attrs.field(
        default=attrs.Factory(lambda self: made_up(self.name, self.kind), takes_self=True),
        kw_only=True,
        repr=False,
    )

    @property
    def key(self) -> str:
        """The API key."""
        return self.credentials.key

    @property
    def secret(self) -> str:
        """The HMAC secret, or the private key as PEM."""
        return self.credentials.secret


@attrs.frozen(kw_only=True)
class Position:
    """A position of futures; `quantity` is negative for a short one.

    `cost` is the exact price paid or received for the quantity. Profits add up to the last digit,
    because a reduction takes its exact share of the cost.
    """

    symbol: str
    """The instrument."""
    side: PositionSide = "BOTH"
    """The leg: "BOTH" in one-way mode, otherwise "LONG" or "SHORT"."""
    quantity: Decimal = ZERO
    """In the base asset or in contracts."""
    cost: Decimal = ZERO
    """In the quote asset."""
    realised: Decimal = ZERO
    """Since the account was opened, fees not deducted."""
    updated_ms: int = 0
    """Time of the last change, milliseconds since the epoch."""
    contract_size: Decimal | None = None
    """COIN-M: dollars of one contract; `cost` is in coins then."""

    @property
    def entry_price(self) -> Decimal:
        if not self.quantity:
            return ZERO
        if self.contract_size is not None:
            return abs(self.quantity) * self.contract_size / self.cost
        return self.cost / abs(self.quantity)

    def profit(self, mark: Decimal) -> Decimal:
        """The unrealised profit at a price."""
        value = worth(mark, abs(self.quantity), self.contract_size)
        return self.gain(value, self.cost, of=self.quantity)

    def gain(self, value: Decimal, cost: Decimal, *, of: Decimal) -> Decimal:
        """The profit when something that cost `cost` is given back at `value`.

        A long position in COIN-M contracts gains when the contracts are worth fewer coins.
        """
        gained = value - cost if of > 0 else cost - value
        return gained if self.contract_size is None else -gained


Positions = Mapping[tuple[str, PositionSide], Position]


@attrs.frozen
class AccountView:
    """The state of an account at one moment, as a query reads it."""

    wallet: Mapping[str, Decimal]
    """The balances by asset."""
    positions: Positions
    """The positions."""
    open_orders: tuple[Order, ...]
    """The open orders."""
    updated_ms: int
    """Time of the last change, milliseconds since the epoch."""


@attrs.define(eq=False)
class SimulatedAccount:
    """A running simulated account: the exchange's own state. Read it, and do not change it."""

    spec: TradingAccount
    """The account as it was passed to `open_exchange`."""
    opened_ms: int
    """Time at which it was opened, milliseconds since the epoch."""
    revoked: bool = False
    """Whether its key was revoked."""
    hedge: bool = False
    """Whether it is in hedge mode."""
    restricted: bool = False
    """Whether it may not trade any more: on spot at all, on USD-M but to close positions."""
    fills: list[Fill] = attrs.field(factory=list, init=False)
    """Every fill, in order."""
    executions: list[Execution] = attrs.field(factory=list, init=False)
    """Everything that happened to its orders, in order."""
    leverage: dict[str, int] = attrs.field(factory=dict, init=False)
    """The leverage by symbol."""
    income: list[tuple[int, str, str, str, Decimal]] = attrs.field(factory=list, init=False)
    """Time, kind, symbol, asset and amount of what was paid without a trade."""
    _orders: dict[int, History[Order]] = attrs.field(factory=dict, init=False)
    _open: dict[int, None] = attrs.field(factory=dict, init=False)
    _by_client_id: dict[tuple[str, str], list[int]] = attrs.field(factory=dict, init=False)
    _wallet: History[Mapping[str, Decimal]] = attrs.field(init=False)
    _positions: History[Positions] = attrs.field(init=False)
    _touched: History[int] = attrs.field(init=False)
    """When a balance, a position or an order was changed last."""

    def __attrs_post_init__(self) -> None:
        self.hedge = self.spec.hedge
        self._wallet = History(self.opened_ms, dict(self.spec.balances))
        self._positions = History(self.opened_ms, {})
        self._touched = History(self.opened_ms, self.opened_ms)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def key(self) -> str:
        """The API key."""
        return self.spec.key

    @property
    def secret(self) -> str:
        """The HMAC secret, or the private key as PEM."""
        return self.spec.secret

    @property
    def orders(self) -> tuple[Order, ...]:
        """Every order that was accepted, in its current state, oldest first."""
        return tuple(history.now for history in self._orders.values())

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """The open orders, oldest first."""
        return tuple(self._orders[order_id].now for order_id in self._open)

    @property
    def client_ids(self) -> tuple[str, ...]:
        """The client id with which each order was accepted, oldest first."""
        return tuple(history.all[0].client_id for history in self._orders.values())

    @property
    def balances(self) -> Mapping[str, Decimal]:
        """The balances by asset, including locked amounts."""
        return MappingProxyType(dict(self._wallet.now))

    @property
    def positions(self) -> Positions:
        """Positions by symbol and position side; flat ones are among them once they were not."""
        return MappingProxyType(dict(self._positions.now))

    def position(self, symbol: str, side: PositionSide = "BOTH") -> Position:
        """The position of a symbol; flat if there never was one."""
        return self._positions.now.get((symbol, side), Position(symbol=symbol, side=side))

    def view(self, ms: int, now_ms: int) -> AccountView:
        """The state at a time, now or earlier."""
        ms = max(ms, self.opened_ms)  # before the first change it was as at the start
        if ms >= now_ms:
            open_orders = self.open_orders
        else:
            states = (history.at(ms) for history in self._orders.values())
            open_orders = tuple(order for order in states if order is not None and order.is_open)
        return AccountView(
            self._wallet.at(ms) or {},
            self._positions.at(ms) or {},
            open_orders,
            self._touched.at(ms) or 0,
        )

    def named(self, symbol: str, client_id: str) -> tuple[int, ...]:
        """Ids of the orders that ever had a client id, oldest first."""
        return tuple(self._by_client_id.get((symbol, client_id), ()))

    def history(self, order_id: int) -> History[Order] | None:
        """All states of one order."""
        return self._orders.get(order_id)

    # -- for the engine and the clearing --------------------------------------------------------

    def keep(self, order: Order, ms: int) -> None:
        """Store an order, new or changed."""
        self._touched.put(ms, ms)
        known = self._orders.get(order.order_id)
        if known is None or known.now.client_id != order.client_id:
            key = order.symbol, order.client_id
            self._by_client_id.setdefault(key, []).append(order.order_id)
        if known is None:
            self._orders[order.order_id] = History(ms, order)
        else:
            known.put(ms, order)
        if order.is_open:
            self._open[order.order_id] = None
        else:
            self._open.pop(order.order_id, None)

    def pay(self, ms: int, amounts: Mapping[str, Decimal]) -> None:
        """Add amounts, which may be negative, to the wallet."""
        self._touched.put(ms, ms)
        wallet = dict(self._wallet.now)
        for asset, amount in amounts.items():
            wallet[asset] = wallet.get(asset, ZERO) + amount
        self._wallet.put(ms, wallet)

    def hold(self, ms: int, position: Position) -> None:
        """Replace a position."""
        self._positions.put(ms, {**self._positions.now, (position.symbol, position.side): position})
