"""What exchanges want of a client that stays: pings, answers, subscriptions, and not too much."""

from __future__ import annotations

from itertools import pairwise

import attrs
import trio
from trio.testing import MockClock

from connector.exchanges.protocol import Liveness
from connector.link.pacing import Pace
from tests.link.test_session import at_work
from tests.toy import LIMITS, Toy, frame, subscription


def lively(**liveness: object) -> Toy:
    return Toy(liveness=Liveness(**liveness))  # type: ignore[arg-type]


async def test_the_greeting_is_sent_at_once(autojump_clock: MockClock) -> None:
    exchange = lively(greeting=("hello", "heartbeat please"))
    async with at_work(subscription("A"), exchange=exchange) as desk:
        await trio.sleep(5)
        sent = [text for _, text in desk.line.asked]
        assert sent == ["hello", "heartbeat please", "1 + A"]
        assert desk.owner.converged_at


async def test_a_ping_is_sent_as_often_as_the_exchange_wants_while_data_flows(
    autojump_clock: MockClock,
) -> None:
    exchange = lively(ping="ping", ping_seconds=20.0)
    async with at_work(subscription("A"), exchange=exchange) as desk:
        for number in range(1, 70):
            desk.line.say(frame("A", number))
            await trio.sleep(1)
        sent = [when for when, text in desk.line.asked if text == "ping"]
        assert len(sent) == 3
        assert all(20 * n <= when <= 20 * n + 3 for n, when in enumerate(sent, 1))
        assert desk.line.pings == []


async def test_a_websocket_ping_goes_with_it_where_nobody_knows_which_counts(
    autojump_clock: MockClock,
) -> None:
    exchange = lively(ping="ping", ping_seconds=20.0, also_websocket_ping=True)
    async with at_work(subscription("A"), exchange=exchange) as desk:
        for number in range(1, 70):
            desk.line.say(frame("A", number))
            await trio.sleep(1)
        sent = [when for when, text in desk.line.asked if text == "ping"]
        assert len(sent) == 3
        assert desk.line.pings == sent


async def test_a_ping_message_is_sent_to_a_silent_exchange_in_place_of_a_websocket_ping(
    autojump_clock: MockClock,
) -> None:
    async with at_work(exchange=lively(ping="ping")) as desk:
        when, reason, detail = await desk.ended()
        assert [text for _, text in desk.line.asked] == ["ping"]
        assert desk.line.pings == []
        assert (reason, detail) == ("stale", "no answer to a ping in 10 s")
        assert 40 <= when <= 43


async def test_an_answer_to_the_ping_is_a_sign_of_life(autojump_clock: MockClock) -> None:
    async with at_work(exchange=lively(ping="ping")) as desk:
        with trio.move_on_after(200):
            while True:
                await trio.sleep(1)
                if desk.line.asked and desk.line.asked[-1][1] == "ping":
                    desk.line.say({"alive": True})
                    desk.line.asked.append((trio.current_time(), "answered"))
        assert desk.session.reason is None
        assert desk.session.unknown_messages == 0


async def test_a_question_is_answered_at_once(autojump_clock: MockClock) -> None:
    async with at_work() as desk:
        await trio.sleep(7)
        desk.line.say({"ask": "I am here"})
        await trio.sleep(0.1)
        assert desk.line.asked == [(7, "I am here")]


async def test_a_connection_without_the_promised_messages_is_dead(
    autojump_clock: MockClock,
) -> None:
    async with at_work(exchange=lively(silence_seconds=5.0)) as desk:
        for _ in range(10):
            await trio.sleep(2)
            desk.line.say({"alive": True})
        when, reason, _ = await desk.ended()
        assert reason == "stale"
        assert 24.9 <= when <= 27


async def test_a_session_without_subscriptions_ends_before_the_exchange_ends_it(
    autojump_clock: MockClock,
) -> None:
    one = subscription("A")
    async with at_work(one, exchange=lively(idle_seconds=30.0)) as desk:
        for _ in range(10):
            await trio.sleep(10)
            desk.line.say({"alive": True})
        assert desk.session.reason is None
        del desk.wanted[b"A"]
        desk.session.wanted_changed()
        when, reason, _ = await desk.ended()
        assert reason == "idle"
        assert 124 <= when < 130


async def test_a_missing_acknowledgement_is_a_refusal_where_the_exchange_refuses_so(
    autojump_clock: MockClock,
) -> None:
    one = subscription("A")
    async with at_work(one, exchange=lively(unanswered="refused"), acknowledges=False) as desk:
        for _ in range(12):
            await trio.sleep(1)
            desk.line.say({"alive": True})
        assert [each.subscription for each in desk.owner.told] == [one]  # type: ignore[attr-defined]
        assert desk.session.reason is None


async def test_a_stream_refused_for_now_is_requested_again_later(autojump_clock: MockClock) -> None:
    async with at_work(subscription("A"), acknowledges=False) as desk:
        for request_id in (1, 2, 3):
            await trio.sleep(0.1)
            desk.line.say({"id": request_id, "error": "too fast", "later": True})
            await trio.sleep(2 ** (request_id - 1))
        await trio.sleep(0.5)
        times = [when for when, _ in desk.line.asked]
        assert len(times) == 4
        assert [round(later - before) for before, later in pairwise(times)] == [1, 2, 4]
        assert desk.owner.told == []


async def test_requests_are_paced_by_the_hour_and_other_messages_are_not(
    autojump_clock: MockClock,
) -> None:
    pace = Pace(10, per_hour=3)
    began = trio.current_time()
    for _ in range(4):
        await pace.turn()
    for _ in range(3):
        await pace.turn(request=True)
    assert trio.current_time() - began < 1
    await pace.turn()
    assert trio.current_time() - began < 1
    await pace.turn(request=True)
    assert 3600 <= trio.current_time() - began < 3602


async def test_the_session_keeps_to_the_requests_of_an_hour(autojump_clock: MockClock) -> None:
    exchange = Toy(limits=attrs.evolve(LIMITS, streams_per_request=1, requests_per_hour=2))
    wanted = [subscription(name, exchange) for name in "ABC"]
    async with at_work(*wanted, exchange=exchange) as desk:
        for _ in range(300):
            await trio.sleep(15)
            desk.line.say({"alive": True})
        times = [when for when, text in desk.line.asked]
        assert len(times) == 3
        assert times[1] < 10 and times[2] >= 3600
