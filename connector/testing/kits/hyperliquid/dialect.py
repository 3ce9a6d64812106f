"""Requests of a connection and their replies, pings, and the end of a silent connection.

What a coin that does not exist is answered is not documented: an error is assumed.

Source: hyperliquid §2, §3.
"""

from __future__ import annotations

from typing import Any

import msgspec
import trio

from connector.testing.kits.hyperliquid.names import stream_of
from connector.testing.kits.kit import Dialect, Ears
from connector.testing.kits.requests_heard import object_in

SILENT_SECONDS = 60.0
"""The exchange closes a connection to which it has sent nothing for so long."""
GOING_AWAY = 1000


class HyperliquidDialect(Dialect):
    """How Hyperliquid speaks on one connection."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._said = trio.current_time()

    def say(self, stream: str, data: bytes) -> bytes:
        """The data unchanged: the desk writes whole messages."""
        self._said = trio.current_time()
        return data

    @property
    def due_at(self) -> float:
        """When nothing has been sent for too long."""
        return self._said + SILENT_SECONDS

    def speak(self) -> list[bytes]:
        """The end of it."""
        self._ears.close(GOING_AWAY, "Inactive", drop=True)  # code and words are assumed
        self._said = trio.current_time()
        return []

    def hear(self, text: bytes) -> list[bytes]:
        """Carry out a request, and answer it."""
        self._said = trio.current_time()
        said = object_in(text) or {}
        method, subscription = said.get("method"), said.get("subscription")
        if method == "ping":
            return [b'{"channel":"pong"}']
        if method not in ("subscribe", "unsubscribe") or not isinstance(subscription, dict):
            return [_error(f"Error parsing JSON into valid websocket request: {text.decode()}")]
        wrong = self._carry_out(method, subscription)
        if wrong is not None:
            return [_error(f"{wrong}: {msgspec.json.encode(said).decode()}")]
        data = {"method": method, "subscription": _completed(subscription)}
        return [msgspec.json.encode({"channel": "subscriptionResponse", "data": data})]

    def _carry_out(self, method: str, subscription: dict[str, Any]) -> str | None:
        """The reason to refuse a request; None to accept it."""
        stream = stream_of(subscription)
        if stream is None:
            return "Invalid subscription"
        held = stream in self._ears.subscriptions
        if method == "unsubscribe":
            self._ears.unsubscribe(stream)
            return None if held else "Already unsubscribed"
        fault = self._ears.refusal(stream)
        if fault is not None:
            return fault.message or "Invalid subscription"
        if held:
            return "Already subscribed"
        if not self._ears.knows(stream, subscription["coin"]):
            return "Invalid subscription"
        self._ears.subscribe(stream)
        return None


def _completed(subscription: dict[str, Any]) -> dict[str, Any]:
    """The subscription as the exchange repeats it, with what was left out."""
    if subscription["type"] != "l2Book":
        return subscription
    return {**subscription, **{
        key: subscription.get(key) for key in ("nSigFigs", "mantissa")
    }}  # fmt: skip


def _error(text: str) -> bytes:
    return msgspec.json.encode({"channel": "error", "data": text})
