"""A pump of frames: one adapter, read undecoded into one sink, whatever changes meanwhile.

It lives as long as its adapter and its sink's name. Channels, policy and the sink itself may change
under it: the feed of frames goes on, so nothing is missing and nothing is there twice.
"""

from __future__ import annotations

import attrs
import trio

from connector import Adapter, Feed
from connector.app.running.event_pump import take_rest
from connector.app.running.sink_slot import FrameSlot
from connector.app.running.sinks import FrameBatch, FrameSettings, Origin
from connector.channels import AnyChannel
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
    """

    def __init__(
        self,
        adapter: Adapter,
        name: str,
        slot: FrameSlot,
        channels: tuple[AnyChannel, ...],
        settings: FrameSettings,
    ) -> None:
        self.slot = slot
        self._adapter = adapter
        self._origin = Origin(name, adapter.exchange, channels, Presence())
        self._policy = _policy_of(settings)
        self._stopping = False
        self._waiting = trio.CancelScope()
        self._ended = trio.Event()

    def follow(self, channels: tuple[AnyChannel, ...], settings: FrameSettings) -> None:
        """Want `channels` from now on, under the policy of `settings`."""
        if channels != self._origin.channels:
            self._origin = attrs.evolve(self._origin, channels=channels)
        if _policy_of(settings) != self._policy:
            self._policy = _policy_of(settings)
            self._waiting.cancel()

    async def stop(self) -> None:
        """Write what is buffered, then end; waits for it."""
        self._stopping = True
        self._waiting.cancel()
        await self._ended.wait()

    async def run(  # noqa: ASYNC114  # started by the service
        self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Read until `stop`; for ``nursery.start``, which returns when nothing passes it by.

        Raises:
            SinkFailed: the sink does not take the frames.
            SlowConsumer: with ``overflow = "fail"``.

        Cancellation: what is buffered is lost.
        """
        rest: list[FrameItem] = []
        try:
            going_on = True
            while going_on:  # noqa: ASYNC913  # it writes
                buffer, overflow = self._policy
                with self._adapter.frames(buffer=buffer, overflow=overflow) as feed:
                    task_status.started()
                    task_status = trio.TASK_STATUS_IGNORED
                    await self._write(rest)
                    going_on = await self._read(feed)
                    # No checkpoint until the next feed is there: every frame is in one of them.
                    rest = take_rest(feed)
            await self._write(rest)
            await self.slot.end(self._origin.adapter)
        finally:
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

    async def _write(self, items: list[FrameItem]) -> None:
        await self.slot.write(FrameBatch(self._origin, items))


def _policy_of(settings: FrameSettings) -> tuple[int, Overflow]:
    return settings.buffer, Overflow(settings.overflow)
