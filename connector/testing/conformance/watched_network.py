"""A network in memory that observes every message of every connection, and can drop any.

The adapter dials over it, so it observes the wire and depends on no other component. It knows no
venue, and parses only HTTP and WebSocket frames.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import attrs
import trio

from connector.testing.network.memory_connection import MemoryStream
from connector.testing.network.network import MemoryNetwork
from connector.testing.network.server_websocket import PING, TEXT, FrameReader

_END_OF_HEAD = b"\r\n\r\n"
_LONGEST_PIECE = 65_536


@attrs.frozen
class Said:
    """A message of the client."""

    seconds: float
    """Time of the message, as `trio.current_time()`."""
    opcode: int
    text: bytes


class WatchedConnection:
    """One connection, as observed between the client and the network.

    Attributes:
        target: the request's target, such as ``/ws``.
        is_upgrade: whether the client requested a WebSocket.
        is_websocket: whether the server has accepted an upgrade.
        said: messages of the client, including pings and pongs.
        heard: text messages that were passed on to the client.
        lose: selects the server's next text message to drop; called for each until it selects one.
        repeat: selects the next text message to deliver twice, in the same way.
        muted: whether data is discarded in both directions.
        open: whether the client has not closed it yet.
    """

    def __init__(self, stream: MemoryStream) -> None:
        self.target = ""
        self.is_upgrade = False
        self.is_websocket = False
        self.said: list[Said] = []
        self.heard: list[bytes] = []
        self.lose: Callable[[bytes], bool] | None = None
        self.repeat: Callable[[bytes], bool] | None = None
        self.muted = False
        self.open = True
        self._stream = stream
        self._asked = b""
        self._from_client = FrameReader()
        self._answered = b""
        self._unread = bytearray()

    def reset(self) -> None:
        """A TCP RST."""
        self._stream.connection.reset()

    def end(self) -> None:
        """The server's FIN, without a close frame."""
        self._stream.connection.eof()

    @property
    def texts(self) -> list[bytes]:
        """The client's text messages."""
        return [each.text for each in self.said if each.opcode == TEXT]

    @property
    def pings(self) -> int:
        """How many WebSocket pings the client has sent."""
        return sum(each.opcode == PING for each in self.said)

    # -- for the stream -------------------------------------------------------------------------

    def note_sent(self, data: bytes) -> None:
        """Observe data of the client."""
        if _END_OF_HEAD not in self._asked:
            self._asked += data
            head, end, data = self._asked.partition(_END_OF_HEAD)
            if not end:
                return
            self.target = head.split(b" ", 2)[1].decode("latin-1")
            self.is_upgrade = b"upgrade: websocket" in head.lower()
        if self.is_upgrade:
            now = trio.current_time()
            for message in self._from_client.feed(data):
                self.said.append(Said(now, message.opcode, message.payload))

    def pass_on(self, data: bytes) -> bytes:
        """Observe data of the server, and return the part that the client receives."""
        if self.muted:
            return b""
        if not self.is_upgrade:
            return data
        if not self.is_websocket:
            self._answered += data
            head, end, data = self._answered.partition(_END_OF_HEAD)
            if not end:
                return b""
            if not head.startswith(b"HTTP/1.1 101"):
                self.is_upgrade = False
                return self._answered
            self.is_websocket = True
            return head + end + b"".join(self._frames(data))
        return b"".join(self._frames(data))

    def _frames(self, data: bytes) -> Iterator[bytes]:
        self._unread += data
        while (size := _frame_bytes(self._unread)) is not None:
            frame = bytes(self._unread[: size[0] + size[1]])
            del self._unread[: size[0] + size[1]]
            if frame[0] != 0x80 | TEXT:
                yield frame
                continue
            text = frame[size[0] :]
            if self.lose is not None and self.lose(text):
                self.lose = None
                continue
            self.heard.append(text)
            yield frame
            if self.repeat is not None and self.repeat(text):
                self.repeat = None
                yield frame


def _frame_bytes(data: bytearray) -> tuple[int, int] | None:
    """Sizes of head and payload of a server's first frame; None if the frame is incomplete."""
    if len(data) < 2:
        return None
    head, size = 2, data[1] & 0x7F
    if size >= 126:
        head = 4 if size == 126 else 10
        if len(data) < head:
            return None
        size = int.from_bytes(data[2:head], "big")
    return (head, size) if len(data) >= head + size else None


class WatchedStream(trio.abc.Stream):
    """The client's end of a watched connection."""

    def __init__(self, stream: MemoryStream, connection: WatchedConnection) -> None:
        self._stream = stream
        self._connection = connection
        self._ready = bytearray()

    @property
    def closed(self) -> bool:
        """Whether the client has closed it."""
        return self._stream.closed

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._connection.note_sent(bytes(data))
        if self._connection.muted:
            await trio.lowlevel.checkpoint()
            return
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        while not self._ready:
            data = await self._stream.receive_some()
            if not data and not self._connection.muted:
                return b""
            if self._connection.muted:
                await trio.sleep_forever()
            self._ready += self._connection.pass_on(data)
        if self._connection.muted:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        most = max_bytes or _LONGEST_PIECE
        data = bytes(self._ready[:most])
        del self._ready[:most]
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()


class WatchedNetwork:
    """A dialer over a network in memory.

    Attributes:
        network: the network of the servers.
        connections: all dialled connections, oldest first.
    """

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        self.connections: list[WatchedConnection] = []

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The TLS settings of the network."""
        return self.network.ssl_context

    @asynccontextmanager
    async def connect(self, host: str, port: int) -> AsyncIterator[trio.abc.Stream]:
        """Dial; the connection is closed when the block ends."""
        async with self.network.connect(host, port) as stream:
            assert isinstance(stream, MemoryStream)
            connection = WatchedConnection(stream)
            self.connections.append(connection)
            try:
                yield WatchedStream(stream, connection)
            finally:
                connection.open = False

    @property
    def websockets(self) -> list[WatchedConnection]:
        """Connections that became WebSockets, oldest first."""
        return [each for each in self.connections if each.is_websocket]

    @property
    def live(self) -> list[WatchedConnection]:
        """WebSockets that the client has open."""
        return [each for each in self.websockets if each.open]
