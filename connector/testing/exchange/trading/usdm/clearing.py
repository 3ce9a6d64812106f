"""USD-M wallets and positions: margin, realised profit to the last digit, fees and funding.

Source: binance_trading §4, §5.3. The margin formula is assumed: initial margin of positions and of
what open orders could add, at the symbol's leverage, against wallet and unrealised profit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, Decimal

import attrs

from connector.testing.exchange.trading.accounts import Position, SimulatedAccount
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.orders import ZERO, Draft, Fill, Order, PositionSide, Side
from connector.testing.exchange.trading.refusals import Refused, refusal

EIGHT_PLACES = Decimal("1E-8")
EXPIRY_REASONS = {
    "prevented": "1", "ioc": "2", "fok": "2", "reduce_only": "4", "liquidation": "5",
    "good_till": "6", "exchange": "7", "market": "9", "post_only": "0",
}  # fmt: skip
"""Cause to ``er``."""
FEE_ASSET_DISCOUNT = Decimal("0.9")


def cut(number: Decimal) -> Decimal:
    """A number without what is beyond eight places."""
    return number.quantize(EIGHT_PLACES, rounding=ROUND_DOWN)


def signed(side: Side, quantity: Decimal) -> Decimal:
    """A quantity as it changes a position."""
    return quantity if side == "BUY" else -quantity


def moved(position: Position, change: Decimal, price: Decimal, ms: int) -> tuple[Position, Decimal]:
    """A position after a trade, and the profit that was realised by it.

    A reduction takes its share of the cost away, cut to eight places; closing takes all the rest.
    So the profits of a position that is flat again are exactly what was received and paid.
    """
    held, size = position.quantity, abs(position.quantity)
    if not held or (held > 0) == (change > 0):
        cost, realised = position.cost + price * abs(change), ZERO
    else:
        closed = min(size, abs(change))
        share = position.cost if closed == size else cut(position.cost * closed / size)
        value = price * closed
        realised = value - share if held > 0 else share - value
        cost = position.cost - share + price * (abs(change) - closed)
    after = attrs.evolve(
        position,
        quantity=held + change,
        cost=cost,
        realised=position.realised + realised,
        updated_ms=ms,
    )
    return after, realised


@attrs.define
class UsdmClearing:
    """Settles trades of USD-M accounts."""

    instruments: Mapping[str, Instrument]
    mark: Callable[[str], Decimal]
    """The mark price of a symbol."""
    fees_collected: dict[str, Decimal] = attrs.field(factory=dict)

    def reducible(
        self, account: SimulatedAccount, symbol: str, side: Side, position_side: PositionSide
    ) -> Decimal:
        """How much an order of this side could close of its position."""
        held = account.position(symbol, position_side).quantity
        return abs(held) if held and (held > 0) != (side == "BUY") else ZERO

    def leverage(self, account: SimulatedAccount, symbol: str) -> int:
        return account.leverage.get(symbol, account.spec.leverage)

    def available(self, account: SimulatedAccount, asset: str) -> Decimal:
        """What new orders may still use of a margin asset; negative when there is too little."""
        left = account.balances.get(asset, ZERO)
        for position in self._held(account, asset):
            left += position.profit(self.mark(position.symbol))
        positions, orders, _ = self.margins(account, asset)
        return left - positions - orders

    def margins(self, account: SimulatedAccount, asset: str) -> tuple[Decimal, Decimal, Decimal]:
        """Initial margin of positions and of open orders, and maintenance margin."""
        initial = orders = maintenance = ZERO
        for position in self._held(account, asset):
            value = abs(position.quantity) * self.mark(position.symbol)
            initial += cut(value / self.leverage(account, position.symbol))
            maintenance += cut(value * self.instruments[position.symbol].maintenance)
        for order in account.open_orders:
            if self.instruments[order.symbol].quote == asset:
                orders += self._order_margin(account, order)
        return initial, orders, maintenance

    def _held(self, account: SimulatedAccount, asset: str) -> list[Position]:
        return [
            position
            for position in account.positions.values()
            if position.quantity and self.instruments[position.symbol].quote == asset
        ]

    def _order_margin(self, account: SimulatedAccount, order: Order) -> Decimal:
        if order.reduce_only:
            return ZERO
        closes = self.reducible(account, order.symbol, order.side, order.position_side)
        opens = max(ZERO, order.remaining - closes)
        return cut(order.price * opens / self.leverage(account, order.symbol))

    def admit(
        self, account: SimulatedAccount, draft: Draft, quantity: Decimal, value: Decimal
    ) -> Decimal:
        """The quantity that may trade: a reduce-only order is cut to its position (§5.3).

        Raises:
            Refused: -2019, there is no margin; -2022, nothing to reduce.
        """
        closes = self.reducible(account, draft.symbol, draft.side, draft.position_side)
        if draft.only_closes:
            if not closes or (account.hedge and quantity > closes):
                raise refusal("reduce_only")
            return min(quantity, closes)
        opens = max(ZERO, quantity - closes)
        if opens:
            needed = cut(value * opens / quantity / self.leverage(account, draft.symbol))
            if self.available(account, self.instruments[draft.symbol].quote) < needed:
                raise refusal("margin")
        return quantity

    def overhang(self, account: SimulatedAccount, symbol: str) -> list[tuple[Order, Decimal]]:
        """Reduce-only orders that could turn the position, with what may stay of each.

        The better price goes first, then the older order (§5.3: "worse priority" is assumed to
        mean this). An order cut to a part of itself is not told of ([N #3983]).
        """
        found: list[tuple[Order, Decimal]] = []
        closing = [
            order for order in account.open_orders if order.symbol == symbol and order.only_closes
        ]
        closing.sort(key=lambda each: -each.price if each.side == "BUY" else each.price)
        left: dict[tuple[Side, PositionSide], Decimal] = {}
        for order in closing:
            key = order.side, order.position_side
            room = left.get(key)
            if room is None:
                room = self.reducible(account, symbol, order.side, order.position_side)
            stays = min(room, order.remaining)
            left[key] = room - stays
            if stays < order.remaining:
                found.append((order, stays))
        return found

    def expiry(self, cause: str) -> str:
        """The reason as ``er`` has it (binance_trading §4)."""
        return EXPIRY_REASONS[cause]

    def would_take(self) -> Refused:
        """-5022 (§6)."""
        return refusal("post_only")

    def unfillable(self) -> Refused | None:
        """-5021, and no order (§6)."""
        return refusal("fok")

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
        """Moves what a trade moves, and says what it was."""
        asset = self.instruments[order.symbol].quote
        position = account.position(order.symbol, order.position_side)
        position, realised = moved(position, signed(order.side, quantity), price, ms)
        fee, fee_asset = self._fee(account, price * quantity, asset, maker=maker)
        account.hold(ms, position)
        if realised:
            account.pay(ms, {asset: realised})
        if fee:
            account.pay(ms, {fee_asset: -fee})
            self.fees_collected[fee_asset] = self.fees_collected.get(fee_asset, ZERO) + fee
        return Fill(
            trade_id=trade_id,
            order_id=order.order_id,
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            position_side=order.position_side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=fee_asset,
            maker=maker,
            realised=realised,
            ms=ms,
        )

    def _fee(
        self, account: SimulatedAccount, value: Decimal, asset: str, *, maker: bool
    ) -> tuple[Decimal, str]:
        spec = account.spec
        rate = spec.maker_fee if maker else spec.taker_fee
        if spec.fee_asset is not None and rate > 0:
            fee = cut(value * rate * FEE_ASSET_DISCOUNT / spec.fee_asset_price)
            if account.balances.get(spec.fee_asset, ZERO) >= fee:
                return fee, spec.fee_asset
        return cut(value * rate), asset

    def funding(
        self, account: SimulatedAccount, symbol: str, rate: Decimal, ms: int
    ) -> dict[str, Decimal]:
        """Charges funding on a symbol's positions: longs pay a positive rate, shorts receive it.

        Returns what was paid, by asset; nothing without a position.
        """
        asset = self.instruments[symbol].quote
        total = ZERO
        for position in account.positions.values():
            if position.symbol == symbol and position.quantity:
                total -= cut(position.quantity * self.mark(symbol) * rate)
        if not total:
            return {}
        account.pay(ms, {asset: total})
        account.income.append((ms, "FUNDING_FEE", symbol, asset, total))
        return {asset: total}
