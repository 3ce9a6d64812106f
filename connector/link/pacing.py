"""Decide when a link may dial: backoff with jitter, `Retry-After`, and the connection budget.

A successful handshake does not prove that a connection works. The backoff of a link is reset only
after its session has received data for `Reconnect.stable_after` seconds (INVARIANTS I6). Exchanges
count connections per IP address, so `HostGate` counts them per host for all adapters of a
`trio.run`.
"""

from __future__ import annotations

import email.utils
import math
import random
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import attrs
import trio

from connector.errors import ConfigError
from connector.inputs.validation import check_count, check_seconds


def _seconds(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_seconds(f"Reconnect: {attribute.name}", value)


def _growth(_: object, __: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < math.inf:
        raise ConfigError(f"Reconnect(factor={value!r}): write a number >= 1")


@attrs.frozen(kw_only=True)
class Reconnect:
    """How to pace the attempts to connect. Pass it to `open_adapter`.

    The n-th attempt after a stable connection waits a random time between 0 and
    ``min(cap, initial * factor ** (n - 1))`` seconds. From the second attempt on, the lower bound
    is `initial`, or half of the upper bound if that is less. A server that accepts and closes
    connections therefore sees a growing, bounded interval.
    """

    initial: float = attrs.field(default=0.25, validator=_seconds)
    """The upper bound of the first wait, in seconds."""
    factor: float = attrs.field(default=2.0, validator=_growth)
    """The growth of the upper bound per failed attempt, at least 1."""
    cap: float = attrs.field(default=10.0, validator=_seconds)
    """The largest upper bound, in seconds."""
    jitter: str = "full"
    """"full" for random waits, or "none" to wait the upper bound. Use "none" in tests only: many
    programs would otherwise reconnect at the same time."""
    stable_after: float = attrs.field(default=10.0, validator=_seconds)
    """The time that a connection must last after its first data to count as stable, in seconds."""
    max_attempts: int | None = None
    """The number of failed attempts in a row after which the adapter raises `ExchangeUnavailable`;
    None: never."""

    def __attrs_post_init__(self) -> None:
        if self.jitter not in ("full", "none"):
            raise ConfigError(f"Reconnect(jitter={self.jitter!r}): use 'full' or 'none'")
        if self.max_attempts is not None:
            check_count("Reconnect: max_attempts", self.max_attempts)

    def delay(self, failures: int) -> float:
        """Seconds to wait before the next attempt, after `failures` failed attempts in a row."""
        try:
            growth = float(self.factor) ** max(failures - 1, 0)
        except OverflowError:
            growth = math.inf
        bound = min(self.cap, self.initial * growth)
        if self.jitter == "none":
            return bound
        return random.uniform(min(self.initial, bound / 2) if failures > 1 else 0, bound)


_WINDOW_MARGIN_SECONDS = 1.0
"""An exchange counts an attempt when it arrives: of two, the way of the second may be shorter."""
_MOST_ATTEMPTS = 4096
"""As many as a gate remembers, whatever the windows of those who come; so the highest limit."""


_HOUR_SECONDS = 3600.0


class Pace:
    """At most `per_second` actions a second, evenly spaced, and `per_hour` requests an hour."""

    __slots__ = (
        "_next", "_requests", "_spacing",
    )  # fmt: skip

    def __init__(self, per_second: float, per_hour: int | None = None) -> None:
        self._spacing = 1 / per_second
        self._next = -math.inf
        self._requests = None if per_hour is None else deque[float](maxlen=per_hour)

    async def turn(self, *, request: bool = False) -> None:
        """Wait for the next free slot and take it. Executes a checkpoint.

        Args:
            request: whether it counts for the hour.

        Cancellation: the slot is not taken.
        """
        await trio.lowlevel.checkpoint()
        while (free := self._free_at(request)) > trio.current_time():  # noqa: ASYNC110  # time
            await trio.sleep_until(free)  # and another task may take the slot meanwhile
        self._next = trio.current_time() + self._spacing
        if request and self._requests is not None:
            self._requests.append(trio.current_time())

    def _free_at(self, request: bool) -> float:
        requests = self._requests
        if request and requests is not None and len(requests) == requests.maxlen:
            return max(self._next, requests[0] + _HOUR_SECONDS)
        return self._next


_LONGEST_RETRY_SECONDS = 4 * 24 * 3600.0
"""The longest ban of Binance is three days (binance_usdm §8); more is no honest answer."""

BANNED = frozenset({418, 429})
"""Statuses: too many requests or connections, or a ban for not having heeded that."""
_BAN_SECONDS = (60.0, 3600.0)
"""At first, at most: how long to stay away after a 418 or 429 that does not say so."""


class Ban:
    """How long a host refuses clients: it answered 418 or 429, or sent ``Retry-After``."""

    def __init__(self) -> None:
        self.until = -math.inf
        """`trio.current_time` at which it ends."""
        self._in_a_row = 0

    def strike(self, retry_after: float | None) -> float:
        """The host answered 418 or 429; the seconds to stay away.

        It is obeyed when it says for how long. A host that names no time, or one that is over, is
        left alone for 60 s, and for twice as long each time that it bans again; so is one that
        bans again after its own time.

        Args:
            retry_after: what its ``Retry-After`` says, None without one.
        """
        now = trio.current_time()
        if now >= self.until:  # otherwise it is what it said before, to somebody else
            self._in_a_row += 1
        first, most = _BAN_SECONDS
        times = self._in_a_row - 1 if retry_after else self._in_a_row
        least = min(first * 2.0 ** min(times - 1, 16), most) if times else 0.0
        seconds = max(retry_after or 0.0, least, self.until - now)
        self.extend(seconds)
        return seconds

    def extend(self, seconds: float) -> None:
        """Stay away for `seconds` at least."""
        self.until = max(self.until, trio.current_time() + seconds)

    def lift(self) -> None:
        """The host has served a request: the next ban counts as a first one."""
        self._in_a_row = 0


_gates: trio.lowlevel.RunVar[dict[str, HostGate]] = trio.lowlevel.RunVar("connector_host_gates")


class HostGate:
    """The door to one host, shared by every link of this `trio.run` that connects to it."""

    def __init__(self) -> None:
        self.ban = Ban()
        self._attempts: deque[float] = deque(maxlen=_MOST_ATTEMPTS)

    @staticmethod
    def of(host: str) -> HostGate:
        """The gate of `host`."""
        try:
            gates = _gates.get()
        except LookupError:
            gates = {}
            _gates.set(gates)
        return gates.setdefault(host, HostGate())

    def close_for(self, seconds: float) -> None:
        """Let no request through for `seconds`: the host sent ``Retry-After``."""
        self.ban.extend(seconds)

    def rejected(self, status: int, headers: Mapping[str, str]) -> float:
        """The host answered an attempt with `status`; return how many seconds to wait."""
        retry_after = retry_after_seconds(headers)
        if status in BANNED:
            return self.ban.strike(retry_after)
        self.close_for(retry_after or 0.0)
        return retry_after or 0.0

    def wait_seconds(self, limit: int, window_seconds: float) -> float:
        """How long the next attempt must wait for the host."""
        now = trio.current_time()
        window_seconds += _WINDOW_MARGIN_SECONDS
        wait = self.ban.until - now
        limit = min(limit, _MOST_ATTEMPTS)
        if len(self._attempts) >= limit:
            wait = max(wait, self._attempts[-limit] + window_seconds - now)
        return max(wait, 0.0)

    async def enter(self, limit: int, window_seconds: float) -> None:
        """Wait until an attempt is allowed, and count it. Executes a checkpoint.

        Args:
            limit: attempts per window that the exchange allows.
            window_seconds: the window's length.

        Cancellation: the attempt is not counted.
        """
        await trio.lowlevel.checkpoint()
        while wait := self.wait_seconds(limit, window_seconds):  # noqa: ASYNC110  # time, no event
            # Everybody who waits here waits for the same moment: spread them out after it.
            await trio.sleep(wait + random.uniform(0, min(wait, 1.0)))
        self._attempts.append(trio.current_time())


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds that a ``Retry-After`` header asks for; None without one (RFC 9110 §10.2.3)."""
    value = headers.get("retry-after", "").strip()
    try:
        if value.isdecimal():
            seconds = float(int(value))
        else:
            moment = email.utils.parsedate_to_datetime(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            seconds = moment.timestamp() - time.time()
        return min(max(seconds, 0.0), _LONGEST_RETRY_SECONDS)
    except (ValueError, OverflowError):
        return None
