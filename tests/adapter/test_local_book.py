"""Captured markets through the whole adapter: the top of the book is the quote of the same id."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import BestQuote, OrderBook
from connector.events import BookView, Gap, Quote
from connector.exchanges import binance
from connector.testing import Capture, MemoryNetwork, open_exchange, streams_of

CAPTURES = {
    "binance_spot/multi4_20211012.jsonl.gz": ("spot", 100, 150),
    "binance_usdm/multi4_20210722.jsonl.gz": ("usdm", 100, 700),
    "binance_usdm/ethusdt_20240718.jsonl.gz": ("usdm", 0, 1000),
}
"""Venue, interval of the deltas, and how many comparisons there are at least."""
MOST_SECONDS = 60
EXCHANGES: dict[str, Any] = {"spot": binance.Spot, "usdm": binance.UsdMFutures}


@pytest.fixture(scope="session")
def data_folder() -> Path:
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("CONNECTOR_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no captures in {folder}; set CONNECTOR_DATA to the folder that has them")
    return folder


@pytest.mark.parametrize("name", CAPTURES)
async def test_a_captured_market(autojump_clock: MockClock, data_folder: Path, name: str) -> None:
    venue, interval_ms, at_least = CAPTURES[name]
    path = data_folder / name
    symbols = sorted({stream.partition("@")[0] for stream in streams_of(path)})
    books = [OrderBook(symbol, interval_ms=interval_ms, depth=50) for symbol in symbols]
    network = MemoryNetwork()
    shown: dict[tuple[str, int], tuple[Any, ...]] = {}
    quotes: dict[str, list[Quote]] = defaultdict(list)

    def see(event: BookView | Quote | Gap) -> None:
        assert not isinstance(event, Gap), event
        if isinstance(event, Quote):
            quotes[event.symbol].append(event)
            return
        assert event.synced
        bid, ask = event.best_bid, event.best_ask
        assert bid is not None
        assert ask is not None
        assert len(event.bids) <= 50
        shown[event.symbol, event.update_id] = bid.price, bid.quantity, ask.price, ask.quantity

    async with (
        open_exchange(venue, network=network, source=Capture(path)) as exchange,  # type: ignore[arg-type]
        open_adapter(
            EXCHANGES[venue](endpoints=exchange.endpoints), dialer=network, stale_after=60
        ) as adapter,
        adapter.subscribe(*books, *map(BestQuote, symbols), gaps=True) as feed,
    ):
        with trio.move_on_after(MOST_SECONDS):
            async for event in feed:
                see(event)  # type: ignore[arg-type]
        statistics = adapter.statistics().books

    compared = 0
    for (symbol, update_id), top in shown.items():
        ids = [quote.update_id for quote in quotes[symbol]]
        index = bisect_right(ids, update_id) - 1
        if index >= 0:
            quote = quotes[symbol][index]
            true = quote.bid_price, quote.bid_quantity, quote.ask_price, quote.ask_quantity
            assert top == true, (symbol, update_id)
            compared += 1
    assert compared >= at_least
    assert {(book.state, book.joins, book.losses) for book in statistics.values()} == {
        ("live", 1, 0)
    }
