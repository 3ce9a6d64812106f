"""The matching engine: orders of accounts meet each other and the market's own traders.

Orders match by price, then time. Each change becomes an `Execution` value, one at a time and in
order; the wallet is updated before the execution is reported. Source: binance_trading §3, §5.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from connector.testing.exchange.trading.accounts import SimulatedAccount
from connector.testing.exchange.trading.clearing import Clearing
from connector.testing.exchange.trading.extent import extent_of
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.market_access import Floor
from connector.testing.exchange.trading.orders import (
    Draft,
    Order,
    Status,
)
from connector.testing.exchange.trading.places import Places
from connector.testing.exchange.trading.tape import Tape
from connector.testing.market.matching import Resting
from connector.testing.market.payloads import TradeFacts

BECOMES = {
    "STOP": "LIMIT", "TAKE_PROFIT": "LIMIT", "STOP_MARKET": "MARKET",
    "TAKE_PROFIT_MARKET": "MARKET", "TRAILING_STOP_MARKET": "MARKET",
}  # fmt: skip
"""Type of a triggered order on COIN-M; on spot, a triggered order keeps its type."""
FIRST_ORDER_ID = 8_389_766_000_000_000_000
"""As large as USD-M's ids: a double cannot hold them exactly."""


@attrs.define(eq=False)
class Engine:
    """Orders of all accounts of one exchange."""

    floor: Floor
    instruments: dict[str, Instrument]
    accounts: dict[str, SimulatedAccount]
    clearing: Clearing
    tape: Tape
    post_only_expires: bool = False
    """Whether a post-only order that would take expires, instead of being refused."""
    _order_id: int = FIRST_ORDER_ID
    _places: Places = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._places = Places(self.floor, self.instruments, self.tape)

    # -- requests of accounts -------------------------------------------------------------------

    def place(self, account: SimulatedAccount, draft: Draft, ms: int) -> Order:
        """Accept an order, match it, and rest the remainder.

        Raises:
            Refused: a post-only order would take, a fill-or-kill order cannot be filled, or the
                account cannot pay for it. No order exists then.
        """
        places, buys = self._places, draft.side == "BUY"
        instrument = self.instruments[draft.symbol]
        quantity, value = extent_of(draft, instrument, places.opposite(draft.symbol, buys))
        if draft.is_post_only and places.takes(draft.symbol, buys, draft.price):
            if not self.post_only_expires:
                raise self.clearing.would_take()
            return self._accept(account, draft, quantity, ms, ends="post_only")
        quantity = self.clearing.admit(account, draft, quantity, value)
        if draft.time_in_force == "FOK" and not self._places.fills_at_once(
            draft, quantity, lambda each: draft.prevention != "NONE" and self._is_own(account, each)
        ):
            refused = self.clearing.unfillable()
            if refused is not None:
                raise refused
            return self._accept(account, draft, quantity, ms, ends="fok")
        return self._accept(account, draft, quantity, ms)

    def wait(self, account: SimulatedAccount, draft: Draft, ms: int) -> Order:
        """Accept an order that waits for its stop price; it is on no book until then.

        Raises:
            Refused: the account cannot pay for it.
        """
        self.clearing.admit(account, draft, draft.quantity, draft.price * draft.quantity)
        order = self._order(account, draft, draft.quantity, ms)
        return self.tape.tell(account, "NEW", attrs.evolve(order, waits=True), ms)

    def trigger(self, order: Order, ms: int) -> Order:
        """Send a waiting order to the book."""
        account = self.accounts[order.account]
        with self.tape.acting(order.symbol, ms):
            working = attrs.evolve(
                order,
                waits=False,
                type=BECOMES.get(order.type, order.type),
                original_type=order.type,
                updated_ms=ms,
            )
            return self._match(account, self.tape.tell(account, "NEW", working, ms), ms)

    def cancel(
        self, account: SimulatedAccount, order: Order, ms: int, client_id: str = ""
    ) -> Order:
        """Cancel an open order; `client_id` is the id of the request, if it has one."""
        with self.tape.acting(order.symbol, ms):
            self._places.withdraw(order)
            return self.tape.tell(
                account,
                "CANCELED",
                attrs.evolve(order, status="CANCELED", updated_ms=ms),
                ms,
                previous_client_id=order.client_id,
                reported_client_id=client_id,
            )

    def expire(self, account: SimulatedAccount, order: Order, ms: int, cause: str) -> Order:
        """Make an open order expire, for a reason other than its owner's request."""
        with self.tape.acting(order.symbol, ms):
            self._places.withdraw(order)
            return self._expire(account, order, ms, cause)

    def reduce(
        self, account: SimulatedAccount, order: Order, quantity: Decimal, client_id: str, ms: int
    ) -> Order:
        """Amend an order to a smaller quantity; it keeps its place in the queue (§5.2)."""
        with self.tape.acting(order.symbol, ms):
            self._places.shrink(order, order.quantity - quantity)
            after = attrs.evolve(
                order,
                quantity=quantity,
                client_id=client_id,
                changes=order.changes + 1,
                updated_ms=ms,
            )
            return self.tape.tell(
                account, "REPLACED", after, ms, previous_client_id=order.client_id
            )

    def modify(
        self,
        account: SimulatedAccount,
        order: Order,
        *,
        quantity: Decimal,
        price: Decimal,
        modify_id: str | None,
        ms: int,
    ) -> Order:
        """Change an order's quantity and price; it goes to the back of the queue (§5.3).

        The order is cancelled if the new quantity does not exceed the filled one, or if it is
        post-only and would take at its new price.
        """
        changed = attrs.evolve(
            order, quantity=quantity, price=price, changes=order.changes + 1, updated_ms=ms
        )
        takes = order.time_in_force == "GTX" and self._places.takes(
            order.symbol, order.side == "BUY", price
        )
        if takes or (order.filled and quantity <= order.filled):
            return self.cancel(account, order, ms)
        with self.tape.acting(order.symbol, ms):
            self._places.withdraw(order)
            told = self.tape.tell(account, "AMENDMENT", changed, ms, modify_id=modify_id)
            return self._match(account, told, ms)

    @property
    def rests(self) -> bool:
        """Whether any order rests on a book."""
        return bool(self._places)

    def meet(self, symbol: str, resting: Resting, trade: TradeFacts) -> None:
        """Settle a trade between the market's own traders and an account's order."""
        account = self.accounts[resting.account]
        with self.tape.acting(symbol, trade.ms):
            self._fill_maker(account, resting, trade.quantity, trade)
            self._cut_overhang(account, symbol, trade.ms)

    def fill(self, order: Order, quantity: Decimal, ms: int) -> Order:
        """Fill this quantity of an open order, regardless of the orders ahead of it."""
        account = self.accounts[order.account]
        instrument = self.instruments[order.symbol]
        resting, lots = self._places[order.order_id], instrument.lots(quantity)
        with self.tape.acting(order.symbol, ms):
            self._places.reduce(order.symbol, resting, lots)
            trade = self._trade(order.symbol, resting.price, lots, ms, buys=order.side == "SELL")
            self._fill_maker(account, resting, lots, trade)
            self._cut_overhang(account, order.symbol, ms)
        return self._now(account, order)

    def close(
        self, account: SimulatedAccount, draft: Draft, price: Decimal, ms: int, status: Status
    ) -> Order:
        """Trade for an account outside the book: a liquidation or auto-deleveraging (§4)."""
        order = self._order(account, draft, draft.quantity, ms)
        self.tape.tell(account, "NEW", order, ms)
        trade = self.floor.trade(
            draft.symbol,
            self.instruments[draft.symbol].ticks(price),
            self.instruments[draft.symbol].lots(draft.quantity),
            taker_buys=draft.side == "BUY",
            ms=ms,
        )
        fill = self.clearing.settle(
            account, order, price, draft.quantity, maker=False, trade_id=trade.trade_id, ms=ms
        )
        after = attrs.evolve(
            order,
            status=status,
            filled=draft.quantity,
            quote_filled=fill.quote,
            updated_ms=ms,
        )
        self.tape.tell(account, "CALCULATED", after, ms, fill=fill)
        self._cut_overhang(account, draft.symbol, ms)
        return after

    # -- accepting ------------------------------------------------------------------------------

    def _accept(
        self,
        account: SimulatedAccount,
        draft: Draft,
        quantity: Decimal,
        ms: int,
        ends: str = "",
    ) -> Order:
        order = self._order(account, draft, quantity, ms)
        with self.tape.acting(draft.symbol, ms):
            self.tape.tell(account, "NEW", order, ms, may_wait=not ends)
            if ends:
                return self._expire(account, order, ms, ends)
            return self._match(account, order, ms)

    def _order(self, account: SimulatedAccount, draft: Draft, quantity: Decimal, ms: int) -> Order:
        self._order_id += 1
        return Order(
            account=account.name,
            order_id=self._order_id,
            symbol=draft.symbol,
            side=draft.side,
            type=draft.type,
            time_in_force=draft.time_in_force,
            client_id=draft.client_id,
            quantity=quantity,
            price=draft.price,
            quote_quantity=draft.quote_quantity,
            stop_price=draft.stop_price,
            trail=draft.trail,
            close_position=draft.close_position,
            prevention=draft.prevention,
            reduce_only=draft.reduce_only,
            position_side=draft.position_side,
            good_till_ms=draft.good_till_ms,
            strategy_id=draft.strategy_id,
            strategy_type=draft.strategy_type,
            contract_size=self.instruments[draft.symbol].contract_size,
            created_ms=ms,
            updated_ms=ms,
        )

    # -- matching -------------------------------------------------------------------------------

    def _match(self, account: SimulatedAccount, order: Order, ms: int) -> Order:
        instrument = self.instruments[order.symbol]
        buys = order.side == "BUY"
        side = self._places.opposite(order.symbol, buys)
        while order.is_open and (lots := instrument.lots(order.remaining)):
            first, best = side.first, side.best
            if first is None or best is None:
                break
            if order.type != "MARKET" and not self._places.takes(order.symbol, buys, order.price):
                break
            if isinstance(first, Resting) and self._is_own(account, first):
                prevented = self._prevent(account, order, first, ms)
                if prevented is not None:
                    order = prevented
                    continue
            met = side.take_first(lots)
            self.tape.changed(side.side, met.price)
            trade = self._trade(order.symbol, met.price, met.quantity, ms, buys=buys)
            if met.maker is not None:
                maker = self.accounts[met.maker.account]
                self._fill_maker(maker, met.maker, met.quantity, trade)
                self._cut_overhang(maker, order.symbol, ms)
            order = self._fill(account, order, met.quantity, trade, maker=False)
            self._cut_overhang(account, order.symbol, ms)
            order = self._now(account, order)
        self.tape.tell_deferred()
        return self._rest(account, order, ms)

    def _rest(self, account: SimulatedAccount, order: Order, ms: int) -> Order:
        if not order.is_open:
            return order
        if order.type == "MARKET":
            return self._expire(account, order, ms, "market")
        if order.time_in_force in ("IOC", "FOK"):
            return self._expire(account, order, ms, order.time_in_force.lower())
        self._places.rest(order)
        self._cut_overhang(account, order.symbol, ms)
        return self._now(account, order)

    def _trade(self, symbol: str, price: int, lots: int, ms: int, *, buys: bool) -> TradeFacts:
        trade = self.floor.trade(symbol, price, lots, taker_buys=buys, ms=ms)
        self.tape.traded(trade)
        return trade

    def _fill_maker(
        self, account: SimulatedAccount, resting: Resting, lots: int, trade: TradeFacts
    ) -> None:
        history = account.history(resting.order_id)
        assert history is not None
        self._places.forget_if_filled(resting)
        self._fill(account, history.now, lots, trade, maker=True)

    def _fill(
        self, account: SimulatedAccount, order: Order, lots: int, trade: TradeFacts, *, maker: bool
    ) -> Order:
        instrument = self.instruments[order.symbol]
        price, quantity = instrument.price(trade.price), instrument.quantity(lots)
        fill = self.clearing.settle(
            account, order, price, quantity, maker=maker, trade_id=trade.trade_id, ms=trade.ms
        )
        filled = order.filled + quantity
        after = attrs.evolve(
            order,
            filled=filled,
            quote_filled=order.quote_filled + fill.quote,
            status=("FILLED" if filled + order.prevented >= order.quantity else "PARTIALLY_FILLED"),
            updated_ms=trade.ms,
        )
        return self.tape.tell(account, "TRADE", after, trade.ms, fill=fill)

    # -- self-trade prevention ------------------------------------------------------------------

    def _is_own(self, account: SimulatedAccount, resting: Resting) -> bool:
        if resting.account == account.name:
            return True
        group = account.spec.trade_group
        return bool(group) and self.accounts[resting.account].spec.trade_group == group

    def _prevent(
        self, account: SimulatedAccount, order: Order, first: Resting, ms: int
    ) -> Order | None:
        """The taker after self-trade prevention; None if the two orders may trade."""
        if order.prevention == "NONE":
            return None
        owner = self.accounts[first.account]
        history = owner.history(first.order_id)
        assert history is not None
        quantity = min(order.remaining, history.now.remaining)
        if order.prevention == "DECREMENT":
            self._prevented(owner, history.now, quantity, ms)
            return self._prevented(account, order, quantity, ms)
        if order.prevention in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
            self._places.withdraw(history.now)
            self._expire(owner, history.now, ms, "prevented")
        if order.prevention in ("EXPIRE_TAKER", "EXPIRE_BOTH"):
            return self._expire(account, order, ms, "prevented")
        return order

    def _prevented(
        self, account: SimulatedAccount, order: Order, quantity: Decimal, ms: int
    ) -> Order:
        self._places.shrink(order, quantity)
        after = attrs.evolve(order, prevented=order.prevented + quantity, updated_ms=ms)
        after = self.tape.tell(account, "TRADE_PREVENTION", after, ms, prevented=quantity)
        if after.remaining:
            return after
        return self._expire(account, after, ms, "prevented")

    # -- ending and reporting -------------------------------------------------------------------

    def _now(self, account: SimulatedAccount, order: Order) -> Order:
        history = account.history(order.order_id)
        return order if history is None else history.now

    def _cut_overhang(self, account: SimulatedAccount, symbol: str, ms: int) -> None:
        """Cut or expire reduce-only orders that would flip the position (§5.3)."""
        for order, left in self.clearing.overhang(account, symbol):
            if left:
                self._places.shrink(order, order.remaining - left)
                account.keep(attrs.evolve(order, quantity=order.filled + left), ms)
            else:
                self._places.withdraw(order)
                self._expire(account, order, ms, "reduce_only")

    def _expire(self, account: SimulatedAccount, order: Order, ms: int, cause: str) -> Order:
        after = attrs.evolve(
            order,
            status="EXPIRED_IN_MATCH" if cause == "prevented" else "EXPIRED",
            expiry_reason=self.clearing.expiry(cause),
            updated_ms=ms,
        )
        return self.tape.tell(account, "EXPIRED", after, ms)
