"""The desk: receives requests from every transport, runs timed actions, and returns answers.

It applies the delays and the faults of requests and replies. It runs on the timers of its
exchange, and carries out requests one after another, in the order in which they reach the engine.
Source: binance_trading §6, §7, §11.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

import attrs
import trio

from connector.testing.exchange.trading.answers import Answer, ReplyTo
from connector.testing.exchange.trading.delays import DrawnDelays
from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.gateway import Asked, Gateway
from connector.testing.exchange.trading.listen_keys import ListenKey
from connector.testing.exchange.trading.methods import Call
from connector.testing.exchange.trading.refusals import Refused, refusal
from connector.testing.exchange.trading.script import Script
from connector.testing.exchange.trading.usdm.clearing import UsdmClearing
from connector.testing.exchange.trading.usdm.reports import UsdmReports
from connector.testing.faults.trading import TradingFault
from connector.testing.network.timers import Timers

ANSWER_TIMEOUT_SECONDS = 10.0
"""After this time without its engine, spot answers -1007 (§6); USD-M is assumed to do the same."""
FUNDING_MS = 8 * 3_600_000
TRIGGER_MS = 100
"""Interval at which the triggers of conditional orders are compared with prices."""


@attrs.define(eq=False)
class Desk:
    """Requests and answers of one exchange.

    Attributes:
        gateway_seconds: how long a request is on its way from the gateway to the engine; the
            window is checked at the end of it.
        engine_seconds: how long it waits in the engine; spot does not check the window there.
    """

    house: House
    gateway: Gateway
    script: Script
    timers: Timers
    gateway_seconds: float = 0.0
    engine_seconds: float = 0.0
    delays: DrawnDelays | None = None
    """Random delays that are added for each request."""
    usdm_reports: UsdmReports | None = None
    trigger_due: Callable[[], None] | None = None
    """Triggers conditional orders whose price has been reached."""
    has_conditional: Callable[[], bool] | None = None
    """Whether a conditional order waits."""
    funding_ms: int | None = None
    """USD-M: when funding is charged next."""
    funding_rate: Decimal = Decimal("0.0001")
    _engine_at: float = 0.0
    _waiting: int = 0
    _changed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    def receive(self, asked: Asked, reply_to: ReplyTo) -> None:
        """Receive a request; the answer goes to `reply_to`, now, later or never."""
        account = self.gateway.name_of_account(asked)
        fault = self.script.of_request(asked.name, account, asked.via)
        work = _Work(self, asked, reply_to, account)
        if fault is None:
            work.begin()
        elif fault.kind == "cut_request":
            reply_to.cut(None, 0)
        elif fault.kind == "late_request":
            self.timers.after(fault.seconds, work.begin)
        elif fault.kind == "answer":
            if fault.effect:
                work.silent = True
                work.begin()
            reply_to.send(self._answer_of(asked, fault))

    def _answer_of(self, asked: Asked, fault: TradingFault) -> Answer:
        code = -1000 if fault.code is None else fault.code
        refused = Refused(fault.status, code, fault.text)
        return Answer(status=fault.status, refused=refused, headers=self.gateway.headers(None))

    def queue(self, act: Callable[[], None]) -> None:
        """Queue an action of the engine behind all earlier ones."""
        now = trio.current_time()
        waits = self.engine_seconds + (self.delays.engine() if self.delays else 0.0)
        self._engine_at = max(now + waits, self._engine_at)
        if self._engine_at <= now and not self._waiting:
            act()
            return
        self._waiting += 1

        def take_turn() -> None:
            self._waiting -= 1
            act()

        self.timers.after(self._engine_at - now, take_turn)

    # -- timed actions --------------------------------------------------------------------------

    def expire_listen_key(self, account: str, *, announce: bool) -> None:
        """End a listen key: sockets stay open and silent, with or without a notice (§2.2)."""
        house = self.house
        key = house.streams.keys.close(account)
        if key is not None:
            self._end_key(key, announce=announce)

    def _end_key(self, key: ListenKey, *, announce: bool) -> None:
        house, now_ms = self.house, self.house.clock_ms()
        if announce:
            event: dict[str, object] = {
                "e": "listenKeyExpired",
                "E": str(now_ms) if house.readings.expiry_time_as_text else now_ms,
                "listenKey": key.text,
            }
            house.streams.end(house.accounts[key.account], event)
        house.streams.deafen(key.account)

    def charge_funding(self, symbol: str, rate: Decimal) -> None:
        """Make every position of a symbol pay or receive funding (§4)."""
        house, now_ms = self.house, self.house.clock_ms()
        clearing, reports = house.clearing, self.usdm_reports
        if not isinstance(clearing, UsdmClearing) or reports is None:
            return
        for account in house.accounts.values():
            for asset, amount in clearing.funding(account, symbol, rate, now_ms).items():
                event = reports.account_update(
                    account, "FUNDING_FEE", (asset,), (), now_ms, change=amount, symbol=symbol
                )
                house.streams.tell(account, event)

    def pass_time(self) -> None:
        """Do everything that is due by now."""
        house = self.house
        house.advance()
        now_ms = house.clock_ms()
        for key in house.streams.keys.take_expired(now_ms):
            self._end_key(key, announce=True)
        if self.trigger_due is not None:
            self.trigger_due()
        if self.funding_ms is not None and self.funding_ms <= now_ms:
            self.funding_ms += FUNDING_MS
            for symbol in house.instruments:
                self.charge_funding(symbol, self.funding_rate)

    def next_due_ms(self) -> int | None:
        """When the next timed action is due."""
        house = self.house
        due = [house.next_due_ms(), house.streams.keys.next_expiry_ms()]
        if any(held.quantity for a in house.accounts.values() for held in a.positions.values()):
            due.append(self.funding_ms)
        if self.has_conditional is not None and self.has_conditional():
            due.append(house.clock_ms() + TRIGGER_MS)
        return min((ms for ms in due if ms is not None), default=None)

    async def watch(self) -> None:
        """Run each timed action when it is due, until cancelled."""
        while True:
            due_ms, now_ms = self.next_due_ms(), self.house.clock_ms()
            waits = math.inf if due_ms is None else (due_ms - now_ms) / 1000
            await self.wait_change(trio.current_time() + waits)
            self.pass_time()

    def changed(self) -> None:
        """Signal that the next due time may have changed."""
        self._changed.unpark_all()

    async def wait_change(self, until: float) -> None:
        """Wait for a change, or until a time (`trio.current_time()`)."""
        with trio.move_on_at(until):
            await self._changed.park()


@attrs.define(eq=False)
class _Work:
    """A request in progress."""

    desk: Desk
    asked: Asked
    reply_to: ReplyTo
    account: str
    silent: bool = False
    given: bool = False
    call: Call | None = None

    def begin(self) -> None:
        desk, asked = self.desk, self.asked
        method = desk.gateway.method(asked.name)
        if method is None:
            self.give(refused=refusal("unknown_parameter"))
            return
        try:
            self.call = desk.gateway.let_in(asked, method)
        except Refused as refused:
            self.give(refused=refused)
            return
        if not method.engine:
            self.carry_out()
            return
        longest = desk.delays.longest_seconds if desk.delays else 0.0
        if desk.gateway_seconds + desk.engine_seconds + longest > ANSWER_TIMEOUT_SECONDS:
            desk.timers.after(ANSWER_TIMEOUT_SECONDS, self.give_up)
        waits = desk.gateway_seconds + (desk.delays.gateway() if desk.delays else 0.0)
        if waits:
            desk.timers.after(waits, self.reach_engine)
        else:
            self.reach_engine()

    def give_up(self) -> None:
        if not self.silent and not self.given:
            self.give(refused=refusal("timeout"))
            self.silent = True

    def reach_engine(self) -> None:
        desk = self.desk
        desk.script.note("engine", self.asked.name)
        assert self.call is not None
        if desk.house.venue == "spot":
            try:
                desk.gateway.reach_engine(self.call)
            except Refused as refused:
                self.give(refused=refused)
                return
        desk.queue(self.carry_out)

    def carry_out(self) -> None:
        desk, call = self.desk, self.call
        assert call is not None
        desk.script.note("carry", self.asked.name)
        with desk.house.streams.held(hold=desk.house.readings.reply_first):
            try:
                if desk.house.venue != "spot" and desk.gateway.methods.table[call.name].engine:
                    desk.gateway.reach_engine(call)
                result = desk.gateway.carry_out(call)
            except Refused as refused:
                self.give(refused=refused)
            else:
                self.give(result=result)
        desk.changed()

    def give(self, *, result: object = None, refused: Refused | None = None) -> None:
        """Send the answer, as altered by a fault if one strikes."""
        if self.silent:
            return
        self.given = True
        desk, asked = self.desk, self.asked
        answer = Answer(
            status=200 if refused is None else refused.status,
            result=result,
            refused=refused,
            rate_limits=desk.gateway.rate_limits(self.call) if asked.rate_limits else None,
            headers=desk.gateway.headers(self.call),
        )
        fault = desk.script.of_reply(asked.name, self.account, asked.via)
        if fault is None:
            self.reply_to.send(answer)
        elif fault.kind == "double_reply":
            self.reply_to.send(answer)
            self.reply_to.send(answer)
        elif fault.kind == "late_reply":
            desk.timers.after(fault.seconds, lambda: self.reply_to.send(answer))
        elif fault.kind == "cut_reply":
            self.reply_to.cut(answer, fault.reply_bytes)
