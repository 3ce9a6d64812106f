"""A recorder that was started anew is told apart from a file that follows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector import open_adapter
from connector.app.recordings.decoding import events_of
from connector.events import Gap
from connector.exchanges import binance
from connector.lifecycle import Connected, Disconnected
from connector.recording import Mark, replay
from connector.recording.continuity import RECORDER_ENDED
from connector.recording.verification import verify
from connector.recording.writer import Presence
from tests.link.test_source import seen
from tests.recording.parts import LINK, drain, raw, write
from tests.toy import Ticks, Toy, rising

SECOND_NS = 1_000_000_000


def opened(ns: int, session: int = 1) -> list[Any]:
    return [Mark(kind, LINK, session, ns) for kind in ("Connecting", "Connected", "Subscribed")]


def killed_and_restarted(folder: Path, *, end: str | None = None) -> list[Path]:
    """Two recordings, of which the second begins with ids that the first has had."""
    first = [*opened(10), *(raw(n, ns=10 + n) for n in (5, 6, 7))]
    second = [*opened(90), *(raw(n, ns=90 + n) for n in (6, 7, 8))]
    return [
        write(folder / "a.rec.zst", first, started_ns=10, run=1, end=end),
        write(folder / "b.rec.zst", second, started_ns=90, run=2),
    ]


async def played(folder: Path, exchange: Toy) -> tuple[list[Any], list[Any]]:
    async with open_adapter(replay(exchange, folder, speed=math.inf)) as adapter:
        happened = adapter.lifecycle()
        async with adapter.subscribe(Ticks("A"), gaps=True) as feed:
            return [event async for event in feed], drain(happened)


@pytest.mark.parametrize("end", [None, "stopped", "failed"])
@pytest.mark.parametrize("sequence", [None, rising], ids=["without ids", "with ids"])
async def test_what_was_open_ends_where_a_recorder_was_restarted(
    tmp_path: Path, end: str | None, sequence: Any
) -> None:
    killed_and_restarted(tmp_path, end=end)

    events, happened = await played(tmp_path, Toy(sequence=sequence))

    assert seen(events) == [5, 6, 7, "disconnected", 6, 7, 8]
    gap = events[3]
    assert isinstance(gap, Gap)
    assert gap.received_ns == 17  # when it was last heard of
    ends = [each for each in happened if isinstance(each, Disconnected)]
    assert ends[0].reason == RECORDER_ENDED
    assert [each.session for each in happened if isinstance(each, Connected)] == [1, 1]


@pytest.mark.parametrize("end", [None, "stopped"])
def test_verify_measures_nothing_across_a_restart(tmp_path: Path, end: str | None) -> None:
    toy = Toy(sequence=rising)
    paths = killed_and_restarted(tmp_path, end=end)

    report = verify(paths, toy, [toy.stream(Ticks("A"))])

    stream = report.streams["A"]
    assert (stream.checked, stream.gaps, stream.repeated) == (6, 0, 0)
    assert (report.recordings, report.connections, report.broken) == (2, 2, [])


def test_tables_have_the_end_of_what_was_open(tmp_path: Path) -> None:
    marks = [
        (each.kind, each.time_ns)
        for each in events_of(binance.Spot(), killed_and_restarted(tmp_path))
        if isinstance(each, Mark)
    ]

    begin = [("Connecting", 10), ("Connected", 10), ("Subscribed", 10)]
    again = [(kind, 90) for kind, _ in begin]
    assert marks == [*begin, ("Disconnected", 17), *again]


def test_gaps_within_one_of_the_recordings_are_found(tmp_path: Path) -> None:
    toy = Toy(sequence=rising)
    paths = killed_and_restarted(tmp_path)
    paths.append(write(tmp_path / "c.rec.zst", [*opened(190), raw(1), raw(3)], run=3))

    report = verify(paths, toy, [toy.stream(Ticks("A"))])

    assert (report.streams["A"].gaps, report.recordings) == (1, 3)


def rotated(folder: Path, *, ends: tuple[str | None, ...] = ("rotated", "rotated")) -> list[Path]:
    """Three files of one recording, over one session."""
    presence = Presence()
    items = [[*opened(10), raw(1)], [raw(2)], [raw(3)]]
    return [
        write(folder / f"{n}.rec.zst", each, presence=presence, end=end, run=1, started_ns=n)
        for n, (each, end) in enumerate(zip(items, (*ends, "stopped"), strict=True), 1)
    ]


async def test_a_file_that_follows_goes_on(tmp_path: Path) -> None:
    toy = Toy(sequence=rising)
    paths = rotated(tmp_path)

    events, happened = await played(tmp_path, toy)
    report = verify(paths, toy, [toy.stream(Ticks("A"))])

    assert seen(events) == [1, 2, 3]
    assert len([each for each in happened if isinstance(each, Connected)]) == 1
    assert (report.recordings, report.broken, report.streams["A"].gaps) == (1, [], 0)


@pytest.mark.parametrize("how", ["missing", "not ended"])
async def test_a_file_that_is_missing_is_a_gap(tmp_path: Path, how: str) -> None:
    paths = rotated(tmp_path, ends=("rotated", "rotated" if how == "missing" else None))
    if how == "missing":
        paths.pop(1).unlink()

    events, _ = await played(tmp_path, Toy())
    report = verify(paths, Toy())

    assert seen(events)[-2:] == ["overflow", 3]
    assert report.broken == ["3.rec.zst"]


async def test_the_time_in_which_nobody_recorded_is_not_waited_for(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    for name, run, begin in (("a", 1, 0), ("b", 2, 7200), ("c", 3, -9000)):
        moments = [(begin + n) * SECOND_NS + 10**15 for n in range(3)]
        items = [*opened(moments[0]), *(raw(n, ns=ns) for n, ns in enumerate(moments, 1))]
        write(tmp_path / f"{name}.rec.zst", items, started_ns=moments[0], run=run, end=None)

    async with open_adapter(replay(Toy(), tmp_path, speed=1)) as adapter:
        async with adapter.subscribe(Ticks("A")) as feed:
            came = [trio.current_time() async for _ in feed]

    assert [moment - came[0] for moment in came] == pytest.approx([0, 1, 2, 2, 3, 4, 4, 5, 6])
