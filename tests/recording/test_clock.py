"""Where the wall clock is set the recording has a mark, and a replay makes no pause of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from connector import open_adapter
from connector.recording import Mark, Writer, read_frames, replay
from connector.recording.clock import LEAST_NS, ClockWatch
from connector.recording.writer import Presence
from tests.recording.parts import LINK, SUBJECT, raw, write
from tests.toy import Ticks, Toy

SECOND_NS = 1_000_000_000


class Clocks:
    """A wall clock that can be set, and one that cannot."""

    def __init__(self) -> None:
        self.steady_ns = 7
        self.set_by_ns = 1_000 * SECOND_NS

    def wall(self) -> int:
        return self.steady_ns + self.set_by_ns

    def steady(self) -> int:
        return self.steady_ns


def recorded(path: Path, set_by: dict[int, int], seconds: int = 8) -> Path:
    """A frame per second, the clock set at some of them; two frames are taken at a time."""
    clocks = Clocks()
    watch = ClockWatch(clocks.wall, clocks.steady)
    file = path.open("xb", buffering=0)
    writer = Writer(file, SUBJECT, Presence(), started_ns=clocks.wall(), clock=watch)
    taken = [Mark("Connected", LINK, 1, clocks.wall()), Mark("Subscribed", LINK, 1, clocks.wall())]
    writer.add(taken)
    waiting = []
    for n in range(1, seconds + 1):
        clocks.steady_ns += SECOND_NS
        clocks.set_by_ns += set_by.get(n, 0)
        waiting.append(raw(n, ns=clocks.wall()))
        if len(waiting) == 2:
            writer.add(waiting)
            waiting.clear()
    writer.end("stopped", clocks.wall())
    return path


def set_marks(path: Path) -> list[int]:
    """Behind how many frames each mark stands."""
    places, count = [], 0
    for item in read_frames(path):
        if isinstance(item, Mark) and item.kind == "ClockSet":
            places.append(count)
        count += type(item).__name__ == "RawFrame"
    return places


@pytest.mark.parametrize("by_ns", [3600 * SECOND_NS, -3600 * SECOND_NS])
@pytest.mark.parametrize("place", [2, 3, 4, 5, 8])
def test_the_mark_stands_where_the_step_is(tmp_path: Path, by_ns: int, place: int) -> None:
    path = recorded(tmp_path / "a.rec.zst", {place: by_ns})

    assert set_marks(path) == [place - 1]


def test_a_clock_that_is_corrected_slowly_is_not_set() -> None:
    clocks = Clocks()
    watch = ClockWatch(clocks.wall, clocks.steady)
    clocks.set_by_ns += LEAST_NS - 1

    assert watch.moved_ns() == 0
    clocks.set_by_ns += 1
    assert watch.moved_ns() == LEAST_NS
    assert watch.moved_ns() == 0


@given(
    steps=st.dictionaries(
        st.sampled_from([2, 3, 6, 7]),  # once between two looks at it
        st.integers(-(10**6), 10**6).map(lambda each: each * SECOND_NS),
    ),
    speed=st.sampled_from([1.0, 4.0]),
)
def test_a_clock_that_is_set_is_not_played_as_a_pause(
    tmp_path_factory: pytest.TempPathFactory, steps: dict[int, int], speed: float
) -> None:
    path = recorded(tmp_path_factory.mktemp("r") / "a.rec.zst", steps)

    async def main() -> list[float]:
        async with open_adapter(replay(Toy(), path, speed=speed)) as adapter:
            async with adapter.subscribe(Ticks("A")) as feed:
                return [trio.current_time() async for _ in feed]

    came = trio.run(main, clock=MockClock(autojump_threshold=0))

    assert len(came) == 8
    # What is less than the time between two frames cannot be placed exactly.
    assert 6 / speed - 1e-6 <= came[-1] - came[0] <= 7 / speed + 1e-6


async def test_a_recording_of_a_clock_that_went_back_is_played_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    times = [100, 101, 40, 41, 42]  # of a recorder that wrote no mark
    frames = [raw(n, ns=second * SECOND_NS) for n, second in enumerate(times, 1)]
    path = write(tmp_path / "a.rec.zst", frames)

    async with open_adapter(replay(Toy(), path, speed=1)) as adapter:
        async with adapter.subscribe(Ticks("A")) as feed:
            came = [(event.received_ns, trio.current_time()) async for event in feed]

    assert [ns // SECOND_NS for ns, _ in came] == times
    assert came[-1][1] - came[0][1] == pytest.approx(3)
