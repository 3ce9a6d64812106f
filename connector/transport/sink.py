"""`Sink`: the interface between the transport, which delivers frames, and the decoder.

The connection decides the order of calls: it calls a sink from one task, without an await between
the read and the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Sink(Protocol):
    """The receiver of messages."""

    leisurely: bool
    """Whether to await `rest` before the next read."""

    def deliver(self, payloads: Sequence[bytes], first: int) -> int:
        """Take the messages ``payloads[first:]``, or as many as fit.

        Returns:
            The index of the first one that was not taken; ``len(payloads)`` when all were.
        """
        ...

    async def wait_for_room(self) -> None:
        """Return when `deliver` can take at least one more message."""
        ...

    async def rest(self) -> None:
        """Wait while messages collect, because no consumer needs them yet."""
        ...
