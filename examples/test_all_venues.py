"""Every venue at once, in virtual time: no book is wrong, nothing is left, the judge can see."""

from __future__ import annotations

from typing import Any

import attrs
from trio.testing import MockClock

from connector.exchanges import bybit
from connector.testing import MemoryNetwork
from connector.testing.explore.venue_scenarios import VenueCase
from examples.all_venues import run


class LosesBids(bybit.Linear):
    """The best bid of each message about the book is lost."""

    def stream(self, channel: Any) -> Any:
        stream: Any = super().stream(channel)
        if stream.book is None:
            return stream

        def without(payload: bytes) -> Any:
            event = stream.book.deltas.decode(payload)
            del event.bids[:1]
            return event

        deltas = attrs.evolve(stream.book.deltas, decode=without, decode_unchecked=None)
        return attrs.evolve(stream, book=attrs.evolve(stream.book, deltas=deltas))


async def test_all_venues_at_once(autojump_clock: MockClock) -> None:
    verdicts = await run(seconds=12, network=MemoryNetwork())

    assert {name: each.wrong for name, each in verdicts.items() if each.wrong} == {}
    assert all(each.books > 0 and each.events > 0 for each in verdicts.values())
    assert sum(each.breaks for each in verdicts.values()) >= len(verdicts) // 2
    assert sum(each.gaps for each in verdicts.values()) >= len(verdicts) // 2


async def test_the_judge_sees_a_wrong_book(autojump_clock: MockClock) -> None:
    case = VenueCase(LosesBids, "ETHUSDT")

    verdicts = await run({"bybit_linear": case}, seconds=3, network=MemoryNetwork())

    assert "the server never had" in verdicts["bybit_linear"].wrong[0]
