"""A network in memory that counts the program's operations, and fails at a chosen one.

As in SQLite's tests: for every N, the N-th dial, send, receive or close fails, either once or from
then on.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from connector.testing.explore.plan import At, Trigger
from connector.testing.network.memory_connection import MemoryStream
from connector.testing.network.network import MemoryNetwork


class ExploredNetwork(MemoryNetwork):
    """A `MemoryNetwork` that counts operations, and that can be made to carry few bytes at a time.

    Args:
        ssl_context: as in `MemoryNetwork`.
        failing: which operations fail, and how.
        failed: called with each fault.
        counted: whether to count even if nothing fails.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        failing: tuple[Trigger, ...] = (),
        failed: Callable[[str], None],
        counted: bool = False,
    ) -> None:
        super().__init__(ssl_context=ssl_context)
        self.operations: Counter[At] = Counter()
        """The number of operations of each kind, if they are counted."""
        self._triggers = failing
        self._failed = failed
        self._counted = counted or bool(failing)
        self._trickles = False

    def trickle(self) -> None:
        """From now on, deliver all data one byte at a time."""
        self._trickles = True
        for connection in self.connections:
            connection.deliver_single_bytes()

    def squeeze(self) -> None:
        """From now on, make every write partial: one byte fits at a time."""
        self.capacity_bytes = 1
        for connection in self.connections:
            connection.narrow(1)

    @asynccontextmanager
    async def connect(self, host: str, port: int) -> AsyncIterator[trio.abc.Stream]:
        """Connect as `MemoryNetwork.connect` does, and count the dial."""
        if self._counted:
            # The ledger counts dials, so a failed dial is entered there as well.
            match self.next_fault("dial"):
                case "fail":
                    self.fail_dials("refuse", times=1)
                case "hang":
                    self.fail_dials("hang", times=1)
        async with super().connect(host, port) as stream:
            if self._trickles:
                assert isinstance(stream, MemoryStream)
                stream.connection.deliver_single_bytes()
            assert isinstance(stream, MemoryStream)
            yield CountedStream(self, stream) if self._counted else stream

    def next_fault(self, operation: At) -> str | None:
        """Count an operation, and return the fault with which it fails, if any."""
        self.operations[operation] += 1
        number = self.operations[operation]
        for trigger in self._triggers:
            if trigger.at == operation and (
                number == trigger.number or (trigger.lasting and number > trigger.number)
            ):
                self._failed(trigger.fault)
                return trigger.fault
        return None


class CountedStream(trio.abc.Stream):
    """The program's end of a connection, operation by operation."""

    def __init__(self, network: ExploredNetwork, stream: MemoryStream) -> None:
        self._network = network
        self._stream = stream
        self._hangs = False

    @property
    def closed(self) -> bool:
        """Whether this end was closed by its owner."""
        return getattr(self._stream, "closed", False)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data`; if it fails, half of `data` has been sent."""
        if self._hangs:
            await trio.sleep_forever()
        fault = self._network.next_fault("send")
        if fault is not None:
            await self._stream.send_all(memoryview(data)[: len(data) // 2])
            await _fail(fault)
        await self._stream.send_all(data)

    def send_nowait(self, data: bytes) -> int:
        """Send as much as fits; if it fails, at most half of `data` has been sent."""
        fault = self._network.next_fault("send")
        if fault is None:
            return 0 if self._hangs else self._stream.send_nowait(data)
        sent = self._stream.send_nowait(data[: len(data) // 2])
        if fault != "hang":
            raise trio.BrokenResourceError("failed by the plan")
        self._hangs = True
        return sent

    async def wait_send_all_might_not_block(self) -> None:
        """Return when there is room."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive; if it fails, no data is lost."""
        fault = self._network.next_fault("receive")
        if fault is not None:
            await trio.lowlevel.checkpoint()
            await _fail(fault)
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Close; the stream is closed even if this fails or is cancelled."""
        if self.closed:
            await trio.lowlevel.checkpoint()
            return
        fault = self._network.next_fault("close")
        try:
            if fault is not None:
                await _fail(fault)
        finally:
            await self._stream.aclose()


async def _fail(fault: str) -> None:
    if fault == "hang":
        await trio.sleep_forever()
    raise trio.BrokenResourceError("failed by the plan")
