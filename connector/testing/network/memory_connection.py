"""A connection in memory: a client's end, a server's end, and every way to break it."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import trio

from connector.testing.network.ledger import DialRecord
from connector.testing.network.pipe import Pipe

DEFAULT_RECEIVE_BYTES = 65_536


class Owner(Protocol):
    """The network that a connection belongs to."""

    latency_seconds: float
    capacity_bytes: int

    def note_client_closed(self, connection: MemoryConnection) -> None:
        """Note that the client has closed its end."""


class MemoryStream(trio.abc.HalfCloseableStream):
    """One end of a connection of a `MemoryNetwork`; behaves as a `trio.SocketStream` would."""

    def __init__(self, connection: MemoryConnection, outgoing: Pipe, incoming: Pipe) -> None:
        self.connection = connection
        self._outgoing = outgoing
        self._incoming = incoming
        self._sending = False
        self._receiving = False
        self._eof_sent = False

    @property
    def closed(self) -> bool:
        """Whether this end was closed by its owner."""
        return self._incoming.receiver_closed

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends `data`; blocks while `capacity_bytes` are unread at the other end.

        Raises:
            trio.BusyResourceError: another task is sending.
            trio.BrokenResourceError: the connection was reset, or the other end is closed.
            trio.ClosedResourceError: this end is closed, or its sending half is.

        Cancellation: an unknown part of `data` may have been sent.
        """
        with self._only_sender():
            await trio.lowlevel.checkpoint()
            pipe = self._outgoing
            if self._eof_sent:
                raise trio.ClosedResourceError("send_eof was called on this end")
            pipe.raise_if_unsendable()
            rest = memoryview(data)
            while rest:
                await pipe.wait_room()
                room = pipe.capacity - pipe.unread
                pipe.put(bytes(rest[:room]))
                rest = rest[room:]

    def send_nowait(self, data: bytes) -> int:
        """Send as many bytes as fit, and return their number; raises as `send_all`."""
        with self._only_sender():
            pipe = self._outgoing
            if self._eof_sent:
                raise trio.ClosedResourceError("send_eof was called on this end")
            pipe.raise_if_unsendable()
            sent = data[: max(pipe.capacity - pipe.unread, 0)]
            if sent:
                pipe.put(sent)
            return len(sent)

    async def wait_send_all_might_not_block(self) -> None:
        """Returns when there is room, or when sending would raise at once."""
        with self._only_sender():
            await trio.lowlevel.checkpoint()
            if self._outgoing.sender_closed:
                raise trio.ClosedResourceError("this end of the connection was closed")
            try:
                await self._outgoing.wait_room()
            except trio.BrokenResourceError:
                return

    async def send_eof(self) -> None:
        """End the sending direction (FIN); receiving continues."""
        with self._only_sender():
            await trio.lowlevel.checkpoint()
            if self._eof_sent:
                return
            self._outgoing.raise_if_unsendable()
            self._eof_sent = True
            self._outgoing.put_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Returns what has arrived, at most `max_bytes`; ``b""`` at the end of the stream.

        Raises:
            trio.BusyResourceError: another task is receiving.
            trio.BrokenResourceError: the connection was reset.
            trio.ClosedResourceError: this end is closed.

        Cancellation: nothing is lost.
        """
        if max_bytes is not None and operator.index(max_bytes) < 1:
            raise ValueError(f"max_bytes must be at least 1, not {max_bytes}")
        if self._receiving:
            raise trio.BusyResourceError("another task is receiving from this stream")
        self._receiving = True
        try:
            await trio.lowlevel.checkpoint()
            return await self._incoming.get(max_bytes or DEFAULT_RECEIVE_BYTES)
        finally:
            self._receiving = False

    def close(self) -> None:
        """Close this end at once with a FIN; data sent before it still arrives."""
        if self.closed:
            return
        now = trio.current_time()
        out, inc = self._outgoing, self._incoming
        out.sender_closed = True
        inc.receiver_closed = True
        inc.segments.clear()
        inc.unread = 0
        if not out.dead:
            out.put_eof()
            if inc.broken_for_sender_at is None:
                inc.broken_for_sender_at = now + inc.latency
        self.connection.note_closed(self)
        out.notify()
        inc.notify()

    async def aclose(self) -> None:
        """Closes this end. Executes a checkpoint; closed even when that is cancelled."""
        self.close()
        await trio.lowlevel.checkpoint()

    @contextmanager
    def _only_sender(self) -> Iterator[None]:
        if self._sending:
            raise trio.BusyResourceError("another task is sending to this stream")
        self._sending = True
        try:
            yield
        finally:
            self._sending = False


class MemoryConnection:
    """A connection of a `MemoryNetwork`: its two ends and the switches that break it.

    Every switch takes effect at once and may be thrown from either side's task.
    """

    def __init__(self, network: Owner, record: DialRecord) -> None:
        up = Pipe(network.latency_seconds, network.capacity_bytes)
        down = Pipe(network.latency_seconds, network.capacity_bytes)
        self._network = network
        self._pipes = (up, down)
        self._client_closed = trio.Event()
        self.record = record
        self.client = MemoryStream(self, up, down)
        self.server = MemoryStream(self, down, up)

    @property
    def half_opened(self) -> bool:
        return self._pipes[0].dead

    def eof(self) -> None:
        """The server's FIN, without any word of the protocol above; the server may still read."""
        self._pipes[1].put_eof()

    def reset(self) -> None:
        """A TCP RST: both sides see `trio.BrokenResourceError` from now on."""
        now = trio.current_time()
        for pipe in self._pipes:
            pipe.segments.clear()
            pipe.unread = 0
            pipe.broken_for_receiver_at = pipe.broken_for_sender_at = now
            pipe.notify()

    def half_open(self) -> None:
        """Discard all data in both directions, without notice to either side."""
        for pipe in self._pipes:
            pipe.dead = True
            pipe.notify()

    def stall(self) -> None:
        """Hold all data back until `resume`, as during a rerouting in the network."""
        self._set_stalled(True)

    def resume(self) -> None:
        """End a `stall`: the data held back arrives now."""
        self._set_stalled(False)

    def deliver_single_bytes(self, enabled: bool = True) -> None:
        """Both sides receive one byte at a time."""
        for pipe in self._pipes:
            pipe.one_byte = enabled

    def narrow(self, capacity_bytes: int) -> None:
        """Limit the unread bytes per direction from now on; 1 makes every write partial."""
        for pipe in self._pipes:
            pipe.capacity = capacity_bytes

    async def wait_client_closed(self) -> None:
        """Wait until the client end is closed; a server leaves a half-open connection this way."""
        await self._client_closed.wait()

    def note_closed(self, end: MemoryStream) -> None:
        if end is self.client:
            self._client_closed.set()
            self._network.note_client_closed(self)

    def _set_stalled(self, stalled: bool) -> None:
        for pipe in self._pipes:
            pipe.stalled = stalled
            pipe.notify()
