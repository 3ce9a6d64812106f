"""A session over a line that a test holds by both ends: what it asks, when it looks, why it ends.

The exchange's limits are round numbers, and a draw is the lowest or the highest that it may be, so
that every time can be told to the second.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import attrs
import msgspec
import pytest
import trio
from trio.testing import MockClock

from connector.errors import DecodeError, ExchangeUnavailable
from connector.exchanges.protocol import Exchange, Reply, Shutdown
from connector.feeds.backpressure import Full
from connector.feeds.subscription import Subscription
from connector.link.session import REASONS, Session
from connector.link.source import Carrier
from connector.link.wire_subscriptions import Refusal, Request
from connector.transport import Ended
from tests.toy import LIMITS, Toy, frame, keyed, subscription

ROOT = Path(__file__).parents[2]
LONG_SECONDS = 10_000.0
"""Longer than any session here lives, and shorter than the exchange lets one live."""
AGING = attrs.evolve(LIMITS, lifetime_seconds=1_000)


def toy(silence_seconds: float | None = None, **limits: Any) -> Toy:
    """An exchange whose limits are these, and the toy's where nothing is said."""
    return Toy(silence_seconds=silence_seconds, limits=attrs.evolve(LIMITS, **limits))


@attrs.define
class Line:
    """A carrier: answers what it is asked, as long as it is told to."""

    watched: bool = True
    blocked: bool = False
    wire_bytes: int = 0
    payload_bytes: int = 0
    acknowledges: bool = True
    replies_at_once: bool = False
    pongs: bool = True
    broken: bool = False
    asked: list[tuple[float, str]] = attrs.Factory(list)
    pings: list[float] = attrs.Factory(list)
    session: Session | None = None
    ended: Ended | None = None
    _over: trio.Event = attrs.Factory(trio.Event)

    def say(self, *frames: bytes | dict[str, object]) -> None:
        """The exchange sends something."""
        assert self.session is not None
        said = [each if isinstance(each, bytes) else msgspec.json.encode(each) for each in frames]
        self.wire_bytes += sum(map(len, said))
        assert self.session.delivery.deliver(said, 0) == len(said)

    def end(self, ended: Ended) -> None:
        self.ended = ended
        self._over.set()

    async def run(self) -> Ended:
        await self._over.wait()
        assert self.ended is not None
        return self.ended

    async def ask(self, request: Request) -> Reply | None:
        self.asked.append((trio.current_time(), request.text))
        if self.broken:
            raise ExchangeUnavailable("the connection is over")
        if self.replies_at_once:
            return Reply(request.request_id)
        if self.acknowledges:
            self.say({"id": request.request_id})
        return None

    async def send(self, text: str) -> None:
        self.asked.append((trio.current_time(), text))
        if self.broken:
            raise ExchangeUnavailable("the connection is over")

    async def ping(self) -> None:
        self.pings.append(trio.current_time())
        if self.broken:
            raise ExchangeUnavailable("the connection is over")
        if not self.pongs:
            await trio.sleep_forever()
        self.wire_bytes += 2

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109
        raise AssertionError("a session does not close what the link has opened")


@attrs.define
class Owner:
    """Notes what a session tells its link."""

    carry_on: bool = True
    looks: list[float] = attrs.Factory(list)
    told: list[object] = attrs.Factory(list)
    converged_at: list[float] = attrs.Factory(list)
    silences: list[tuple[str, float, bool]] = attrs.Factory(list)
    doubted: list[tuple[float, str]] = attrs.Factory(list)

    def refused(self, refusal: Refusal) -> None:
        self.told.append(refusal)

    def noticed(self, notice: Shutdown | DecodeError) -> None:
        self.told.append(notice)

    def converged(self) -> None:
        self.converged_at.append(trio.current_time())

    def stale(self, subscription: Subscription, seconds: float, *, resubscribing: bool) -> None:
        self.silences.append((subscription.name, seconds, resubscribing))

    def doubts(self, subscription: Subscription) -> None:
        self.doubted.append((trio.current_time(), subscription.name))

    def twins_carry_on(self) -> bool:
        self.looks.append(trio.current_time())
        return self.carry_on


@attrs.frozen
class Desk:
    """A session at work, and everything around it."""

    session: Session
    line: Line
    owner: Owner
    wanted: dict[bytes, Subscription]
    over: list[float]
    gone: trio.Event

    def want(self, *subscriptions: Subscription) -> None:
        self.wanted.update(keyed(*subscriptions))
        self.session.wanted_changed()

    async def ended(self) -> tuple[float, str | None, str]:
        """When it ended, and why."""
        with trio.fail_after(LONG_SECONDS):
            await self.gone.wait()
        return self.over[0], self.session.reason, self.session.detail


@asynccontextmanager
async def at_work(
    *wanted: Subscription,
    exchange: Toy | None = None,
    stale_after: float | None = None,
    **line: Any,
) -> AsyncIterator[Desk]:
    exchange = toy() if exchange is None else exchange
    owner, carrier, over = Owner(), Line(**line), list[float]()
    known, gone = keyed(*wanted), trio.Event()
    spoken = cast("Exchange", exchange)
    session = Session(spoken, 7, known, Full(), owner=owner, stale_after=stale_after)
    carrier.session = session

    async def run() -> None:
        await session.run(cast("Carrier", carrier))
        over.append(trio.current_time())
        gone.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        yield Desk(session, carrier, owner, known, over, gone)
        nursery.cancel_scope.cancel()


class Draws:
    """Draws the lowest, or the highest, of what may be drawn, and notes the bounds."""

    def __init__(self, highest: bool) -> None:
        self.highest = highest
        self.bounds: list[tuple[float, float]] = []

    def uniform(self, low: float, high: float) -> float:
        self.bounds.append((low, high))
        return high if self.highest else low


@pytest.fixture(params=[False, True], ids=["lowest", "highest"])
def draws(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Draws:
    draws = Draws(request.param)
    monkeypatch.setattr(random, "uniform", draws.uniform)
    return draws


def test_the_operator_is_told_of_every_reason_that_exists() -> None:
    (line,) = re.findall(r"The reasons of .*", (ROOT / "docs/operations.md").read_text())
    told = set(re.findall(r"`([a-z ]+)`", line))

    # These two are no trouble: the program has left, or a source has no more.
    assert set(REASONS) == told | {"left", "ended"}


# --- what is asked


async def test_requests_go_out_below_the_rate_and_convergence_is_told_once(
    autojump_clock: MockClock,
) -> None:
    exchange = toy(requests_per_second=2, streams_per_request=1)
    wanted = [subscription(name, exchange) for name in "ABC"]
    async with at_work(*wanted, exchange=exchange) as desk:
        await trio.sleep(5)
        assert desk.line.asked == [(0, "1 + A"), (0.5, "2 + B"), (1, "3 + C")]
        assert desk.owner.converged_at == [1]
        assert desk.session.number == 7

        # A reply that nobody has asked for changes nothing.
        desk.line.say({"id": 99})
        await trio.sleep(1)
        assert desk.owner.converged_at == [1]

        # What is given up is asked for no longer, and that is told as well.
        del desk.wanted[b"B"]
        desk.session.wanted_changed()
        await trio.sleep(1)
        assert desk.line.asked[3:] == [(6, "4 - B")]
        assert desk.owner.converged_at == [1, 6]

        # Wanted anew before anything was asked: who waits for it is told again.
        desk.session.wanted_changed()
        await trio.sleep(1)
        assert desk.owner.converged_at == [1, 6, 7]
        assert len(desk.line.asked) == 4


async def test_a_request_does_not_wait_for_the_reply_to_the_one_before(
    autojump_clock: MockClock,
) -> None:
    exchange = toy(requests_per_second=2, streams_per_request=1)
    wanted = [subscription(name, exchange) for name in "ABC"]
    async with at_work(*wanted, exchange=exchange, acknowledges=False) as desk:
        await trio.sleep(5)
        assert desk.line.asked == [(0, "1 + A"), (0.5, "2 + B"), (1, "3 + C")]
        assert desk.owner.converged_at == []


async def test_a_wire_without_wanted_streams_is_converged(autojump_clock: MockClock) -> None:
    async with at_work() as desk:
        await trio.sleep(5)
        assert (desk.owner.converged_at, desk.line.asked) == ([0], [])


async def test_nothing_is_told_before_the_reply(autojump_clock: MockClock) -> None:
    async with at_work(subscription("A"), acknowledges=False) as desk:
        await trio.sleep(5)
        assert desk.owner.converged_at == []
        desk.line.say({"id": 1})
        await trio.sleep(1)
        assert desk.owner.converged_at == [5]


async def test_a_refusal_is_told_with_its_words_and_the_others_are_asked_for(
    autojump_clock: MockClock,
) -> None:
    one, other = subscription("A"), subscription("B")
    async with at_work(one, acknowledges=False) as desk:
        await trio.sleep(1)
        desk.line.say({"id": 1, "code": 2, "error": "Invalid request"})
        assert desk.owner.told == [Refusal(one, 2, "Invalid request")]
        del desk.wanted[b"A"]
        desk.line.acknowledges = True
        desk.want(other)
        await trio.sleep(1)
        assert list(desk.session.wire.live) == ["B"]


async def test_who_replies_at_once_is_asked_without_waiting_and_others_get_their_turn(
    autojump_clock: MockClock,
) -> None:
    exchange = toy(requests_per_second=1, streams_per_request=1)
    wanted = [subscription(f"S{number}", exchange) for number in range(20)]
    turns = 0

    async def count_turns(desk: Desk) -> None:
        nonlocal turns
        while len(desk.line.asked) < len(wanted):
            await trio.lowlevel.checkpoint()
            turns += 1

    async with at_work(*wanted, exchange=exchange, watched=False, replies_at_once=True) as desk:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(count_turns, desk)
        await trio.sleep(3_600)

        assert {when for when, _ in desk.line.asked} == {0}
        assert turns >= len(wanted) - 1
        assert len(desk.session.wire.live) == len(wanted)
        assert desk.owner.converged_at == [0]
        # Nobody watches a recording: neither silence nor age end it.
        assert desk.line.pings == [] and desk.owner.looks == [] and desk.over == []


# --- how it ends


async def test_the_end_of_the_connection_is_the_sessions_in_its_words(
    autojump_clock: MockClock,
) -> None:
    for ended, detail in [
        (Ended("closed", 1001, "maintenance"), "maintenance"),
        (Ended("reset", 1006), ""),
    ]:
        async with at_work() as desk:
            began = trio.current_time()
            await trio.sleep(3)
            desk.line.end(ended)
            assert await desk.ended() == (began + 3, ended.reason, detail)


async def test_the_first_reason_counts(autojump_clock: MockClock) -> None:
    async with at_work() as desk:
        await trio.sleep(1)
        desk.session.end("requested", "by the program")
        desk.session.end("left")
        assert await desk.ended() == (1, "requested", "by the program")


async def test_a_session_that_is_ended_before_it_begins_is_over_at_once(
    autojump_clock: MockClock,
) -> None:
    async with at_work(subscription("A")) as desk:
        desk.session.end("requested")
        assert await desk.ended() == (0, "requested", "")
        assert desk.line.asked == []


async def test_a_session_that_is_cancelled_has_no_reason(autojump_clock: MockClock) -> None:
    async with at_work(subscription("A")) as desk:
        await trio.sleep(1)

    assert (desk.session.reason, desk.session.detail, desk.over) == (None, "", [])


async def test_a_request_or_a_ping_into_a_broken_connection_leaves_the_reason_to_the_reader(
    autojump_clock: MockClock,
) -> None:
    async with at_work(subscription("A")) as desk:
        await trio.sleep(29)
        desk.line.broken = True
        desk.want(subscription("B"))
        await trio.sleep(4)
        desk.want(subscription("C"))
        await trio.sleep(1)
        # Neither is tried again, and neither says why: who reads knows better.
        assert desk.line.asked[1:] == [(29, "2 + B")]
        assert desk.line.pings == [31]
        assert desk.session.reason is None
        desk.line.end(Ended("reset", 1006, "connection reset"))
        assert await desk.ended() == (34, "reset", "connection reset")


@pytest.mark.parametrize(
    ("stale_after", "seconds"), [(None, 10), (60.0, 10), (4.0, 4)], ids=["default", "60", "4"]
)
async def test_a_request_without_a_reply_ends_the_session_at_the_limit(
    autojump_clock: MockClock, stale_after: float | None, seconds: float
) -> None:
    async with at_work(subscription("A"), stale_after=stale_after, acknowledges=False) as desk:
        detail = f"a request was not answered in {seconds} s"
        assert await desk.ended() == (seconds, "no reply", detail)


# --- when it looks


@pytest.mark.parametrize(
    ("limits", "tick"),
    [
        ([], 1.0),
        ([None], 1.0),
        ([100.0], 1.0),
        ([2.0], 0.5),
        ([12.0, 2.0, None], 0.5),
        ([0.01], 0.02),
    ],
)
async def test_silence_is_looked_for_four_times_within_the_shortest_limit(
    autojump_clock: MockClock, limits: list[float | None], tick: float
) -> None:
    wanted = [subscription(f"S{n}", toy(limit)) for n, limit in enumerate(limits)]
    # Nothing is acknowledged: nothing can be silent.
    async with at_work(*wanted, acknowledges=False) as desk:
        await trio.sleep(4.5 * tick)

        assert desk.owner.looks == pytest.approx([tick * n for n in (1, 2, 3, 4)])


async def test_a_connection_that_is_silent_is_given_up_at_once(autojump_clock: MockClock) -> None:
    one = subscription("A", toy(4.0))
    async with at_work(one) as desk:
        await trio.sleep(0.5)
        desk.line.say(frame("A", 1))
        # Its clock begins with the look after its last message.
        assert await desk.ended() == (5, "stale", "no data of A for 4 s")
        assert desk.owner.silences == [("A", 4, False)]
        # The next connection waits for it longer.
        assert one.patience == 2


async def test_streams_that_are_silent_among_others_are_asked_for_anew_first(
    autojump_clock: MockClock,
) -> None:
    exchange = toy(4.0)
    streams = [subscription(name, exchange) for name in "ABC"]
    for each in streams:
        each.heard_times = 10  # its pace is known
    async with at_work(*streams, exchange=exchange) as desk:
        desk.line.say(frame("A", 1), frame("B", 1))
        for number in range(1, 13):
            desk.line.say(frame("C", number))
            await trio.sleep(0.5)

        assert desk.owner.silences == [("A", 4, True), ("B", 4, True)]
        assert desk.line.asked[1:] == [(5, "2 - A B"), (5.2, "3 + A B")]
        assert desk.owner.converged_at == [0, 5.2]
        assert desk.over == []

        # It has helped neither: only another connection can.
        for number in range(13, 40):
            if not desk.over:
                desk.line.say(frame("C", number))
                await trio.sleep(0.5)
        when, reason, detail = await desk.ended()
        assert 9 <= when <= 10.5
        assert (reason, detail) == ("stale", "no data of A for 8 s")
        assert [each.patience for each in streams] == [2, 2, 1]


async def test_a_stream_without_any_data_ends_no_connection_and_is_doubted(
    autojump_clock: MockClock,
) -> None:
    exchange = toy(4.0)
    mute, lively = subscription("A", exchange), subscription("B", exchange)
    async with at_work(mute, lively, exchange=exchange) as desk:
        await trio.sleep(0.5)  # between two looks of the session
        for number in range(1, 1300):
            desk.line.say(frame("B", number))
            await trio.sleep(1)
            mute.listed = mute.listed or bool(desk.owner.doubted)

        assert desk.over == []
        assert desk.owner.doubted == [(61, "A")]
        times = [when for when, text in desk.line.asked if "- A" in text]
        assert times[0] == 5
        assert len(times) <= 9
        waits = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert all(new > 1.5 * old for old, new in itertools.pairwise(waits))


async def test_unread_data_of_a_stopped_process_is_not_silence(
    autojump_clock: MockClock,
) -> None:
    one, other = subscription("A", toy(4.0)), subscription("B", toy(4.0))
    async with at_work(one, other) as desk:
        desk.line.say(frame("A", 1), frame("B", 1))
        await trio.sleep(1.5)
        desk.line.acknowledges = False
        desk.want(subscription("C"))
        await trio.sleep(0.5)
        # Stopped for as long as nothing may be silent or unanswered, and woken.
        autojump_clock.jump(15)
        await trio.sleep(0.01)
        assert desk.over == []
        desk.line.say(frame("A", 2), frame("B", 2), {"id": 2})
        await trio.sleep(3)
        assert desk.over == []
        assert desk.owner.silences == []
        # From there on it counts.
        when, reason, _ = await desk.ended()
        assert reason == "stale"
        assert 21 <= when <= 23


async def test_a_ping_that_was_not_answered_while_the_process_stood_still_is_sent_once_more(
    autojump_clock: MockClock,
) -> None:
    async with at_work(subscription("A"), pongs=False) as desk:
        await trio.sleep(35)
        autojump_clock.jump(60)
        await trio.sleep(0.01)
        assert len(desk.line.pings) == 2
        assert desk.over == []
        when, reason, _ = await desk.ended()
        assert (when, reason) == (pytest.approx(105), "stale")


async def test_a_connection_that_was_not_read_is_neither_silent_nor_unanswered(
    autojump_clock: MockClock,
) -> None:
    async with at_work(subscription("A", toy(4.0))) as desk:
        await trio.sleep(2.5)
        desk.line.acknowledges = False
        desk.want(subscription("B"))
        desk.line.blocked = True
        await trio.sleep(100)
        assert desk.over == []
        desk.line.blocked = False
        # The last look while it was blocked was at 102.
        assert await desk.ended() == (106, "stale", "no data of A for 4 s")

    async with at_work(subscription("A"), acknowledges=False) as desk:
        began = trio.current_time()
        desk.line.blocked = True
        await trio.sleep(100.5)
        desk.line.blocked = False
        when, reason, _ = await desk.ended()
        assert (when - began, reason) == (110, "no reply")


async def test_a_session_that_is_not_read_does_not_end_by_its_age(
    autojump_clock: MockClock,
) -> None:
    async with at_work(exchange=Toy(limits=AGING), blocked=True) as desk:
        await trio.sleep(2_000)
        assert desk.over == []
        desk.line.blocked = False
        assert (await desk.ended())[1] == "age"


# --- is anybody there?


async def test_a_ping_goes_out_when_nothing_came_for_30_seconds(autojump_clock: MockClock) -> None:
    async with at_work(subscription("A")) as desk:
        await trio.sleep(0.5)
        desk.line.say(frame("A", 1))
        await trio.sleep(100)
        # The pong counts as something that came.
        first, second, third = desk.line.pings
        assert 30.5 <= first <= 31.5
        # What came is noticed at the next look, a second later at most.
        assert (second - first, third - second) == (31, 31)
        assert desk.over == []

        for number in range(2, 40):
            desk.line.say(frame("A", number))
            await trio.sleep(29)
        assert len(desk.line.pings) == 3


async def test_no_answer_to_a_ping_ends_the_session(autojump_clock: MockClock) -> None:
    async with at_work(subscription("A"), pongs=False) as desk:
        assert await desk.ended() == (41, "stale", "no answer to a ping in 10 s")
        assert desk.line.pings == [31]


async def test_any_message_counts_as_an_answer_to_a_ping(autojump_clock: MockClock) -> None:
    async with at_work(subscription("A"), pongs=False) as desk:
        await trio.sleep(35.5)
        desk.line.say(frame("A", 1))
        await trio.sleep(25)
        assert desk.over == []
        assert (await desk.ended())[0] == 76
        assert desk.line.pings == [31, 66]


async def test_a_peer_that_is_not_read_is_not_pinged_and_not_given_up(
    autojump_clock: MockClock,
) -> None:
    async with at_work(subscription("A"), pongs=False) as desk:
        await trio.sleep(35)
        # The pong may be behind what is not read.
        desk.line.blocked = True
        await trio.sleep(100)
        assert desk.over == []
        assert desk.line.pings == [31]
        desk.line.blocked = False
        when, reason, _ = await desk.ended()
        assert reason == "stale"
        assert 145 <= when <= 147
        assert len(desk.line.pings) == 2


async def test_pings_count_against_the_exchanges_message_rate(autojump_clock: MockClock) -> None:
    exchange = toy(requests_per_second=0.5)
    async with at_work(subscription("A", exchange), exchange=exchange, acknowledges=False) as desk:
        await trio.sleep(1)
        desk.session.wire.read(Reply(1))
        await trio.sleep(28.5)
        desk.want(subscription("B", exchange))
        await trio.sleep(5)

        assert [when for when, _ in desk.line.asked] == [0, 29.5]
        assert desk.line.pings == [31.5]


# --- planned ends


async def test_a_quiet_session_ends_5_to_15_minutes_before_its_age_limit(
    autojump_clock: MockClock, draws: Draws
) -> None:
    async with at_work(subscription("A"), exchange=Toy(limits=AGING)) as desk:
        assert await desk.ended() == (100 if draws.highest else 700, "age", "")
        assert draws.bounds == [(300.0, 900.0)]


async def talk(desk: Desk, seconds: float) -> None:
    """Data of A every half second, for so long or until the session is over."""
    until = trio.current_time() + seconds
    number = 0
    while trio.current_time() < until and not desk.over:
        number += 1
        desk.line.say(frame("A", number))
        await trio.sleep(0.5)


@pytest.mark.parametrize(("talks", "ended"), [(704.2, 706), (900, 710)], ids=["pause", "busy"])
async def test_an_age_waits_10_seconds_for_a_moment_without_data(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, talks: float, ended: float
) -> None:
    monkeypatch.setattr(random, "uniform", Draws(highest=False).uniform)
    async with at_work(subscription("A"), exchange=Toy(limits=AGING)) as desk:
        await trio.sleep(0.25)
        await talk(desk, talks)
        assert await desk.ended() == (ended, "age", "")


@pytest.mark.parametrize(("back", "ended"), [(730.5, 731), (900, 760)], ids=["back", "never"])
async def test_an_age_waits_a_minute_for_the_twins(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, back: float, ended: float
) -> None:
    monkeypatch.setattr(random, "uniform", Draws(highest=False).uniform)
    async with at_work(subscription("A"), exchange=Toy(limits=AGING)) as desk:
        desk.owner.carry_on = False
        await trio.sleep(back)
        desk.owner.carry_on = True
        assert await desk.ended() == (ended, "age", "")


@pytest.mark.parametrize(
    ("how", "more"), [("quiet", 0.0), ("busy", 1.0), ("twins", 3.0)], ids=["quiet", "busy", "twins"]
)
async def test_an_announced_end_is_forestalled_within_seconds(
    autojump_clock: MockClock, draws: Draws, how: str, more: float
) -> None:
    async with at_work(subscription("A"), exchange=Toy(limits=AGING)) as desk:
        desk.owner.carry_on = how != "twins"
        await trio.sleep(10.5)
        # Said again it is no later.
        for _ in range(3):
            desk.line.say({"bye": "serverShutdown"})
        assert desk.owner.told == [Shutdown("serverShutdown")] * 3
        if how == "busy":
            for number in range(1, 100):
                if not desk.over:
                    desk.line.say(frame("A", number))
                    await trio.sleep(0.1)
                    desk.line.say({"bye": "serverShutdown"})
        assert await desk.ended() == (10.5 + (3 if draws.highest else 0.5) + more, "shutdown", "")
        assert draws.bounds[1] == (0.5, 3.0)
        # It looks more often, so that twins can take turns.
        assert desk.owner.looks[:10] == list(range(1, 11))
        assert {b - a for a, b in pairwise(desk.owner.looks[10:])} <= {0.25}


async def test_an_announcement_does_not_postpone_an_end_that_is_due(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", Draws(highest=True).uniform)
    async with at_work(subscription("A"), exchange=Toy(limits=AGING)) as desk:
        await trio.sleep(98.5)
        desk.line.say({"bye": "serverShutdown"})
        assert await desk.ended() == (100, "shutdown", "")


# --- what else comes


async def test_what_cannot_be_read_is_counted_and_told(autojump_clock: MockClock) -> None:
    async with at_work(subscription("A")) as desk:
        await trio.sleep(1)
        assert (desk.session.unknown_messages, desk.session.decode_errors) == (0, 0)
        desk.line.say({"hello": 1}, {"hello": 2})
        assert (desk.session.unknown_messages, desk.session.decode_errors) == (2, 0)
        desk.line.say(b'{"stream":"A","data":{"n":"x"}}', b"no JSON", b"neither")
        assert (desk.session.unknown_messages, desk.session.decode_errors) == (2, 3)
        assert [type(each) for each in desk.owner.told] == [DecodeError] * 3
        assert desk.over == []
