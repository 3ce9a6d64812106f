"""Requests of a public connection, of v3 or v2, and the verdict on each of their arguments.

Source: bitget §2, §3.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import trio

from connector.testing.kits.bitget.names import INST_TYPES, V2_ROUTE, Market, inst_type_of
from connector.testing.kits.kit import Dialect, Ears
from connector.testing.kits.requests_heard import RequestWindow, object_in

REQUESTS_PER_HOUR, HOUR_SECONDS = 240, 3600.0
MOST_BYTES = 4096
MOST_BOOKS = 25
"""So many arguments for books in a frame of v3 end the connection."""
PING_SECONDS = 127.0
"""After the last ping, whatever else is said, and though data flows."""
NO_SUCH_CHANNEL, ILLEGAL_REQUEST, WRONG_OP, TOO_MANY, WRONG_PARAMETER = (
    30001, 30002, 30003, 30007, 30016,
)  # fmt: skip
_NORMAL = 1000


class BitgetDialect(Dialect):
    """How Bitget speaks on one connection.

    Args:
        ears: the connection.
        market: "spot" or "futures".
    """

    def __init__(self, ears: Ears, market: Market) -> None:
        self._ears = ears
        self._market: Market = market
        self._classic = ears.route == V2_ROUTE
        self._connection = f"{ears.number:032x}"
        self._requests = RequestWindow(REQUESTS_PER_HOUR, HOUR_SECONDS)
        self.due_at = trio.current_time() + PING_SECONDS
        """When the connection is cut, unless a ping comes."""

    def speak(self) -> list[bytes]:
        """Cut the connection: no ping has come."""
        self.due_at = math.inf
        self._ears.close(_NORMAL, drop=True)
        return []

    def hear(self, text: bytes) -> list[bytes]:
        """Carry out a request, and answer it."""
        if text == b"ping":
            self.due_at = trio.current_time() + PING_SECONDS
            return [b"pong"]
        said = object_in(text)
        if said is None:
            return [self._error(ILLEGAL_REQUEST, "Illegal request")]
        op, args = said.get("op"), said.get("args")
        if op not in ("subscribe", "unsubscribe"):
            return [self._error(WRONG_OP, "Invalid op")]
        if not isinstance(args, list) or not args or not all(isinstance(a, dict) for a in args):
            return [self._error(ILLEGAL_REQUEST, "Illegal request")]
        if len(text) > MOST_BYTES:
            return [self._error(WRONG_PARAMETER, "Param error")]  # the words are assumed
        books = [each for each in args if str(each.get("topic", "")).startswith("books")]
        if len(books) >= MOST_BOOKS:
            self._ears.close(_NORMAL, drop=True)
            return []
        if not self._requests.take():
            return [self._error(TOO_MANY, "Request too many")]
        return [self._answer(op, arg) for arg in args]

    def _answer(self, op: str, arg: dict[str, Any]) -> bytes:
        """Each argument has a verdict of its own."""
        stream, symbol, inst_type = self._classic_name(arg) if self._classic else self._name(arg)
        if op == "unsubscribe":
            self._ears.unsubscribe(stream)
            return self._event(op, arg)
        fault = self._ears.refusal(stream)
        if fault is not None or not self._ears.knows(stream, symbol):
            words = fault.message if fault is not None and fault.message else None
            return self._refusal(arg, words)
        if symbol and inst_type != inst_type_of(self._market, symbol):
            if inst_type not in INST_TYPES:
                return self._refusal(arg, None)
            # Accepted, and silent ever after.
            stream = f"{inst_type} {stream}"
        if stream not in self._ears.subscriptions:
            self._ears.subscribe(stream)
        return self._event(op, arg)

    @staticmethod
    def _name(arg: dict[str, Any]) -> tuple[str, str, str]:
        """The stream, the symbol, and the market that is asked for."""
        inst_type, topic = str(arg.get("instType")), arg.get("topic")
        if topic == "liquidation":
            return f"{topic}:{inst_type}", "", inst_type
        symbol = str(arg.get("symbol"))
        name = f"{topic}:{symbol}"
        if topic == "kline":
            name += f":{arg.get('interval')}"
        return name, symbol, inst_type

    @staticmethod
    def _classic_name(arg: dict[str, Any]) -> tuple[str, str, str]:
        inst_type, symbol = str(arg.get("instType")), str(arg.get("instId"))
        if inst_type == "COIN-FUTURES":
            symbol += "_CM"
        known = inst_type.lower() if inst_type.isupper() else ""
        return f"v2.{arg.get('channel')}:{symbol}", symbol, known

    def _event(self, event: str, arg: dict[str, Any]) -> bytes:
        said: dict[str, Any] = {"event": event, "arg": arg}
        return msgspec.json.encode(said if self._classic else said | {"connId": self._connection})

    def _refusal(self, arg: dict[str, Any], words: str | None) -> bytes:
        why = words or "doesn't exist"
        if not self._classic:
            # The argument is named in the text alone.
            named = json.dumps(arg, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            return self._error(NO_SUCH_CHANNEL, f"{named} {why}")
        told = ",".join(f"{key}:{arg.get(key)}" for key in ("instType", "channel", "instId"))
        code, message = NO_SUCH_CHANNEL, f"{told},precision:null {why}"
        if words is None and str(arg.get("channel")) in ("books50", "markPrice", "funding"):
            code, message = WRONG_PARAMETER, "Param error"
        said = {"event": "error", "arg": arg, "code": code, "msg": message, "op": "subscribe"}
        return msgspec.json.encode(said)

    def _error(self, code: int, message: str) -> bytes:
        said: dict[str, Any] = {"event": "error", "code": code, "msg": message}
        return msgspec.json.encode(said if self._classic else said | {"connId": self._connection})
