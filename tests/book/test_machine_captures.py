"""Every captured book: rebuilt without a gap, checksums verified, its top equal to the quotes."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from pathlib import Path

import attrs
import pytest

from connector.book import Book, DigitLevel, Extent, Outcome, rules
from connector.events import BookDelta, BookSnapshot, Quote
from tests.book import recordings

# Together 135,272 comparisons of one side, two for each of 67,636 states; all but two agree. The
# protocol notes count states, those of captures that are not in the folder included.
COMPARISONS = {
    # Two differ: a quote that stands for several changes within one delta. Source: binance_spot §6
    "binance_spot/btcusdt_20240808.jsonl.gz": (12_986, 2),
    "binance_spot/multi4_20211012.jsonl.gz": (318, 0),
    "binance_usdm/btcusdt_20240808.jsonl.gz": (13_092, 0),
    "binance_usdm/ethusdt_20240718.jsonl.gz": (17_846, 0),
    "binance_usdm/multi4_20210722.jsonl.gz": (1_488, 0),
    "binance_coinm/btcusd_perp_20240808.jsonl.gz": (89_542, 0),
}
"""How often a side of a captured book is compared with a quote, and how often they differ."""

VERIFIED = {
    "okx/v5_public_20220513.jsonl.gz": 191,
    "bitget/v1_spot_20220407.jsonl.gz": 443,
    "kraken/v1_book1000_20210417.jsonl.gz": 2577,
    "kraken_futures/futures_v1_20210722.jsonl.gz": 0,
    "deribit/v2_raw_20210722.jsonl.gz": 0,
    "coinbase_exchange/exchange_l2_20210417.jsonl.gz": 0,
}
"""How many checksums a capture has."""


@attrs.frozen
class Quotes:
    """The quotes of one symbol by their ids, which rise."""

    ids: list[int] = attrs.field(factory=list)
    quotes: list[Quote] = attrs.field(factory=list)

    def add(self, quote: Quote) -> None:
        self.ids.append(quote.update_id)
        self.quotes.append(quote)

    def at(self, update_id: int) -> Quote | None:
        """What held at `update_id`: a quote comes whenever the top changes."""
        index = bisect_right(self.ids, update_id) - 1
        return self.quotes[index] if index >= 0 else None


def differences(book: Book, quote: Quote) -> int:
    bid, ask = book.bids[0], book.asks[0]
    return ((bid.price, bid.quantity) != (quote.bid_price, quote.bid_quantity)) + (
        (ask.price, ask.quantity) != (quote.ask_price, quote.ask_quantity)
    )


def take(book: Book, event: BookDelta | BookSnapshot) -> Outcome:
    """What a driver does, when the snapshot was asked for at the first delta."""
    if isinstance(event, BookSnapshot):
        return book.fetched(event)
    outcome = book.delta(event)
    if book.wants_snapshot:
        book.asked()
        book.delta(event)
    return outcome


@pytest.mark.parametrize("name", recordings.FETCHED)
def test_a_fetched_book_is_rebuilt_and_equals_the_quotes(data_folder: Path, name: str) -> None:
    events = list(recordings.fetched(data_folder, name))
    quotes: dict[str, Quotes] = defaultdict(Quotes)
    for symbol, event in events:
        if isinstance(event, Quote):
            quotes[symbol].add(event)
    books: dict[str, Book] = {}
    compared = different = 0

    for symbol, event in events:
        if isinstance(event, Quote):
            continue
        book = books.setdefault(symbol, Book(recordings.FETCHED[name]))
        outcome = take(book, event)
        assert outcome is not Outcome.LOST
        quote = quotes[symbol].at(book.update_id) if outcome is Outcome.UPDATED else None
        if quote is not None:
            compared += 2
            different += differences(book, quote)

    assert (compared, different) == COMPARISONS[name]
    assert all(book.synced for book in books.values())


def test_the_two_that_differ_are_quotes_for_several_changes(data_folder: Path) -> None:
    """The last ids of the delta take the best bid, and the next quote, a few ids later, has a newer
    one still: the exchange has written one quote for both changes. Source: binance_spot §6."""
    name = "binance_spot/btcusdt_20240808.jsonl.gz"
    events = [event for _, event in recordings.fetched(data_folder, name)]
    quotes = Quotes()
    for event in events:
        if isinstance(event, Quote):
            quotes.add(event)
    book = Book(rules.BINANCE_SPOT)
    found = 0

    for event in events:
        if isinstance(event, Quote) or take(book, event) is not Outcome.UPDATED:
            continue
        quote = quotes.at(book.update_id)
        if quote is None or not differences(book, quote):
            continue
        assert isinstance(event, BookDelta)
        found += 1
        deleted = {level.price for level in event.bids if not level.quantity}
        following = quotes.quotes[quotes.ids.index(quote.update_id) + 1]
        assert book.asks[0].price == quote.ask_price
        # What the quote says was true until this delta's last ids …
        assert event.first_update_id <= quote.update_id < event.last_update_id
        assert quote.bid_price in deleted or quote.bid_price > book.bids[0].price
        # … and the quote that should say what is true now says what is true a little later.
        assert 0 < following.update_id - event.last_update_id < 20
        assert following.bid_price != book.bids[0].price

    assert found == 2


@pytest.mark.parametrize("name", recordings.STREAMED)
def test_a_streamed_book_is_rebuilt_and_verified(data_folder: Path, name: str) -> None:
    rule_set, _ = recordings.STREAMED[name]
    extent = Extent(shown=5, truncated=1000 if rule_set.truncates else None)
    books: dict[str, Book] = {}
    outcomes: Counter[Outcome] = Counter()
    verified = 0

    for symbol, event in recordings.streamed(data_folder, name):
        assert not isinstance(event, Quote)
        book = books.setdefault(symbol, Book(rule_set, extent))
        outcomes[
            book.restarted(event) if isinstance(event, BookSnapshot) else book.delta(event)
        ] += 1
        verified += bool(event.checksum)

    assert set(outcomes) == {Outcome.UPDATED}
    assert verified == VERIFIED[name]
    assert all(len(book.bids) <= 5 and len(book.asks) <= 5 for book in books.values())


@pytest.mark.parametrize("name", [name for name, count in VERIFIED.items() if count])
def test_a_book_that_is_wrong_is_found_by_the_checksum(data_folder: Path, name: str) -> None:
    rule_set, _ = recordings.STREAMED[name]
    books: dict[str, Book] = {}
    for symbol, event in recordings.streamed(data_folder, name):
        if isinstance(event, BookSnapshot):
            books.setdefault(symbol, Book(rule_set)).restarted(event)
        elif event.bids and event.checksum:
            break
    book = books[symbol]
    best = book.bids[0]
    wrong = DigitLevel(best.price, 1.0, str(best.price), "1.00000007")

    outcome = book.delta(
        recordings.Delta(
            symbol=symbol,
            bids=[*event.bids, wrong],
            asks=event.asks,
            first_update_id=1,
            last_update_id=1,
            previous=book.update_id,
            sum=event.checksum,
        )
    )

    assert outcome is Outcome.LOST
    assert book.reason == "checksum"
    assert not book.bids and not book.asks


def test_kraken_v2_digits_survive(data_folder: Path) -> None:
    messages = recordings.received(data_folder / "kraken/v2_book_snapshot_gst_20240701.jsonl.gz")
    book = Book(rules.KRAKEN, Extent(truncated=10))

    ((_, snapshot),) = recordings.kraken_v2(messages)

    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.checksum == 1931231958
    assert book.restarted(snapshot) is Outcome.UPDATED
