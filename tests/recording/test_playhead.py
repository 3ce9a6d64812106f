"""What a replay costs beside decoding, and what is played of a recording, from when to when."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from connector import open_adapter
from connector.link.raw_frames import RawFrame
from connector.recording import Mark, playhead, replay
from connector.recording.playhead import Playhead
from connector.recording.reader import whole_blocks
from tests.link.test_source import seen
from tests.recording.parts import write
from tests.toy import Ticks, Toy, frame

LINKS = ("toy/all", "toy/more")


def two_links(count: int, *, session: int = 1) -> list[Any]:
    """Frames of two connections that take turns."""
    marks = [
        Mark(kind, link, session, 1)
        for link in LINKS
        for kind in ("Connecting", "Connected", "Subscribed")
    ]
    return marks + [
        RawFrame(LINKS[n % 2], session, n, "AB"[n % 2], frame("AB"[n % 2], n))
        for n in range(1, count + 1)
    ]


async def test_frames_cost_no_turn_of_the_scheduler_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guard of what a replay costs: two links that take turns switch no tasks."""
    made: list[Playhead] = []

    class Watched(Playhead):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    monkeypatch.setattr(sys.modules[replay.__module__], "Playhead", Watched)
    path = write(tmp_path / "a.rec.zst", two_links(2_000))

    async with open_adapter(replay(Toy(), path, speed=math.inf)) as adapter:
        async with adapter.subscribe(Ticks("A"), Ticks("B")) as feed:
            events = [event.n async for event in feed]

    assert events == list(range(1, 2_001))
    assert made[0].switches < 20


async def test_a_task_gets_its_turn_while_a_recording_is_played(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec.zst", two_links(2_000))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        async with open_adapter(replay(Toy(), path, speed=math.inf)) as adapter:
            async with adapter.subscribe(Ticks("A"), buffer=5_000) as feed:
                await feed.receive()
                before = turns
                while feed.statistics().buffered < 900:
                    await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()

    assert turns - before > 900 / playhead._IN_A_ROW


@given(since=st.integers(0, 40) | st.none(), until=st.integers(0, 40) | st.none())
def test_a_span_is_played(
    tmp_path_factory: pytest.TempPathFactory, since: int | None, until: int | None
) -> None:
    folder = tmp_path_factory.mktemp("r")
    items = two_links(30)
    write(folder / "a.rec.zst", items, every=7)

    async def main() -> list[Any]:
        exchange = replay(Toy(), folder, speed=math.inf, since_ns=since, until_ns=until)
        async with open_adapter(exchange) as adapter:
            async with adapter.subscribe(Ticks("A"), Ticks("B"), gaps=True) as feed:
                return seen([event async for event in feed])

    wanted = [n for n in range(1, 31) if n >= (since or 0) and (until is None or n < until)]
    assert trio.run(main) == wanted


async def test_a_span_of_several_files_reads_those_that_have_some_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for begin in (1, 11, 21, 31):
        items = [RawFrame("toy/all", 1, n, "A", frame("A", n)) for n in range(begin, begin + 10)]
        write(tmp_path / f"{begin}.rec.zst", items, started_ns=begin)
    read: list[str] = []

    def whole_blocks_of(path: Path) -> Any:
        read.append(path.name)
        return whole_blocks(path)

    monkeypatch.setattr("connector.recording.steps.whole_blocks", whole_blocks_of)

    exchange = replay(Toy(), tmp_path, speed=math.inf, since_ns=15, until_ns=25)
    async with open_adapter(exchange) as adapter:
        async with adapter.subscribe(Ticks("A")) as feed:
            events = [event.n async for event in feed]

    assert events == list(range(15, 25))
    assert read == ["11.rec.zst", "21.rec.zst"]
