"""Whatever is wanted and however the exchange answers: never asked twice, and it converges."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from connector.exchanges.protocol import Reply
from connector.feeds.subscription import Subscription
from connector.link.wire_subscriptions import Refusal, Request, Wire
from tests.toy import LIMITS, Toy, keyed, subscription

PER_CONNECTION = 5
PER_REQUEST = 3
NAMES = "abcdefgh"
SMALL = Toy(
    limits=attrs.evolve(
        LIMITS, streams_per_connection=PER_CONNECTION, streams_per_request=PER_REQUEST
    )
)


class Server:
    """The other end: serves requests in order, refuses those with a bad stream as a whole."""

    def __init__(self, bad: frozenset[str]) -> None:
        self.bad = bad
        self.streams: set[str] = set()
        self.replies: dict[int, Reply] = {}
        """Replies that have not arrived yet, in the order of the requests."""
        self.requests = 0

    def serve(self, request: Request) -> None:
        names = {each.name for each in request.subscriptions}
        refused = False
        self.requests += 1
        assert names
        assert request.text == f"{request.request_id} {'+' if request.subscribes else '-'} " + (
            " ".join(each.name for each in request.subscriptions)
        )
        if not request.subscribes:
            assert names <= self.streams
            self.streams -= names
        else:
            assert not names & self.streams, "subscribed twice"
            refused = bool(names & self.bad)
            if not refused:
                self.streams |= names
        self.replies[request.request_id] = Reply(
            request.request_id, *((-1, "bad stream") if refused else ())
        )


class WireMachine(RuleBasedStateMachine):
    """A link, its wire and a server; `converge` is what must always be possible."""

    @initialize(bad=st.frozensets(st.sampled_from(NAMES), max_size=3))
    def connect(self, bad: frozenset[str]) -> None:
        self.wanted: dict[bytes, Subscription] = {}
        self.rejected: set[str] = set()
        self.server = Server(bad)
        self.now = 0.0
        self.lost: set[int] = set()
        self.dial()

    def dial(self) -> None:
        self.server.streams.clear()
        self.server.replies.clear()
        self.lost.clear()
        self.sent_at: dict[int, float] = {}
        self.asked: dict[int, set[str]] = {}
        for each in self.wanted.values():
            each.interrupted()
        self.wire = Wire(SMALL, self.wanted)

    # What the adapter does.

    @rule(name=st.sampled_from(NAMES))
    def want(self, name: str) -> None:
        if len(self.wanted) < PER_CONNECTION and name.encode() not in self.wanted:
            self.rejected.discard(name)
            self.wanted[name.encode()] = subscription(name)

    @precondition(lambda self: self.wanted)
    @rule(data=st.data(), again=st.booleans())
    def unwant(self, data: st.DataObject, again: bool) -> None:
        key = data.draw(st.sampled_from(list(self.wanted)))
        del self.wanted[key]
        if again:
            self.want(key.decode())

    # What the session does.

    @precondition(lambda self: self.wire.live)
    @rule(data=st.data())
    def refresh(self, data: st.DataObject) -> None:
        self.wire.refresh(data.draw(st.sampled_from(list(self.wire.live.values()))))

    @rule(seconds=st.integers(0, 3))
    def ask(self, seconds: int) -> None:
        self.now += seconds
        had_work = self.wire.has_work()
        request = self.wire.next_request(self.now)
        assert had_work == (request is not None)
        if request is None:
            return
        names = {each.name for each in request.subscriptions}
        assert len(names) == len(request.subscriptions) <= PER_REQUEST
        for asked in self.asked.values():
            assert not asked & names, "asked while a reply is outstanding"
        if request.subscribes:
            assert all(each in self.wanted.values() for each in request.subscriptions)
        self.sent_at[request.request_id] = self.now
        self.asked[request.request_id] = names
        self.server.serve(request)
        assert len(self.server.streams) <= PER_CONNECTION

    @precondition(lambda self: self.server.replies)
    @rule(data=st.data(), with_id=st.booleans())
    def hear(self, data: st.DataObject, with_id: bool) -> None:
        number = data.draw(st.sampled_from(list(self.server.replies)))
        reply = self.server.replies.pop(number)
        if not with_id and reply.message is not None and number == min(self.sent_at):
            reply = attrs.evolve(reply, request_id=None)
        del self.sent_at[number], self.asked[number]
        for refusal in self.wire.read(reply):
            self.reject(refusal)

    def reject(self, refusal: Refusal) -> None:
        name = refusal.subscription.name
        assert name in self.server.bad, "a good stream was rejected"
        assert (refusal.code, refusal.message) == (-1, "bad stream")
        if self.wanted.get(name.encode()) is refusal.subscription:
            del self.wanted[name.encode()]
            self.rejected.add(name)

    @precondition(lambda self: self.server.replies)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(list(self.server.replies)))
        del self.server.replies[number]
        self.lost.add(number)

    @rule()
    def forgive(self) -> None:
        self.wire.forgive(self.now)
        self.sent_at = dict.fromkeys(self.sent_at, self.now)

    @rule(number=st.integers(1000, 2000))
    def hear_nonsense(self, number: int) -> None:
        assert self.wire.read(Reply(number, -1, "who?")) == []

    @rule()
    def reconnect(self) -> None:
        self.dial()

    # What must hold.

    @invariant()
    def it_knows_who_has_not_answered(self) -> None:
        assert self.wire.oldest_unanswered() == min(self.sent_at.values(), default=None)

    @invariant()
    def it_knows_when_it_is_done(self) -> None:
        if self.wire.converged():
            assert self.server.streams == {key.decode() for key in self.wanted}
            assert set(self.wire.live) == self.server.streams
            assert all(each.live for each in self.wanted.values())

    @invariant()
    def what_is_live_is_served_or_on_its_way_out(self) -> None:
        leaving = set().union(*self.asked.values())
        assert set(self.wire.live) <= self.server.streams | leaving

    def teardown(self) -> None:
        if not hasattr(self, "wire"):
            return
        if self.lost:  # the session gives up on a request without a reply
            assert self.wire.oldest_unanswered() is not None
            self.dial()
        wanted = {key.decode() for key in self.wanted}
        for _ in range(100):
            if self.wire.converged():
                break
            self.ask(0)
            for number in list(self.server.replies):
                del self.sent_at[number], self.asked[number]
                for refusal in self.wire.read(self.server.replies.pop(number)):
                    self.reject(refusal)

        assert self.wire.converged()
        assert {key.decode() for key in self.wanted} == wanted - self.server.bad
        self.it_knows_when_it_is_done()


WireMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
test_the_wire_converges = WireMachine.TestCase


# --- what it costs


def converge(wire: Wire, server: Server, wanted: dict[bytes, Subscription]) -> list[Refusal]:
    """Ask and answer until nothing is left to ask."""
    refusals = []
    while (request := wire.next_request(0)) is not None:
        server.serve(request)
        for refusal in wire.read(server.replies.pop(request.request_id)):
            del wanted[refusal.subscription.name.encode()]
            refusals.append(refusal)
    return refusals


@given(st.sets(st.integers(0, 99), max_size=5))
def test_bad_streams_among_a_hundred_are_found_by_halving(bad: set[int]) -> None:
    server = Server(frozenset(map(str, bad)))
    wanted = keyed(*(subscription(str(number)) for number in range(100)))
    wire = Wire(Toy(), wanted)

    refusals = converge(wire, server, wanted)

    assert {int(refusal.subscription.name) for refusal in refusals} == bad
    assert server.streams == {str(number) for number in range(100) if number not in bad}
    assert server.requests <= 1 + 2 * math.ceil(math.log2(100)) * len(bad)


def test_a_bad_stream_of_its_own_request_leaves_the_others_alone() -> None:
    exchange = Toy()
    wanted = keyed(*(subscription(str(number)) for number in range(3)))
    wire = Wire(exchange, wanted)
    first = wire.next_request(0)
    late = subscription("late")
    wanted[b"late"] = late
    second = wire.next_request(0)
    assert first is not None
    assert second is not None

    refusals = wire.read(Reply(second.request_id, 2, "unknown stream"))
    wire.read(Reply(first.request_id))

    assert refusals == [Refusal(late, 2, "unknown stream")]
    assert set(wire.live) == {"0", "1", "2"}


def test_already_subscribed_without_a_name_accepts_no_neighbour() -> None:
    """Which of several streams is there already is not said: the other one may be bad."""
    exchange = Toy()
    wanted = keyed(subscription("there"), subscription("bad"))
    wire = Wire(exchange, wanted)
    both = wire.next_request(0)
    assert both is not None

    assert wire.read(Reply(both.request_id, None, "Already subscribed", refusal="already")) == []
    assert wire.live.keys().isdisjoint({"there", "bad"})
    there, bad = wire.next_request(0), wire.next_request(0)
    assert there is not None
    assert bad is not None
    wire.read(Reply(there.request_id, None, "Already subscribed", refusal="already"))
    (refusal,) = wire.read(Reply(bad.request_id, None, "unknown symbol"))

    assert refusal.subscription is wanted[b"bad"]
    assert set(wire.live) == {"there"}


def test_a_thousand_streams_take_a_handful_of_requests() -> None:
    server = Server(frozenset())
    wanted = keyed(*(subscription(str(number)) for number in range(1000)))
    wire = Wire(Toy(), wanted)

    assert not wire.converged()
    converge(wire, server, wanted)

    assert wire.converged()
    assert server.requests == 1000 / LIMITS.streams_per_request
    assert len(server.streams) == 1000


# --- replies


def live(*names: str) -> tuple[Wire, dict[bytes, Subscription]]:
    """A wire on which `names` are live."""
    wanted = keyed(*map(subscription, names))
    wire = Wire(Toy(), wanted)
    converge(wire, Server(frozenset()), wanted)
    return wire, wanted


def ask(wire: Wire) -> Request:
    request = wire.next_request(0)
    assert request is not None
    return request


@pytest.mark.parametrize("request_id", [None, 77])
def test_a_reply_to_nothing_is_ignored(request_id: int | None) -> None:
    wire, _ = live("A")

    assert wire.read(Reply(request_id, -1, "what?")) == []

    assert wire.converged()


def test_an_error_without_a_number_answers_the_oldest_request() -> None:
    wanted = keyed(*(subscription(name) for name in "AB"))
    wire = Wire(Toy(limits=attrs.evolve(LIMITS, streams_per_request=1)), wanted)
    ask(wire)
    ask(wire)

    (refusal,) = wire.read(Reply(None, 2, "bad"))

    assert refusal.subscription is wanted[b"A"]


def test_a_stream_wanted_again_before_its_unsubscription_never_stops() -> None:
    wire, wanted = live("A")
    again = wanted[b"A"] = subscription("A")

    assert wire.next_request(0) is None

    assert again.live
    assert wire.live == {"A": again}


def test_a_stream_of_changes_that_is_wanted_again_begins_anew_with_its_snapshot() -> None:
    wire, wanted = live("A")
    changes = attrs.evolve(subscription("A").stream, fold=lambda last, event: [event])
    again = wanted[b"A"] = Subscription(changes, lambda: None)

    first = wire.next_request(0)
    assert first is not None
    assert not first.subscribes
    wire.read(Reply(first.request_id))
    second = wire.next_request(0)
    assert second is not None
    assert second.subscribes
    assert not again.live
    wire.read(Reply(second.request_id))

    assert wire.live == {"A": again}
    assert wire.converged()


def test_a_refreshed_stream_is_given_up_and_asked_for_once() -> None:
    wire, wanted = live("A", "B")

    assert wire.refresh(wanted[b"A"])
    assert not wire.refresh(wanted[b"A"])
    first = ask(wire)
    wire.read(Reply(first.request_id))
    second = ask(wire)
    wire.read(Reply(second.request_id))

    assert [first.text, second.text] == ["2 - A", "3 + A"]
    assert wire.converged()
    assert set(wire.live) == {"A", "B"}


def test_waiting_for_a_reply_begins_anew_when_nothing_was_read() -> None:
    wire = Wire(Toy(), keyed(subscription("A")))
    wire.next_request(5)

    wire.forgive(8)

    assert wire.oldest_unanswered() == 8


@given(st.data())
def test_the_order_of_wanting_is_the_order_of_asking(data: Any) -> None:
    names = data.draw(st.permutations(NAMES))
    wanted = keyed(*map(subscription, names))
    wire = Wire(Toy(), wanted)

    assert [each.name for each in ask(wire).subscriptions] == names
