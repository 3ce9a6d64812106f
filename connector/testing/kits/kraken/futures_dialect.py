"""Requests of a connection of the futures, their replies, heartbeats, and the close of the silent.

Source: kraken_futures_v1; the words of refusals are *assumed*.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import trio

from connector.testing.kits.kit import Ears

FEEDS = ("book", "trade", "ticker", "ticker_lite")
HEARTBEAT_SECONDS = 5.0  # assumed
PING_SECONDS = 60.0


class FuturesDialect:
    """How Kraken's futures speak on one connection."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._heartbeat_at = math.inf
        self._pinged_at = trio.current_time()

    def greet(self) -> list[bytes]:
        """The version."""
        return [b'{"event":"info","version":1}']

    def say(self, stream: str, data: bytes) -> bytes:
        """The data unchanged: the desk writes whole messages."""
        return data

    def announce_shutdown(self) -> None:
        """Cuts are not announced."""

    @property
    def due_at(self) -> float:
        """When the next heartbeat is due, or the client's next ping."""
        return min(self._heartbeat_at, self._pinged_at + PING_SECONDS)

    def speak(self) -> list[bytes]:
        """A heartbeat, to whom it was promised."""
        now = trio.current_time()
        if now >= self._pinged_at + PING_SECONDS:
            self._heartbeat_at = self._pinged_at = math.inf
            self._ears.close(1000, "no ping")
            return []
        self._heartbeat_at = now + HEARTBEAT_SECONDS
        return [b'{"feed":"heartbeat","time":%d}' % round(now * 1000)]

    def hear(self, text: bytes) -> list[bytes]:
        """Carry out a request, and answer it."""
        try:
            said = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return [_error("Json Error")]
        if not isinstance(said, dict):
            return [_error("Json Error")]
        event, feed, products = said.get("event"), said.get("feed"), said.get("product_ids")
        if event == "ping":
            self._pinged_at = trio.current_time()
            return [b'{"event":"pong"}']
        if event not in ("subscribe", "unsubscribe"):
            return [_error("Bad request")]
        if feed == "heartbeat":
            begins = event == "subscribe"
            at = trio.current_time() + HEARTBEAT_SECONDS
            self._heartbeat_at = at if begins else math.inf
            return [msgspec.json.encode({"event": f"{event}d", "feed": feed})]
        if feed not in FEEDS:
            return [_error("Invalid feed")]
        if not isinstance(products, list) or not products:
            return [_error("Invalid product id")]
        return [self._answer(event, feed, product) for product in products]

    def _answer(self, event: str, feed: str, product: Any) -> bytes:
        """Each product has an answer of its own."""
        if not isinstance(product, str):
            return _error("Invalid product id")
        product = product.upper() if product.islower() else product
        stream = f"{feed}:{product}"
        if event == "unsubscribe":
            if stream not in self._ears.subscriptions:
                return _alert("Not subscribed to feed")
            self._ears.unsubscribe(stream)
        else:
            fault = self._ears.refusal(stream)
            if fault is not None or not self._ears.knows(stream, product):
                words = fault.message if fault is not None and fault.message else None
                return _error(words or "Invalid product id")
            if stream in self._ears.subscriptions:
                return _alert("Already subscribed to feed, re-requesting")
            self._ears.subscribe(stream)
        told = {"event": f"{event}d", "feed": feed, "product_ids": [product]}
        return msgspec.json.encode(told)


def _error(words: str) -> bytes:
    return msgspec.json.encode({"event": "error", "message": words})


def _alert(words: str) -> bytes:
    return msgspec.json.encode({"event": "alert", "message": words})
