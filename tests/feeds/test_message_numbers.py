"""Messages that are numbered over a whole connection, and streams that are folded."""

from __future__ import annotations

import re
from typing import Any

import attrs
import msgspec
import pytest

from connector.events import Gap
from connector.exchanges.protocol import Data, Envelope, Inbound, Part, Several, Unknown
from connector.feeds.delivery import Delivery
from tests.feeds.test_delivery import World
from tests.toy import Tick, Toy, rising


def number(frame: bytes) -> int | None:
    found = re.search(rb'"seq":(\d+)', frame)
    return int(found[1]) if found else None


NUMBERED = Toy(
    envelope=Envelope((Part(b'{"stream":"', b'","data":'),), tail=b"}", number=number),
)


def frame(stream: str, n: int, seq: int) -> bytes:
    return b'{"stream":"%b","data":{"n":%d,"symbol":"%b","seq":%d}}' % (
        stream.encode(), n, stream.encode(), seq
    )  # fmt: skip


def seen(world: World) -> list[Any]:
    """What came since the last time."""
    found: list[Any] = []
    for each in world.drain():
        if isinstance(each, Gap):
            found.extend((each.reason, channel.symbol) for channel in each.channels)  # type: ignore[attr-defined]
        else:
            found.append((each.symbol, each.n))  # type: ignore[attr-defined]
    world.got.clear()
    return found


async def test_a_hole_in_the_numbers_is_a_loss_of_every_stream_that_brought_something() -> None:
    world = World(NUMBERED)
    world.deliver([frame("A", 1, 0), frame("B", 1, 1), frame("A", 2, 2)])
    assert seen(world) == [("A", 1), ("B", 1), ("A", 2)]

    world.deliver([frame("A", 3, 3), frame("A", 4, 6), frame("B", 2, 7)])

    assert seen(world) == [
        ("A", 3), ("sequence", "A"), ("sequence", "B"), ("A", 4), ("B", 2),
    ]  # fmt: skip


async def test_a_message_that_comes_again_is_ignored() -> None:
    world = World(NUMBERED)
    world.deliver([frame("A", 1, 5), frame("A", 2, 6), frame("A", 2, 6), frame("A", 3, 7)])

    assert seen(world) == [("A", 1), ("A", 2), ("A", 3)]


async def test_a_message_that_comes_late_is_missed_once() -> None:
    world = World(NUMBERED)
    world.deliver([frame("A", 1, 5), frame("A", 3, 7), frame("A", 2, 6), frame("A", 4, 8)])

    assert seen(world) == [("A", 1), ("sequence", "A"), ("A", 3), ("A", 4)]


@pytest.mark.parametrize("late", [frame("A", 9, 5), frame("A", 9, 6)])
async def test_a_different_message_with_a_known_number_puts_all_streams_in_doubt(
    late: bytes,
) -> None:
    world = World(NUMBERED)
    world.deliver([frame("A", 1, 5), frame("A", 2, 6), late, frame("A", 3, 7)])

    assert seen(world) == [("A", 1), ("A", 2), ("sequence", "A"), ("A", 3)]


async def test_numbers_that_are_not_those_of_the_connection_are_given_up() -> None:
    world = World(NUMBERED)
    world.deliver([frame("A", n, 1000 + n) for n in range(3)])
    world.deliver([frame("B", n, n) for n in range(20)])
    world.deliver([frame("A", n, 1000 + n) for n in range(3, 6)])
    world.deliver([frame("B", n, n) for n in range(20, 22)])

    came = seen(world)
    assert ("sequence", "A") in came
    assert [each for each in came if each[0] == "B"] == [("B", n) for n in range(16, 22)]
    assert [each for each in came if each[0] == "A"] == [("A", n) for n in range(6)]


async def test_messages_without_a_number_are_no_hole() -> None:
    world = World(NUMBERED)
    world.deliver([frame("A", 1, 5), b'{"alive":true}', b'{"alive":true}', frame("A", 2, 6)])

    assert seen(world) == [("A", 1), ("A", 2)]


async def test_an_event_that_waits_for_room_is_counted_when_it_is_taken() -> None:
    world = World(NUMBERED, 2)
    batch = [frame("A", n, n) for n in range(1, 6)]
    delivery: Delivery = world.delivery
    taken, got = 0, []
    while taken < len(batch):
        went = delivery.deliver(batch, taken)
        got += seen(world)
        assert went > taken or got
        taken = went

    assert got == [("A", n) for n in range(1, 6)]


def total(last: Tick | None, tick: Tick) -> list[Tick]:
    """The sum of all so far; of an odd one before there is any, nothing."""
    if last is None and tick.n % 2:
        return []
    return [Tick(n=tick.n + (last.n if last else 0), symbol=tick.symbol)]


@attrs.frozen
class Folding(Toy):
    """Every message says by how much the number has changed."""

    def stream(self, channel: Any) -> Any:
        return attrs.evolve(super().stream(channel), fold=total)


@pytest.mark.parametrize("envelope", [NUMBERED.envelope, None], ids=["fast", "slow"])
async def test_a_message_with_changes_is_folded_into_the_last_event(
    envelope: Envelope | None,
) -> None:
    world = World(Folding(envelope=envelope))
    world.deliver([frame("A", n, n) for n in (1, 2, 3, 4)])
    assert seen(world) == [("A", 2), ("A", 5), ("A", 9)]
    assert world.subscriptions[0].messages == 4

    world.subscriptions[0].interrupted()
    world.deliver([frame("A", 5, 5), frame("A", 6, 6)])
    assert seen(world) == [("A", 6)]


@attrs.frozen
class Mixing(Toy):
    """A frame of `Toy` with "with" is of several streams."""

    def parse(self, frame: bytes) -> Inbound:
        said = msgspec.json.decode(frame)
        if "with" not in said:
            return super().parse(frame)
        data = msgspec.json.encode(said["data"])
        return Several(tuple(Data(name, data) for name in said["with"]))


async def test_a_frame_of_several_streams_is_taken_apart() -> None:
    world = World(Mixing(), 1)
    world.deliver([
        frame("A", 1, 0), b'{"with":["A","B","Z"],"data":{"n":2}}', b'{"with":[],"data":{}}',
        frame("B", 3, 0),
    ])  # fmt: skip
    world.drain()

    assert [each.n for each in world.got] == [1, 2, 2, 3]  # type: ignore[attr-defined]
    assert world.reader.messages == [Unknown("Z")]
    assert world.delivery.messages == 4


class Old(Tick, gc=False, kw_only=True):
    """A tick that may be of before the subscription."""

    old: bool = False


@attrs.frozen
class Repeating(Toy):
    """Every subscription begins with what was before it."""

    def stream(self, channel: Any) -> Any:
        return attrs.evolve(
            super().stream(channel),
            decode=msgspec.json.Decoder(list[Old]).decode,
            sequence=lambda last, tick: tick.n if tick.n > last else 0,
            repeats=lambda _, tick: tick.old,
        )


def history(first: int, *, last: int, old: bool = True) -> bytes:
    ticks = [{"n": n, "symbol": "A", "old": old} for n in range(first, last + 1)]
    return b'{"stream":"A","data":%b}' % msgspec.json.encode(ticks)


async def test_events_from_before_a_subscription_are_delivered_once() -> None:
    world = World(Repeating(sequence=rising))
    world.deliver([history(1, last=40), history(41, last=42, old=False)])
    world.deliver([history(1, last=42)])
    world.subscriptions[0].interrupted()
    world.deliver([history(5, last=45), history(46, last=46, old=False)])

    assert [n for _, n in seen(world)] == list(range(1, 47))
    assert world.subscriptions[0].duplicates == 42 + 38


async def test_an_exchange_that_counts_anew_is_noticed_all_the_same() -> None:
    world = World(Repeating(sequence=rising))
    world.deliver([history(1000, last=1001)])
    world.deliver([history(n, last=n, old=False) for n in range(1, 20)])

    assert [n for _, n in seen(world)] == [1000, 1001, "A", 17, 18, 19]


SPREAD = Toy(envelope=Envelope((Part(b'{"of":"', b'"'), Part(b'"symbol":"', b'"'))))


async def test_a_numbered_message_that_does_not_decode_is_missed_by_every_stream() -> None:
    world = World(NUMBERED)
    world.deliver([frame("A", 1, 0), frame("B", 1, 1)])
    world.deliver([b'{"strange', frame("A", 2, 2)])

    assert seen(world) == [
        ("A", 1), ("B", 1), ("decode error", "A"), ("decode error", "B"), ("A", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "broken"),
    [(NUMBERED, b'{"stream":"A:X","data":{"n'), (SPREAD, b'{"of":"A","symbol":"X","n')],
)
async def test_a_frame_that_breaks_off_is_missed_by_its_stream(shape: Toy, broken: bytes) -> None:
    assert shape.envelope is not None
    envelope = attrs.evolve(shape.envelope, number=None)
    world = World(Toy(envelope=envelope), names=("A:X", "B"))
    world.deliver([broken])

    assert seen(world) == [("decode error", "A:X")]
