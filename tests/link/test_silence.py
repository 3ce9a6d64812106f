"""Who is silent for too long is found in time; who is quiet, or unheard, is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.feeds.subscription import Subscription
from connector.link.silence import Silence, Silent
from tests.toy import Toy, subscription

LIMIT = 4.0
TICK = 1.0


def stream(name: str, limit: float | None = LIMIT) -> Subscription:
    """One that has lived long enough for its pace to be known."""
    made = subscription(name, Toy(silence_seconds=limit))
    made.heard_times = 10
    return made


class Watch:
    """A connection whose silence is checked every tick."""

    def __init__(self, *live: Subscription, stale_after: float | None = None) -> None:
        self.now = 100.0
        self.live = list(live)
        self.messages = 0
        self.silence = Silence(stale_after, self.now)

    def speak(self, *streams: Subscription) -> None:
        for each in streams:
            each.messages += 1
            self.messages += 1

    def tick(self, *speaking: Subscription, ticks: int = 1) -> list[Silent]:
        """Let time pass while `speaking` bring data; who is found silent."""
        found = []
        for _ in range(ticks):
            self.now += TICK
            self.speak(*speaking)
            found += self.silence.check(self.now, self.live, self.messages)
        return found


def names(found: list[Silent]) -> list[str]:
    return [each.subscription.name for each in found]


# --- who is found


@given(
    st.lists(st.sets(st.sampled_from("ABC"), max_size=3), max_size=40),
    st.lists(st.sampled_from([2.0, 4.0, 7.0, None]), min_size=3, max_size=3),
    st.one_of(st.none(), st.sampled_from([3.0, 5.0])),
)
def test_each_stream_is_found_when_its_own_limit_has_passed(
    ticks: list[set[str]], limits: list[float | None], stale_after: float | None
) -> None:
    streams = {name: stream(name, limit) for name, limit in zip("ABC", limits, strict=True)}
    watch = Watch(*streams.values(), stale_after=stale_after)
    watch.silence.check(watch.now, watch.live, 0)
    silent_for = dict.fromkeys(streams, 0.0)

    pace = dict.fromkeys(streams, 0.0)
    heard_for = dict.fromkeys(streams, 0.0)
    since_any = 0.0

    for speaking in ticks:
        found = watch.tick(*(streams[name] for name in speaking))

        since_any = 0.0 if speaking else since_any + TICK
        expected = []
        for name, limit in zip("ABC", limits, strict=True):
            heard_for[name] += TICK
            silent_for[name] += TICK
            if name in speaking:
                pace[name] = max(heard_for[name], pace[name] * 0.99)
                silent_for[name] = heard_for[name] = 0.0
            allowed = stale_after or limit
            if allowed is None or silent_for[name] < allowed:
                continue
            alone = since_any >= min(allowed / 2, silent_for[name])
            if stale_after is None or not alone:
                allowed = max(allowed, min(3 * pace[name], 64 * allowed))
            if silent_for[name] >= allowed:
                expected.append((name, heard_for[name]))
                silent_for[name] = 0.0
        if any(each.subscription.patience > 1 for each in found) or len(found) < len(expected):
            return  # asked for anew before: another test has that
        assert sorted((each.subscription.name, each.seconds) for each in found) == expected


def test_the_clock_starts_with_the_acknowledgement() -> None:
    one, other = stream("A"), stream("B")
    watch = Watch(one)
    watch.tick(one, ticks=10)

    watch.live.append(other)

    assert names(watch.tick(one, ticks=5)) == ["B"]


def test_a_stream_without_a_limit_may_be_silent_for_ever() -> None:
    watch = Watch(stream("A", None))

    assert watch.tick(ticks=1000) == []


def test_a_limit_for_all_replaces_that_of_each() -> None:
    watch = Watch(stream("A", None), stream("B", 100), stale_after=3)

    assert names(watch.tick(ticks=4)) == ["A", "B"]


# --- what can help


def test_a_stream_that_is_silent_among_others_is_worth_subscribing_again_once() -> None:
    one, other = stream("A"), stream("B")
    watch = Watch(one, other)
    watch.tick(one, other)

    first, second = watch.tick(other, ticks=9)

    assert (first.subscription, first.hopeless, first.others_live) == (one, False, True)
    assert (second.subscription, second.hopeless, second.others_live) == (one, True, True)
    assert (first.seconds, second.seconds) == (LIMIT, 2 * LIMIT)


def test_data_makes_subscribing_again_worth_a_try_again() -> None:
    one, other = stream("A"), stream("B")
    watch = Watch(one, other)
    watch.tick(one, other)
    watch.tick(other, ticks=5)

    watch.tick(one, other)

    found = watch.tick(other, ticks=20)
    assert [each.hopeless for each in found] == [False]


@settings(max_examples=settings().max_examples // 3)
@given(st.integers(5, 60), st.integers(5, 60))
def test_a_quiet_stream_beside_lively_ones_is_learnt_and_left_alone(one: int, two: int) -> None:
    quiet = {
        subscription(name, Toy(silence_seconds=LIMIT)): n
        for name, n in zip("AB", (one, two), strict=True)
    }
    lively = stream("C")
    watch = Watch(*quiet, lively)
    found = []
    for tick in range(1, 3600):
        found += watch.tick(lively, *(each for each, every in quiet.items() if tick % every == 0))

    # Asked for anew until its pace is known, and the connection stays.
    assert not any(each.hopeless for each in found)
    assert len(found) <= 8


def test_a_stream_far_beyond_its_pace_ends_the_connection_and_one_that_is_not_does_not() -> None:
    quiet, lively = stream("A"), stream("B")
    watch = Watch(quiet, lively)
    for _ in range(10):
        watch.tick(quiet, lively)
        watch.tick(lively, ticks=11)

    found = watch.tick(lively, ticks=220)
    assert [each.hopeless for each in found] == [False]
    assert quiet.silent_seconds == 220 + 11
    found = watch.tick(lively, ticks=30)
    assert [each.hopeless for each in found][:1] == [True]


def test_several_that_fell_silent_end_the_connection_sooner() -> None:
    one, two, lively = stream("A"), stream("B"), stream("C")
    watch = Watch(one, two, lively)
    for _ in range(10):
        watch.tick(one, two, lively)
        watch.tick(lively, ticks=11)

    found = watch.tick(lively, ticks=80)
    assert [(each.subscription, each.hopeless) for each in found][:4] == [
        (one, False), (two, False), (one, True), (two, True),
    ]  # fmt: skip


def test_a_stream_whose_pace_nobody_knows_is_asked_for_ever_more_rarely() -> None:
    one, lively = subscription("A", Toy(silence_seconds=LIMIT)), stream("B")
    watch = Watch(one, lively)
    watch.tick(one, lively)
    found = watch.tick(lively, ticks=4000)
    assert not any(each.hopeless for each in found)
    assert 8 <= len(found) <= 12


def test_a_stream_of_a_halted_symbol_may_be_silent() -> None:
    one, lively = stream("A"), stream("B")
    watch = Watch(one, lively)
    watch.tick(one, lively)
    one.halted = True
    assert watch.tick(lively, ticks=1000) == []
    watch.tick(one, lively)
    assert not one.halted
    assert names(watch.tick(lively, ticks=5)) == ["A"]


@pytest.mark.parametrize("limit", [None, LIMIT])
def test_a_stream_without_any_data_is_doubted_after_a_minute(limit: float | None) -> None:
    one, lively = stream("A", limit), stream("B", None)
    watch = Watch(one, lively)
    doubted = []
    for _ in range(100):
        watch.tick(lively)
        doubted += [(watch.now - 101, each.name) for each in watch.silence.doubtful]
        one.listed = bool(doubted)
    assert doubted == [(60, "A")]


def test_when_nothing_speaks_only_a_new_connection_can_help() -> None:
    one, other = stream("A"), stream("B")
    watch = Watch(one, other)
    watch.tick(one, other)

    found = watch.tick(ticks=4)

    assert [(each.hopeless, each.others_live) for each in found] == [(True, False)] * 2


def test_a_silent_connection_is_found_by_its_quiet_stream() -> None:
    one, other = stream("A", 10), stream("B", None)
    watch = Watch(one, other)
    watch.tick(one, other)
    watch.tick(other)

    (found,) = watch.tick(ticks=9)

    assert found.subscription is one
    assert found.hopeless


def test_a_stream_that_was_acknowledged_again_has_its_whole_limit() -> None:
    one, other = stream("A"), stream("B")
    watch = Watch(one, other)
    watch.tick(one, other)
    (found,) = watch.tick(other, ticks=5)
    assert not found.hopeless

    watch.live.remove(one)
    assert watch.tick(other, ticks=3) == []
    watch.live.append(one)

    assert watch.tick(other, ticks=4) == []
    assert [each.hopeless for each in watch.tick(other)] == [True]


def test_a_stream_that_is_wanted_again_does_not_inherit_its_silence() -> None:
    one, other = stream("A"), stream("B")
    watch = Watch(one, other)
    watch.tick(other, ticks=2)

    watch.live.remove(one)
    watch.tick(other, ticks=20)
    watch.live.append(stream("A"))

    assert watch.tick(other, ticks=4) == []


def test_a_stream_given_up_and_wanted_again_at_once_does_not_inherit_its_silence() -> None:
    one, other = stream("A"), stream("B")
    watch = Watch(one, other)
    watch.tick(other, ticks=4)

    watch.live[0] = stream("A")

    assert watch.tick(other, ticks=4) == []


# --- what is no silence


def test_time_in_which_nothing_was_read_is_no_silence() -> None:
    one, other = stream("A"), stream("B")
    watch = Watch(one, other)
    watch.tick(one, other)

    watch.now += 1000
    watch.silence.forgive(watch.now)

    assert watch.tick(ticks=3) == []
    assert names(watch.tick()) == ["A", "B"]


# --- patience


def reconnects(ticks: int, *speaking: Subscription, stale_after: float | None = None) -> list[int]:
    """Ticks between the reconnects that one stream which never speaks causes."""
    dead = stream("A")
    dead.messages = 1
    result, begin = [], 0
    watch = Watch(dead, *speaking, stale_after=stale_after)
    for tick in range(ticks):
        for found in watch.tick(*speaking):
            if found.hopeless:
                watch.silence.lose_patience(found)
                result.append(tick - begin)
                begin = tick
                watch = Watch(dead, *speaking, stale_after=stale_after)
    return result


def test_a_dead_stream_among_others_causes_ever_fewer_reconnects() -> None:
    ticks = reconnects(20_000, stream("B"))

    assert ticks == sorted(ticks)
    assert ticks[0] == 2 * LIMIT
    assert len(ticks) < 20


def test_a_silent_exchange_is_tried_again_within_bounds() -> None:
    ticks = reconnects(2_000)

    assert ticks[0] == LIMIT
    assert max(ticks) <= 8 * LIMIT + 1


def test_a_limit_that_the_user_chose_holds_while_everything_is_silent() -> None:
    ticks = reconnects(200, stale_after=3.0)

    assert set(ticks) <= {3, 4}


def test_data_gives_patience_back() -> None:
    one, other = subscription("A", Toy(silence_seconds=LIMIT)), stream("B")
    watch = Watch(one, other)
    watch.tick(other, ticks=30)
    assert watch.silence.limit(one) == 4 * LIMIT

    watch.tick(one, other)

    assert watch.silence.limit(one) == LIMIT
