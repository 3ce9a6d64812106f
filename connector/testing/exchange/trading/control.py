"""The controls with which a test acts on the accounts of a simulated exchange.

exchange.accounts["mm1"].open_orders            # the true state, for assertions
exchange.trading.lose_reply("order.place")      # inject a fault
exchange.trading.fill(order, "0.010")           # act as the market
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, cast

import attrs

from connector.testing.exchange.trading.accounts import Numbers, SimulatedAccount
from connector.testing.exchange.trading.algo import AlgoOrder
from connector.testing.exchange.trading.coinm.table import CoinmMethods
from connector.testing.exchange.trading.dispatch import Desk
from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.methods import Call
from connector.testing.exchange.trading.orders import Draft, Order, PositionSide
from connector.testing.exchange.trading.refusals import SAYINGS, UNAVAILABLE_503, UNKNOWN_503
from connector.testing.exchange.trading.script import Script
from connector.testing.exchange.trading.spot.clearing import SpotClearing
from connector.testing.exchange.trading.spot.queries import SpotMethods
from connector.testing.exchange.trading.spot.reports import SpotReports, balance_update
from connector.testing.exchange.trading.usdm.clearing import UsdmClearing
from connector.testing.exchange.trading.usdm.reports import UsdmReports
from connector.testing.exchange.trading.usdm.table import UsdmMethods
from connector.testing.faults.trading import TradingFault
from connector.testing.market.audience import Audience


@attrs.define(eq=False)
class Trading:
    """The accounts of one exchange, and the methods with which a test controls them.

    Methods that inject a fault take `next`: a pattern of the names of requests on the WebSocket
    API (``"order.place"``, ``"order.*"``); it also matches the same requests over REST.
    """

    _desk: Desk
    _reports: SpotReports | UsdmReports
    _audience: Audience

    @property
    def accounts(self) -> Mapping[str, SimulatedAccount]:
        """The accounts by name, with their true orders, fills, balances and positions."""
        return MappingProxyType(self._house.accounts)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The traded symbols."""
        return tuple(self._house.instruments)

    @property
    def struck(self) -> tuple[tuple[TradingFault, str], ...]:
        """The faults that have struck, each with the method or event."""
        return tuple(self._script.struck)

    @property
    def told(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """Every private event with its account's name, in order, before faults."""
        return tuple(self._house.streams.told)

    @property
    def algo_orders(self) -> tuple[AlgoOrder, ...]:
        """Every conditional order of USD-M, as it is now."""
        return tuple(self._house.algo.orders.values())

    @property
    def _house(self) -> House:
        return self._desk.house

    @property
    def _script(self) -> Script:
        return self._desk.script

    # -- faults ---------------------------------------------------------------------------------

    def inject(self, fault: TradingFault) -> None:
        """Add a fault."""
        self._script.inject(fault)

    def note(self, noted: list[str]) -> None:
        """From now on, append to your list each action that a fault or a delay may strike."""
        self._script.noted = noted

    def now_ms(self) -> int:
        """The exchange's time."""
        return self._house.clock_ms()

    def mend(self) -> None:
        """Remove all faults and delays."""
        self._script.clear()
        self._desk.gateway_seconds = self._desk.engine_seconds = 0.0
        self._house.query_lag_ms = 0
        self._house.streams.delay_seconds = 0.0

    def lose_request(self, next: str = "order.place", *, times: int | None = 1) -> None:  # noqa: A002
        """Lose the request: it never arrives."""
        self.inject(TradingFault("lose_request", next, times=times))

    def lose_reply(self, next: str = "order.place", *, times: int | None = 1) -> None:  # noqa: A002
        """Execute the request, and lose its reply."""
        self.inject(TradingFault("lose_reply", next, times=times))

    def late_reply(self, seconds: float, next: str = "order.place") -> None:  # noqa: A002
        """Execute the request at once, and delay its reply."""
        self.inject(TradingFault("late_reply", next, seconds=seconds))

    def double_reply(self, next: str = "order.place") -> None:  # noqa: A002
        """Send the reply twice."""
        self.inject(TradingFault("double_reply", next))

    def cut_request(self, next: str = "order.place") -> None:  # noqa: A002
        """Reset the connection before the request is executed."""
        self.inject(TradingFault("cut_request", next))

    def cut_reply(self, next: str = "order.place", *, after_bytes: int = 0) -> None:  # noqa: A002
        """Execute the request, and reset the connection within its reply."""
        self.inject(TradingFault("cut_reply", next, reply_bytes=after_bytes))

    def unknown_503(self, next: str = "order.place", *, effect: bool) -> None:  # noqa: A002
        """503 "Unknown error, …": whether the request had an effect is unknown (§6)."""
        self.inject(TradingFault("answer", next, text=UNKNOWN_503, effect=effect))

    def unavailable_503(self, next: str = "order.place") -> None:  # noqa: A002
        """503 "Service Unavailable.": certainly without effect (§6)."""
        self.inject(TradingFault("answer", next, text=UNAVAILABLE_503))

    def bus_error(self, next: str = "order.place", *, effect: bool) -> None:  # noqa: A002
        """-1006: an unexpected answer from the message bus; execution unknown."""
        self._answer("unexpected_response", next, effect=effect)

    def time_out(self, next: str = "order.place", *, effect: bool) -> None:  # noqa: A002
        """-1007: the backend did not answer in time; execution unknown."""
        self._answer("timeout", next, effect=effect)

    def overload(self, next: str = "order.place") -> None:  # noqa: A002
        """-1008: refused for certain."""
        self._answer("overload", next, effect=False)

    def _answer(self, name: str, method: str, *, effect: bool) -> None:
        status, code, text = SAYINGS[name]
        self.inject(
            TradingFault("answer", method, status=status, code=code, text=text, effect=effect)
        )

    def lose_event(self, event: str = "*", *, skip: int = 0, times: int | None = 1) -> None:
        """Drop a private event; ``"executionReport:TRADE"`` names the execution type."""
        self.inject(TradingFault("lose_event", event=event, skip=skip, times=times))

    def double_event(self, event: str = "*", *, times: int | None = 1) -> None:
        """Send a private event twice."""
        self.inject(TradingFault("double_event", event=event, times=times))

    def late_event(self, seconds: float, event: str = "*", *, times: int | None = 1) -> None:
        """Delay a private event, so that later events overtake it."""
        self.inject(TradingFault("late_event", event=event, seconds=seconds, times=times))

    def swap_events(self, event: str = "*", *, times: int | None = 1) -> None:
        """Swap a private event with the next one."""
        self.inject(TradingFault("swap_events", event=event, times=times))

    def delay_gateway(self, seconds: float) -> None:
        """Delay requests on their way to the engine, where their window is checked."""
        self._script.note("script", "gateway")
        self._desk.gateway_seconds = seconds

    def delay_engine(self, seconds: float) -> None:
        """Delay requests in the engine; spot does not check their window there."""
        self._script.note("script", "engine")
        self._desk.engine_seconds = seconds

    def delay_events(self, seconds: float) -> None:
        """Delay private events, and keep their order."""
        self._house.streams.delay_seconds = seconds

    def lag_queries(self, seconds: float) -> None:
        """Answer queries with the state of this long ago (§7 (4))."""
        self._script.note("script", "queries")
        self._house.query_lag_ms = round(seconds * 1000)

    def shift_clock(self, seconds: float) -> None:
        """Move the exchange's clock; requests signed with the old time are refused."""
        self._audience.skew_ms += round(seconds * 1000)
        self._desk.changed()

    def ban(self, seconds: float = 120.0) -> None:
        """Answer every request with 418 for some seconds."""
        weights = self._house.weights
        weights.ban(self._desk.gateway.seconds(), seconds)

    def revoke_key(self, account: str) -> None:
        """Revoke the key; on a session, the next request is answered with 401 (§2.1)."""
        self.accounts[account].revoked = True
        self._house.streams.keys.close(account)
        self._house.streams.deafen(account)

    def expire_listen_key(self, account: str, *, announce: bool = True) -> None:
        """Futures: end the listen key, announced or silently; sockets stay open (§2.2)."""
        self._desk.expire_listen_key(account, announce=announce)

    def restrict(self, account: str) -> None:
        """Forbid the account to trade; on USD-M it may still close positions (§6)."""
        self.accounts[account].restricted = True

    def halt(self, symbol: str) -> None:
        """Spot: close the market of a symbol."""
        self._house.instruments[symbol] = attrs.evolve(
            self._house.instruments[symbol], status="HALT"
        )

    # -- acts of the market and of the account's owner ------------------------------------------

    def place(self, account: str, **params: object) -> Order:
        """Place an order as the exchange's own app would: without keys, limits and faults.

        Raises:
            Refused: as a request would be.
        """
        owner = self.accounts[account]
        texts = {name: str(value) for name, value in params.items()}
        self._house.advance()
        before = len(owner.orders)
        self._desk.gateway.methods.table["order.place"].act(
            Call(name="order.place", params=texts, account=owner)
        )
        self._desk.changed()
        return owner.orders[before]

    def cancel(self, order: Order) -> Order:
        """Cancel an open order as the exchange's own app would."""
        self._house.advance()
        return self._house.engine.cancel(
            self.accounts[order.account],
            self._now(order),
            self._house.clock_ms(),
            self._house.made_up_id() if self._house.venue == "spot" else "",
        )

    def fill(self, order: Order, quantity: Numbers | None = None) -> Order:
        """Fill an open order at its price, in part or in full."""
        self._house.advance()
        order = self._now(order)
        amount = order.remaining if quantity is None else Decimal(quantity)
        return self._house.engine.fill(order, amount, self._house.clock_ms())

    def expire(self, order: Order) -> Order:
        """Let the exchange end an open order."""
        self._house.advance()
        account = self.accounts[order.account]
        return self._house.engine.expire(
            account, self._now(order), self._house.clock_ms(), "exchange"
        )

    def trigger(self, order: Order | AlgoOrder) -> None:
        """Trigger a conditional order, regardless of its price."""
        self._house.advance()
        methods = self._desk.gateway.methods
        if isinstance(order, AlgoOrder):
            cast("UsdmMethods", methods).conditional.trigger(order)
        else:
            cast("SpotMethods | CoinmMethods", methods).waiting.trigger(self._now(order))

    def _now(self, order: Order) -> Order:
        history = self.accounts[order.account].history(order.order_id)
        if history is None or not history.now.is_open:
            raise ValueError(f"order {order.order_id} ({order.client_id}) is not open")
        return history.now

    def deposit(self, account: str, asset: str, amount: Numbers) -> None:
        """Add an amount to a balance; a negative amount is a withdrawal."""
        owner, now_ms = self.accounts[account], self._house.clock_ms()
        change = Decimal(amount)
        owner.pay(now_ms, {asset: change})
        owner.income.append((now_ms, "TRANSFER", "", asset, change))
        reports = self._reports
        if isinstance(reports, SpotReports):
            events = [
                balance_update(asset, change, now_ms),
                reports.account_position(owner, (asset,), now_ms),
            ]
        else:
            reason = "DEPOSIT" if change > 0 else "WITHDRAW"
            events = [reports.account_update(owner, reason, (asset,), (), now_ms, change=change)]
        for event in events:
            self._house.streams.tell(owner, event)

    def fund(self, symbol: str, rate: Numbers) -> None:
        """Futures: charge funding on every position of a symbol."""
        self._house.advance()
        self._desk.charge_funding(symbol, Decimal(rate))

    def liquidate(
        self,
        account: str,
        symbol: str,
        *,
        side: PositionSide = "BOTH",
        quantity: Numbers | None = None,
    ) -> Order:
        """Futures: cancel the symbol's open orders and close the position at the mark price."""
        return self._close(account, symbol, side, quantity, adl=False)

    def deleverage(
        self,
        account: str,
        symbol: str,
        *,
        side: PositionSide = "BOTH",
        quantity: Numbers | None = None,
    ) -> Order:
        """Futures: auto-deleverage: a profitable position is used to close a liquidated one."""
        return self._close(account, symbol, side, quantity, adl=True)

    def _close(
        self,
        account: str,
        symbol: str,
        side: PositionSide,
        quantity: Numbers | None,
        *,
        adl: bool,
    ) -> Order:
        house, owner = self._house, self.accounts[account]
        house.advance()
        now_ms = house.clock_ms()
        held = owner.position(symbol, side).quantity
        if not held:
            raise ValueError(f"{account!r} has no position in {symbol}")
        if not adl:
            house.cancel_all(owner, symbol, now_ms)
        instrument = house.instruments[symbol]
        mark = house.floor.mark(symbol).quantize(instrument.tick)
        draft = Draft(
            symbol=symbol,
            side="SELL" if held > 0 else "BUY",
            type="LIMIT",
            client_id=f"{'adl_autoclose' if adl else 'autoclose-'}{now_ms}",
            time_in_force="IOC",
            quantity=abs(held) if quantity is None else Decimal(quantity),
            price=mark,
            reduce_only=True,
            position_side=side,
        )
        return house.engine.close(owner, draft, mark, now_ms, "NEW_ADL" if adl else "FILLED")

    def free(self, account: str, asset: str) -> Decimal:
        """The amount of an asset that no order locks; on USD-M, what new orders may use."""
        clearing = self._house.clearing
        owner = self.accounts[account]
        if isinstance(clearing, UsdmClearing):
            return clearing.available(owner, asset)
        return cast("SpotClearing", clearing).free(owner, asset)
