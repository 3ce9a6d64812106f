"""`FramePump`: read the raw frames of one adapter into one sink.

It lives as long as its adapter and its sink's name. Channels, policy and the sink itself may change
under it: the feed of frames goes on, so nothing is missing and nothing is there twice.
"""

from __future__ import annotations

import time
from contextlib import suppress

import attrs
import trio

from connector import Adapter, Feed
from connector.app.running.pump import Pump, take_rest
from connector.app.running.sink_slot import FrameSlot, SinkAway
from connector.app.running.sinks import FrameBatch, FrameSettings, Origin
from connector.channels import AnyChannel
from connector.events import Gap
from connector.feeds.buffer import Overflow
from connector.link.raw_frames import FrameItem
from connector.recording.writer import BLOCK_SECONDS, Presence


class FramePump(Pump[FrameItem, FrameSlot]):
    """Reads the frames of one adapter into one sink.

    Args:
        adapter: whose.
        name: what the configuration calls it.
        slot: where they go.
        channels: what the sink wants of the adapter; something else keeps them subscribed.
        settings: of the sink: how many frames may wait, and what happens then.
        resumes: whether frames are missing before the first, as the adapter has failed.
    """

    items = "frames"

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
        super().__init__(slot, settings.buffer, resumes=resumes)
        self._adapter = adapter
        self._origin = Origin(name, adapter.exchange, channels, Presence())
        self._policy = _policy_of(settings)

    @property
    def source(self) -> str:
        """The adapter, for logs and errors."""
        return f"frames of {self._origin.adapter}"

    @property
    def overflow(self) -> Overflow:
        """What happens when more frames wait than may."""
        return self._policy[1]

    def follow(self, channels: tuple[AnyChannel, ...], settings: FrameSettings) -> None:
        """Want `channels` from now on, under the policy of `settings`."""
        if channels != self._origin.channels:
            self._origin = attrs.evolve(self._origin, channels=channels)
        if _policy_of(settings) != self._policy:
            self._policy = _policy_of(settings)
            self._backlog.capacity = settings.buffer
            self._waiting.cancel()

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
            self._end()

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

    async def send(self, items: list[FrameItem], *, last: bool) -> None:
        """Hand `items` to the sink.

        Raises:
            SinkAway: it cannot take them at the moment.
        """
        await self.slot.write(FrameBatch(self._origin, self._with_gap(items)), last=last)

    def _with_gap(self, items: list[FrameItem]) -> list[FrameItem]:
        """`items`, with a mark before them if frames were lost."""
        lost = self._backlog.lost
        if not (lost or self._is_missing):
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
