"""A pump of frames before a slow sink: what waits is written, whatever ends or changes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector import Feed
from connector.app.running.configuration import SinkPlan
from connector.app.running.frame_pump import FramePump
from connector.app.running.sink_slot import FrameSlot
from connector.app.running.sinks import FrameBatch, FrameSink, RecordedFrames
from connector.events import BookSnapshot, Gap
from connector.link.raw_frames import RawFrame
from tests.faults.world import BOOK, BOOK_STREAM, Pulse, open_world

SETTINGS = RecordedFrames(path="nowhere", buffer=1000)


@attrs.define
class Slow:
    """A sink of frames, and the settings of it: a second for every batch."""

    takes_frames = True
    buffer = 1000
    overflow = "block"
    ids: list[int] = attrs.field(factory=list)
    gaps: list[str] = attrs.field(factory=list)
    ended: list[str] = attrs.field(factory=list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[FrameSink]:
        await trio.lowlevel.checkpoint()
        yield self

    async def write(self, batch: FrameBatch) -> None:
        await trio.sleep(1)
        self.ids += [
            json.loads(item.payload)["data"]["u"]
            for item in batch.items
            if isinstance(item, RawFrame) and item.stream == BOOK_STREAM
        ]
        self.gaps += [item.reason for item in batch.items if isinstance(item, Gap)]

    async def end(self, adapter: str) -> None:
        await trio.lowlevel.checkpoint()
        self.ended.append(adapter)


def nothing(pump: FramePump) -> None:
    """Leave the pump as it is."""


def other_policy(pump: FramePump) -> None:
    pump.follow((BOOK,), RecordedFrames(path="nowhere", buffer=500, overflow="drop_oldest"))


@pytest.mark.parametrize("resumes", [False, True])
@pytest.mark.parametrize("change", [nothing, other_policy])
async def test_what_waits_is_written(
    autojump_clock: MockClock, change: Callable[[FramePump], None], resumes: bool
) -> None:
    sink = Slow()
    async with open_world(source=Pulse(every=0.01)) as world, trio.open_nursery() as nursery:
        plan = SinkPlan("slow", (), sink)  # type: ignore[arg-type]  # has no table
        slot = FrameSlot("slow", plan)
        await slot.fill(nursery, plan)
        pump = FramePump(world.adapter, "futures", slot, (BOOK,), SETTINGS, resumes=resumes)
        await nursery.start(pump.run)
        async with world.adapter.subscribe(BOOK) as books:
            nursery.start_soon(drain, books)
            await trio.sleep(5.5)  # in the middle of a write
            change(pump)
            await trio.sleep(3)
            received = world.adapter.statistics().messages
            await pump.stop()
            await slot.close()
            nursery.cancel_scope.cancel()

    assert sink.ids == list(range(sink.ids[0], sink.ids[0] + len(sink.ids)))
    # Of all that had been received when it was told to stop.
    assert len(sink.ids) >= received > 700
    assert sink.ended == ["futures"]
    # What was missed before is said once, before the first batch.
    assert sink.gaps == ["disconnected"] * resumes


async def drain(feed: Feed[BookSnapshot]) -> None:
    async for _ in feed:
        pass
