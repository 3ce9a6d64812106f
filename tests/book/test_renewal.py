"""A book renews itself before its levels run out, and nobody notices."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from connector.book import Book, Extent, Outcome, RenewedBook, State, rules
from connector.events import BookSnapshot, Level, Quote
from tests.book import recordings
from tests.book.recordings import Delta, Snapshot

LEVELS = 12


class Market:
    """A spot market whose price wanders."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.update_id = 1
        self.middle = 1000
        self.sides: tuple[dict[float, Level], dict[float, Level]] = ({}, {})
        self.move()

    def move(self) -> Delta:
        """The price takes a step, and takes or leaves levels behind it."""
        self.middle += self.rng.choice((-1, 1, 1))
        wanted = (
            {float(price) for price in range(self.middle - 200, self.middle)},
            {float(price) for price in range(self.middle + 1, self.middle + 200)},
        )
        changes: list[list[Level]] = []
        for side, prices in zip(self.sides, wanted, strict=True):
            gone = [Level(price, 0.0) for price in sorted(side.keys() - prices)]
            come = [Level(price, 1.0) for price in sorted(prices - side.keys())]
            near = self.rng.choice(sorted(prices & side.keys()) or [0.0])
            changed = [Level(near, float(self.rng.randint(2, 9)))] if near else []
            for level in (*gone, *come, *changed):
                side.pop(level.price, None)
                if level.quantity:
                    side[level.price] = level
            changes.append([*gone, *come, *changed])
        self.update_id += 1
        return Delta(
            symbol="X", bids=changes[0], asks=changes[1],
            first_update_id=self.update_id, last_update_id=self.update_id,
        )  # fmt: skip

    def best(self, count: int) -> tuple[list[Level], list[Level]]:
        bids, asks = self.sides
        return (
            [bids[price] for price in sorted(bids, reverse=True)[:count]],
            [asks[price] for price in sorted(asks)[:count]],
        )

    def snapshot(self) -> Snapshot:
        bids, asks = self.best(LEVELS)
        return Snapshot(symbol="X", bids=bids, asks=asks, update_id=self.update_id)


def sides(book: Book | RenewedBook) -> Book:
    return book.book if isinstance(book, RenewedBook) else book


def drive(book: Book | RenewedBook, market: Market, delay: int) -> list[Outcome]:
    """A thousand steps; a snapshot takes `delay` of them."""
    outcomes = []
    due: int | None = None
    for step in range(1000):
        outcomes.append(book.delta(market.move()))
        if book.wants_snapshot and due is None:
            book.asked()
            due = step + delay
        if due == step:
            due = None
            book.fetched(market.snapshot(), limit=LEVELS)
        if book.synced:
            bids, asks = market.best(4)
            assert list(sides(book).bids) == bids[: len(sides(book).bids)]
            assert list(sides(book).asks) == asks[: len(sides(book).asks)]
            assert sides(book).bids and sides(book).asks
    return outcomes


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_a_wandering_price_never_unsyncs_it(delay: int) -> None:
    book = RenewedBook(rules.BINANCE_SPOT, Extent(shown=4, needed=6, kept=LEVELS))

    outcomes = drive(book, Market(seed=1), delay)

    assert Outcome.LOST not in outcomes
    assert book.renewals > 5
    assert book.stored <= 4 * LEVELS + 64


def test_without_renewal_it_is_unsynced_when_the_top_is_no_longer_known() -> None:
    book = Book(rules.BINANCE_SPOT, Extent(shown=4, needed=6, kept=LEVELS))

    outcomes = drive(book, Market(seed=1), delay=3)

    assert outcomes.count(Outcome.LOST) > 5
    assert sides(book).reason == "depth"


def test_a_renewal_that_comes_too_late_is_the_next_join() -> None:
    book = RenewedBook(rules.BINANCE_SPOT, Extent(shown=4, needed=6, kept=LEVELS))

    outcomes = drive(book, Market(seed=1), delay=40)

    assert Outcome.LOST in outcomes
    assert sides(book).reason == "depth"
    assert Outcome.UPDATED in outcomes[outcomes.index(Outcome.LOST) :]


def running_out(market: Market) -> RenewedBook:
    """A book whose successor waits for its snapshot."""
    book = RenewedBook(rules.BINANCE_SPOT, Extent(shown=4, needed=6, kept=LEVELS))
    book.delta(market.move())
    book.asked()
    book.delta(market.move())
    book.fetched(market.snapshot(), limit=LEVELS)
    while not book.is_running_out:
        book.delta(market.move())
    return book


def test_a_hole_loses_the_book_and_keeps_the_successor() -> None:
    market = Market(seed=2)
    book = running_out(market)
    book.asked()
    book.delta(market.move())
    market.move()

    assert book.delta(market.move()) is Outcome.LOST
    assert sides(book).reason == "sequence"
    assert not sides(book).bids

    assert book.state is State.BUFFERING
    book.delta(market.move())
    book.fetched(market.snapshot(), limit=LEVELS)
    book.delta(market.move())
    assert book.synced


def test_a_disconnect_ends_both() -> None:
    market = Market(seed=2)
    book = running_out(market)
    book.asked()

    assert book.interrupted() is Outcome.LOST
    assert book.state is State.IDLE
    assert book.fetched(market.snapshot(), limit=LEVELS) is Outcome.NOTHING
    assert not book.synced


def test_a_refusal_lets_it_try_again() -> None:
    market = Market(seed=2)
    book = running_out(market)
    book.asked()
    book.refused()

    assert book.synced
    assert book.wants_snapshot


def test_a_captured_market_leaves_its_snapshot(data_folder: Path) -> None:
    """The price of btcusdt left the 1,000 levels of the snapshot within five minutes."""
    name = "binance_spot/btcusdt_20240808.jsonl.gz"
    whole = Book(rules.BINANCE_SPOT)
    book = RenewedBook(rules.BINANCE_SPOT, Extent(shown=20, needed=100, kept=500))
    lost = 0
    for _, event in recordings.fetched(data_folder, name):
        if isinstance(event, Quote):
            continue
        if isinstance(event, BookSnapshot):
            whole.fetched(event)
            continue
        whole.delta(event)
        if whole.wants_snapshot:
            whole.asked()
            whole.delta(event)
        if not whole.synced:
            continue
        lost += book.delta(event) is Outcome.LOST
        if book.wants_snapshot:
            book.asked()
            bids, asks = whole.bids.top(500), whole.asks.top(500)
            snapshot = Snapshot(symbol="", bids=bids, asks=asks, update_id=whole.update_id)
            book.delta(event)
            book.fetched(snapshot, limit=500)
        if book.synced:
            assert list(sides(book).bids) == whole.bids.top(len(sides(book).bids))
            assert list(sides(book).asks) == whole.asks.top(len(sides(book).asks))

    assert book.renewals >= 2
    assert lost == 0
    assert whole.bids.stored > 1200
    assert book.stored <= 2 * 641
