"""Requests of a public connection and their replies.

Source: okx §2, §3.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connector.testing.kits.kit import Dialect, Ears
from connector.testing.kits.requests_heard import RequestWindow

REQUESTS_PER_HOUR = 480
HOUR_SECONDS = 3600.0
MOST_ARGUMENT_BYTES = 64 * 1024
"""Of all that a connection has subscribed to."""


class OkxDialect(Dialect):
    """How OKX speaks on one connection."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._connection = f"{ears.number:08x}"
        self._requests = RequestWindow(REQUESTS_PER_HOUR, HOUR_SECONDS)
        self._argument_bytes: dict[str, int] = {}
        """Of what is subscribed."""

    def announce_shutdown(self) -> bytes:
        """A service upgrade."""
        return msgspec.json.encode(
            {
                "event": "notice",
                "code": "64008",
                "msg": "The connection will soon be closed for a service upgrade. "
                "Please reconnect.",
                "connId": self._connection,
            }
        )

    def hear(self, text: bytes) -> list[bytes]:
        """Carry out a request, and answer it."""
        if text == b"ping":
            return [b"pong"]
        try:
            said = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return [self._error("60012", f"Invalid request: {text.decode()[:100]}", None)]
        if not isinstance(said, dict) or said.get("op") not in ("subscribe", "unsubscribe"):
            return [self._error("60012", "Invalid request: op", None)]
        request_id, args = said.get("id"), said.get("args")
        if not isinstance(args, list) or not args:
            return [self._error("60013", "Invalid args", request_id)]
        if not self._requests.take():
            return [self._error("60014", "Requests too frequent", request_id)]
        return [self._answer(said["op"], arg, request_id) for arg in args]

    def _answer(self, op: str, arg: Any, request_id: Any) -> bytes:
        """Each argument has an answer of its own."""
        if not isinstance(arg, dict):
            return self._error("60013", "Invalid args", request_id)
        if "uly" in arg:
            return self._error("64000", "Subscription parameter uly is unavailable", request_id)
        key = "instType" if "instType" in arg else "instId"
        channel, rest = str(arg.get("channel")), str(arg.get(key))
        stream = f"{channel}:{rest}"
        if op == "unsubscribe":
            self._ears.unsubscribe(stream)
            self._argument_bytes.pop(stream, None)
            return self._event(op, arg, request_id)
        fault = self._ears.refusal(stream)
        symbol = "" if key == "instType" else rest
        if fault is not None or not self._ears.knows(stream, symbol):
            words = f"Subscribe failed, wrong URL or channel:{channel},{key}:{rest} doesn't exist."
            words += (
                " Please use the correct URL, channel and parameters referring to API document."
            )
            return self._error("60018", (fault and fault.message) or words, request_id)
        self._argument_bytes[stream] = len(msgspec.json.encode(arg))
        if sum(self._argument_bytes.values()) > MOST_ARGUMENT_BYTES:
            del self._argument_bytes[stream]
            return self._error("60013", "Invalid args: too many", request_id)  # assumed
        self._ears.subscribe(stream)
        return self._event(op, arg, request_id)

    def _event(self, event: str, arg: Any, request_id: Any) -> bytes:
        said = {"event": event, "arg": arg, "connId": self._connection}
        return msgspec.json.encode(said if request_id is None else {"id": request_id, **said})

    def _error(self, code: str, message: str, request_id: Any) -> bytes:
        said = {"event": "error", "msg": message, "code": code, "connId": self._connection}
        return msgspec.json.encode(said if request_id is None else {**said, "id": request_id})
