"""Requests of a connection and their replies, the numbers of its messages, and heartbeats.

Whether a product that does not exist is an error or is left out of the answer is not documented:
here it is an error if a request has no other, and is left out if it has.

Source: coinbase A2, A3, A4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import trio

from connector.testing.kits.coinbase.times import go_time, timestamp
from connector.testing.kits.kit import Dialect, PromptEars
from connector.testing.kits.requests_heard import object_in

FIRST_SUBSCRIPTION_SECONDS = 5.0
QUIET_SECONDS = 90.0
"""A connection that is sent nothing for so long is closed; it is said to be 60 to 90."""
HEARTBEAT_SECONDS = 1.0
HEARTBEATS = "heartbeats"
_EPOCH_MS = 1_785_000_000_000
_RUNNING_SECONDS = 139_651
"""For how long the server runs when a connection comes."""
_CHANNELS = {
    "level2": "l2_data", "market_trades": "market_trades", "ticker": "ticker",
    "ticker_batch": "ticker_batch", "candles": "candles", "status": "status",
}  # fmt: skip
"""Channels as requests name them, and as messages do."""
_UNKNOWN_CHANNEL = "authentication failure"
_NOT_SUBSCRIBED_CODE = 1008


class CoinbaseDialect(Dialect):
    """How Coinbase speaks on one connection."""

    def __init__(self, ears: PromptEars) -> None:
        self._ears = ears
        self._number = -1
        self._opened = self._said = trio.current_time()
        self._heartbeat_at: float | None = None
        """When the next one is due; None while nobody wants them."""
        self._closed = False
        self._subscribed = False

    def say(self, stream: str, data: bytes) -> bytes:
        """The desk writes messages without a number."""
        return data.replace(b',"events":', b',"sequence_num":%d,"events":' % self._next(), 1)

    # -- by the clock ---------------------------------------------------------------------------

    @property
    def due_at(self) -> float:
        """When a heartbeat is due, or the connection has been idle for too long."""
        if self._closed:
            return math.inf
        if not self._subscribed:
            return self._opened + FIRST_SUBSCRIPTION_SECONDS
        if self._heartbeat_at is not None:
            return self._heartbeat_at
        return self._said + QUIET_SECONDS if self._ears.subscriptions else math.inf

    def speak(self) -> list[bytes]:
        """A heartbeat; or the end of a connection that is good for nothing."""
        if self._subscribed and self._heartbeat_at is not None:
            seconds = _RUNNING_SECONDS + self._heartbeat_at - self._opened
            self._heartbeat_at += HEARTBEAT_SECONDS
            event = {
                "current_time": go_time(self._now_ms(), seconds),
                "heartbeat_counter": round(seconds),
            }
            return [self._message(HEARTBEATS, event)]
        self._closed = True
        self._ears.close(_NOT_SUBSCRIBED_CODE, drop=True)
        return []

    # -- requests -------------------------------------------------------------------------------

    def hear(self, text: bytes) -> Iterator[bytes]:
        """Carry out a request, and answer it: with data first, where there is some."""
        wrong = self._carry_out(text)
        self._ears.start()
        if wrong is None:
            yield self._message("subscriptions", {"subscriptions": self._state()})
        else:
            yield msgspec.json.encode({"type": "error", "message": wrong})

    def _carry_out(self, text: bytes) -> str | None:
        """The reason to refuse the request; None to accept it."""
        said = object_in(text)
        if said is None:
            return "failed to parse message"  # the words are assumed
        if said.get("type") not in ("subscribe", "unsubscribe"):
            return "type is required"  # the words are assumed
        channel = said.get("channel")
        if not isinstance(channel, str):
            return "channel is required"
        products = said.get("product_ids", [])
        if not isinstance(products, list) or not all(isinstance(each, str) for each in products):
            return "product_ids must be a list"  # the words are assumed
        if channel == HEARTBEATS:
            wanted = said["type"] == "subscribe"
            self._subscribed |= wanted
            self._heartbeat_at = trio.current_time() + HEARTBEAT_SECONDS if wanted else None
            return None
        if channel not in _CHANNELS:
            return _UNKNOWN_CHANNEL
        streams = [f"{_CHANNELS[channel]}:{each}" for each in products]
        if said["type"] == "unsubscribe":
            for stream in streams or self._of_channel(_CHANNELS[channel]):
                self._ears.unsubscribe(stream)
            return None
        return self._subscribe(dict(zip(streams, products, strict=True)))

    def _subscribe(self, products: dict[str, str]) -> str | None:
        for stream in products:
            fault = self._ears.refusal(stream)
            if fault is not None:
                return fault.message or _UNKNOWN_CHANNEL
        known = [
            stream for stream, product in products.items() if self._ears.knows(stream, product)
        ]
        if not known:
            return "product_ids are not valid"  # the words are assumed
        self._subscribed = True
        for stream in known:
            if stream not in self._ears.subscriptions:
                self._ears.subscribe(stream)
        return None

    def _of_channel(self, channel: str) -> list[str]:
        return [each for each in self._ears.subscriptions if each.startswith(f"{channel}:")]

    def _state(self) -> dict[str, list[str]]:
        """All that is subscribed now, by channel."""
        names = {messages: requests for requests, messages in _CHANNELS.items()}
        state: dict[str, list[str]] = {}
        for stream in self._ears.subscriptions:
            channel, _, product = stream.partition(":")
            state.setdefault(names[channel], []).append(product)
        if self._heartbeat_at is not None:
            state[HEARTBEATS] = [HEARTBEATS]
        return state

    # -- messages -------------------------------------------------------------------------------

    def _next(self) -> int:
        self._said = trio.current_time()
        self._number += 1
        return self._number

    def _now_ms(self) -> int:
        return _EPOCH_MS + round(trio.current_time() * 1000)

    def _message(self, channel: str, event: dict[str, Any]) -> bytes:
        said = {
            "channel": channel,
            "timestamp": timestamp(self._now_ms(), self._ears.number),
            "sequence_num": self._next(),
            "events": [event],
        }
        return msgspec.json.encode(said)
