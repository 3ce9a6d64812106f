"""Requests of a connection of WebSocket v2, their replies, heartbeats, and the idle close.

Spot and the unified WebSocket differ in the parameters of their requests: `SPOT` and `DERIVATIVES`.
The words of refusals that no source has are marked *assumed*. What the unified WebSocket does where
no source says so is *assumed* to be what spot does.

Source: kraken §2, §3, §8b.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import msgspec
import trio

from connector.testing.kits.kit import Ears

HEARTBEAT_SECONDS = 1.0
IDLE_SECONDS = 60.0
REQUESTS_PER_SECOND = 20  # assumed
DEPTHS = (10, 25, 100, 500, 1000)
INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
TRIGGERS = ("trades", "bbo")
VENUES = ("international", "bitnomial_exchange")
EVENTS = ("trade", "ohlc")
"""Channels whose snapshot is what was before, and not what is."""
TICK_TYPES = ("trade",)
"""Candles of mark and spot prices exist, and are not simulated. Source: kraken §8b."""
_CONNECTION_IDS = 12_393_906_104_898_154_338
"""Beyond 2^53, as they are."""
_BEGINNING = re.compile(r"-(?:history|changes)(?=:|$)")


class _Refused(Exception):
    """Why a request, or one symbol of it, is refused."""


@attrs.frozen
class Grammar:
    """The parameters that requests have."""

    channels: Mapping[str, frozenset[str]]
    """By channel, beside ``channel`` and ``symbol``."""
    asset_class: str | None = None
    """What every request must have as its ``asset_class``; None if it has none."""
    state: str = ""
    """What the state of the system has beside the fields of spot."""


_COMMON = {
    "trade": frozenset({"snapshot"}),
    "book": frozenset({"snapshot", "depth"}),
    "instrument": frozenset({"snapshot", "include_tokenized_assets", "execution_venue"}),
}
SPOT = Grammar(
    {
        **_COMMON,
        "ticker": frozenset({"snapshot", "event_trigger"}),
        "ohlc": frozenset({"snapshot", "interval"}),
    }
)
"""Source: kraken §3."""
DERIVATIVES = Grammar(
    {
        **_COMMON,
        "ticker": frozenset({"snapshot"}),
        "ohlc": frozenset({"snapshot", "interval", "tick_type"}),
    },
    asset_class="derivatives",
    # What a row has is not documented; a client ignores what it does not know.
    state=',"upcoming_maintenance":[{"stage":"imminent_5m"}],"emergency":[]',
)
"""Source: kraken §2, §8b. A ticker has no trigger: it is sent when there is a trade."""


class V2Dialect:
    """How Kraken's spot, or its unified WebSocket, speaks on one connection."""

    def __init__(self, ears: Ears, grammar: Grammar) -> None:
        self._ears = ears
        self._grammar = grammar
        self._requests: deque[float] = deque()
        self._said_at = self._idle_since = trio.current_time()

    def greet(self) -> list[bytes]:
        """The state of the system."""
        return [self._state("online")]

    def say(self, stream: str, data: bytes) -> bytes:
        """The data unchanged: the desk writes whole messages."""
        self._said_at = trio.current_time()
        return data

    def announce_shutdown(self) -> bytes:
        """A change of the state of the system."""
        return self._state("maintenance")

    def _state(self, system: str) -> bytes:
        number = _CONNECTION_IDS + self._ears.number
        return (
            f'{{"channel":"status","type":"update","data":[{{"version":"2.0.10","system":"{system}"'
            f',"api_version":"v2","connection_id":{number}{self._grammar.state}}}]}}'
        ).encode()

    @property
    def due_at(self) -> float:
        """When the next heartbeat is due, or the end of a connection that has no subscription."""
        if self._ears.subscriptions:
            return self._said_at + HEARTBEAT_SECONDS
        return self._idle_since + IDLE_SECONDS

    def speak(self) -> list[bytes]:
        """A heartbeat."""
        now = self._said_at = trio.current_time()
        if self._ears.subscriptions:
            self._idle_since = now
            return [b'{"channel":"heartbeat"}']
        self._idle_since = math.inf
        self._ears.close(1000, "idle")  # assumed
        return []

    def hear(self, text: bytes) -> list[bytes]:
        """Carry out a request, and answer it."""
        now = trio.current_time()
        self._requests.append(now)
        while self._requests[0] <= now - 1.0:
            self._requests.popleft()
        try:
            said = msgspec.json.decode(text)
        except msgspec.DecodeError:
            said = None
        if not isinstance(said, dict):
            return [self._error("Malformed request", {})]  # assumed
        if len(self._requests) > REQUESTS_PER_SECOND:
            return [self._error("Exceeded msg rate", said)]
        if not isinstance(said.get("req_id", 0), int):
            return [self._error("Invalid req_id", {**said, "req_id": None})]  # assumed
        method = said.get("method")
        if method == "ping":
            return [self._reply({"method": "pong"}, said)]
        if method not in ("subscribe", "unsubscribe"):
            return [self._error("Unsupported method", said)]  # assumed
        try:
            symbols, options = _read(said.get("params"), self._grammar)
        except _Refused as refused:
            return [self._error(str(refused), said)]
        replies = [self._answer(said, symbol, options) for symbol in symbols]
        if not self._ears.subscriptions and math.isinf(self._idle_since):
            self._idle_since = now
        return replies

    def _answer(
        self, said: Mapping[str, Any], symbol: str | None, options: Mapping[str, Any]
    ) -> bytes:
        """Each symbol has an answer of its own."""
        method, stream = said["method"], _stream_of(symbol, options)
        subject = _subject_of(stream)
        held = {_subject_of(each): each for each in self._ears.subscriptions}
        if method == "unsubscribe":
            if subject not in held or _plain(held[subject]) != _plain(stream):
                return self._error("Subscription Not Found", said, symbol)  # assumed
            self._ears.unsubscribe(held[subject])
            self._idle_since = trio.current_time()
        else:
            fault = self._ears.refusal(_plain(stream))
            if fault is not None or not self._ears.knows(stream, symbol or ""):
                words = fault.message if fault is not None and fault.message else None
                words = words or f"Currency pair not supported {symbol}"
                return self._error(words, said, symbol)
            if subject in held:
                return self._error("Already subscribed", said, symbol)  # assumed
            self._ears.subscribe(stream)
        result = dict(options) if symbol is None else {**options, "symbol": symbol}
        return self._reply({"method": method, "result": result, "success": True}, said)

    def _error(self, words: str, said: Mapping[str, Any], symbol: str | None = None) -> bytes:
        told: dict[str, Any] = {"error": words}
        if isinstance(said.get("method"), str):
            told["method"] = said["method"]
        told["success"] = False
        if symbol is not None:
            told["symbol"] = symbol
        return self._reply(told, said)

    @staticmethod
    def _reply(told: Mapping[str, Any], said: Mapping[str, Any]) -> bytes:
        number = said.get("req_id")
        at = datetime.fromtimestamp(trio.current_time() % 10**9, UTC)
        time = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        more = {} if number is None else {"req_id": number}
        return msgspec.json.encode({**told, **more, "time_in": time, "time_out": time})


def _read(params: Any, grammar: Grammar) -> tuple[list[str | None], dict[str, Any]]:
    """The symbols of a request, and its other parameters with their defaults.

    Raises:
        _Refused: they are not as documented.
    """
    if not isinstance(params, dict):
        raise _Refused("Params missing")  # assumed
    channel, symbols = params.get("channel"), params.get("symbol")
    allowed = grammar.channels.get(channel if isinstance(channel, str) else "")
    if allowed is None:
        raise _Refused("Unsupported channel")  # assumed
    everywhere = {"channel", "symbol"} | ({"asset_class"} if grammar.asset_class else set())
    if unknown := params.keys() - allowed - everywhere:
        raise _Refused(f"Unsupported field: '{min(unknown)}'")  # assumed
    if params.get("asset_class") != grammar.asset_class:
        raise _Refused("Asset class not supported")  # assumed
    if not isinstance(snapshot := params.get("snapshot", channel != "trade"), bool):
        raise _Refused("Invalid snapshot")  # assumed
    options: dict[str, Any] = {"channel": channel, "snapshot": snapshot}
    if grammar.asset_class is not None:
        options["asset_class"] = grammar.asset_class
    for name, values, default in (
        ("depth", DEPTHS, 10),
        ("interval", INTERVALS, 1),
        ("event_trigger", TRIGGERS, "trades"),
        ("tick_type", TICK_TYPES, "trade"),
        ("include_tokenized_assets", (False, True), False),
        ("execution_venue", VENUES, "international"),
    ):
        if name in allowed:
            options[name] = params.get(name, default)
            if options[name] not in values or type(options[name]) is not type(default):
                raise _Refused(f"Subscription {name} not supported")  # assumed
    if channel == "instrument":
        return [None], options
    if not isinstance(symbols, list) or not symbols:
        raise _Refused("Symbol(s) missing")  # assumed
    if not all(isinstance(each, str) for each in symbols):
        raise _Refused("Invalid symbol")  # assumed
    return symbols, options


def both(name: str) -> tuple[str, str]:
    """The two streams of a channel: as it begins by default, and as it begins if asked otherwise.

    Trades and candles begin without past data by default (`-history` has it), all other channels
    with a snapshot (`-changes` has none).
    """
    return name, f"{name}{'-history' if name.partition('-')[0] in EVENTS else '-changes'}"


def _stream_of(symbol: str | None, options: Mapping[str, Any]) -> str:
    """The stream of a subscription."""
    channel = options["channel"]
    option = options.get("depth") or options.get("interval") or options.get("event_trigger")
    if channel == "ticker" and option is None:
        option = "trades"
    name = both(channel if option is None else f"{channel}-{option}")[
        options["snapshot"] == (channel in EVENTS)
    ]
    return name if symbol is None else f"{name}:{symbol}"


def _subject_of(stream: str) -> tuple[str, str]:
    """Channel and symbol: books of two depths cannot be told apart, candles can."""
    name, _, symbol = _plain(stream).partition(":")
    return name if name.startswith("ohlc") else name.partition("-")[0], symbol


def _plain(stream: str) -> str:
    """The stream, however it begins."""
    return _BEGINNING.sub("", stream)
