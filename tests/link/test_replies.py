"""Exchanges answer requests in different ways; the wire converges with each of them."""

from __future__ import annotations

import random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.exchanges.protocol import Liveness, Reply, Subscribed
from connector.feeds.subscription import Subscription
from connector.link.wire_subscriptions import Request, Wire
from tests.toy import LIMITS, Toy, keyed, subscription

NAMES = tuple("ABCDEFG")
SMALL = Toy(limits=attrs.evolve(LIMITS, streams_per_request=4))


class Server:
    """The other end. Replies to one request, in the manner of one exchange."""

    def __init__(self, bad: frozenset[str], busy: int, rng: random.Random) -> None:
        self.bad = bad
        self.busy = busy
        """How many requests it answers with "not now"."""
        self.rng = rng
        self.streams: set[str] = set()

    def serve(self, manner: str, request: Request) -> list[Reply | Subscribed]:
        names = [each.name for each in request.subscriptions]
        if self.busy:
            self.busy -= 1
            return [Reply(request.request_id, 429, "too fast", refusal="later")]
        if not request.subscribes:
            self.streams.difference_update(names)
            return self._ended(manner, request, names)
        return getattr(self, f"_{manner}")(request, names)  # type: ignore[no-any-return]

    def _ended(self, manner: str, request: Request, names: list[str]) -> list[Reply | Subscribed]:
        if manner == "each":
            return [Reply(None, streams=(name,)) for name in names]
        return [self._state()] if manner == "list" else [Reply(request.request_id)]

    def _state(self) -> Subscribed:
        return Subscribed(frozenset(self.streams))

    def _whole(self, request: Request, names: list[str]) -> list[Reply]:
        if self.bad.intersection(names):
            return [Reply(request.request_id, 2, "one is bad")]
        self.streams.update(names)
        return [Reply(request.request_id)]

    def _each(self, request: Request, names: list[str]) -> list[Reply]:
        self.streams.update(set(names) - self.bad)
        replies = [
            Reply(None, *((1, f"{name} is bad") if name in self.bad else ()), streams=(name,))
            for name in names
        ]
        self.rng.shuffle(replies)
        return replies

    def _accepted(self, request: Request, names: list[str]) -> list[Reply]:
        good = tuple(name for name in names if name not in self.bad)
        self.streams.update(good)
        return [Reply(request.request_id, streams=good, others="refused")]

    def _first(self, request: Request, names: list[str]) -> list[Reply]:
        for name in names:
            if name in self.bad:
                return [Reply(request.request_id, 1, "bad", streams=(name,), others="again")]
            if name in self.streams:
                reply = Reply(request.request_id, 1, "you have", streams=(name,), others="again")
                return [attrs.evolve(reply, refusal="already")]
        self.streams.update(names)
        return [Reply(request.request_id)]

    def _list(self, request: Request, names: list[str]) -> list[Reply | Subscribed]:
        self.streams.update(set(names) - self.bad)
        return [
            self._state(),
            *(Reply(None, None, "bad", streams=(each,)) for each in names if each in self.bad),
        ]


@given(
    st.sampled_from(["whole", "each", "accepted", "first", "list"]),
    st.frozensets(st.sampled_from(NAMES), max_size=3),
    st.frozensets(st.sampled_from(NAMES), max_size=3),
    st.integers(0, 2),
    st.randoms(use_true_random=False),
)
def test_the_wire_converges_and_only_the_bad_is_refused(
    manner: str,
    bad: frozenset[str],
    unwanted: frozenset[str],
    busy: int,
    rng: random.Random,
) -> None:
    subscriptions = {name: subscription(name) for name in NAMES}
    wanted = keyed(*subscriptions.values())
    wire = Wire(SMALL, wanted)
    server = Server(bad, busy, rng)
    refused: list[str] = []

    def converge() -> None:
        for _ in range(100):
            request = wire.next_request(0.0)
            if request is None:
                return
            for reply in server.serve(manner, request):
                for each in wire.read(reply):
                    refused.append(each.subscription.name)
                    wanted.pop(each.subscription.name.encode(), None)
        raise AssertionError("it does not converge")

    converge()
    assert sorted(refused) == sorted(bad)
    assert wire.converged()
    assert set(wire.live) == server.streams == set(NAMES) - bad

    for name in unwanted:
        wanted.pop(name.encode(), None)
    converge()
    assert wire.converged()
    assert set(wire.live) == server.streams == set(NAMES) - bad - unwanted


def asked(*names: str, **limits: object) -> tuple[Wire, Request]:
    wire = Wire(Toy(limits=attrs.evolve(LIMITS, **limits)), keyed(*map(subscription, names)))
    request = wire.next_request(0.0)
    assert request is not None
    return wire, request


def names(request: Request | None) -> list[str]:
    return [] if request is None else [each.name for each in request.subscriptions]


def test_a_stream_that_is_subscribed_already_is_live_and_the_others_are_asked_for_again() -> None:
    wire, request = asked("A", "B")

    reply = Reply(
        request.request_id, None, "again?", streams=("A",), others="again", refusal="already"
    )
    assert wire.read(reply) == []

    assert list(wire.live) == ["A"]
    assert names(wire.next_request(1.0)) == ["B"]


def test_a_refusal_that_names_what_was_not_asked_is_one_of_the_whole_request() -> None:
    wire, request = asked("A", "B")

    named = Reply(request.request_id, 1, "bad", streams=("a",), others="again")
    assert wire.read(named) == []

    assert [names(wire.next_request(1.0)), names(wire.next_request(1.0))] == [["A"], ["B"]]


def test_an_unacknowledged_stream_can_count_as_refused() -> None:
    wire, _ = asked("A", "B")
    wire.read(Reply(None, streams=("A",)))

    assert wire.give_up_unanswered(-1.0) == ([], False)
    (refusal,), broken = wire.give_up_unanswered(0.0)
    assert not broken

    assert refusal.subscription.name == "B"
    assert wire.oldest_unanswered() is None
    assert not wire.converged()  # it is wanted until its link gives it up


LISTS = Liveness(greeting=("hello",), unanswered="omitted")


def listing(*names: str, per_request: int = 2) -> Wire:
    """Of an exchange that answers by a list of what is subscribed, and greeted it."""
    limits = attrs.evolve(LIMITS, streams_per_request=per_request)
    return Wire(Toy(limits=limits, liveness=LISTS), keyed(*map(subscription, names)))


def listed(*names: str) -> Subscribed:
    return Subscribed(frozenset(names))


def test_a_stream_missing_in_the_list_of_subscriptions_is_refused_after_a_while() -> None:
    wire = listing("A", "B")
    wire.next_request(0.0)
    wire.read(listed())  # the answer to the greeting
    wire.read(listed("A"))

    (refusal,), broken = wire.give_up_unanswered(0.0, "omitted")
    assert (refusal.subscription.name, broken) == ("B", False)
    assert list(wire.live) == ["A"]


def test_a_request_that_no_list_has_answered_is_not_refused() -> None:
    wire = listing("A")
    wire.next_request(0.0)
    wire.read(listed())  # the answer to the greeting

    assert wire.give_up_unanswered(0.0, "omitted") == ([], True)


def test_a_refusal_that_names_nothing_is_of_the_request_whose_turn_it_is() -> None:
    wire = listing("A", "B", "C", "D")
    first, second = wire.next_request(0.0), wire.next_request(0.0)
    assert [names(first), names(second)] == [["A", "B"], ["C", "D"]]
    wire.read(listed())
    wire.read(listed("A"))  # and says nothing of B
    assert wire.read(Reply(None, None, "no")) == []

    assert [names(wire.next_request(1.0)), names(wire.next_request(1.0))] == [["C"], ["D"]]
    wire.read(listed("A", "C"))
    (refusal,) = wire.read(Reply(None, None, "no"))
    assert refusal.subscription.name == "D"


def test_a_request_of_which_nothing_is_listed_is_asked_for_in_halves() -> None:
    wire = listing("A", "B")
    wire.next_request(0.0)
    wire.read(listed())
    wire.read(listed())

    assert wire.give_up_unanswered(0.0, "omitted") == ([], False)
    assert [names(wire.next_request(1.0)), names(wire.next_request(1.0))] == [["A"], ["B"]]


def test_a_request_stays_below_the_bytes_that_the_exchange_takes() -> None:
    _, request = asked("AAAA", "BBBB", "CCCC", "DDDD", bytes_per_request=len("1 + AAAA BBBB"))

    assert request.text == "1 + AAAA BBBB"


def test_streams_of_different_batches_are_asked_for_separately() -> None:
    wanted: list[Subscription] = []
    for name, batch in (("A", "trades"), ("B", "book"), ("C", "trades")):
        stream = attrs.evolve(subscription(name).stream, batch=batch)
        wanted.append(Subscription(stream, subscription(name).full))
    wire = Wire(Toy(), keyed(*wanted))

    assert names(wire.next_request(0.0)) == ["A", "C"]
    assert names(wire.next_request(0.0)) == ["B"]
    assert wire.next_request(0.0) is None


@pytest.mark.parametrize("reply", [Reply(None, streams=("Z",)), Reply(9), Subscribed(frozenset())])
def test_a_reply_to_nothing_that_was_asked_changes_nothing(reply: Reply | Subscribed) -> None:
    wire, request = asked("A")

    assert wire.read(reply) == []
    assert wire.oldest_unanswered() == 0.0
    assert wire.read(Reply(request.request_id)) == []
    assert list(wire.live) == ["A"]
