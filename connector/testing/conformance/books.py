"""Checks that a synced local book always equals the server's book, even after lost messages."""

from __future__ import annotations

from typing import Any

from connector.channels import AnyChannel, OrderBook
from connector.events import Gap
from connector.exchanges.protocol import Data
from connector.testing.conformance import offered
from connector.testing.conformance.reception import check_sides, check_state
from connector.testing.conformance.stage import (
    Stage,
    expected,
    offer_of,
    open_stage,
    require,
)
from connector.testing.conformance.venue import Truth, Venue

VIEWS_BETWEEN = 5
"""Number of synced views to compare before the next fault."""
SLOW_MS, FEWER_VIEWS = 200, 3
"""A book with at least this interval is compared in fewer views."""
TROUBLES = ("lose", "lose", "repeat", "lose", "reset", "lose")


async def a_synced_book_is_the_servers_own(venue: Venue) -> None:
    """Lose and repeat messages and break the connection: every synced view must be correct."""
    offer = await offer_of(venue)
    books = [each for each in offer.channels if isinstance(each, OrderBook)]
    for channel in books:
        async with open_stage(venue) as stage:
            truth = stage.truth(channel.symbol)
            async with (
                stage.open_adapter() as adapter,
                adapter.subscribe(channel, gaps=True) as feed,
            ):
                seen = await _compare(stage, feed, channel, truth, 0)
                for trouble in TROUBLES:
                    _make(stage, channel, trouble)
                    seen = await _compare(stage, feed, channel, truth, seen)
            for connection in stage.network.websockets:
                lost = connection.lose is not None and connection.open
                require(not lost, f"{channel}: no message arrived that could be lost")


def _make(stage: Stage, channel: AnyChannel, trouble: str) -> None:
    name = offered.wire_stream(stage.exchange, channel).name

    def is_its(frame: bytes) -> bool:
        said = stage.exchange.parse(frame)
        return isinstance(said, Data) and said.stream == name

    for connection in stage.network.live:
        if trouble == "reset":
            connection.reset()
        elif trouble == "lose":
            connection.lose = is_its
        else:
            connection.repeat = is_its


async def _compare(
    stage: Stage, feed: Any, channel: OrderBook, truth: Truth | None, seen: int
) -> int:
    """Compare some synced views, and return the number of the last state seen."""
    compared, wanted = 0, VIEWS_BETWEEN if channel.interval_ms <= SLOW_MS else FEWER_VIEWS
    with expected(f"{channel} to be synced"):
        while compared < wanted:
            view = await anext(feed)
            if isinstance(view, Gap) or not view.synced:
                continue
            compared += 1
            check_sides(channel, view.bids, view.asks)
            if truth is not None:
                seen = check_state(stage, channel, truth, view.bids, view.asks, seen)
    return seen
