"""`FramePump`: read the raw frames of one adapter into one sink.

It lives as long as its adapter and its sink's name. Channels, policy and the sink itself may change
under it: the feed of frames goes on, so nothing is missing and nothing is there twice.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress

import attrs
import trio

from connector import Adapter, Feed
from connector.app.running.backlog import Backlog
from connector.app.running.event_pump import take_rest
from connector.app.running.sink_slot import FrameSlot, SinkAway
from connector.app.running.sinks import FrameBatch, FrameSettings, Origin
from connector.channels import AnyChannel
from connector.errors import SlowConsumer
from connector.events import Gap
from connector.feeds.buffer import Overflow
from connector.link.raw_frames import FrameItem
from connector.recording.writer import BLOCK_SECONDS, Presence


class FramePump:
    """Reads the frames of one adapter into one sink.

    Args:
        adapter: whose.
        name: what the configuration calls it.
        slot: where they go.
        channels: what the sink wants of the adapter; something else keeps them subscribed.
        settings: of the sink: how many frames may wait, and what happens then.
        resumes: whether frames are missing before the first, as the adapter has failed.
    """

    def __init__(
        self,
        adapter: Adapter,
        name: str,
        slot: FrameSlot,
        channels: tuple[AnyChannel, ...],
        settings: FrameSettings,
        *,
        resumes: bool = False,
    ) -> None:
        self.slot = slot
        self._adapter = adapter
        self._origin = Origin(name, adapter.exchange, channels, Presence())
        self._policy = _policy_of(settings)
        self._feed: Feed[FrameItem] | None = None
        self._stopping = False
        self._waiting = trio.CancelScope()
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._backlog: Backlog[FrameItem] = Backlog(settings.buffer)
        self._missing = resumes
        self._in_flight = 0
        """Frames that the sink is given at this moment."""
        self._complete = True

    def follow(self, channels: tuple[AnyChannel, ...], settings: FrameSettings) -> None:
        """Want `channels` from now on, under the policy of `settings`."""
        if channels != self._origin.channels:
            self._origin = attrs.evolve(self._origin, channels=channels)
        if _policy_of(settings) != self._policy:
            self._policy = _policy_of(settings)
            self._backlog.capacity = settings.buffer
            self._waiting.cancel()

    async def stop(self, within: float = math.inf) -> bool:
        """Write what is buffered, then end; waits for it, but for no longer than `within` seconds.

        Returns:
            Whether everything was written.
        """
        self._stopping = True
        self._waiting.cancel()
        with trio.move_on_after(within):
            await self._ended.wait()
        if not self._ended.is_set():
            self._scope.cancel()
            await self._ended.wait()
        return self._complete

    def waiting(self) -> tuple[int, float]:
        """Frames that wait for the sink, and the seconds that the oldest in the feed has waited."""
        held = len(self._backlog) + self._in_flight
        if self._feed is None:
            return held, 0.0
        now = self._feed.statistics()
        return held + now.buffered, now.waiting_seconds

    async def run(  # noqa: ASYNC114  # started by the service
        self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Read until `stop`; for ``nursery.start``, which returns when nothing passes it by.

        Raises:
            SinkFailed: the sink does not take the frames, and shall not be tried again.
            SlowConsumer: with ``overflow = "fail"``.

        Cancellation: what is buffered is lost.
        """
        rest: list[FrameItem] = []
        try:
            with self._scope:
                going_on = True
                while going_on:  # noqa: ASYNC913  # it writes
                    buffer, overflow = self._policy
                    with self._adapter.frames(buffer=buffer, overflow=overflow) as feed:
                        task_status.started()
                        task_status = trio.TASK_STATUS_IGNORED
                        await self._write(rest)
                        self._feed = feed
                        going_on = await self._read(feed)
                        # No checkpoint until the next feed is there: every frame is in one of them.
                        rest = take_rest(feed)
                await self._write(rest, last=True)
                with suppress(SinkAway):  # it rests from a failure, and has told it
                    await self.slot.end(self._origin.adapter)
        finally:
            left = len(self._backlog) + self._in_flight
            self._complete = not left
            self.slot.lose(left, f"frames of {self._origin.adapter}")
            self._ended.set()

    async def _read(self, feed: Feed[FrameItem]) -> bool:
        """Read until `stop`, or the policy is another one; whether to go on."""
        policy = self._policy
        batches = feed.batches()
        while not self._stopping and self._policy == policy:
            items: list[FrameItem] = []
            # Only the wait may be cut off, never a write.
            with trio.move_on_after(BLOCK_SECONDS / 4) as self._waiting:
                try:
                    items = await anext(batches)
                except trio.ClosedResourceError:
                    return False  # the adapter has failed, and says why
            await self._write(items)
        return not self._stopping

    async def _write(self, items: list[FrameItem], *, last: bool = False) -> None:
        """Write the buffered events, or keep them for a sink that has failed."""
        backlog = self._backlog
        if backlog:
            self._keep(items)
            items = backlog.items
        if self.slot.trouble.resting and not last:
            if not backlog:
                self._keep(items)
            await trio.lowlevel.checkpoint()
            return
        self._in_flight = 0 if backlog else len(items)
        try:
            await self.slot.write(FrameBatch(self._origin, self._with_gap(items)), last=last)
        except SinkAway:
            if not backlog:
                self._keep(items)
        else:
            self._missing = False
            backlog.clear()
        self._in_flight = 0

    def _keep(self, items: list[FrameItem]) -> None:
        """Let `items` wait; what there is no room for is lost.

        Raises:
            SlowConsumer: with ``overflow = "fail"``, if there is no room.
        """
        lost = self._backlog.add(items)
        if not lost:
            return
        self.slot.lose(lost, f"frames of {self._origin.adapter}")
        if self._policy[1] is Overflow.FAIL:
            raise SlowConsumer(
                f"frames of {self._origin.adapter}: the sink {self.slot.name} has failed, and more "
                f"than {self._backlog.capacity} frames wait for it"
            )

    def _with_gap(self, items: list[FrameItem]) -> list[FrameItem]:
        """`items`, with a mark before them if frames were lost."""
        lost = self._backlog.lost
        if not (lost or self._missing):
            return items
        gap = Gap(
            symbol="",
            received_ns=time.time_ns(),
            channels=self._origin.channels,
            reason="overflow" if lost else "disconnected",
            dropped=lost or None,
        )
        return [gap, *items]


def _policy_of(settings: FrameSettings) -> tuple[int, Overflow]:
    return settings.buffer, Overflow(settings.overflow)
