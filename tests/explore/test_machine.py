"""What users and networks do, in any order: hypothesis draws a script, and it must end well.

The rules collect the script; it is played when it is complete, in virtual time, under a schedule
that is drawn as well. A failure shrinks to the shortest script, and a fault at an exact step.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from connector import Overflow
from connector.testing.explore import Fifo, Schedule, run
from connector.testing.strategies import BREAKING, schedules, step_faults
from tests.explore import script

MOST_FEEDS = 3
MOST_ACTIONS = 25
channels = st.integers(0, len(script.CHANNELS) - 1)
AT_A_STEP = (
    "reset", "eof", "half_open", "mute", "stall", "close", "bad_frame", "bad_json", "refuse",
    "dial_hang", "handshake_hang", "accept_close", "http_503", "no_ack",
    "cancel", "interrupt", "leave",
)  # fmt: skip


class AdapterMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.schedule: Schedule = Fifo()
        self.actions: list[script.Action] = []
        self.feeds: list[int] = []
        self.opened = 0

    @initialize(schedule=schedules())
    def begin(self, schedule: Schedule) -> None:
        self.schedule = schedule

    # --- the user

    @precondition(lambda self: len(self.feeds) < MOST_FEEDS)
    @rule(
        several=st.sets(channels, min_size=1, max_size=3),
        overflow=st.sampled_from(Overflow),
        buffer=st.sampled_from([64, 1, 3]),
    )
    def subscribe(self, several: set[int], overflow: Overflow, buffer: int) -> None:
        self.feeds.append(self.opened)
        self.do(script.Subscribe(self.opened, tuple(sorted(several)), overflow, buffer))
        self.opened += 1

    @precondition(lambda self: self.feeds)
    @rule(data=st.data())
    def unsubscribe(self, data: st.DataObject) -> None:
        feed = data.draw(st.sampled_from(self.feeds))
        self.feeds.remove(feed)
        self.do(script.Unsubscribe(feed))

    @precondition(lambda self: self.feeds)
    @rule(data=st.data(), channel=channels)
    def add(self, data: st.DataObject, channel: int) -> None:
        self.do(script.Add(data.draw(st.sampled_from(self.feeds)), channel))

    @precondition(lambda self: self.feeds)
    @rule(data=st.data(), channel=channels)
    def discard(self, data: st.DataObject, channel: int) -> None:
        self.do(script.Discard(data.draw(st.sampled_from(self.feeds)), channel))

    @precondition(lambda self: self.feeds)
    @rule(data=st.data(), events=st.sampled_from([1000, 1, 2]))
    def consume(self, data: st.DataObject, events: int) -> None:
        self.do(script.Consume(data.draw(st.sampled_from(self.feeds)), events))

    @rule()
    def reconnect(self) -> None:
        self.do(script.Reconnect())

    # --- the network and the exchange

    @rule(seconds=st.sampled_from([0.5, 0.001, 0.1, 2.0, 4.0, 15.0]))
    def advance(self, seconds: float) -> None:
        self.do(script.Advance(seconds))

    @rule(kind=st.sampled_from(BREAKING))
    def disconnect(self, kind: str) -> None:
        self.do(script.Disconnect(kind))  # type: ignore[arg-type]

    @rule(steps=st.integers(1, 60), fault=step_faults(AT_A_STEP))
    def strike_in(self, steps: int, fault: str) -> None:
        self.do(script.StrikeIn(steps, fault))

    @rule(
        kind=st.sampled_from(["accept_close", "refuse", "http_status", "handshake_hang"]),
        times=st.integers(1, 3),
    )
    def trouble(self, kind: str, times: int) -> None:
        self.do(script.Trouble(kind, times))  # type: ignore[arg-type]

    def do(self, action: script.Action) -> None:
        self.actions.append(action)

    def teardown(self) -> None:
        result = run(script.scenario(self.actions), self.schedule)
        assert not result.findings, "\n".join(map(str, result.findings))


TestAdapter = AdapterMachine.TestCase
TestAdapter.settings = settings(stateful_step_count=MOST_ACTIONS)


def test_what_one_has_left_oneself_is_not_lost() -> None:
    actions = [
        script.Subscribe(0, (1, 3), Overflow.BLOCK, 64),
        *(script.Advance(0.5), script.Advance(0.5)),
        *(script.Discard(0, 1), script.Advance(0.5), script.Add(0, 1), script.Advance(0.5)),
        *(script.Discard(0, 1), script.Advance(0.5), script.Add(0, 1), script.Advance(0.5)),
        script.Consume(0, 100),
        *(script.Discard(0, 1), script.Advance(1.0), script.Add(0, 1), script.Advance(1.0)),
    ]

    result = run(script.scenario(actions))

    assert not result.findings, "\n".join(map(str, result.findings))


def test_of_adding_and_discarding_at_once_the_later_counts() -> None:
    actions = [
        *(script.Subscribe(0, (0,), Overflow.BLOCK, 64), script.Advance(0.5)),
        *(script.Add(0, 0), script.Reconnect(), script.Discard(0, 0)),
    ]

    result = run(script.scenario(actions))

    assert not result.findings, "\n".join(map(str, result.findings))


def test_a_feed_counts_from_when_its_task_has_begun() -> None:
    actions = [
        *(script.Subscribe(0, (0,), Overflow.BLOCK, 64), script.Advance(0.5)),
        script.Subscribe(1, (0,), Overflow.BLOCK, 64),
    ]

    result = run(script.scenario(actions))

    assert not result.findings, "\n".join(map(str, result.findings))
