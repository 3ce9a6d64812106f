"""What a server still has to send on one connection: bounded, and sent by one task."""

from __future__ import annotations

import trio

from connector.testing.network.server_end import Wire


class Outbox:
    """Bytes on their way to one client; putting is synchronous, sending is `run`.

    Attributes:
        unsent_bytes: what waits, or is being sent.
        bytes_sent: what the network has taken.
    """

    def __init__(self) -> None:
        self.unsent_bytes = 0
        self.bytes_sent = 0
        self._waiting: list[bytes] = []
        self._sealed = False
        self._changed = trio.lowlevel.ParkingLot()

    def put(self, data: bytes) -> None:
        """Adds bytes behind the others; nothing once it is sealed."""
        if not self._sealed:
            self._waiting.append(data)
            self.unsent_bytes += len(data)
            self._changed.unpark_all()

    def seal(self) -> None:
        """Takes nothing more; `run` ends when everything is sent."""
        self._sealed = True
        self._changed.unpark_all()

    def clear(self) -> None:
        """Throws away what is not being sent yet."""
        self.unsent_bytes -= sum(map(len, self._waiting))
        self._waiting.clear()

    async def flush(self) -> None:
        """Waits until the network has taken everything."""
        while self.unsent_bytes:
            await self._changed.park()

    async def wait_change(self) -> None:
        """Waits until something was sent, or `wake`."""
        await self._changed.park()

    def wake(self) -> None:
        """Lets those who wait look again: the connection has changed."""
        self._changed.unpark_all()

    async def run(self, wire: Wire) -> bool:
        """Sends what is put, as one piece if there are several; ends when it is sealed and empty.

        Returns whether all of it was sent: false when the client was gone.
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
