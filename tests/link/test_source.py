"""An adapter over a source: the same feeds, gaps, lifecycle and books, and nothing is dialled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from connector import (
    Adapter,
    ConfigError,
    ExchangeUnavailable,
    Overflow,
    Reconnect,
    SubscriptionRejected,
    open_adapter,
)
from connector.events import Gap
from connector.exchanges.protocol import Reply
from connector.lifecycle import Connected, Connecting, Disconnected
from connector.link.source import FrameSink, FrameSource, source_of, stream_names
from connector.link.wire_subscriptions import Request
from connector.transport import Ended
from connector.transport.http import Response
from tests.toy import Ticks, Toy, frame, rising

A, B = Ticks("A"), Ticks("B")


@attrs.frozen
class At:
    """Frames that came at one time."""

    ns: int
    frames: tuple[bytes, ...]


@attrs.frozen
class Lost:
    """A loss that the source knows of."""

    stream: str


@attrs.frozen
class Over:
    """There is no more."""


Step = At | Lost | Over


def at(ns: int, *frames: bytes) -> At:
    return At(ns, frames)


@attrs.frozen
class Script:
    """A source that plays one list of steps per session; a string is a session that fails."""

    sessions: Sequence[Sequence[Step] | str]
    has: frozenset[str] = frozenset({"A", "B"})
    first: int = 1
    """Number of the first session."""
    begun: list[ScriptSupply] = attrs.field(factory=list)

    @contextmanager
    def begin(self, exchange: object) -> Iterator[ScriptSupply]:
        supply = ScriptSupply(self)
        self.begun.append(supply)
        yield supply
        supply.left = True


@attrs.define
class ScriptSupply:
    script: Script
    ns: int = 1
    expected: set[str] = attrs.field(factory=set)
    dismissed: list[str] = attrs.field(factory=list)
    delays: list[float] = attrs.field(factory=list)
    pauses: list[tuple[str, float]] = attrs.field(factory=list)
    asked: list[tuple[bool, list[str]]] = attrs.field(factory=list)
    left: bool = False

    def now_ns(self) -> int:
        return self.ns

    def expect(self, link: str) -> None:
        self.expected.add(link)

    def dismiss(self, link: str) -> None:
        self.dismissed.append(link)

    async def next_session(self, link: str, session: int, delay: float) -> int:
        await trio.lowlevel.checkpoint()
        self.delays.append(delay)
        number = session + 1 if session else self.script.first
        if number - self.script.first >= len(self.script.sessions):
            raise trio.EndOfChannel
        return number

    @asynccontextmanager
    async def open(self, link: str, session: int, sink: FrameSink) -> AsyncIterator[ScriptCarrier]:
        await trio.lowlevel.checkpoint()
        steps = self.script.sessions[session - self.script.first]
        if isinstance(steps, str):
            raise ExchangeUnavailable(steps)
        yield ScriptCarrier(self, session, steps, sink)

    def pause(self, link: str, delay: float) -> float:
        self.pauses.append((link, delay))
        return 0.5

    def asking(self) -> None:
        """It answers nothing."""

    @asynccontextmanager
    async def open_rest(self) -> AsyncIterator[Any]:
        yield self

    async def get(self, target: str) -> Response:
        await trio.lowlevel.checkpoint()
        return Response(200, {}, target.encode())


@attrs.define
class ScriptCarrier:
    supply: ScriptSupply
    session: int
    steps: Sequence[Step]
    sink: FrameSink
    watched: bool = False
    wire_bytes: int = 0
    payload_bytes: int = 0
    blocked: bool = False

    async def run(self) -> Ended:
        await wait_all_tasks_blocked()  # everything is subscribed by then
        for step in self.steps:
            if isinstance(step, Lost):
                self.sink.lost(step.stream, "trimmed")
                continue
            if isinstance(step, Over):
                return Ended("ended")  # type: ignore[arg-type]
            self.supply.ns = step.ns
            self.sink.stamp(step.ns, self.session)
            taken = 0
            while (taken := self.sink.deliver(step.frames, taken)) < len(step.frames):
                self.blocked = True
                await self.sink.wait_for_room()
                self.blocked = False
            self.payload_bytes += sum(map(len, step.frames))
        return Ended("reset")

    def deliver_to(self, sink: FrameSink) -> None:
        self.sink = sink

    async def ask(self, request: Request) -> Reply | None:
        await trio.lowlevel.checkpoint()
        names = stream_names(request)
        self.supply.asked.append((request.subscribes, list(names)))
        if self.supply.script.has.issuperset(names):
            return Reply(request.request_id)
        return Reply(request.request_id, "missing", "no such stream here")

    async def send(self, text: str) -> None:
        raise AssertionError("nobody hears it")

    async def ping(self) -> None:
        raise AssertionError("nobody answers here")

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109
        await trio.lowlevel.checkpoint()


def script(*sessions: Sequence[Step] | str, **options: Any) -> Script:
    return Script(sessions, **options)


async def everything(adapter: Adapter, *channels: Ticks, **options: Any) -> list[Any]:
    """All that a feed yields until the source has no more."""
    async with adapter.subscribe(*channels, gaps=True, **options) as feed:
        return [event async for event in feed]


def seen(events: list[Any]) -> list[Any]:
    """Numbers of ticks, reasons of gaps."""
    return [each.reason if isinstance(each, Gap) else each.n for each in events]


async def test_feeds_yield_what_the_source_holds_and_end_with_it() -> None:
    source = script([at(1_000, frame("A", 1), frame("B", 1)), at(2_000, frame("A", 2))])

    async with open_adapter(Toy(), source=source) as adapter:
        events = await everything(adapter, A, B)

    assert [(each.symbol, each.n) for each in events[:3]] == [("A", 1), ("B", 1), ("A", 2)]
    assert [each.received_ns for each in events] == [1_000, 1_000, 2_000, 2_000]
    assert seen(events) == [1, 1, 2, "disconnected"]
    assert source.begun[0].expected == {"toy/all"}


async def test_sessions_are_numbered_and_ended_as_the_source_says() -> None:
    source = script(
        [at(10, frame("A", 1))], "refused", [at(30, frame("A", 7)), at(40, frame("A", 8))], first=4
    )

    pace = Reconnect(initial=2, factor=3, jitter="none")
    async with open_adapter(Toy(sequence=rising), source=source, reconnect=pace) as adapter:
        happened = adapter.lifecycle()
        events = await everything(adapter, A)

    assert [(each.session, getattr(each, "n", None)) for each in events] == [
        (4, 1), (4, None), (6, 7), (6, 8), (6, None),
    ]  # fmt: skip
    assert [each.since_ns for each in events if isinstance(each, Gap)] == [10, 40]
    told = [happened.receive_nowait() for _ in range(9)]
    assert [(type(each), each.session) for each in told if not hasattr(each, "streams")] == [
        (Connecting, 4), (Connected, 4), (Disconnected, 4),
        (Connecting, 5), (Disconnected, 5),
        (Connecting, 6), (Connected, 6),
    ]  # fmt: skip
    assert [each.time_ns for each in told] == [1, 1, 1, 10, 10, 10, 10, 10, 10]
    assert [each.retry_seconds for each in told if isinstance(each, Disconnected)] == [0.5, 0.5]
    assert source.begun[0].delays == [0, 0.5, 0.5, 0.5]
    # It is asked what to make of the wait that a connection would need.
    assert source.begun[0].pauses == [("toy/all", 2), ("toy/all", 6), ("toy/all", 10)]


async def test_a_source_is_told_when_nothing_is_wanted_of_it_any_more() -> None:
    source = script(*([at(n, frame("A", n))] for n in range(1, 50)))
    async with open_adapter(Toy(), source=source) as adapter:
        async with adapter.subscribe(A) as feed:
            assert [(await feed.receive()).session for _ in range(2)] == [1, 2]
            assert source.begun[0].dismissed == []
        for _ in range(5):
            await wait_all_tasks_blocked()
        assert source.begun[0].dismissed == ["toy/all"]


async def test_a_stream_that_the_source_does_not_have_is_rejected_and_the_others_live() -> None:
    source = script([at(10, frame("A", 1))], has=frozenset({"A"}))

    async with open_adapter(Toy(), source=source) as adapter:
        with pytest.raises(SubscriptionRejected, match="no such stream here"):
            async with adapter.subscribe(A, B):
                pass

    assert source.begun[0].asked[:3] == [
        (True, ["A", "B"]), (True, ["A"]), (True, ["B"]),
    ]  # fmt: skip


async def test_a_loss_that_the_source_knows_of_is_a_gap_in_that_stream_alone() -> None:
    steps = [at(10, frame("A", 1), frame("B", 1)), Lost("A"), Lost("C"), at(20, frame("A", 5))]

    async with open_adapter(Toy(), source=script(steps)) as adapter:
        events = await everything(adapter, A, B)

    (lost, _) = [each for each in events if isinstance(each, Gap)]
    assert seen(events) == [1, 1, "trimmed", 5, "disconnected"]
    assert (lost.channels, lost.since_ns) == ((A,), 10)


async def test_a_consumer_that_is_slow_holds_the_source_back() -> None:
    frames = [frame("A", n) for n in range(1, 101)]

    async with open_adapter(Toy(), source=script([at(10, *frames)])) as adapter:
        async with adapter.subscribe(A, buffer=4, overflow=Overflow.BLOCK) as feed:
            await wait_all_tasks_blocked()
            await wait_all_tasks_blocked()
            assert feed.statistics().buffered == 4
            assert [each.n async for each in feed] == list(range(1, 101))


async def test_every_way_to_read_a_feed_sees_its_end() -> None:
    async with open_adapter(Toy(), source=script([at(10, frame("A", 1))])) as adapter:
        async with adapter.subscribe(A) as first, adapter.subscribe(A) as second:
            assert [[each.n for each in batch] async for batch in first.batches()] == [[1]]
            assert (await second.receive()).n == 1
            with pytest.raises(trio.EndOfChannel):
                await second.receive()
            with pytest.raises(trio.EndOfChannel):
                second.receive_nowait()
            assert [each async for each in second] == []


async def test_a_feed_subscribed_after_the_end_of_the_source_ends_at_once() -> None:
    async with open_adapter(Toy(), source=script([at(10, frame("A", 1))])) as adapter:
        assert seen(await everything(adapter, A)) == [1, "disconnected"]
        assert await everything(adapter, B) == []
        await adapter.wait_connected()


async def test_the_body_of_an_answer_comes_from_the_source() -> None:
    @attrs.frozen
    class Described(Toy):
        @property
        def rest(self) -> Any:
            from connector.exchanges.protocol import RestService

            return RestService("http://toy.invalid", 1, 60.0)

        def instruments(self) -> Any:
            from connector.exchanges.protocol import RestRequest

            return RestRequest("/all", 1_000_000, bytes.decode)

    async with open_adapter(Described(), source=script()) as adapter:
        assert await adapter.instruments() == "/all"  # type: ignore[comparison-overlap]


async def test_the_end_of_a_source_is_no_loss() -> None:
    async with open_adapter(Toy(), source=script([at(10, frame("A", 1)), Over()])) as adapter:
        assert seen(await everything(adapter, A)) == [1]
        assert adapter.statistics().gaps == 0


async def test_an_exchange_may_carry_its_source() -> None:
    @attrs.frozen
    class Carried(Toy):
        source: FrameSource = attrs.field(factory=lambda: script([at(10, frame("A", 1))]))

    async with open_adapter(Carried()) as adapter:
        assert seen(await everything(adapter, A)) == [1, "disconnected"]


async def test_leaving_ends_the_source() -> None:
    source = script([at(10, frame("A", 1))])

    async with open_adapter(Toy(), source=source) as adapter, adapter.subscribe(A):
        assert not source.begun[0].left

    assert source.begun[0].left
    assert adapter.statistics().tasks == 0


async def test_an_object_without_the_methods_of_a_source_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a source of frames"):
        async with open_adapter(Toy(), source=42):  # type: ignore[arg-type]
            pass


def test_a_given_source_precedes_the_source_of_the_exchange() -> None:
    given = script()

    assert source_of(Toy(), None) is None
    assert source_of(Toy(), given) is given


async def test_a_loss_that_was_told_is_not_told_again_by_the_ids() -> None:
    steps = [at(10, frame("A", 1)), Lost("A"), at(20, frame("A", 5), frame("A", 6))]

    async with open_adapter(Toy(sequence=rising), source=script(steps)) as adapter:
        events = await everything(adapter, A)

    assert seen(events) == [1, "trimmed", 5, 6, "disconnected"]


class TwoRoutes(Toy):
    """Every symbol comes over a link of its own."""

    def stream(self, channel: Any) -> Any:
        return attrs.evolve(super().stream(channel), route=channel.symbol)


@attrs.define
class UnevenSupply(ScriptSupply):
    """Link B brings its frames ten seconds after link A has ended."""

    @asynccontextmanager
    async def open(self, link: str, session: int, sink: FrameSink) -> AsyncIterator[ScriptCarrier]:
        steps = self.script.sessions[session - self.script.first]
        assert not isinstance(steps, str)
        kind = LateCarrier if link.endswith("/B") else ScriptCarrier
        yield kind(self, session, steps, sink)


class LateCarrier(ScriptCarrier):
    async def run(self) -> Ended:
        await trio.sleep(10)
        return await super().run()


class Uneven(Script):
    @contextmanager
    def begin(self, exchange: object) -> Iterator[ScriptSupply]:
        yield UnevenSupply(self)


async def test_a_feed_is_over_when_all_that_it_reads_is(autojump_clock: MockClock) -> None:
    source = Uneven([[at(10, frame("A", 1), frame("B", 2)), Over()]])
    async with open_adapter(TwoRoutes(), source=source) as adapter:
        with adapter.frames() as raw:
            async with adapter.subscribe(A, B) as both, adapter.subscribe(A) as one:
                assert (await both.receive()).n == (await one.receive()).n == 1
                with pytest.raises(trio.EndOfChannel):
                    await one.receive()
                assert trio.current_time() == 0
                frames: list[Any] = []
                with pytest.raises(trio.WouldBlock):  # and not the end: link B has more
                    while True:
                        frames.append(raw.receive_nowait())
                # What is wanted more is waited for, though what was wanted is over.
                await one.add(B)
                assert (await one.receive()).n == (await both.receive()).n == 2
                assert trio.current_time() == 10
                for feed in (both, one):
                    with pytest.raises(trio.EndOfChannel):
                        await feed.receive()
                frames += [each async for each in raw]

    assert [each.session for each in frames if isinstance(each, Disconnected)] == [1, 1]
    assert frame("B", 2) in [getattr(each, "payload", None) for each in frames]
