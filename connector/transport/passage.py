"""The passage of messages from trio-websocket's reader to the one task that takes them.

trio-websocket passes messages through a memory channel of trio, for any number of senders and
receivers. A connection has one of each, and few messages go this way: the tap delivers the others.
What is here does the same for them in less than a tenth of the memory, and every connection at rest
has one.
"""

from __future__ import annotations

from typing import Self

import trio
from trio.lowlevel import Abort, checkpoint, enable_ki_protection, reschedule, wait_task_rescheduled
from trio_websocket import WebSocketConnection


class Passage:
    """Both ends of a channel of one message, one sender and one receiver."""

    __slots__ = ("_is_closed", "_message", "_waiter")

    def __init__(self) -> None:
        self._message: str | bytes | None = None
        self._is_closed = False
        self._waiter: trio.lowlevel.Task | None = None
        """The sender while there is a message, the receiver while there is none."""

    async def send(self, message: str | bytes) -> None:
        """Pass `message` on, once the one before is taken; executes a checkpoint.

        Raises:
            trio.ClosedResourceError: the passage is closed.

        Cancellation: the message is not passed on.
        """
        await checkpoint()
        while self._message is not None and not self._is_closed:
            await self._wait()
        if self._is_closed:
            raise trio.ClosedResourceError
        self._message = message
        self._wake()

    async def receive(self) -> str | bytes:
        """Wait for the next message; executes a checkpoint.

        Raises:
            trio.EndOfChannel: the passage is closed, and nothing is in it.

        Cancellation: no message is lost.
        """
        if self._message is not None or self._is_closed:
            await checkpoint()
        while self._message is None:
            if self._is_closed:
                raise trio.EndOfChannel
            await self._wait()
        message, self._message = self._message, None
        self._wake()
        return message

    async def aclose(self) -> None:
        """Let nothing more in; executes a checkpoint."""
        self._is_closed = True
        self._wake()
        await checkpoint()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @enable_ki_protection  # an interrupt before it waits would leave the waiter behind
    async def _wait(self) -> None:
        if self._waiter is not None:
            raise trio.BusyResourceError("another task is sending or receiving already")
        self._waiter = trio.lowlevel.current_task()
        await wait_task_rescheduled(self._stop_waiting)

    def _stop_waiting(self, _: object) -> Abort:
        self._waiter = None
        return Abort.SUCCEEDED

    def _wake(self) -> None:
        task, self._waiter = self._waiter, None
        if task is not None:
            reschedule(task)


def pass_simply(websocket: object) -> None:
    """Give `websocket`, whose reader has not begun, a passage in place of its channel."""
    names = "_send_channel", "_recv_channel"
    if isinstance(websocket, WebSocketConnection) and all(hasattr(websocket, n) for n in names):
        passage = Passage()
        for name in names:
            setattr(websocket, name, passage)
