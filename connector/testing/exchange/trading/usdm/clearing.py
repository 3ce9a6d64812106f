"""Wallets and positions of futures: margin, realised profit to the last digit, fees and funding.

On COIN-M everything is in the coin. The margin formula is assumed: initial margin of positions and
of what open orders could add, at the symbol's leverage, against wallet and unrealised profit.

Source: binance_trading §4, §5.3, §12; binance_coinm §2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import attrs

from connector.testing.exchange.trading.accounts import Position, SimulatedAccount
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.orders import (
    ZERO,
    Draft,
    Fill,
    Order,
    PositionSide,
    Side,
    cut,
    worth,
)
from connector.testing.exchange.trading.refusals import Refused, refusal

EXPIRY_REASONS = {
    "prevented": "1", "ioc": "2", "fok": "2", "reduce_only": "4", "liquidation": "5",
    "good_till": "6", "exchange": "7", "market": "9", "post_only": "0",
}  # fmt: skip
"""Cause to ``er``."""
FEE_ASSET_DISCOUNT = Decimal("0.9")


def signed(side: Side, quantity: Decimal) -> Decimal:
    """A quantity as it changes a position."""
    return quantity if side == "BUY" else -quantity


def moved(position: Position, change: Decimal, price: Decimal, ms: int) -> tuple[Position, Decimal]:
    """Compute the position after a trade, and the profit that the trade realises.

    A reduction removes its share of the cost, cut to eight places; closing removes all the rest.
    The profits of a position that is flat again therefore equal what was received and paid.
    """
    held, size, contract_size = position.quantity, abs(position.quantity), position.contract_size
    if not held or (held > 0) == (change > 0):
        cost, realised = position.cost + worth(price, abs(change), contract_size), ZERO
    else:
        closed = min(size, abs(change))
        share = position.cost if closed == size else cut(position.cost * closed / size)
        realised = position.gain(worth(price, closed, contract_size), share, of=held)
        cost = position.cost - share + worth(price, abs(change) - closed, contract_size)
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
    """Settles trades of accounts of futures."""

    instruments: Mapping[str, Instrument]
    mark: Callable[[str], Decimal]
    """The mark price of a symbol."""
    takes_fee_asset: bool = True
    """Whether another asset may pay fees; on COIN-M they are in the coin (§12)."""
    fees_collected: dict[str, Decimal] = attrs.field(factory=dict)

    def reducible(
        self, account: SimulatedAccount, symbol: str, side: Side, position_side: PositionSide
    ) -> Decimal:
        """The part of its position that an order of this side could close."""
        held = account.position(symbol, position_side).quantity
        return abs(held) if held and (held > 0) != (side == "BUY") else ZERO

    def leverage(self, account: SimulatedAccount, symbol: str) -> int:
        return account.leverage.get(symbol, account.spec.leverage)

    def available(self, account: SimulatedAccount, asset: str) -> Decimal:
        """The amount of a margin asset that new orders may use; may be negative."""
        left = account.balances.get(asset, ZERO)
        for position in self._held(account, asset):
            left += position.profit(self.mark(position.symbol))
        positions, orders, _ = self.margins(account, asset)
        return left - positions - orders

    def margins(self, account: SimulatedAccount, asset: str) -> tuple[Decimal, Decimal, Decimal]:
        """Initial margin of positions and of open orders, and maintenance margin."""
        initial = orders = maintenance = ZERO
        for position in self._held(account, asset):
            instrument = self.instruments[position.symbol]
            value = instrument.worth(self.mark(position.symbol), abs(position.quantity))
            initial += cut(value / self.leverage(account, position.symbol))
            maintenance += cut(value * instrument.maintenance)
        for order in account.open_orders:
            if self.instruments[order.symbol].settles_in == asset:
                orders += self._order_margin(account, order)
        return initial, orders, maintenance

    def _held(self, account: SimulatedAccount, asset: str) -> list[Position]:
        return [
            position
            for position in account.positions.values()
            if position.quantity and self.instruments[position.symbol].settles_in == asset
        ]

    def _order_margin(self, account: SimulatedAccount, order: Order) -> Decimal:
        if order.reduce_only or order.waits:
            return ZERO  # assumed: an order that waits for its price reserves nothing
        closes = self.reducible(account, order.symbol, order.side, order.position_side)
        opens = max(ZERO, order.remaining - closes)
        value = self.instruments[order.symbol].worth(order.price, opens)
        return cut(value / self.leverage(account, order.symbol))

    def admit(
        self, account: SimulatedAccount, draft: Draft, quantity: Decimal, value: Decimal
    ) -> Decimal:
        """The quantity that may trade: a reduce-only order is cut to its position (§5.3).

        Raises:
            Refused: -2019 if the margin is insufficient, -2022 if there is nothing to reduce.
        """
        if draft.waits:
            return quantity  # asked when it is triggered: assumed
        closes = self.reducible(account, draft.symbol, draft.side, draft.position_side)
        if draft.only_closes:
            if not closes or (account.hedge and quantity > closes):
                raise refusal("reduce_only")
            return min(quantity, closes)
        opens = max(ZERO, quantity - closes)
        if opens:
            needed = cut(value * opens / quantity / self.leverage(account, draft.symbol))
            if self.available(account, self.instruments[draft.symbol].settles_in) < needed:
                raise refusal("margin")
        return quantity

    def readmit(self, account: SimulatedAccount, order: Order, last_price: Decimal) -> Decimal:
        """What it may trade now; an order that closes a position takes all of it.

        Raises:
            Refused: -2019 if the margin is insufficient, -2022 if there is nothing to reduce.
        """
        quantity = order.quantity
        if order.close_position:
            quantity = self.reducible(account, order.symbol, order.side, order.position_side)
            if not quantity:
                raise refusal("reduce_only")
        draft = Draft(
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            client_id=order.client_id,
            quantity=quantity,
            price=order.price,
            reduce_only=order.reduce_only,
            position_side=order.position_side,
        )
        value = self.instruments[order.symbol].worth(order.price or last_price, quantity)
        return self.admit(account, draft, quantity, value)

    def overhang(self, account: SimulatedAccount, symbol: str) -> list[tuple[Order, Decimal]]:
        """Reduce-only orders that could flip the position, with what may remain of each.

        The better price goes first, then the older order (§5.3: "worse priority" is assumed to
        mean this). An order cut to a part of itself is not told of ([N #3983]).
        """
        found: list[tuple[Order, Decimal]] = []
        closing = [
            order
            for order in account.open_orders
            if order.symbol == symbol and order.only_closes and not order.waits
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
        """Settle a trade in wallet and position, and return its fill."""
        instrument = self.instruments[order.symbol]
        asset = instrument.settles_in
        position = attrs.evolve(
            account.position(order.symbol, order.position_side),
            contract_size=instrument.contract_size,
        )
        position, realised = moved(position, signed(order.side, quantity), price, ms)
        fee, fee_asset = self._fee(account, instrument.worth(price, quantity), asset, maker=maker)
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
            contract_size=instrument.contract_size,
        )

    def _fee(
        self, account: SimulatedAccount, value: Decimal, asset: str, *, maker: bool
    ) -> tuple[Decimal, str]:
        spec = account.spec
        rate = spec.maker_fee if maker else spec.taker_fee
        if spec.fee_asset is not None and rate > 0 and self.takes_fee_asset:
            fee = cut(value * rate * FEE_ASSET_DISCOUNT / spec.fee_asset_price)
            if account.balances.get(spec.fee_asset, ZERO) >= fee:
                return fee, spec.fee_asset
        return cut(value * rate), asset

    def funding(
        self, account: SimulatedAccount, symbol: str, rate: Decimal, ms: int
    ) -> dict[str, Decimal]:
        """Charge funding on a symbol's positions: longs pay a positive rate, shorts receive it.

        Returns the paid amounts by asset; empty without a position.
        """
        instrument, total = self.instruments[symbol], ZERO
        asset = instrument.settles_in
        for position in account.positions.values():
            if position.symbol == symbol and position.quantity:
                total -= cut(instrument.worth(self.mark(symbol), position.quantity) * rate)
        if not total:
            return {}
        account.pay(ms, {asset: total})
        account.income.append((ms, "FUNDING_FEE", symbol, asset, total))
        return {asset: total}
