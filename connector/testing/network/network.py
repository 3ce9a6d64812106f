"""A network in memory, in virtual time, whose connections can be broken in every way.

Pass the same `MemoryNetwork` to the client (``open_adapter(…, dialer=network)``) and to the server
(``open_exchange(…, network=network)``, or `MemoryNetwork.listen` for a server of your own). No
socket is opened. Under `trio.testing.MockClock` with ``autojump_threshold=0``, hours of traffic
pass in milliseconds, and every run is the same. `MemoryNetwork.ledger` counts open connections.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, Protocol, TypeAlias

import attrs
import trio

from connector.testing.network.ledger import Ledger
from connector.testing.network.memory_connection import MemoryConnection, MemoryStream

FIRST_PORT = 40_000
"""The first port that `listen(port=0)` assigns."""
BACKLOG = 128

DialFault: TypeAlias = Literal["refuse", "dns", "hang"]


class Gate(Protocol):
    """Decides about dials before they become connections, as an operating system does."""

    def refuses_dial(self) -> bool:
        """Whether to refuse the present dial."""
        ...


class MemoryListener(trio.abc.Listener[MemoryStream]):
    """A listener that accepts connections to its address; see `MemoryNetwork.listen`."""

    def __init__(self, network: MemoryNetwork, host: str, port: int) -> None:
        self._network = network
        self.host = host
        self.port = port
        self.gate: Gate | None = None
        """Decides about every dial; None accepts all."""
        self.arrivals, self._accepted = trio.open_memory_channel[MemoryStream](BACKLOG)

    async def accept(self) -> MemoryStream:
        """Wait for the next connection. Returns its server end."""
        return await self._accepted.receive()

    def close(self) -> None:
        """Stop listening. Connections that are not accepted are reset; others stay open."""
        self._network.forget(self)
        while True:
            try:
                self._accepted.receive_nowait().connection.reset()
            except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
                break
        self._accepted.close()

    async def aclose(self) -> None:
        """Stop listening, as `close` does. Executes a checkpoint."""
        self.close()
        await trio.lowlevel.checkpoint()


@attrs.define
class _FailingDials:
    kind: DialFault
    times: int | None
    host: str | None
    port: int | None

    def strikes(self, host: str, port: int) -> bool:
        if self.times == 0 or self.host not in (None, host) or self.port not in (None, port):
            return False
        if self.times is not None:
            self.times -= 1
        return True


class MemoryNetwork:
    """A network in memory: listeners by address, connections with latency and bounds.

    Args:
        latency_seconds: time that everything sent needs to arrive, in `trio.current_time()`. Zero
            is allowed, but a peer that answers in no time hides the windows in which bugs live.
        capacity_bytes: how much may be unread per direction before `send_all` blocks.
        ssl_context: what a client uses to speak TLS over this network; None: the system's trust.
    """

    def __init__(
        self,
        *,
        latency_seconds: float = 0.001,
        capacity_bytes: int = 65_536,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if not 0 <= latency_seconds < float("inf"):
            raise ValueError(f"latency_seconds must be finite and not negative: {latency_seconds}")
        if capacity_bytes < 1:
            raise ValueError(f"capacity_bytes must be at least 1: {capacity_bytes}")
        self.latency_seconds = latency_seconds
        self.capacity_bytes = capacity_bytes
        self.ledger = Ledger()
        self._ssl_context = ssl_context
        self._listeners: dict[tuple[str, int], MemoryListener] = {}
        self._next_port = FIRST_PORT
        self._failing: list[_FailingDials] = []
        self._connections: dict[int, MemoryConnection] = {}

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The client's TLS settings, as a dialer has them."""
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
        return self._ssl_context

    @property
    def connections(self) -> tuple[MemoryConnection, ...]:
        """Connections whose client end is open, oldest first."""
        return tuple(self._connections.values())

    def listen(self, host: str = "127.0.0.1", port: int = 0) -> MemoryListener:
        """Listen on an address. Port 0 chooses a free port.

        Raises:
            OSError: the address is in use.
        """
        if port == 0:
            while (host, self._next_port) in self._listeners:
                self._next_port += 1
            port = self._next_port
            self._next_port += 1
        if (host, port) in self._listeners:
            raise OSError(errno.EADDRINUSE, f"{host}:{port} is in use on this network")
        listener = MemoryListener(self, host, port)
        self._listeners[host, port] = listener
        return listener

    @asynccontextmanager
    async def connect(self, host: str, port: int) -> AsyncIterator[trio.abc.Stream]:
        """Connect to an address. The connection is closed when the block is left.

        Raises:
            ConnectionRefusedError: nothing listens there, or `fail_dials` says so.
            socket.gaierror: `fail_dials` says that the name is unknown.

        Cancellation: a dial in progress is given up; nothing stays open.
        """
        stream = await self.open_stream(host, port)
        try:
            yield stream
        finally:
            stream.close()

    async def open_stream(self, host: str, port: int) -> MemoryStream:
        """Dial, as `trio.open_tcp_stream` does: the caller must close the stream.

        Raises:
            ConnectionRefusedError, socket.gaierror: as `connect`.

        Cancellation: a dial in progress is given up; nothing stays open.
        """
        record = self.ledger.begin(host, port, trio.current_time())
        connection = MemoryConnection(self, record)
        try:
            await self._dial(connection, host, port)
        except BaseException:
            connection.client.close()
            raise
        self.ledger.establish(record, trio.current_time())
        self._connections[record.number] = connection
        return connection.client

    async def _dial(self, connection: MemoryConnection, host: str, port: int) -> None:
        await trio.sleep(self.latency_seconds)
        kind = next((dial.kind for dial in self._failing if dial.strikes(host, port)), None)
        if kind == "hang":
            await trio.sleep_forever()
        if kind == "dns":
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is unknown on this network")
        listener = self._listeners.get((host, port))
        if kind is None and listener is not None and listener.gate is not None:
            kind = "refuse" if listener.gate.refuses_dial() else None
        if kind is None and listener is not None:
            try:
                await listener.arrivals.send(connection.server)
            except trio.BrokenResourceError:
                listener = None
        await trio.sleep(self.latency_seconds)
        if kind == "refuse" or listener is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"{host}:{port} refused to connect")

    def fail_dials(
        self,
        kind: DialFault,
        *,
        times: int | None = None,
        host: str | None = None,
        port: int | None = None,
    ) -> None:
        """Let the next `times` dials (None: all) to an address (None: any) fail.

        "refuse" raises `ConnectionRefusedError`, "dns" `socket.gaierror`, "hang" never answers.
        """
        self._failing.append(_FailingDials(kind, times, host, port))

    def mend_dials(self) -> None:
        """Undo every `fail_dials`."""
        self._failing.clear()

    def forget(self, listener: MemoryListener) -> None:
        if self._listeners.get((listener.host, listener.port)) is listener:
            del self._listeners[listener.host, listener.port]

    def note_client_closed(self, connection: MemoryConnection) -> None:
        self._connections.pop(connection.record.number, None)
        self.ledger.end(connection.record, trio.current_time())
