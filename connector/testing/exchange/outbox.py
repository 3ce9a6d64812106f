"""The unsent data of one connection of a server: bounded, and sent by one task."""

from __future__ import annotations

import trio

from connector.testing.network.server_end import Wire


class Outbox:
    """Unsent bytes for one client: `put` adds without waiting, and `run` sends.

    Attributes:
        unsent_bytes: number of bytes that wait or are being sent.
        bytes_sent: number of bytes that the network has accepted.
    """

    def __init__(self) -> None:
        self.unsent_bytes = 0
        self.bytes_sent = 0
        self._waiting: list[bytes] = []
        self._sealed = False
        self._changed = trio.lowlevel.ParkingLot()

    def put(self, data: bytes) -> None:
        """Append bytes; has no effect once the outbox is sealed."""
        if not self._sealed:
            self._waiting.append(data)
            self.unsent_bytes += len(data)
            self._changed.unpark_all()

    def seal(self) -> None:
        """Accept no more bytes; `run` ends when everything is sent."""
        self._sealed = True
        self._changed.unpark_all()

    def clear(self) -> None:
        """Discard the bytes that are not being sent yet."""
        self.unsent_bytes -= sum(map(len, self._waiting))
        self._waiting.clear()

    async def flush(self) -> None:
        """Wait until the network has accepted everything."""
        while self.unsent_bytes:
            await self._changed.park()

    async def wait_change(self) -> None:
        """Wait until something is sent, or `wake` is called."""
        await self._changed.park()

    def wake(self) -> None:
        """Wake the waiting tasks, because the connection has changed."""
        self._changed.unpark_all()

    async def run(self, wire: Wire) -> bool:
        """Send what is put, joining several pieces; end when the outbox is sealed and empty.

        Returns whether everything was sent: false if the client is gone.
        """
        while self._waiting or not self._sealed:
            if not self._waiting:
                await self._changed.park()
                continue
            data = b"".join(self._waiting)
            self._waiting.clear()
            try:
                await wire.stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return False
            self.unsent_bytes -= len(data)
            self.bytes_sent += len(data)
            self._changed.unpark_all()
        return True
