"""Stored frames of Kraken decode to what plain ``json`` and ``Decimal`` say.

The captures of 2021 are of WebSocket v1. What v1 writes as a text in an array, v2 writes as a
number in an object, with the same digits; XBT is BTC there, XDG is DOGE, and a snapshot has a
checksum. Here v1 is rewritten so, which is the whole difference for trades and books.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.book import Outcome, RenewedBook
from connector.channels import BestQuote, BookDeltas, Candles, OrderBook, Tickers, Trades
from connector.events import BookDelta, BookSnapshot, Candle, Quote, Ticker, Trade
from connector.exchanges import kraken
from connector.exchanges.envelope import find_name
from connector.exchanges.kraken.v2_decode import dense_trade_ids
from connector.exchanges.protocol import UNDECODABLE, Data, Stream

EXACT = kraken.Spot(numbers=Decimal)
FLOATS = kraken.Spot(book_levels=1000)
RECEIVED = re.compile(r"^= ?\n(\{.*?^\})", re.MULTILINE | re.DOTALL)


def loads(frame: bytes) -> Any:
    return json.loads(frame, parse_float=Decimal, parse_int=Decimal)


def nanoseconds(text: str) -> int:
    whole, _, part = text.removesuffix("Z").partition(".")
    seconds = datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return int(seconds) * 10**9 + int(part[:6].ljust(6, "0")) * 1000


def streams_of(frame: bytes, exchange: Any = EXACT) -> list[Stream[Any]]:
    said = loads(frame)
    symbol = said["data"][0]["symbol"]
    channels: dict[str, list[Any]] = {
        "trade": [Trades(symbol)],
        "book": [BookDeltas(symbol)],
        "ticker": [BestQuote(symbol), Tickers(symbol)],
        "ohlc": [Candles(symbol, str(said["data"][0].get("interval", 1)))],
    }
    return [exchange.stream(channel) for channel in channels[said["channel"]]]


def decoded(frame: bytes, exchange: Any = EXACT) -> list[Any]:
    """The events of a frame by the slow path."""
    found = []
    for stream in streams_of(frame, exchange):
        said = exchange.parse(frame)
        assert isinstance(said, Data)
        assert said.stream == stream.name
        event = stream.decode(said.payload)
        found += event if isinstance(event, list) else [event]
    return found


def levels(rows: Any) -> list[tuple[Any, Any]]:
    return [(row["price"], row["qty"]) for row in rows]


def check(frame: bytes) -> None:
    """Compare the events of a frame with what plain json says."""
    said = loads(frame)
    (row, *more), events = said["data"], decoded(frame)
    when = row.get("timestamp")
    if said["channel"] == "trade":
        assert [
            (e.symbol, e.price, e.quantity, e.side, e.trade_id, e.exchange_time_ns) for e in events
        ] == [
            (
                r["symbol"],
                r["price"],
                r["qty"],
                r["side"],
                r["trade_id"],
                nanoseconds(r["timestamp"]),
            )
            for r in (row, *more)
        ]
        assert all(isinstance(each, Trade) for each in events)
    elif said["channel"] == "book":
        (event,) = events
        assert isinstance(event, BookSnapshot if said["type"] == "snapshot" else BookDelta)
        assert (event.symbol, event.checksum) == (row["symbol"], row["checksum"])
        assert list(map(tuple, event.bids)) == levels(row["bids"])
        assert list(map(tuple, event.asks)) == levels(row["asks"])
        assert event.exchange_time_ns == (when and nanoseconds(when))
    elif said["channel"] == "ticker":
        quote, ticker = events
        assert isinstance(quote, Quote)
        assert isinstance(ticker, Ticker)
        assert (quote.bid_price, quote.bid_quantity, quote.ask_price, quote.ask_quantity) == tuple(
            row[name] for name in ("bid", "bid_qty", "ask", "ask_qty")
        )
        assert (ticker.last, ticker.open, ticker.high, ticker.low, ticker.volume) == (
            row["last"], row["last"] - row["change"], row["high"], row["low"], row["volume"]
        )  # fmt: skip
        assert ticker.price_change_percent == row["change_pct"]
        assert quote.exchange_time_ns == ticker.exchange_time_ns == (when and nanoseconds(when))
    else:
        (candle,) = events
        assert isinstance(candle, Candle)
        begin = nanoseconds(row["interval_begin"])
        assert (candle.open_time_ns, candle.close_time_ns) == (
            begin, begin + int(row["interval"]) * 60 * 10**9 - 1
        )  # fmt: skip
        assert [
            getattr(candle, n) for n in ("open", "high", "low", "close", "volume", "trades")
        ] == [row[name] for name in ("open", "high", "low", "close", "volume", "trades")]
        assert candle.quote_volume == row["volume"] * row["vwap"]


@pytest.fixture(scope="session")
def v2_frames(data_folder: Path, received_frames: Callable[[str], Iterator[bytes]]) -> list[bytes]:
    """Every stored frame of a public channel of v2, but for the list of instruments."""
    folder = data_folder / "kraken" / "frames"
    frames = list(received_frames("kraken/v2_book_snapshot_gst_20240701.jsonl.gz"))
    names = ("book_snapshot", "book_update", "ticker_snapshot", "trade_update", "ohlc_update")
    frames += [(folder / f"nautilus/ws_{name}.json").read_bytes() for name in names]
    for path in sorted(folder.glob("jkorf/Subscriptions__Spot__*.txt")):
        frames += [each.encode() for each in RECEIVED.findall(path.read_text())]
    return frames


def test_stored_frames_are_what_plain_json_says(v2_frames: list[bytes]) -> None:
    assert len(v2_frames) == 8
    for frame in v2_frames:
        check(frame)
        compact = json.dumps(json.loads(frame), separators=(",", ":")).encode()
        floats = decoded(frame, kraken.Spot())
        assert len(floats) == len(decoded(frame))
        name, end = find_name(EXACT.envelope.shape[0], compact)
        said = EXACT.parse(compact)
        assert isinstance(said, Data)
        assert (name.decode(), end > 0) == (re.sub(r"-\d+:", ":", said.stream), True)


@pytest.mark.parametrize("exchange", [FLOATS, kraken.Spot(numbers=Decimal, book_levels=1000)])
def test_every_checksum_of_a_capture_is_right(
    exchange: Any, v2_capture: Callable[[str], Iterator[bytes]]
) -> None:
    books: dict[str, RenewedBook] = {}
    read: dict[str, Any] = {}
    verified = 0
    for frame in v2_capture("v1_book1000_20210417"):
        name = find_name(exchange.envelope.shape[0], frame)[0].decode()
        if name not in books:
            source = exchange.stream(OrderBook(name.partition(":")[2], 1000)).book
            read[name] = source.deltas.decode
            books[name] = RenewedBook(source.rules, source.extent)
        book, event = books[name], read[name](frame)
        whole = isinstance(event, BookSnapshot)
        outcome = book.restarted(event) if whole else book.delta(event)
        assert outcome is Outcome.UPDATED, (verified, event)
        verified += not whole
    assert verified == 2577
    assert sorted(books) == [
        f"book:{pair}" for pair in ("ETH/CHF", "GRT/ETH", "SC/EUR", "WAVES/EUR", "XMR/USD")
    ]


def test_the_frames_of_a_capture_are_what_plain_json_says(
    v2_capture: Callable[[str], Iterator[bytes]],
) -> None:
    frames = [*v2_capture("v1_trade_20210417"), *v2_capture("v1_book1000_20210417")]
    for frame in frames:
        check(frame)
    assert len(frames) == 2590


BOOK = (
    b'{"channel":"book","type":"snapshot","data":[{"symbol":"A/B","bids":[{"price":0.010,"qty":2.0}]'
    b',"asks":[{"price":1e1,"qty":5E-1}],"checksum":%d}]}'
)


def test_a_wrong_checksum_is_found_and_digits_count() -> None:
    source = FLOATS.stream(OrderBook("A/B")).book
    assert source is not None
    right = crc32(b"10051020".replace(b"05", b"5"))
    for checksum, synced in (
        (right, True),
        (right ^ 1, False),
        (crc32(b"105120"), False),
        (0, False),
    ):
        book = RenewedBook(source.rules, source.extent)
        event: Any = source.deltas.decode(BOOK % checksum)
        book.restarted(event)
        assert book.synced is synced


def test_a_level_that_is_pushed_out_comes_back_by_itself() -> None:
    source = kraken.Spot(book_levels=10).stream(OrderBook("A/B")).book
    assert source is not None
    book = RenewedBook(source.rules, source.extent)

    def frame(kind: str, bids: dict[int, int], truth: list[int]) -> Any:
        rows = ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in bids.items())
        checksum = crc32("".join(f"{price}1" for price in truth).encode())
        return source.deltas.decode(
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"A/B","bids":[{rows}],"asks":'
            f'[],"checksum":{checksum}}}]}}'.encode()
        )

    whole = list(range(20, 10, -1))
    book.restarted(frame("snapshot", dict.fromkeys(whole, 1), whole))
    assert book.delta(frame("update", {21: 1}, [21, *whole[:9]])) is Outcome.UPDATED
    assert [level.price for level in book.book.bids] == [21, *whole[:9]]
    # It is gone, and what had been pushed out is said again.
    assert book.delta(frame("update", {21: 0, 11: 1}, whole)) is Outcome.UPDATED
    # One price several times in a message: the last counts.
    said = frame("update", {20: 5}, whole)
    twice = said.frame.replace(b"5}]", b'5},{"price":20,"qty":1}]')
    again: Any = source.deltas.decode(twice)
    assert book.delta(again) is Outcome.UPDATED
    # A delta is missing here: the checksum says so.
    assert book.delta(frame("update", {19: 1}, [20, 19, *whole[3:], 10])) is Outcome.LOST


@pytest.mark.parametrize("exchange", [EXACT, FLOATS])
@pytest.mark.parametrize(
    "frame",
    [
        BOOK.replace(b"0.010", b'"0.010"') % 1,
        BOOK.replace(b"0.010", b'"NaN"') % 1,
        BOOK.replace(b"}]}", b"},{}]}") % 1,
        BOOK.replace(b"}]}", b',"timestamp":"yesterday"}]}') % 1,
        BOOK.replace(b"}]}", b',"timestamp":"2024-07-01T00:00:00"}]}') % 1,
        BOOK.replace(b"snapshot", b"other") % 1,
        BOOK.replace(b',"checksum":%d', b""),
        BOOK.replace(b"0.010", b"NaN") % 1,
    ],
)
def test_what_is_not_as_documented_does_not_decode(exchange: Any, frame: bytes) -> None:
    with pytest.raises(UNDECODABLE):
        exchange.stream(BookDeltas("A/B")).decode(frame)


def test_a_frame_of_several_symbols_does_not_decode() -> None:
    row = (
        '{"symbol":"%s","side":"buy","price":1,"qty":1,"trade_id":1,'
        '"timestamp":"2024-07-01T00:00:00Z"}'
    )
    frame = f'{{"channel":"trade","type":"update","data":[{row % "A/B"},{row % "C/B"}]}}'.encode()
    with pytest.raises(msgspec.ValidationError, match="'C/B'"):
        FLOATS.stream(Trades("A/B")).decode(frame)


def test_the_first_trade_of_an_interval_closes_the_candle_before() -> None:
    stream = FLOATS.stream(Candles("A/B", "1m"))
    assert stream.fold is not None

    def candle(minute: int, close: int) -> Any:
        row = (
            f'{{"symbol":"A/B","open":1,"high":9,"low":1,"close":{close},"trades":1,"volume":1,'
            f'"vwap":1,"interval_begin":"2024-07-01T00:0{minute}:00.000000000Z","interval":1}}'
        )
        (event,) = stream.decode(f'{{"channel":"ohlc","type":"update","data":[{row}]}}'.encode())  # type: ignore[misc]
        return event

    told: list[Any] = []
    for event in (candle(0, 1), candle(0, 2), candle(1, 3), candle(3, 4), candle(2, 5)):
        told += stream.fold(told[-1] if told else None, event)
    assert [(each.close, each.closed) for each in told] == [
        (1, False), (2, False), (2, True), (3, False), (3, True), (4, False), (5, False)
    ]  # fmt: skip
    assert told[0].interval == "1m"


def test_trades_are_numbered_without_holes() -> None:
    def trade(number: int) -> Any:
        return Trade(symbol="A/B", price=1.0, quantity=1.0, side="buy", trade_id=number)

    assert [dense_trade_ids(last, trade(7)) for last in (0, 6, 5, 7, 9)] == [7, 7, -7, 0, 0]


numbers = st.decimals(min_value=0, max_value=10**9, places=8).map("{:f}".format)
rows = st.lists(st.tuples(numbers, numbers), max_size=3)


@settings(max_examples=40, deadline=None)
@given(bids=rows, asks=rows, checksum=st.integers(0, 2**32 - 1), spaced=st.booleans())
def test_fast_and_slow_path_agree(
    bids: list[tuple[str, str]], asks: list[tuple[str, str]], checksum: int, spaced: bool
) -> None:
    sides = [",".join(f'{{"price":{p},"qty":{q}}}' for p, q in side) for side in (bids, asks)]
    text = (
        f'{{"channel":"book","type":"update","data":[{{"symbol":"A/B","bids":[{sides[0]}],'
        f'"asks":[{sides[1]}],"checksum":{checksum}}}]}}'
    )
    frame = (text.replace(",", ", ") if spaced else text).encode()
    for exchange in (EXACT, FLOATS):
        stream = exchange.stream(BookDeltas("A/B"))
        name, _ = find_name(exchange.envelope.shape[0], frame)
        said = exchange.parse(frame)
        assert said == Data(stream.name, frame)
        assert name.decode() == stream.name
        slow: Any = stream.decode(frame)
        assert stream.decode_unchecked is None or stream.decode_unchecked(frame) == slow
        number = exchange.numbers
        assert [tuple(each) for each in slow.bids] == [(number(p), number(q)) for p, q in bids]
        assert [tuple(each) for each in slow.asks] == [(number(p), number(q)) for p, q in asks]


def test_numbers_of_json_need_no_second_look() -> None:
    stream = kraken.Spot().stream(Trades("BTC/USD"))
    row = (
        b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell",'
        b'"price":%s,"qty":1,"trade_id":1,"timestamp":"2026-07-25T17:20:00.042000Z"}]}'
    )

    assert stream.decode_unchecked is None
    assert stream.decode(row % b"60000.5").price == 60000.5
    for refused in (b'"NaN"', b'"60000.5"', b"NaN", b"1e999"):
        with pytest.raises(msgspec.DecodeError):
            stream.decode(row % refused)
