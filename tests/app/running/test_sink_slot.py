"""The place of a sink: one call at a time, whatever happens to the sink meanwhile."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.app.running.configuration import SinkPlan
from connector.app.running.sink_slot import SinkAway, SinkFailed, SinkSlot
from connector.app.running.sinks import Batch, Sink, SinkBroken
from connector.events import Event
from connector.lifecycle import Connected, Lifecycle

BATCH = Batch("futures", "binance_usdm", "ticks", [Event(symbol="ETHUSDC")])


@attrs.define
class Slow:
    """A sink, and the settings of it, which takes its time for everything."""

    log: list[str]
    name: str
    opens: bool = True
    seconds: float = 1.0
    lives: float = math.inf
    """Then it ends by itself."""
    broken: bool = False
    error: Exception = attrs.field(factory=lambda: OSError("no room"))
    is_open: bool = False
    busy: bool = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sink]:
        await trio.sleep(0.1)
        if not self.opens:
            raise OSError("no room")
        self.is_open = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end)
                yield self
                nursery.cancel_scope.cancel()
        except* OSError as group:
            raise group.exceptions[0] from None  # noqa: ASYNC123 - what is inside is what is looked at
        finally:
            self.is_open = False

    async def _end(self) -> None:
        await trio.sleep(self.lives)
        raise OSError("it is gone")

    async def write(self, batch: Batch) -> None:
        await self._take("batch")

    async def mark(self, adapter: str, event: Lifecycle) -> None:
        await self._take("mark")

    async def _take(self, what: str) -> None:
        assert self.is_open and not self.busy
        self.busy = True
        try:
            await trio.sleep(self.seconds)
            if self.broken:
                raise self.error
        finally:
            self.busy = False
        self.log.append(f"{what} into {self.name}")


def plan(sink: Slow) -> SinkPlan:
    return SinkPlan("slow", ("ticks",), sink)


@asynccontextmanager
async def filled(sink: Slow, **settings: Any) -> AsyncIterator[tuple[SinkSlot, trio.Nursery]]:
    """A slot with `sink` in it, and the nursery that owns what is open."""
    slot = SinkSlot("slow", attrs.evolve(plan(sink), **settings))
    async with trio.open_nursery() as owner:
        await slot.fill(owner, slot.plan)
        owner.start_soon(slot.write_marks)
        yield slot, owner
        await slot.close()


async def test_calls_do_not_overlap_and_a_replacement_waits_its_turn(
    autojump_clock: MockClock,
) -> None:
    log: list[str] = []
    first, second = Slow(log, "first", seconds=0.1), Slow(log, "second", seconds=0.1)
    async with filled(first) as (slot, owner):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(slot.write, BATCH)
                slot.mark("futures", Connected(link="a/b", session=1))
        await trio.sleep(1)
        assert sorted(log) == ["batch into first"] * 3 + ["mark into first"] * 3
        async with trio.open_nursery() as nursery:
            nursery.start_soon(slot.write, BATCH)
            await trio.sleep(0.05)
            nursery.start_soon(slot.fill, owner, plan(second))
            await trio.sleep(0.01)
            nursery.start_soon(slot.write, BATCH)

    assert log[6:] == ["batch into first", "batch into second"]
    assert slot.events == 5 and slot.cut_off == 0
    assert not first.is_open and not second.is_open


async def test_what_waits_while_a_replacement_fails_goes_into_what_there_was(
    autojump_clock: MockClock,
) -> None:
    log: list[str] = []
    first, second = Slow(log, "first"), Slow(log, "second", opens=False)
    failures = []
    async with filled(first) as (slot, owner):

        async def replace() -> None:
            try:
                await slot.fill(owner, plan(second))
            except SinkFailed as error:
                failures.append(str(error))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(replace)
            await trio.sleep(0.1)
            nursery.start_soon(slot.write, BATCH)

    assert failures == ["sink slow: no room"]
    assert log == ["batch into first"]
    assert slot.plan == plan(first)


async def test_a_call_that_does_not_return_is_cut_off_and_done_again_by_the_next_sink(
    autojump_clock: MockClock,
) -> None:
    log: list[str] = []
    first, second = Slow(log, "first", seconds=math.inf), Slow(log, "second")
    async with filled(first) as (slot, owner):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(slot.write, BATCH)
            await trio.sleep(60)
            assert slot.stuck_seconds == pytest.approx(60)
            began = trio.current_time()
            await slot.fill(owner, plan(second))
            assert trio.current_time() - began < 5

    assert log == ["batch into second"] * 3
    assert slot.cut_off == 1 and slot.events == 3


async def test_closing_a_sink_that_does_not_return_is_bounded(autojump_clock: MockClock) -> None:
    async with filled(Slow([], "first", seconds=math.inf)) as (slot, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(slot.write, BATCH)
            slot.mark("futures", Connected(link="a/b", session=1))
            await trio.sleep(60)
            began = trio.current_time()
            await slot.close()
            assert trio.current_time() - began < 5
            nursery.cancel_scope.cancel()

    assert slot.cut_off >= 1


async def test_a_mark_that_comes_too_late_is_nothing(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with filled(Slow(log, "first")) as (slot, _):
        await slot.close()
        slot.mark("futures", Connected(link="a/b", session=1))

    assert log == []


async def test_a_failing_sink_is_retried_after_pauses_and_logged_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []
    sink = Slow(log, "first", broken=True)
    attempts = 0
    async with filled(sink) as (slot, _):
        slot.mark("futures", Connected(link="a/b", session=1))
        began = trio.current_time()
        while trio.current_time() - began < 300:
            try:
                await slot.write(BATCH)
            except SinkAway:
                attempts += 1
            await trio.sleep(0.25)
        assert slot.trouble.reason == "no room"
        # Both ask, the pump and the marks, and nearly all are told that it is too early.
        assert 10 < slot.trouble.failures < 30 < attempts
        sink.broken = False
        await trio.sleep(31)
        await slot.write(BATCH)
        assert slot.trouble.reason == ""
        await trio.sleep(31)

    assert sorted(log) == ["batch into first", "mark into first"]
    warned = [each for each in caplog.records if each.levelno >= logging.WARNING]
    told = [each.getMessage() for each in warned]
    assert told[0] == 'sink failed sink=slow reason="no room" retry_seconds=0.5'
    assert told[1].startswith("sink works again sink=slow seconds=")
    assert len(told) == 2


@pytest.mark.parametrize(
    ("settings", "error"), [({"on_failure": "stop"}, None), ({}, SinkBroken("nobody reads it"))]
)
async def test_what_shall_not_be_tried_again_ends_it_with_its_name(
    autojump_clock: MockClock, settings: Any, error: Exception | None
) -> None:
    sink = Slow([], "first", broken=True, error=error or OSError("no room"))
    async with filled(sink, **settings) as (slot, _):
        with pytest.raises(SinkFailed, match=r"^sink slow: (no room|nobody reads it)$"):
            await slot.write(BATCH)


async def test_closing_a_sink_that_has_failed_waits_for_nothing(autojump_clock: MockClock) -> None:
    sink = Slow([], "first", broken=True, seconds=0.0)
    async with filled(sink) as (slot, _):
        for _ in range(6):
            slot.mark("futures", Connected(link="a/b", session=1))
            await trio.sleep(10)
        with pytest.raises(SinkAway):
            await slot.write(BATCH)
        began = trio.current_time()
        await slot.close()
        assert trio.current_time() - began < 0.5

    assert slot.cut_off == 0


async def test_a_sink_that_has_ended_by_itself_is_opened_again(autojump_clock: MockClock) -> None:
    log: list[str] = []
    sink = Slow(log, "first", lives=5.0)
    async with filled(sink) as (slot, _):
        await slot.write(BATCH)
        await trio.sleep(30)
        assert slot.sink is None
        sink.lives = math.inf
        await slot.write(BATCH)

    assert log == ["batch into first"] * 2
