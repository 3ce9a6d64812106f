"""Stored frames of Kraken's futures decode to what plain ``json`` and ``Decimal`` say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.book import Outcome, RenewedBook
from connector.channels import (
    BookDeltas,
    Liquidations,
    MarkPrices,
    OrderBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.events import BookDelta, BookSnapshot, Level, Trade, plain
from connector.exchanges import kraken
from connector.exchanges.envelope import find_name
from connector.exchanges.kraken.futures_decode import dense_book_ids
from connector.exchanges.protocol import UNDECODABLE, Data

EXACT = kraken.Futures(numbers=Decimal)
FLOATS = kraken.Futures()
MS = 1_000_000
CAPTURE = "kraken_futures/futures_v1_20210722.jsonl.gz"


def loads(frame: bytes) -> Any:
    return json.loads(frame, parse_float=Decimal, parse_int=Decimal)


def check(frame: bytes) -> str:
    """Compare one frame with plain json; its feed."""
    said = loads(frame)
    feed, symbol = said["feed"], said["product_id"]
    inbound = EXACT.parse(frame)
    assert inbound == Data(f"{feed.removesuffix('_snapshot')}:{symbol}", frame)
    if feed == "book_snapshot":
        event: Any = EXACT.stream(BookDeltas(symbol)).decode(frame)
        assert isinstance(event, BookSnapshot)
        assert (event.symbol, event.update_id) == (symbol, said["seq"])
        for side in ("bids", "asks"):
            assert [tuple(each) for each in getattr(event, side)] == [
                (row["price"], row["qty"]) for row in said[side] if row["qty"]
            ]
        assert event.exchange_time_ns == said["timestamp"] * MS
    elif feed == "book":
        event = EXACT.stream(BookDeltas(symbol)).decode(frame)
        assert isinstance(event, BookDelta)
        level, side = [(said["price"], said["qty"])], said["side"]
        assert [tuple(each) for each in event.bids] == (level if side == "buy" else [])
        assert [tuple(each) for each in event.asks] == (level if side == "sell" else [])
        assert event.first_update_id == event.last_update_id == said["seq"]
        assert event.exchange_time_ns == said["timestamp"] * MS
        assert plain(event) == event
    elif feed == "trade":
        event = EXACT.stream(Trades(symbol)).decode(frame)
        assert isinstance(event, Trade)
        assert (event.symbol, event.price, event.quantity, event.side, event.trade_id) == (
            symbol, said["price"], said["qty"], said["side"], said["seq"]
        )  # fmt: skip
        assert (event.exchange_time_ns, event.off_book) == (said["time"] * MS, False)
    elif feed == "trade_snapshot":
        assert EXACT.stream(Trades(symbol)).decode(frame) == []
    elif feed == "ticker":
        ticker: Any = EXACT.stream(Tickers(symbol)).decode(frame)
        names = ("last", "open", "high", "low", "volume")
        assert [getattr(ticker, name) for name in names] == [said[name] for name in names]
        assert (ticker.quote_volume, ticker.price_change_percent) == (
            said["volumeQuote"], said["change"]
        )  # fmt: skip
        mark: Any = EXACT.stream(MarkPrices(symbol)).decode(frame)
        assert (mark.mark_price, mark.index_price) == (said["markPrice"], said["index"])
        assert mark.funding_rate == said["relative_funding_rate"]
        assert mark.next_funding_time_ns == said["next_funding_rate_time"] * MS
        assert ticker.exchange_time_ns == mark.exchange_time_ns == said["time"] * MS
    else:
        raw: Any = EXACT.stream(RawStream(f"{feed}:{symbol}")).decode(frame)
        assert (raw.symbol, raw.data) == (symbol, frame)
    return str(feed)


def test_the_frames_of_a_capture_are_what_plain_json_says(
    received_frames: Callable[[str], Iterator[bytes]],
) -> None:
    found: dict[str, int] = {}
    for frame in received_frames(CAPTURE):
        if b'"event"' not in frame:
            feed = check(frame)
            found[feed] = found.get(feed, 0) + 1
    assert found == {
        "book_snapshot": 5, "book": 1256, "trade_snapshot": 5, "trade": 2, "ticker_lite": 41
    }  # fmt: skip


def test_stored_frames_are_what_plain_json_says(data_folder: Path) -> None:
    public = ("book_delta", "book_snapshot", "book_snapshot_with_zero_qty", "ticker", "trade")
    for name in (*public, "trade_snapshot"):
        check((data_folder / f"kraken/frames/nautilus/ws_futures_{name}.json").read_bytes())


@pytest.mark.parametrize("exchange", [EXACT, FLOATS])
def test_the_books_of_a_capture_have_no_hole(
    exchange: Any, received_frames: Callable[[str], Iterator[bytes]]
) -> None:
    books: dict[str, RenewedBook] = {}
    read: dict[str, Any] = {}
    truth: dict[str, dict[tuple[str, Any], Any]] = {}
    shape = exchange.envelope.shape[0]
    for frame in received_frames(CAPTURE):
        said = json.loads(frame, parse_float=exchange.numbers)
        if "event" in said or said["feed"] not in ("book", "book_snapshot"):
            continue
        # What the envelope finds, or else the parser.
        name = find_name(shape, frame)[0].decode()
        parsed: Any = exchange.parse(frame)
        assert name in (parsed.stream, parsed.stream.replace("book:", "book_snapshot:"))
        name, symbol = parsed.stream, said["product_id"]
        if name not in books:
            source = exchange.stream(OrderBook(symbol)).book
            books[name] = RenewedBook(source.rules, source.extent)
            read[name] = source.deltas.decode
        event = read[name](frame)
        if said["feed"] == "book_snapshot":
            assert books[name].restarted(event) is Outcome.UPDATED
            truth[name] = {
                (side, row["price"]): row["qty"] for side in ("bids", "asks") for row in said[side]
            }
        else:
            assert books[name].delta(event) is Outcome.UPDATED
            side = "bids" if said["side"] == "buy" else "asks"
            truth[name][side, said["price"]] = said["qty"]
    assert len(books) == 5
    for name, renewed in books.items():
        for side, best_first in (("bids", True), ("asks", False)):
            rows = [(p, q) for (of, p), q in truth[name].items() if of == side and q]
            shown = [tuple(level) for level in getattr(renewed.book, side)]
            assert shown == sorted(rows, reverse=best_first)


def test_a_hole_in_the_numbers_of_a_book() -> None:
    stream = FLOATS.stream(BookDeltas("PI_A"))

    def delta(seq: int) -> Any:
        return stream.decode(
            f'{{"feed":"book","product_id":"PI_A","side":"buy","seq":{seq},"price":1,"qty":2,'
            f'"timestamp":1}}'.encode()
        )

    whole: Any = stream.decode(
        b'{"feed":"book_snapshot","product_id":"PI_A","timestamp":1,"seq":9,"tickSize":null,'
        b'"bids":[{"price":1,"qty":1}],"asks":[]}'
    )
    assert dense_book_ids(50, whole) == 9
    assert [dense_book_ids(last, delta(7)) for last in (0, 6, 5, 7, 9)] == [7, 7, -7, 0, 0]


TRADE = (
    '{{"feed":"trade","product_id":"PI_A","uid":"x","side":"sell","type":"{0}","seq":7,"time":5,'
    '"qty":2,"price":3}}'
)


@pytest.mark.parametrize(
    ("kind", "off_book"),
    [("fill", False), ("liquidation", False), ("block", True), ("termination", True)],
)
def test_liquidations_are_trades_of_a_type(kind: str, off_book: bool) -> None:
    frame = TRADE.format(kind).encode()
    trade: Any = FLOATS.stream(Trades("PI_A")).decode(frame)
    assert (trade.off_book, trade.side, trade.price) == (off_book, "sell", 3)
    found: Any = FLOATS.stream(Liquidations("PI_A")).decode(frame)
    assert [
        (each.side, each.quantity, each.average_price, each.exchange_time_ns) for each in found
    ] == ([("sell", 2, 3, 5 * MS)] if kind == "liquidation" else [])


@pytest.mark.parametrize(
    ("old", "new"),
    [('"qty":2', '"qty":"2"'), ('"qty":2', '"qty":NaN'), ('"seq":7', '"seq":7.5'),
     ('"time":5', '"time":5000000000000000'), ('"sell"', '"none"')],
)  # fmt: skip
@pytest.mark.parametrize("exchange", [EXACT, FLOATS])
def test_what_is_not_as_documented_does_not_decode(exchange: Any, old: str, new: str) -> None:
    frame = TRADE.format("fill").replace(old, new).encode()
    with pytest.raises(UNDECODABLE):
        exchange.stream(Trades("PI_A")).decode(frame)


@settings(max_examples=30, deadline=None)
@given(
    price=st.decimals(0, 10**6, places=2), qty=st.integers(0, 10**9), seq=st.integers(1, 2**53),
    side=st.sampled_from(["buy", "sell"]), spaced=st.booleans(),
)  # fmt: skip
def test_fast_and_slow_path_agree(
    price: Decimal, qty: int, seq: int, side: str, spaced: bool
) -> None:
    text = (
        f'{{"feed":"book","product_id":"PI_A","side":"{side}","seq":{seq},"price":{price:f},'
        f'"qty":{qty},"timestamp":1626994927748}}'
    )
    frame = (text.replace(",", ", ") if spaced else text).encode()
    for exchange in (EXACT, FLOATS):
        stream = exchange.stream(BookDeltas("PI_A"))
        assert find_name(exchange.envelope.shape[0], frame)[0].decode() == stream.name
        assert exchange.parse(frame) == Data(stream.name, frame)
        slow: Any = stream.decode(frame)
        assert stream.decode_unchecked is None or stream.decode_unchecked(frame) == slow
        level = [Level(exchange.numbers(price), exchange.numbers(qty))]
        assert (slow.bids, slow.asks) == ((level, []) if side == "buy" else ([], level))
