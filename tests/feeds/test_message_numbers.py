"""Messages that are numbered over a whole connection, and streams that are folded."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest

from connector.events import Gap
from connector.exchanges.protocol import Envelope, Part
from connector.feeds.delivery import Delivery
from tests.feeds.test_delivery import World
from tests.toy import Tick, Toy


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


async def test_a_number_that_was_seen_or_comes_late_is_ignored() -> None:
    world = World(NUMBERED)
    batch = [frame("A", 1, 5), frame("A", 2, 6), frame("A", 2, 6), frame("A", 1, 5)]
    world.deliver([*batch, frame("A", 3, 7)])

    assert seen(world) == [("A", 1), ("A", 2), ("A", 3)]


async def test_messages_without_a_number_are_no_hole() -> None:
    world = World(NUMBERED)
    world.deliver([frame("A", 1, 5), b'{"alive":true}', b'{"alive":true}', frame("A", 2, 6)])

    assert seen(world) == [("A", 1), ("A", 2)]


async def test_what_must_wait_for_room_is_counted_when_it_is_taken() -> None:
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
async def test_what_a_message_changes_is_folded_into_what_was(envelope: Envelope | None) -> None:
    world = World(Folding(envelope=envelope))
    world.deliver([frame("A", n, n) for n in (1, 2, 3, 4)])
    assert seen(world) == [("A", 2), ("A", 5), ("A", 9)]
    assert world.subscriptions[0].messages == 4

    world.subscriptions[0].interrupted()
    world.deliver([frame("A", 5, 5), frame("A", 6, 6)])
    assert seen(world) == [("A", 6)]
