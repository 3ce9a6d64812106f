"""What follows what, exchange by exchange: the documented rules, at their edges."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import pytest

from connector.book import Book, BookRules, DigitLevel, Extent, Outcome, State, rules
from connector.book.checksum import digits
from connector.errors import ConfigError
from connector.events import BookSnapshot, Level, Quote
from tests.book import recordings
from tests.book.recordings import Delta, Snapshot


def delta(first: int, last: int, previous: int | None = None, **sides: Any) -> Delta:
    return Delta(
        symbol="X",
        bids=sides.get("bids", []),
        asks=sides.get("asks", []),
        first_update_id=first,
        last_update_id=last,
        previous=previous,
        sum=sides.get("sum"),
    )


def snapshot(update_id: int, bid: float = 99.0, ask: float = 101.0) -> Snapshot:
    return Snapshot(symbol="X", bids=[Level(bid, 1.0)], asks=[Level(ask, 1.0)], update_id=update_id)


SPOT, FUTURES = rules.BINANCE_SPOT, rules.BINANCE_FUTURES

JOINS = [
    # rules, first, last, previous, id of the snapshot, what the delta is to it
    pytest.param(SPOT, 5, 9, None, 4, "joins", id="spot: U == id + 1"),
    pytest.param(SPOT, 5, 9, None, 7, "joins", id="spot: within"),
    pytest.param(SPOT, 5, 9, None, 8, "joins", id="spot: u == id + 1"),
    pytest.param(SPOT, 5, 9, None, 9, "old", id="spot: u == id"),
    pytest.param(SPOT, 5, 9, None, 12, "old", id="spot: u < id"),
    pytest.param(SPOT, 5, 9, None, 3, "hole", id="spot: U > id + 1"),
    pytest.param(FUTURES, 50, 90, 40, 50, "joins", id="futures: U == id"),
    pytest.param(FUTURES, 50, 90, 40, 70, "joins", id="futures: within"),
    pytest.param(FUTURES, 50, 90, 40, 90, "joins", id="futures: u == id"),
    pytest.param(FUTURES, 50, 90, 40, 91, "old", id="futures: u < id"),
    pytest.param(FUTURES, 50, 90, 40, 45, "joins", id="futures: between pu and U"),
    pytest.param(FUTURES, 50, 90, 40, 40, "joins", id="futures: pu == id"),
    pytest.param(FUTURES, 50, 90, 40, 39, "hole", id="futures: pu > id"),
    pytest.param(rules.OKX_REST, 90, 90, 40, 40, "joins", id="okx: prevSeqId == id"),
    pytest.param(rules.OKX_REST, 90, 90, 40, 89, "joins", id="okx: within"),
    pytest.param(rules.OKX_REST, 90, 90, 40, 90, "old", id="okx: seqId == id"),
    pytest.param(rules.OKX_REST, 90, 90, 40, 39, "hole", id="okx: prevSeqId > id"),
]

STATES = {"joins": State.LIVE, "old": State.JOINING, "hole": State.BUFFERING}


@pytest.mark.parametrize(("rule_set", "first", "last", "previous", "at", "expected"), JOINS)
def test_where_a_snapshot_joins(  # noqa: PLR0917
    rule_set: BookRules, first: int, last: int, previous: int | None, at: int, expected: str
) -> None:
    book = Book(rule_set)
    book.delta(delta(1, 1, 0))
    book.asked()
    book.delta(delta(first, last, previous))

    book.fetched(snapshot(at))

    assert book.state is STATES[expected]
    assert book.wants_snapshot is (expected == "hole")
    assert book.buffered == (1 if expected == "hole" else 0)


FOLLOWS = [
    pytest.param(SPOT, (11, 12, None), 12, id="spot: U == u + 1"),
    pytest.param(SPOT, (8, 12, None), 12, id="spot: overlaps"),
    pytest.param(SPOT, (8, 10, None), 0, id="spot: seen"),
    pytest.param(SPOT, (12, 13, None), -13, id="spot: hole"),
    pytest.param(FUTURES, (15, 19, 10), 19, id="futures: pu == u"),
    pytest.param(FUTURES, (15, 19, 11), -19, id="futures: hole"),
    pytest.param(FUTURES, (5, 10, 4), 0, id="futures: seen"),
    pytest.param(rules.OKX, (17, 17, 10), 17, id="okx: names it"),
    pytest.param(rules.OKX, (10, 10, 10), 10, id="okx: heartbeat"),
    pytest.param(rules.OKX, (3, 3, 10), 3, id="okx: ids reset"),
    pytest.param(rules.OKX, (10, 10, 7), 0, id="okx: the last one again"),
    pytest.param(rules.OKX, (9, 9, 7), -9, id="okx: older, or reset unseen"),
    pytest.param(rules.OKX, (20, 20, 17), -20, id="okx: hole"),
    pytest.param(rules.BYBIT, (11, 11, None), 11, id="bybit: +1"),
    pytest.param(rules.BYBIT, (10, 10, None), 0, id="bybit: level 1 again"),
    pytest.param(rules.BYBIT, (12, 12, None), -12, id="bybit: jump"),
    pytest.param(rules.DERIBIT, (30, 30, 10), 30, id="deribit: names it"),
    pytest.param(rules.DERIBIT, (30, 30, 20), -30, id="deribit: hole"),
    pytest.param(rules.BITGET, (30, 30, 10), 30, id="bitget v3: names it"),
    pytest.param(rules.BITGET, (30, 30, 11), -30, id="bitget v3: hole"),
    pytest.param(rules.BITGET, (0, 0, None), 10, id="bitget v1: without ids"),
    pytest.param(rules.KRAKEN_FUTURES, (11, 11, None), 11, id="kraken futures: +1"),
    pytest.param(rules.KRAKEN_FUTURES, (12, 12, None), -12, id="kraken futures: hole"),
    pytest.param(rules.KRAKEN, (0, 0, None), 10, id="kraken: without ids"),
    pytest.param(rules.COINBASE, (0, 0, None), 10, id="coinbase: without ids"),
]


@pytest.mark.parametrize(("rule_set", "ids", "verdict"), FOLLOWS)
def test_what_follows_update_10(
    rule_set: BookRules, ids: tuple[int, int, int | None], verdict: int
) -> None:
    assert rule_set.follow(10, delta(*ids)) == verdict


def test_every_rule_set_is_in_the_table_of_the_docs() -> None:
    assert rules.__doc__ is not None
    named = {name for name, value in vars(rules).items() if isinstance(value, BookRules)}

    assert {name for name in named if f"`{name}`" not in rules.__doc__} == set()


def live(rule_set: BookRules, **extent: Any) -> Book:
    book = Book(rule_set, Extent(**extent))
    assert book.restarted(snapshot(10)) is Outcome.UPDATED
    return book


def test_a_crossed_book_without_ids_is_wrong() -> None:
    book = live(rules.COINBASE)

    outcome = book.delta(delta(0, 0, bids=[Level(101.0, 1.0)]))

    assert outcome is Outcome.LOST
    assert book.reason == "crossed"
    assert book.wants_resubscription


def test_a_book_that_is_crossed_from_the_start_is_an_auction() -> None:
    book = Book(rules.COINBASE)
    book.restarted(snapshot(0, bid=105.0, ask=101.0))

    assert book.delta(delta(0, 0, bids=[Level(106.0, 1.0)])) is Outcome.UPDATED


@pytest.mark.parametrize("claimed", [0, None])
def test_no_checksum_is_no_reason(claimed: int | None) -> None:
    book = live(rules.OKX)

    assert book.delta(delta(11, 11, 10, sum=claimed)) is Outcome.UPDATED


def test_a_snapshot_in_the_stream_replaces_the_book_at_any_time() -> None:
    book = live(rules.BYBIT)

    assert book.restarted(snapshot(1, bid=50.0)) is Outcome.UPDATED
    assert book.bids[0].price == 50.0
    assert book.delta(delta(2, 2)) is Outcome.UPDATED


def test_restarted_ids_are_accepted_after_some_old_ones() -> None:
    book = live(rules.KRAKEN_FUTURES)

    outcomes = Counter(book.delta(delta(each % 9, each % 9)) for each in range(200))

    assert outcomes[Outcome.LOST] == 1
    assert book.state is State.GAP


def test_a_level_without_digits_has_no_checksum() -> None:
    assert digits(DigitLevel(1.0, 2.0, "1.000", "2.0")) == ("1.000", "2.0")
    with pytest.raises(ConfigError, match="has lost the digits that the exchange sent"):
        digits(Level(1.0, 2.0))


# --- single frames of exchanges whose captures lack something

FRAMES: dict[str, tuple[BookRules, recordings.Reader]] = {
    "okx/frames/tardis_node/*.jsonl": (rules.OKX, recordings.okx),
    "bybit/frames/tardis_node/*V5.jsonl": (rules.BYBIT, recordings.bybit),
    "bybit/frames/nautilus/ws_orderbook_*.json": (rules.BYBIT, recordings.bybit),
    "kraken/frames/nautilus/ws_book*.json": (rules.KRAKEN, recordings.kraken_v2),
    "deribit/frames/tardis_node/*.jsonl": (rules.DERIBIT, recordings.deribit),
    "bitget/frames/tardis_node/*v3*.jsonl": (rules.BITGET, recordings.bitget),
}


@pytest.mark.parametrize("pattern", FRAMES)
def test_documented_frames_are_understood(data_folder: Path, pattern: str) -> None:
    rule_set, read = FRAMES[pattern]
    messages: list[str] = []
    for path in sorted(data_folder.glob(pattern)):
        text = path.read_text()
        lines = text.splitlines() if path.suffix == ".jsonl" else [text]
        messages += [json.dumps(json.loads(line)) for line in lines if line.startswith(("{", "["))]
    events = [event for _, event in read(messages)]

    assert events
    for event in events:
        assert not isinstance(event, Quote)
        book = Book(attrs.evolve(rule_set, checksum=None))
        start = event if isinstance(event, BookSnapshot) else snapshot(before(event))
        assert book.restarted(start) is Outcome.UPDATED
        if not isinstance(event, BookSnapshot):
            assert book.delta(event) is Outcome.UPDATED


def before(event: Any) -> int:
    previous = event.previous_update_id
    return int(event.last_update_id - 1 if previous is None else previous)
