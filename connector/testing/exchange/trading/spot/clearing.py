"""Spot wallets: what an order locks, what a trade moves, and in which asset its fee is paid.

Locked amounts are computed from the open orders and not stored, so the two cannot disagree.
Source: binance_trading §3, §9; the places at which fees are cut off are assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_DOWN, Decimal

import attrs

from connector.testing.exchange.trading.accounts import SimulatedAccount
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.orders import ZERO, Draft, Fill, Order
from connector.testing.exchange.trading.refusals import Refused, refusal

EIGHT_PLACES = Decimal("1E-8")
EXPIRY_REASONS = {
    "ioc": "UNFILLED_IOC_QUANTITY_EXPIRED",
    "fok": "UNFILLED_FOK_ORDER_EXPIRED",
    "market": "INSUFFICIENT_LIQUIDITY",
    "price_range": "EXECUTION_RULE_PRICE_RANGE_EXCEEDED",
    "exchange": "EXCHANGE_CANCELED",
    "amended": "",
    "prevented": "",
}
"""``eR`` by cause; empty where the notes name none."""
FEE_ASSET_DISCOUNT = Decimal("0.75")
"""Factor of the fee rate when a third asset pays the fee."""


def cut(number: Decimal) -> Decimal:
    """A number without what is beyond eight places."""
    return number.quantize(EIGHT_PLACES, rounding=ROUND_DOWN)


def locked_by(orders: Iterable[Order], instruments: Mapping[str, Instrument]) -> dict[str, Decimal]:
    """What open orders keep of each asset."""
    locked: dict[str, Decimal] = {}
    for order in orders:
        instrument = instruments[order.symbol]
        if order.side == "BUY":
            asset, amount = instrument.quote, order.price * order.remaining
        else:
            asset, amount = instrument.base, order.remaining
        locked[asset] = locked.get(asset, ZERO) + amount
    return locked


@attrs.define
class SpotClearing:
    """Settles trades of spot accounts."""

    instruments: Mapping[str, Instrument]
    fees_collected: dict[str, Decimal] = attrs.field(factory=dict)
    """Collected fees by asset, so that sums can be checked."""

    def free(self, account: SimulatedAccount, asset: str) -> Decimal:
        """The amount of an asset that no open order locks."""
        locked = locked_by(account.open_orders, self.instruments)
        return account.balances.get(asset, ZERO) - locked.get(asset, ZERO)

    def admit(
        self, account: SimulatedAccount, draft: Draft, quantity: Decimal, value: Decimal
    ) -> Decimal:
        """Whether an account can pay for an order.

        Args:
            quantity: of the base asset.
            value: the most that it may cost in the quote asset.

        Raises:
            Refused: -2010, the balance is too small.
        """
        instrument = self.instruments[draft.symbol]
        buys = draft.side == "BUY"
        asset, needed = (instrument.quote, value) if buys else (instrument.base, quantity)
        if self.free(account, asset) < needed:
            raise refusal("balance")
        return quantity

    def readmit(self, account: SimulatedAccount, order: Order, last_price: Decimal) -> Decimal:
        """Its whole quantity: what it needs has been locked since it was placed."""
        return order.quantity

    def overhang(self, account: SimulatedAccount, symbol: str) -> list[tuple[Order, Decimal]]:
        """None: spot has no reduce-only orders."""
        return []

    def expiry(self, cause: str) -> str:
        """The reason in the form of ``eR`` (binance_trading §3)."""
        return EXPIRY_REASONS[cause]

    def would_take(self) -> Refused:
        """-2010 (§6)."""
        return refusal("would_take")

    def unfillable(self) -> Refused | None:
        """None: it is accepted and expires (§3, ``UNFILLED_FOK_ORDER_EXPIRED``)."""
        return None

    def settle(
        self,
        account: SimulatedAccount,
        order: Order,
        price: Decimal,
        quantity: Decimal,
        *,
        maker: bool,
        trade_id: int,
        ms: int,
    ) -> Fill:
        """Settle a trade in the wallets, and return its fill."""
        instrument = self.instruments[order.symbol]
        value = price * quantity
        buys = order.side == "BUY"
        received, amount = (instrument.base, quantity) if buys else (instrument.quote, value)
        given, price_of_it = (instrument.quote, value) if buys else (instrument.base, quantity)
        fee, fee_asset = self._fee(account, value, received, amount, maker=maker)
        account.pay(ms, {received: amount})
        account.pay(ms, {given: -price_of_it})
        if fee:
            account.pay(ms, {fee_asset: -fee})
            self.fees_collected[fee_asset] = self.fees_collected.get(fee_asset, ZERO) + fee
        return Fill(
            trade_id=trade_id,
            order_id=order.order_id,
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            position_side="BOTH",
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=fee_asset,
            maker=maker,
            realised=ZERO,
            ms=ms,
        )

    def _fee(
        self,
        account: SimulatedAccount,
        value: Decimal,
        received: str,
        amount: Decimal,
        *,
        maker: bool,
    ) -> tuple[Decimal, str]:
        spec = account.spec
        rate = spec.maker_fee if maker else spec.taker_fee
        if spec.fee_asset is not None and rate > 0:
            fee = cut(value * rate * FEE_ASSET_DISCOUNT / spec.fee_asset_price)
            if self.free(account, spec.fee_asset) >= fee:
                return fee, spec.fee_asset
        return cut(amount * rate), received
