"""Whatever is put, taken and lost in whatever order: nothing is lost silently, nothing grows."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import attrs
import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from connector.channels import BestQuote, Tickers, Trades
from connector.errors import ConfigError, ConnectorError, SlowConsumer
from connector.events import Event, Gap, Trade
from connector.feeds.backpressure import ROOM_BEFORE_ENTERED, Full
from connector.feeds.buffer import Buffer, Gaps, Overflow
from connector.feeds.lossy_buffers import make_buffer
from tests.toy import Tick, Ticks

A, B, C = (Ticks(name) for name in "ABC")
KINDS_OF_LOSS = 6
"""The reasons that a `Gap` can have."""

LOSSY = (Overflow.DROP_OLDEST, Overflow.CONFLATE)


# --- what can be done to a buffer


@attrs.frozen
class Put:
    stream: str


@attrs.frozen
class Lose:
    reason: str
    channel: Ticks


@attrs.frozen
class Take:
    pass


@attrs.frozen
class TakeAll:
    pass


Step = Put | Lose | Take | TakeAll

puts = st.builds(Put, st.sampled_from("ABC"))
losses = st.builds(
    Lose, st.sampled_from(["disconnected", "sequence", "decode error"]), st.sampled_from([A, B])
)
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(puts, puts, puts, losses, st.just(Take()), st.just(Take()), st.just(TakeAll())),
    max_size=60,
)
capacities = st.integers(1, 4)


def gap(reason: str = "disconnected", *channels: Ticks, dropped: int | None = None) -> Gap:
    return Gap(symbol="", channels=channels or (A,), reason=reason, dropped=dropped)


class Run:
    """A buffer, everything that happened to it in order, and what came out."""

    def __init__(self, capacity: int, overflow: Overflow, *, gaps: Gaps = "all") -> None:
        self.buffer: Buffer[Event] = make_buffer(capacity, overflow, gaps=gaps)
        self.buffer.channels = (A, B, C)
        self.full: set[Buffer[Event]] = set()
        self.buffer.join(self.full)
        self.put: list[Tick] = []
        self.lost: list[tuple[int, Lose]] = []
        """Losses, each with how many events had been put before it."""
        self.got: list[Event] = []

    def step(self, step: Step) -> None:
        match step:
            case Put(stream):
                if not self.full:  # so a link does
                    self.put.append(Tick(n=len(self.put), symbol=stream))
                    self.buffer.put_run([self.put[-1]], stream)
            case Lose(reason, channel):
                self.lost.append((len(self.put), step))
                self.buffer.lose(gap(reason, channel))
            case Take():
                if len(self.buffer):
                    self.got.append(self.buffer.take())
                    self.buffer.unblock_if_drained()  # so a feed does
            case TakeAll():
                self.got += self.buffer.take_all()
                self.buffer.unblock_if_drained()

    def drain(self) -> None:
        while len(self.buffer):
            self.step(Take())

    def events(self) -> list[Tick]:
        return [item for item in self.got if isinstance(item, Tick)]

    def markers_between(self, before: Tick | None, after: Tick | None) -> list[Gap]:
        begin = self.got.index(before) + 1 if before is not None else 0
        end = self.got.index(after) if after is not None else len(self.got)
        return [item for item in self.got[begin:end] if isinstance(item, Gap)]

    def neighbours(self, stream: str | None = None) -> list[tuple[Tick | None, Tick | None]]:
        """Pairs of events that came out one after the other, of one stream or of all."""
        events = [each for each in self.events() if stream in {None, each.symbol}]
        return list(pairwise([None, *events, None]))


def held(buffer: Buffer[Any]) -> list[Any]:
    """What is in the buffer, without taking it."""
    items: Any = buffer.items
    return list(items.values()) if isinstance(items, dict) else list(items)


# --- for every policy


@given(st.sampled_from(Overflow), capacities, st.sampled_from([True, False, "all"]), steps)
def test_every_put_event_was_delivered_dropped_or_replaced_or_waits(
    overflow: Overflow, capacity: int, gaps: Gaps, steps: list[Step]
) -> None:
    run = Run(capacity, overflow, gaps=gaps)

    for step in steps:
        run.step(step)

        waiting = sum(isinstance(item, Tick) for item in held(run.buffer))
        missing = run.buffer.dropped + run.buffer.replaced
        assert len(run.put) == len(run.events()) + missing + waiting
        assert not run.buffer.replaced or overflow is Overflow.CONFLATE


@given(st.sampled_from(Overflow), capacities, steps)
@example(Overflow.BLOCK, 1, [Lose("sequence", A), Lose("sequence", B)] * 20)
@example(Overflow.CONFLATE, 2, [Put("A"), Put("B"), *([Put("A"), Lose("sequence", A)] * 20)])
def test_it_never_holds_more_than_its_capacity_and_a_marker_per_kind_of_loss(
    overflow: Overflow, capacity: int, steps: list[Step]
) -> None:
    run = Run(capacity, overflow)

    for step in steps:
        run.step(step)

        items = held(run.buffer)
        assert sum(isinstance(item, Tick) for item in items) <= capacity
        # In a queue the markers between events take room like events; at both ends they do not.
        assert len(items) <= capacity + 2 * KINDS_OF_LOSS
        for one, other in pairwise(items):
            if isinstance(one, Gap) and isinstance(other, Gap):
                assert one.reason != other.reason


@given(st.sampled_from(Overflow), capacities, steps)
def test_a_reader_that_did_not_ask_for_gaps_gets_none(
    overflow: Overflow, capacity: int, steps: list[Step]
) -> None:
    run = Run(capacity, overflow, gaps=False)

    for step in steps:
        run.step(step)
    run.drain()

    assert run.got == run.events()


@given(st.sampled_from([Overflow.BLOCK, Overflow.DROP_OLDEST, Overflow.FAIL]), capacities, steps)
def test_events_come_out_in_the_order_in_which_they_were_put(
    overflow: Overflow, capacity: int, steps: list[Step]
) -> None:
    run = Run(capacity, overflow)

    for step in steps:
        run.step(step)
    run.drain()

    numbers = [event.n for event in run.events()]
    assert numbers == sorted(set(numbers))


@given(st.sampled_from(Overflow), capacities, steps)
@example(Overflow.CONFLATE, 2, [Put("A"), Lose("disconnected", A), Put("A")])
@example(
    Overflow.CONFLATE,
    2,
    [Lose("disconnected", A), Put("A"), Lose("disconnected", B), Put("A"), Put("B")],
)
def test_a_loss_shows_between_the_events_around_it(
    overflow: Overflow, capacity: int, steps: list[Step]
) -> None:
    # What conflates keeps the order of each stream, the others keep the order of all.
    streams = "ABC" if overflow is Overflow.CONFLATE else [None]
    run = Run(capacity, overflow)

    for step in steps:
        run.step(step)
    run.drain()

    for moment, lost in run.lost:
        for stream in streams:
            for before, after in run.neighbours(stream):
                if (before is None or before.n < moment) and (after is None or after.n >= moment):
                    shown = run.markers_between(before, after)
                    assert any(
                        each.reason == lost.reason and lost.channel in each.channels
                        for each in shown
                    )


@given(st.sampled_from(LOSSY), capacities, steps)
@example(Overflow.CONFLATE, 2, [Put("A"), Put("A"), Put("B"), Put("C")])
@example(Overflow.DROP_OLDEST, 1, [Put("A"), Lose("disconnected", A), Put("B"), Put("B")])
def test_every_drop_is_in_exactly_one_marker(
    overflow: Overflow, capacity: int, steps: list[Step]
) -> None:
    run = Run(capacity, overflow)

    for step in steps:
        run.step(step)
    run.drain()

    told = sum(each.dropped or 0 for each in run.got if isinstance(each, Gap))
    assert told == run.buffer.dropped + run.buffer.replaced == len(run.put) - len(run.events())


@given(capacities, steps)
def test_a_replaced_event_is_a_gap_only_if_all_gaps_are_asked_for(
    capacity: int, steps: list[Step]
) -> None:
    run, everything = Run(capacity, Overflow.CONFLATE, gaps=True), Run(capacity, Overflow.CONFLATE)

    for step in steps:
        run.step(step)
        everything.step(step)
    for each in (run, everything):
        each.drain()

    told = {each.reason for each in run.got if isinstance(each, Gap)}
    assert "conflated" not in told
    assert run.buffer.dropped == sum(
        each.dropped or 0 for each in run.got if isinstance(each, Gap) and each.reason == "overflow"
    )


@pytest.mark.parametrize("overflow", LOSSY)
def test_a_marker_of_what_was_dropped_names_its_channels_and_its_symbol(
    overflow: Overflow,
) -> None:
    run = Run(1, overflow)
    if overflow is Overflow.DROP_OLDEST:
        run.step(Put("B"))
    for stream in ("B", "A"):
        run.step(Put(stream))
    (one, *_) = run.buffer.take_all()
    for stream in ("A", "B", "C"):
        run.step(Put(stream))
    (both, *_) = run.buffer.take_all()

    assert isinstance(one, Gap)
    assert (one.channels, one.symbol) == ((B,), "B")
    assert isinstance(both, Gap)
    assert (set(both.channels), both.symbol) == ({A, B}, "")


def test_a_marker_names_the_channels_that_yield_what_was_dropped() -> None:
    buffer: Buffer[Any] = make_buffer(1, Overflow.DROP_OLDEST, gaps=True)
    trades, quotes = Trades("ethusdc"), BestQuote("ETHUSDC")
    buffer.channels = (quotes, trades, Trades("BTCUSDC"), Tickers())
    for number in range(2):
        buffer.put(Trade(symbol="ETHUSDC", price=1.0, quantity=1.0, side="buy", trade_id=number))

    marker = buffer.take()

    assert (marker.channels, marker.symbol, marker.dropped) == ((trades,), "ETHUSDC", 1)


@pytest.mark.parametrize("gaps", ["everything", None, 2])
def test_a_reader_gets_gaps_only_if_it_asked_for_them(gaps: Any) -> None:
    with pytest.raises(ConfigError, match='write True, False or "all"'):
        make_buffer(1, Overflow.CONFLATE, gaps=gaps)


@given(capacities, steps)
@example(1, [Put("A"), Put("A"), Take(), Put("B"), Put("A")])
def test_a_marker_stands_in_place_of_dropped_events(capacity: int, steps: list[Step]) -> None:
    run = Run(capacity, Overflow.DROP_OLDEST)

    for step in steps:
        run.step(step)
    run.drain()

    for before, after in run.neighbours():
        if missing(run, before, after):
            overflows = [
                each for each in run.markers_between(before, after) if each.reason == "overflow"
            ]
            assert overflows
            first = before.n + 1 if before is not None else 0
            last = after.n if after is not None else len(run.put)
            named = {each for marker in overflows for each in marker.channels}
            assert named >= {Ticks(each.symbol) for each in run.put[first:last]}


@given(capacities, st.lists(st.one_of(puts, puts, puts, losses, st.just(TakeAll())), max_size=60))
def test_a_batch_says_how_many_are_missing_where_they_are_missing(
    capacity: int, steps: list[Step]
) -> None:
    run = Run(capacity, Overflow.DROP_OLDEST)

    for step in steps:
        run.step(step)
    run.step(TakeAll())

    for before, after in run.neighbours():
        overflows = [
            each.dropped or 0
            for each in run.markers_between(before, after)
            if each.reason == "overflow"
        ]
        assert sum(overflows) == missing(run, before, after)


def missing(run: Run, before: Tick | None, after: Tick | None) -> int:
    """How many events were put between the two."""
    first = before.n + 1 if before is not None else 0
    last = after.n if after is not None else len(run.put)
    return last - first


@pytest.mark.parametrize("overflow", LOSSY)
@pytest.mark.parametrize("capacity", [1, 2, 3])
@pytest.mark.parametrize("streams", ["A", "ABC"])
def test_a_consumer_slower_than_the_drops_sees_events_too(
    overflow: Overflow, capacity: int, streams: str
) -> None:
    run = Run(capacity, overflow)

    for _ in range(60):
        for stream in streams:
            run.step(Put(stream))
        run.step(Take())

    assert len(run.events()) >= len(run.got) // 3


# --- BLOCK


@given(capacities, steps)
def test_block_drops_nothing(capacity: int, steps: list[Step]) -> None:
    run = Run(capacity, Overflow.BLOCK)

    for step in steps:
        run.step(step)
    run.drain()

    assert run.buffer.dropped == 0
    assert run.events() == run.put
    assert not run.full


@given(
    st.integers(1, 8),
    st.lists(st.sampled_from(["put", "take", "take", "take all", "join", "leave"]), max_size=60),
)
def test_the_links_that_feed_a_full_buffer_know_it(capacity: int, steps: list[str]) -> None:
    buffer: Buffer[int] = make_buffer(capacity, Overflow.BLOCK, gaps=False)
    links: list[set[Buffer[int]]] = [set(), set()]
    joined, blocked = 0, False

    for step in steps:
        if step == "join" and joined < len(links):
            buffer.join(links[joined])
            joined += 1
        elif step == "leave" and joined:
            joined -= 1
            buffer.leave(links[joined])
        elif step == "put" and len(buffer) < capacity:
            buffer.put(0)
            blocked = blocked or len(buffer) == capacity
        elif step == "take" and len(buffer):
            buffer.take()
            buffer.unblock_if_drained()
        elif step == "take all":
            buffer.take_all()
            buffer.unblock_if_drained()
        blocked = blocked and len(buffer) > capacity // 2

        assert buffer.blocking == blocked
        assert [buffer in link for link in links] == [
            blocked and number < joined for number in range(len(links))
        ]


async def test_a_link_that_waits_for_room_resumes_when_half_of_the_buffer_is_free() -> None:
    buffer: Buffer[int] = make_buffer(4, Overflow.BLOCK, gaps=False)
    went_on_with: list[int] = []
    link = Full()
    buffer.join(link)

    async def wait() -> None:
        await link.wait_for_room()
        went_on_with.append(len(buffer))

    for number in range(4):
        buffer.put(number)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        for _ in range(4):
            await wait_all_tasks_blocked()
            buffer.take()
            buffer.unblock_if_drained()

    assert went_on_with == [2]


async def test_a_link_that_no_longer_feeds_a_full_buffer_goes_on() -> None:
    buffer: Buffer[int] = make_buffer(1, Overflow.BLOCK, gaps=False)
    link = Full()
    buffer.join(link)
    buffer.put(0)

    with trio.fail_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.wait_for_room)
            await wait_all_tasks_blocked()
            buffer.leave(link)

    assert buffer.blocking


# --- CONFLATE


@given(capacities, steps)
def test_conflating_gives_the_latest_of_every_stream(capacity: int, steps: list[Step]) -> None:
    run = Run(capacity, Overflow.CONFLATE)
    latest: dict[str, Tick] = {}

    for step in steps:
        before = len(run.got)
        run.step(step)
        if isinstance(step, Put):
            latest[step.stream] = run.put[-1]

        for item in (*run.got[before:], *held(run.buffer)):
            if isinstance(item, Tick):
                assert item is latest[item.symbol]


@given(capacities, steps)
def test_conflating_shows_where_a_stream_has_lost_something(
    capacity: int, steps: list[Step]
) -> None:
    run = Run(capacity, Overflow.CONFLATE)
    put = defaultdict(list)

    for step in steps:
        run.step(step)
    run.drain()

    for tick in run.put:
        put[tick.symbol].append(tick.n)
    for stream, numbers in put.items():
        for before, after in run.neighbours(stream):
            first = before.n if before is not None else -1
            last = after.n if after is not None else len(run.put)
            if any(first < number < last for number in numbers):
                reasons = {each.reason for each in run.markers_between(before, after)}
                assert reasons & {"conflated", "overflow"}


def test_conflating_keeps_the_same_symbol_of_two_streams_apart() -> None:
    buffer: Buffer[Tick] = make_buffer(8, Overflow.CONFLATE, gaps=False)

    buffer.put_run([Tick(n=1)], "x@trade")
    buffer.put_run([Tick(n=2)], "x@quote")
    buffer.put_run([Tick(n=3)], "x@trade")

    assert [each.n for each in buffer.take_all() if isinstance(each, Tick)] == [3, 2]


def test_conflating_gives_the_one_that_waits_longest_first() -> None:
    run = Run(8, Overflow.CONFLATE, gaps=False)

    for stream in "ABCBA":
        run.step(Put(stream))
    run.drain()

    assert [each.symbol for each in run.events()] == ["A", "B", "C"]


def test_conflating_does_not_let_a_busy_stream_wait_for_ever_behind_a_loss() -> None:
    run = Run(8, Overflow.CONFLATE)
    for step in (Put("A"), Put("B"), Lose("disconnected", A)):
        run.step(step)

    for _ in range(4):
        run.step(Put("A"))
        run.step(Take())

    kinds = [each.reason if isinstance(each, Gap) else each.symbol for each in run.got]
    assert kinds == ["conflated", "B", "conflated", "disconnected"]
    run.drain()
    assert [each.n for each in run.events()] == [1, 5]


# --- FAIL


def test_failing_gives_slow_consumer_once_and_takes_events_again_after_it() -> None:
    buffer: Buffer[int] = make_buffer(2, Overflow.FAIL, gaps=True)

    for number in range(5):
        buffer.put(number)

    assert buffer.take_all() == [0, 1]
    assert isinstance(buffer.next_error(), SlowConsumer)
    assert buffer.next_error() is None
    assert buffer.dropped == 3
    buffer.put(5)
    assert buffer.take_all() == [5]


def test_failing_raises_nothing_for_events_from_before_the_feed_could_be_read() -> None:
    buffer: Buffer[int] = make_buffer(2, Overflow.FAIL, gaps=True)
    buffer.entering = True
    for number in range(10):
        buffer.put(number)
    buffer.entering = False

    # As long as it does not become more.
    for number in range(10, 20):
        assert buffer.take() == number - 10
        buffer.put(number)
    assert [buffer.take() for _ in range(9)] == list(range(10, 19))
    assert buffer.next_error() is None
    # What has been read once is not owed again.
    for number in range(3):
        buffer.put(number)
    assert buffer.take_all() == [19, 0]
    assert isinstance(buffer.next_error(), SlowConsumer)


def test_failing_does_not_grow_without_end() -> None:
    buffer: Buffer[int] = make_buffer(2, Overflow.FAIL, gaps=True)
    buffer.entering = True

    for number in range(ROOM_BEFORE_ENTERED + 1):
        buffer.put(number)

    assert len(buffer.take_all()) == ROOM_BEFORE_ENTERED
    assert isinstance(buffer.next_error(), SlowConsumer)


def test_failing_goes_on_after_an_error_that_is_not_its_own() -> None:
    buffer: Buffer[int] = make_buffer(2, Overflow.FAIL, gaps=True)

    buffer.fail(ConnectorError("one of two channels was refused"))
    buffer.put(1)

    assert buffer.take_all() == [1]
    assert buffer.dropped == 0


@pytest.mark.parametrize("overflow", Overflow)
def test_no_error_takes_the_place_of_another(overflow: Overflow) -> None:
    buffer: Buffer[int] = make_buffer(1, overflow, gaps=True)
    errors = [ConnectorError("first"), ConnectorError("second")]

    for error in errors:
        buffer.fail(error)

    assert [buffer.next_error(), buffer.next_error(), buffer.next_error()] == [*errors, None]


# --- losses that are told to it


@pytest.mark.parametrize("overflow", Overflow)
def test_losses_with_nothing_between_them_are_one_marker(overflow: Overflow) -> None:
    buffer: Buffer[Event] = make_buffer(8, overflow, gaps=True)
    buffer.put(Tick(n=1))

    buffer.lose(Gap(symbol="A", channels=(A,), reason="sequence", dropped=2, since_ns=7))
    buffer.lose(Gap(symbol="", channels=(A, B), reason="disconnected", since_ns=8))
    buffer.lose(Gap(symbol="B", channels=(B,), reason="sequence", dropped=3, since_ns=9))

    _, *gaps = buffer.take_all()
    assert gaps == [
        Gap(symbol="", channels=(A, B), reason="sequence", dropped=5, since_ns=7),
        Gap(symbol="", channels=(A, B), reason="disconnected", since_ns=8),
    ]
    assert buffer.gaps == 3


@pytest.mark.parametrize("overflow", Overflow)
def test_a_marker_says_how_many_were_lost_only_if_this_is_known(overflow: Overflow) -> None:
    buffer: Buffer[Event] = make_buffer(8, overflow, gaps=True)

    buffer.lose(gap("sequence", A, dropped=2))
    buffer.lose(gap("sequence", A))

    assert buffer.take_all() == [gap("sequence", A)]


@pytest.mark.parametrize("overflow", LOSSY)
def test_an_overflow_marker_names_channels_that_came_later(overflow: Overflow) -> None:
    buffer: Buffer[Tick] = make_buffer(1, overflow, gaps=True)
    buffer.channels = (A,)
    buffer.put_run([Tick(n=1, symbol="A")], "a")
    buffer.put_run([Tick(n=2, symbol="B")], "b")

    buffer.channels = (A, B)
    buffer.put_run([Tick(n=3, symbol="A")], "a")

    marker = buffer.take()
    assert isinstance(marker, Gap)
    assert (marker.channels, marker.dropped) == ((A, B), 2)


# --- the end


@pytest.mark.parametrize("overflow", Overflow)
def test_closing_forgets_everything_and_blocks_nobody(overflow: Overflow) -> None:
    run = Run(1, overflow)
    run.step(Put("A"))

    run.buffer.close()
    run.buffer.lose(gap())

    assert run.buffer.closed
    assert len(run.buffer) == 0
    assert not run.full


@pytest.mark.parametrize("overflow", Overflow)
def test_finishing_keeps_the_buffered_events(overflow: Overflow) -> None:
    run = Run(2, overflow)
    run.step(Put("A"))

    run.buffer.finish()
    run.drain()

    assert run.buffer.closed
    assert run.got == run.put


# --- waiting


@pytest.mark.parametrize("overflow", Overflow)
@pytest.mark.parametrize("what", ["put", "lose", "fail", "close", "finish"])
async def test_every_kind_of_news_wakes_the_consumer_once(overflow: Overflow, what: str) -> None:
    buffer: Buffer[Event] = make_buffer(8, overflow, gaps=True)
    causes = {
        "put": lambda: buffer.put(Tick(n=1)),
        "lose": lambda: buffer.lose(gap()),
        "fail": lambda: buffer.fail(ConnectorError("refused")),
        "close": buffer.close,
        "finish": buffer.finish,
    }

    with trio.fail_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(buffer.wait)
            await wait_all_tasks_blocked()
            assert buffer.has_waiter()
            causes[what]()
            causes[what]()

    assert not buffer.has_waiter()


async def test_a_second_waiting_task_is_refused_at_once() -> None:
    buffer: Buffer[int] = make_buffer(8, Overflow.BLOCK, gaps=False)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(buffer.wait)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await buffer.wait()
        buffer.put(1)


# --- what cannot work


@pytest.mark.parametrize("capacity", [0, -1, 1.5, "8", None, True])
def test_a_capacity_is_a_positive_whole_number(capacity: Any) -> None:
    with pytest.raises(ConfigError, match="buffer="):
        make_buffer(capacity, Overflow.BLOCK, gaps=False)


@pytest.mark.parametrize("overflow", ["block", None, ["block"]])
def test_a_policy_that_does_not_exist_is_answered_with_those_that_do(overflow: Any) -> None:
    with pytest.raises(ConfigError, match=r"Overflow\.BLOCK, Overflow\.DROP_OLDEST"):
        make_buffer(8, overflow, gaps=False)
