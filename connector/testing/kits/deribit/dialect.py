"""JSON-RPC requests and their replies, heartbeats, and credits.

Source: deribit §2, §3, §4, §8.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import trio

from connector.testing.kits.kit import Dialect, Ears

LEAST_HEARTBEAT_SECONDS = 10
CHANNELS_PER_CALL = 500
CREDITS, CREDITS_PER_SECOND = 50_000.0, 10_000.0
CALL_CREDITS, SUBSCRIBE_CREDITS = 500.0, 3000.0
"""A pool for all calls, of which a subscription takes more: about 3.3 a second, 10 in a row."""
SUBSCRIBE_POOL = 30_000.0
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
TOO_MANY_REQUESTS, UNAUTHORIZED, BAD_REQUEST = 10028, 13009, 11050
_US = 1_000_000
_POLICY_VIOLATION, _NORMAL = 1008, 1000


class Pool:
    """Credits that are spent, and come back with time."""

    def __init__(self, most: float) -> None:
        self._most = self._left = most
        self._at = trio.current_time()

    def spend(self, price: float) -> bool:
        """Take `price` credits; False if there are not enough."""
        now = trio.current_time()
        self._left = min(self._most, self._left + (now - self._at) * CREDITS_PER_SECOND)
        self._at = now
        if self._left < price:
            return False
        self._left -= price
        return True


class DeribitDialect(Dialect):
    """How Deribit speaks on one connection."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._pool, self._subscribing = Pool(CREDITS), Pool(SUBSCRIBE_POOL)
        self._heartbeat_seconds = math.inf
        self._asked = False
        self._terminates = False
        self.due_at = math.inf
        """When a heartbeat, or the end, is due."""

    def say(self, stream: str, data: bytes) -> bytes:
        """The notification of a channel."""
        head = b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"'
        return b'%b%b","data":%b}}' % (head, stream.encode(), data)

    def speak(self) -> list[bytes]:
        """A heartbeat and a question, unless the last one was not answered."""
        if self._terminates or self._asked:
            self.due_at = math.inf
            self._ears.close(_POLICY_VIOLATION if self._terminates else _NORMAL, drop=True)
            return []
        self._asked = True
        self.due_at = trio.current_time() + self._heartbeat_seconds
        return [
            msgspec.json.encode({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}})
            for kind in ("heartbeat", "test_request")
        ]

    def hear(self, text: bytes) -> list[bytes]:
        """Carry out a request, and answer it."""
        try:
            said = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return [self._error(None, PARSE_ERROR, "Parse error")]
        if not isinstance(said, dict) or not isinstance(said.get("method"), str):
            return [self._error(None, INVALID_REQUEST, "Invalid Request")]
        request_id, method, params = said.get("id"), said["method"], said.get("params", {})
        if not isinstance(params, dict):
            return [self._error(request_id, INVALID_PARAMS, "Invalid params")]
        subscribes = method in ("public/subscribe", "public/unsubscribe")
        if not self._pool.spend(CALL_CREDITS) or (
            subscribes and not self._subscribing.spend(SUBSCRIBE_CREDITS)
        ):
            self._terminates, self.due_at = True, trio.current_time()
            return [self._error(request_id, TOO_MANY_REQUESTS, "too_many_requests")]
        return [self._answer(request_id, method, params)]

    def _answer(self, request_id: Any, method: str, params: dict[str, Any]) -> bytes:
        if method in ("public/subscribe", "public/unsubscribe"):
            return self._change(request_id, method, params.get("channels"))
        if method == "public/unsubscribe_all":
            for channel in self._ears.subscriptions:
                self._ears.unsubscribe(channel)
            return self._result(request_id, "ok")
        if method == "public/test":
            self._asked = False
            return self._result(request_id, {"version": "1.2.26"})
        if method == "public/set_heartbeat":
            return self._set_heartbeat(request_id, params.get("interval"))
        if method == "public/disable_heartbeat":
            self._heartbeat_seconds = self.due_at = math.inf
            self._asked = False
            return self._result(request_id, "ok")
        if method.startswith("private/"):
            return self._error(request_id, UNAUTHORIZED, "unauthorized")
        return self._error(request_id, METHOD_NOT_FOUND, "Method not found")

    def _set_heartbeat(self, request_id: Any, interval: Any) -> bytes:
        if not isinstance(interval, int | float) or interval < LEAST_HEARTBEAT_SECONDS:
            data = {"reason": f"value must be at least {LEAST_HEARTBEAT_SECONDS}",
                    "param": "interval"}  # fmt: skip
            return self._error(request_id, INVALID_PARAMS, "Invalid params", data)
        self._heartbeat_seconds = float(interval)
        self.due_at = trio.current_time() + self._heartbeat_seconds
        return self._result(request_id, "ok")

    def _change(self, request_id: Any, method: str, channels: Any) -> bytes:
        """The reply lists what was done; what was not is left out."""
        if not isinstance(channels, list) or not all(isinstance(each, str) for each in channels):
            data = {"reason": "must be an array of strings", "param": "channels"}
            return self._error(request_id, INVALID_PARAMS, "Invalid params", data)
        if len(channels) > CHANNELS_PER_CALL:
            data = {"reason": "too many channels", "param": "channels"}
            return self._error(request_id, INVALID_PARAMS, "Invalid params", data)
        if method == "public/unsubscribe":
            done = [each for each in channels if each in self._ears.subscriptions]
            for channel in done:
                self._ears.unsubscribe(channel)
            return self._result(request_id, sorted(set(done), reverse=True))
        done = []
        for channel in channels:
            fault = self._ears.refusal(channel)
            if fault is not None and fault.message:
                code = BAD_REQUEST if fault.code is None else fault.code
                return self._error(request_id, code, fault.message)
            if fault is None and self._ears.knows(channel, symbol_of(channel)):
                done.append(channel)
        fresh = [each for each in dict.fromkeys(done) if each not in self._ears.subscriptions]
        for channel in fresh:
            self._ears.subscribe(channel)
        return self._result(request_id, sorted(set(done), reverse=True))

    def _result(self, request_id: Any, result: Any) -> bytes:
        now = round(trio.current_time() * _US)
        return msgspec.json.encode(
            {
                "jsonrpc": "2.0", "id": request_id, "result": result, "usIn": now,
                "usOut": now + 100, "usDiff": 100, "testnet": False,
            }
        )  # fmt: skip

    def _error(self, request_id: Any, code: int, message: str, data: Any = None) -> bytes:
        error = {"code": code, "message": message} | ({"data": data} if data else {})
        return msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "error": error})


def symbol_of(channel: str) -> str:
    """The instrument that a channel is of; empty where it is of several or none."""
    kind, *rest = channel.removeprefix("chart.").split(".")
    several = kind == "trades" and len(rest) == 3
    of_one = kind in ("book", "quote", "ticker", "incremental_ticker", "trades", "perpetual")
    return rest[0] if of_one and rest and not several else ""
