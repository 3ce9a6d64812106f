"""The handshake of a client, which ends in a WebSocket, an HTTP answer or a fault."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import trio

from connector.testing.exchange.event_log import Log
from connector.testing.exchange.rest import Answers
from connector.testing.exchange.running_plan import RunningPlan
from connector.testing.exchange.trading.opening import TradingSide
from connector.testing.exchange.trading.refusals import Refused
from connector.testing.faults.faults import Fault, FaultKind
from connector.testing.network import server_websocket
from connector.testing.network.server_end import Wire
from connector.testing.venues.rules import AttemptBudget, StreamPath, Venue

REQUEST_TIMEOUT_SECONDS = 10.0
_BODY_NEVER_SENT_BYTES = 1000


@attrs.frozen
class Upgrade:
    """A valid request of a client for a WebSocket."""

    request: server_websocket.Request
    path: StreamPath
    answer: bytes
    """The 101 response, not sent yet."""


@attrs.define(eq=False)
class Reception:
    """Handshakes of all clients, with the rules that the clients share."""

    venue: Venue
    plan: RunningPlan
    rest: Answers
    log: Log
    budget: AttemptBudget
    is_full: Callable[[], bool]
    """Whether as many connections are open as there may be."""
    fault_kinds: frozenset[FaultKind]
    """Faults that strike in the handshake; the network may handle the others."""
    trading: TradingSide | None = None
    upgrades: int = 0
    """Number of upgrade requests so far."""

    async def meet(self, wire: Wire, number: int) -> Upgrade | None:
        """Do everything up to the 101 response; return None if there will be no upgrade.

        Raises:
            trio.BrokenResourceError: the client broke the connection.
            server_websocket.ProtocolViolation: the client does not speak HTTP.
        """
        fault = self.plan.handshake_fault(number, self.fault_kinds)
        if fault is not None:
            self.log.note(number, "fault", str(fault))
            if fault.kind in ("accept_reset", "refuse"):
                wire.reset()
            if fault.kind == "tls_break":
                await wire.garble_handshake()
            if fault.kind in ("accept_close", "accept_reset", "refuse", "tls_break"):
                return None
        request: server_websocket.Request | None = None
        with trio.move_on_after(REQUEST_TIMEOUT_SECONDS):
            await wire.open()
            request = await server_websocket.read_request(wire.stream)
        if request is None:
            self.log.note(number, "disconnected", "no request came")
        elif fault is not None and fault.kind != "late_answer":
            await self._fail(wire, number, fault)
        else:
            late_seconds = fault.after_seconds if fault is not None else 0.0
            if request.is_upgrade:
                upgrade = await self._upgrade(wire, number, request)
                if late_seconds:
                    await trio.sleep(late_seconds)
                return upgrade
            await self._serve_rest(wire, request, late_seconds)
        return None

    async def _fail(self, wire: Wire, number: int, fault: Fault) -> None:
        hangs = fault.kind == "handshake_hang" or fault.partial_body
        if fault.kind == "http_status":
            body = fault.body.encode()
            headers = {"Content-Type": "text/plain"}
            if fault.retry_after is not None:
                headers["Retry-After"] = f"{fault.retry_after:g}"
            length = len(body) + (_BODY_NEVER_SENT_BYTES if fault.partial_body else 0)
            await self._reject(wire, number, fault.status, headers, body, length=length)
        if hangs:
            while await wire.stream.receive_some():
                pass

    async def _reject(
        self,
        wire: Wire,
        number: int,
        status: int,
        headers: dict[str, str],
        body: bytes = b"",
        *,
        length: int | None = None,
    ) -> None:
        self.log.note(number, "rejected", str(status))
        await wire.stream.send_all(
            server_websocket.response(status, headers, body, declared_length=length)
        )

    async def _upgrade(
        self, wire: Wire, number: int, request: server_websocket.Request
    ) -> Upgrade | None:
        self.upgrades += 1
        refused = self.budget.refuse(trio.current_time())
        if refused is not None:
            status, retry_after = refused
            await self._reject(wire, number, status, {"Retry-After": str(math.ceil(retry_after))})
            return None
        if self.is_full():
            await self._reject(wire, number, 429, {})
            return None
        path = self.venue.parse_path(request.target)
        if path is None and self.trading is not None:
            path = self.trading.api_path(request.target)
            if path is not None:
                try:
                    self.trading.charge_handshake()
                except Refused as busy:
                    wait = str(math.ceil(busy.retry_after_seconds or 0))
                    await self._reject(wire, number, busy.status, {"Retry-After": wait})
                    return None
        if path is None:
            await self._reject(wire, number, 404, {})
            return None
        violation: server_websocket.ProtocolViolation
        try:
            return Upgrade(request, path, server_websocket.accept(request))
        except server_websocket.ProtocolViolation as error:
            violation = error
        await self._reject(wire, number, 400, {})
        raise violation

    async def _serve_rest(
        self, wire: Wire, request: server_websocket.Request | None, late_seconds: float
    ) -> None:
        while request is not None:
            method = None if self.trading is None else self.trading.rest.name_of(request)
            if self.trading is not None and method is not None:
                if late_seconds:
                    await trio.sleep(late_seconds)
                rest = await self.trading.rest.serve(request, method, wire)
            else:
                answer = self.rest.answer(request)
                if late_seconds:
                    await trio.sleep(late_seconds)
                await wire.stream.send_all(answer)
                rest = request.rest
            request = await server_websocket.read_request(wire.stream, rest)
