"""The place of a sink: one call at a time, whatever happens to the sink meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.app.running.configuration import SinkPlan
from connector.app.running.sink_slot import SinkFailed, SinkSlot
from connector.app.running.sinks import Batch, Sink
from connector.events import Event
from connector.lifecycle import Connected, Lifecycle

BATCH = Batch("futures", "binance_usdm", "ticks", [Event(symbol="ETHUSDC")])


@attrs.define
class Slow:
    """A sink, and the settings of it: takes a second for everything."""

    log: list[str]
    name: str
    opens: bool = True
    is_open: bool = False
    busy: bool = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sink]:
        await trio.sleep(1)
        if not self.opens:
            raise OSError("no room")
        self.is_open = True
        yield self
        await trio.sleep(1)
        self.is_open = False

    async def write(self, batch: Batch) -> None:
        await self._take("batch")

    async def mark(self, adapter: str, event: Lifecycle) -> None:
        await self._take("mark")

    async def _take(self, what: str) -> None:
        assert self.is_open and not self.busy
        self.busy = True
        await trio.sleep(1)
        self.busy = False
        self.log.append(f"{what} into {self.name}")


def plan(sink: Slow) -> SinkPlan:
    return SinkPlan("slow", ("ticks",), sink)


async def test_calls_do_not_overlap_and_a_replacement_waits_its_turn(
    autojump_clock: MockClock,
) -> None:
    log: list[str] = []
    first, second = Slow(log, "first"), Slow(log, "second")
    slot = SinkSlot("slow", plan(first))
    async with trio.open_nursery() as owner:
        await slot.fill(owner, plan(first))
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(slot.write, BATCH)
                nursery.start_soon(slot.mark, "futures", Connected(link="a/b", session=1))
            await trio.sleep(0.5)
            nursery.start_soon(slot.fill, owner, plan(second))
            await trio.sleep(0.1)
            nursery.start_soon(slot.write, BATCH)
        await slot.close()

    assert sorted(log[:6]) == ["batch into first"] * 3 + ["mark into first"] * 3
    assert log[6:] == ["batch into second"]
    assert slot.events == 4
    assert not first.is_open and not second.is_open


async def test_what_waits_while_a_replacement_fails_goes_into_what_there_was(
    autojump_clock: MockClock,
) -> None:
    log: list[str] = []
    first, second = Slow(log, "first"), Slow(log, "second", opens=False)
    slot = SinkSlot("slow", plan(first))
    failures = []

    async def replace() -> None:
        try:
            await slot.fill(owner, plan(second))
        except SinkFailed as error:
            failures.append(str(error))

    async with trio.open_nursery() as owner:
        await slot.fill(owner, plan(first))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(replace)
            await trio.sleep(0.1)
            nursery.start_soon(slot.write, BATCH)
        await slot.close()

    assert failures == ["sink slow: no room"]
    assert log == ["batch into first"]
    assert slot.plan == plan(first)


async def test_a_mark_that_comes_too_late_is_nothing(autojump_clock: MockClock) -> None:
    log: list[str] = []
    slot = SinkSlot("slow", plan(Slow(log, "first")))
    async with trio.open_nursery() as owner:
        await slot.fill(owner, slot.plan)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(slot.close)
            await trio.sleep(0.1)
            nursery.start_soon(slot.mark, "futures", Connected(link="a/b", session=1))

    assert log == []


async def test_what_a_sink_says_is_said_with_its_name(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: Slow, what: str) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Slow, "_take", fail)
    slot = SinkSlot("slow", plan(Slow([], "first")))
    async with trio.open_nursery() as owner:
        await slot.fill(owner, slot.plan)
        with pytest.raises(SinkFailed, match=r"^sink slow: no room$"):
            await slot.write(BATCH)
        with pytest.raises(SinkFailed, match=r"^sink slow: no room$"):
            await slot.mark("futures", Connected(link="a/b", session=1))
        await slot.close()
