"""Keep one private connection open: dial, run, close, wait, and repeat.

It has the same structure as `connector.link.link`: the code cannot dial again before the block of
the old connection has ended and its socket is closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

import trio

from connector.account.late_timers import read_if_late
from connector.account.statistics import PrivateLinkStatistics
from connector.errors import ExchangeUnavailable, HandshakeRejected, InvariantViolated
from connector.exchanges.protocol import UNDECODABLE, Limits
from connector.lifecycle import Connected, Connecting, Disconnected, Lifecycle
from connector.link.pacing import HostGate, Reconnect, retry_after_seconds
from connector.trading.venue import Heard, Trading
from connector.transport import Connection, Dialer, is_open, open_connection

PING_SECONDS = 15.0
PONG_SECONDS = 5.0

EndReason: TypeAlias = Literal[
    "unavailable", "rejected", "closed", "eof", "reset", "protocol error", "too big", "error",
    "no reply", "shutdown", "age", "left", "refused", "key", "audit",
]  # fmt: skip
"""Why a private connection ended: as `connector.link.session.REASONS`, and

===========  ===================================================================================
``refused``  the exchange refused the subscription to private events, or the key for it
``key``      the listen key is gone, or could not be renewed
``audit``    a reading differs from the events: events may be missing
===========  ===================================================================================
"""


class Listener(Protocol):
    """Receives the messages of a connection."""

    def heard(self, said: Heard) -> None: ...

    def unreadable(self) -> None:
        """A message could not be decoded, so what it said is not known."""


class Announcer(Protocol):
    """Announces connection events to the program and the log: the adapter."""

    def announce_private(self, event: Lifecycle) -> None: ...


class Frames:
    """Reads frames, for a listener; a sink of `connector.transport`."""

    leisurely = False

    def __init__(self, trading: Trading, listener: Listener) -> None:
        self._read = trading.read
        self._heard = listener.heard
        self._unreadable = listener.unreadable
        self.decode_errors = 0

    def deliver(self, payloads: Sequence[bytes], first: int) -> int:
        """Take all frames."""
        read, heard = self._read, self._heard
        for payload in payloads[first:]:
            try:
                said = read(payload)
            except UNDECODABLE:
                self.decode_errors += 1
                self._unreadable()
                continue
            for each in said:
                heard(each)
        return len(payloads)

    async def wait_for_room(self) -> None:
        """Return at once, because there is always room."""
        await trio.lowlevel.checkpoint()

    async def rest(self) -> None:
        """Do nothing: this sink is never leisurely."""
        await trio.lowlevel.checkpoint()


class Dialling:
    """Opens one connection after another to a host, paced."""

    def __init__(
        self,
        name: str,
        trading: Trading,
        limits: Limits,
        dialer: Dialer,
        reconnect: Reconnect,
        *,
        announcer: Announcer,
    ) -> None:
        self.name = name
        self.sessions = 0
        self.sockets: set[trio.abc.Stream] = set()
        self.reconnects: Counter[str] = Counter()
        self._announcer = announcer
        self._attempts = 0
        self._ending: tuple[EndReason, str] | None = None
        self._wire_bytes = 0
        self._messages = 0
        self._decode_errors = 0
        self._open: tuple[Connection, Frames] | None = None
        self._trading = trading
        self._limits = limits
        self._dialer = dialer
        self._reconnect = reconnect
        self._failures = 0
        self._attempt = 0
        self._pause = 0.0
        self._last_end: float | None = None

    @property
    def sockets_open(self) -> int:
        """Descriptors open at this moment."""
        return sum(map(is_open, self.sockets))

    def note_end(self, reason: EndReason, detail: str = "") -> None:
        """Why the present session ends; the first reason counts."""
        if self._ending is None:
            self._ending = reason, detail

    def statistics(self) -> PrivateLinkStatistics:
        """Over all its sessions."""
        wire_bytes, messages, decode_errors = self._present()
        return PrivateLinkStatistics(
            name=self.name,
            sockets_open=self.sockets_open,
            sessions_opened=self.sessions,
            reconnects=dict(self.reconnects),
            wire_bytes=self._wire_bytes + wire_bytes,
            messages=self._messages + messages,
            decode_errors=self._decode_errors + decode_errors,
        )

    async def wait_for_turn(self, url: str) -> None:
        """Wait as the backoff and the exchange's budget of connections demand."""
        if self._last_end is not None:
            await trio.sleep_until(max(self._last_end + self._pause, trio.current_time()))
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
        self._attempts += 1
        self._attempt += 1
        self._ending = None
        frames = Frames(self._trading, listener)
        session = self._attempts
        self._announcer.announce_private(
            Connecting(link=self.name, session=session, attempt=self._attempt)
        )
        try:
            async with open_connection(
                url,
                frames,
                dialer=self._dialer,
                max_message_bytes=self._limits.max_message_bytes,
                sockets=self.sockets,
            ) as connection:
                self.sessions += 1
                began = trio.current_time()
                self._open = connection, frames
                self._announcer.announce_private(Connected(link=self.name, session=session))
                yield connection
        except ExchangeUnavailable as error:
            self.note_end("unavailable" if began is None else "error", str(error))
            raise
        except HandshakeRejected as rejected:
            self.note_end("rejected", str(rejected))
            after = retry_after_seconds(rejected.headers)
            if after is not None:
                HostGate.of(urlsplit(url).hostname or "").close_for(after)
            raise
        finally:
            self._last_end = trio.current_time()
            stable = self._reconnect.stable_after
            lived = began is not None and self._last_end - began >= stable
            self._failures = 1 if lived else self._failures + 1
            self._attempt = 0 if lived else self._attempt
            self._pause = self._reconnect.delay(self._failures)
            self._count_session()
            reason, detail = self._end_of_session()
            self.reconnects[reason] += reason != "left"
            self._announcer.announce_private(
                Disconnected(
                    link=self.name,
                    session=session,
                    reason=reason,
                    detail=detail,
                    connected=began is not None,
                    retry_seconds=0.0 if reason == "left" else self._pause,
                )
            )

    def _end_of_session(self) -> tuple[EndReason, str]:
        return self._ending or ("left", "")

    def _present(self) -> tuple[int, int, int]:
        """Bytes, messages and decode errors of the present session."""
        if self._open is None:
            return 0, 0, 0
        connection, frames = self._open
        return connection.wire_bytes, connection.messages, frames.decode_errors

    def _count_session(self) -> None:
        wire_bytes, messages, decode_errors = self._present()
        self._open = None
        self._wire_bytes += wire_bytes
        self._messages += messages
        self._decode_errors += decode_errors


async def keep_asking_whether_alive(connection: Connection) -> None:
    """Ping periodically; return when a pong is missing.

    Cancellation: nothing is lost.
    """
    while True:
        await trio.sleep(PING_SECONDS)
        heard = connection.wire_bytes
        with trio.move_on_after(PONG_SECONDS) as limit:
            try:
                await connection.ping()
            except ExchangeUnavailable:
                return
        await read_if_late(limit.deadline)
        if connection.wire_bytes == heard:
            return
