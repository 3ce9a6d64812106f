"""One private connection at a time: dial, hold, close, wait, again.

The same shape as `connector.link.link`: the next dial is reachable only after the block of the old
connection has ended, and its socket is closed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol
from urllib.parse import urlsplit

import trio

from connector.errors import ExchangeUnavailable, HandshakeRejected, InvariantViolated
from connector.exchanges.protocol import UNDECODABLE, Limits
from connector.link.pacing import HostGate, Reconnect, retry_after_seconds
from connector.trading.venue import Heard, Trading
from connector.transport import Connection, Dialer, is_open, open_connection

PING_SECONDS = 15.0
PONG_SECONDS = 5.0


class Listener(Protocol):
    """Who hears what a connection says."""

    def heard(self, said: Heard) -> None: ...


class Frames:
    """Reads frames, for a listener; a sink of `connector.transport`."""

    leisurely = False

    def __init__(self, trading: Trading, listener: Listener) -> None:
        self._trading = trading
        self._listener = listener
        self.decode_errors = 0

    def deliver(self, payloads: Sequence[bytes], first: int) -> int:
        """Take them all."""
        for payload in payloads[first:]:
            try:
                said = self._trading.read(payload)
            except UNDECODABLE:
                self.decode_errors += 1
                continue
            for each in said:
                self._listener.heard(each)
        return len(payloads)

    async def wait_for_room(self) -> None:
        """There is always room."""
        await trio.lowlevel.checkpoint()

    async def rest(self) -> None:
        """Never."""
        await trio.lowlevel.checkpoint()


class Dialling:
    """Opens one connection after another to a host, paced."""

    def __init__(
        self, name: str, trading: Trading, limits: Limits, dialer: Dialer, reconnect: Reconnect
    ) -> None:
        self.name = name
        self.sessions = 0
        self.sockets: set[trio.abc.Stream] = set()
        self._trading = trading
        self._limits = limits
        self._dialer = dialer
        self._reconnect = reconnect
        self._failures = 0
        self._last_end: float | None = None

    @property
    def sockets_open(self) -> int:
        """Descriptors open at this moment."""
        return sum(map(is_open, self.sockets))

    async def wait_for_turn(self, url: str) -> None:
        """Wait as the backoff and the exchange's budget of connections demand."""
        if self._last_end is not None:
            pause = self._last_end + self._reconnect.delay(self._failures)
            await trio.sleep_until(max(pause, trio.current_time()))
        gate = HostGate.of(urlsplit(url).hostname or "")
        await gate.enter(self._limits.connections_per_window, self._limits.window_seconds)

    @asynccontextmanager
    async def open(self, url: str, listener: Listener) -> AsyncIterator[Connection]:
        """A connection for the length of a block.

        Raises:
            ExchangeUnavailable: there is none.
            HandshakeRejected: the exchange refused it.
        """
        if self.sockets_open:
            raise InvariantViolated(f"{self.name}: the socket of the last session is still open")
        began: float | None = None
        try:
            async with open_connection(
                url,
                Frames(self._trading, listener),
                dialer=self._dialer,
                max_message_bytes=self._limits.max_message_bytes,
                sockets=self.sockets,
            ) as connection:
                self.sessions += 1
                began = trio.current_time()
                yield connection
        except HandshakeRejected as rejected:
            after = retry_after_seconds(rejected.headers)
            if after is not None:
                HostGate.of(urlsplit(url).hostname or "").close_for(after)
            raise
        finally:
            self._last_end = trio.current_time()
            stable = self._reconnect.stable_after
            lived = began is not None and self._last_end - began >= stable
            self._failures = 1 if lived else self._failures + 1


async def keep_asking_whether_alive(connection: Connection) -> None:
    """Ping now and then; returns when there is no pong.

    Cancellation: nothing is lost.
    """
    while True:
        await trio.sleep(PING_SECONDS)
        heard = connection.wire_bytes
        with trio.move_on_after(PONG_SECONDS):
            try:
                await connection.ping()
            except ExchangeUnavailable:
                return
        if connection.wire_bytes == heard:
            return
