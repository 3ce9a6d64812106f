"""Every venue over real sockets, without the collector: rows 1, 4–8 and 21 of the fault table.

All venues at once, each with its simulated exchange on loopback: the book must be unsynced and
told of, come back right, and leave as many tasks and sockets as there were before.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import trio

from connector import Adapter, Reconnect, open_adapter
from connector.channels import OrderBook
from connector.events import BookView, Gap
from connector.testing import FaultKind, OrderFlow, open_exchange
from connector.testing.explore.venue_scenarios import VENUES, VenueCase
from connector.testing.leaks import no_leaks
from connector.testing.market.truth import MarketTruth

LEVELS = 5
PATIENCE_SECONDS = 60.0
KINDS: tuple[FaultKind, ...] = (
    "close", "reset", "fin", "close_and_hold", "half_open", "mute", "bad_mask",
)  # fmt: skip


def counts(adapter: Adapter[Any]) -> tuple[int, ...]:
    """What must be as it was."""
    said = adapter.statistics()
    return said.sockets_open, said.sessions_open, len(said.links), len(said.feeds)


async def right_book(feed: Any, truth: MarketTruth, adapter: Adapter[Any]) -> tuple[int, ...]:
    """Wait for a synced book, once no snapshot is being fetched; it must be one that there was."""
    while True:
        view = await anext(feed)
        if isinstance(view, BookView) and view.synced and counts(adapter)[0] == 1:
            bids, asks = (
                [(Decimal(str(price)), Decimal(str(quantity))) for price, quantity in side]
                for side in (view.bids, view.asks)
            )
            assert truth.find_book(bids, asks) is not None
            return counts(adapter)


async def recover(name: Any, case: VenueCase, kind: FaultKind) -> None:
    flow = OrderFlow(symbols=(case.symbol,), rate_per_second=40)
    async with open_exchange(name, source=flow) as exchange:
        truth = exchange.keep_truth(case.symbol, LEVELS)
        made = case.exchange(endpoints=exchange.endpoints)
        reconnect = Reconnect(initial=0.05, jitter="none")
        async with (
            open_adapter(made, reconnect=reconnect, stale_after=2.0) as adapter,
            adapter.subscribe(OrderBook(case.symbol, LEVELS), gaps=True) as feed,
        ):
            with trio.fail_after(PATIENCE_SECONDS):
                before = await right_book(feed, truth, adapter)
                assert exchange.break_connections(kind) == 1
                while not isinstance(await anext(feed), Gap):
                    pass
                assert await right_book(feed, truth, adapter) == before
            assert adapter.statistics().sessions_opened >= 2
        assert set(exchange.max_concurrent_by_route.values()) == {1}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_venue_recovers(kind: FaultKind) -> None:
    async with no_leaks(), trio.open_nursery() as nursery:
        for name, case in VENUES.items():
            nursery.start_soon(recover, name, case, kind)
