"""A capture of OKX decodes to what plain ``json`` and ``Decimal`` say; books verify by checksum."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.book import Outcome, RenewedBook
from connector.channels import (
    AggregateTrades,
    BestQuote,
    BookDeltas,
    Candles,
    Liquidations,
    MarkPrices,
    OrderBook,
    PartialBook,
    Tickers,
    Trades,
)
from connector.events import BookDelta, BookSnapshot
from connector.exchanges import okx
from connector.exchanges.envelope import find_name
from connector.exchanges.okx.decode import chained_book_ids
from connector.exchanges.protocol import Data, Stream

EXACT = okx.Okx(numbers=Decimal)
MS = 1_000_000
CAPTURE = "okx/v5_public_20220513.jsonl.gz"


def stream_of(name: str, exchange: Any = EXACT) -> Stream[Any] | None:
    kind, _, symbol = name.partition(":")
    makers: dict[str, Any] = {
        "trades": AggregateTrades, "trades-all": Trades, "bbo-tbt": BestQuote,
        "books5": PartialBook, "books": BookDeltas, "tickers": Tickers, "mark-price": MarkPrices,
    }  # fmt: skip
    if kind.startswith("candle"):
        bars = [bar for bar in ("1m", "1H", "1Dutc") if kind == f"candle{bar}"]
        return exchange.stream(Candles(symbol, bars[0])) if bars else None
    if kind == "liquidation-orders":
        return exchange.stream(Liquidations()) if symbol == "SWAP" else None
    return exchange.stream(makers[kind](symbol)) if kind in makers else None


def sides(rows: list[list[str]]) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(row[0]), Decimal(row[1])) for row in rows]


def check(name: str, events: list[Any], said: Any) -> None:
    """Compare the events of a frame with plain json."""
    kind = name.partition(":")[0]
    data = said["data"]
    if kind in ("trades", "trades-all"):
        assert [
            (e.symbol, e.trade_id, e.price, e.quantity, e.side, e.exchange_time_ns) for e in events
        ] == [
            (d["instId"], int(d["tradeId"]), Decimal(d["px"]), Decimal(d["sz"]), d["side"],
             int(d["ts"]) * MS)
            for d in data
        ]  # fmt: skip
    elif kind in ("books", "books5"):
        for event, row in zip(events, data, strict=True):
            is_delta = said.get("action") == "update"
            assert isinstance(event, BookDelta if is_delta else BookSnapshot)
            assert [tuple(level) for level in event.bids] == sides(row["bids"])
            assert [tuple(level) for level in event.asks] == sides(row["asks"])
            assert event.symbol == said["arg"]["instId"]
            number = event.last_update_id if is_delta else event.update_id
            assert number == row.get("seqId", 0)
            assert event.checksum == row.get("checksum")
    elif kind == "bbo-tbt":
        (quote,), (row,) = events, data
        ((bid, bid_quantity),), ((ask, ask_quantity),) = sides(row["bids"]), sides(row["asks"])
        assert (quote.bid_price, quote.bid_quantity) == (bid, bid_quantity)
        assert (quote.ask_price, quote.ask_quantity) == (ask, ask_quantity)
    elif kind == "tickers":
        for event, row in zip(events, data, strict=True):
            names = ("last", "open24h", "high24h", "low24h", "vol24h", "volCcy24h")
            assert [
                event.last, event.open, event.high, event.low, event.volume, event.quote_volume
            ] == [Decimal(row[each]) for each in names]  # fmt: skip
    elif kind == "mark-price":
        for event, row in zip(events, data, strict=True):
            assert (event.symbol, event.mark_price) == (row["instId"], Decimal(row["markPx"]))
    elif kind.startswith("candle"):
        for event, row in zip(events, data, strict=True):
            assert event.open_time_ns == int(row[0]) * MS
            assert [event.open, event.high, event.low, event.close, event.volume] == [
                Decimal(each) for each in row[1:6]
            ]
            assert (event.quote_volume, event.closed) == (Decimal(row[7]), row[8] == "1")
    else:
        rows = [(d["instId"], each) for d in data for each in d["details"]]
        assert [(e.symbol, e.side, e.price, e.quantity) for e in events] == [
            (symbol, each["side"], Decimal(each["bkPx"]), Decimal(each["sz"]))
            for symbol, each in rows
        ]


def decoded(frame: bytes) -> tuple[str, list[Any]] | None:
    said = EXACT.parse(frame)
    if not isinstance(said, Data):
        return None
    stream = stream_of(said.stream)
    if stream is None:
        return None
    assert stream.name == said.stream
    event = stream.decode(said.payload)
    return said.stream, event if isinstance(event, list) else [event]


def test_every_frame_of_the_capture(
    received_frames: Callable[[str], Iterator[bytes]],
) -> None:
    seen: Counter[str] = Counter()
    for frame in received_frames(CAPTURE):
        found = decoded(frame)
        if found is None:
            continue
        name, events = found
        check(name, events, json.loads(frame))
        seen[name.partition(":")[0]] += 1
        fast, _ = find_name(EXACT.envelope.shape[0], frame)
        assert fast.decode() == name
    assert seen == {"tickers": 26, "trades": 70, "books": 191}


@pytest.mark.parametrize("numbers", [float, Decimal])
def test_books_of_the_capture_are_right(
    numbers: Any, received_frames: Callable[[str], Iterator[bytes]]
) -> None:
    exchange: Any = okx.Okx(numbers=numbers)
    books: dict[str, RenewedBook] = {}
    outcomes: Counter[Outcome] = Counter()
    for frame in received_frames(CAPTURE):
        found = decoded(frame)
        if found is None or not found[0].startswith("books:"):
            continue
        symbol = found[0].partition(":")[2]
        source = exchange.stream(OrderBook(symbol)).book
        assert source is not None
        assert source.rules.checksum is not None
        book = books.setdefault(symbol, RenewedBook(source.rules, source.extent))
        said = source.deltas.decode(frame)
        for event in said if isinstance(said, list) else [said]:
            if isinstance(event, BookSnapshot):
                outcomes[book.restarted(event)] += 1
            else:
                # Ids came later than this capture: only the checksum says that it is right.
                event.previous_update_id = book.book.update_id
                event.last_update_id = book.book.update_id + 1
                outcomes[book.delta(event)] += 1
    assert outcomes == {Outcome.UPDATED: 191}


@pytest.fixture(scope="session")
def stored_frames(data_folder: Path) -> list[bytes]:
    folder = data_folder / "okx" / "frames"
    frames: list[bytes] = []
    for path in sorted(folder.glob("tardis_node/*.jsonl")):
        frames += path.read_bytes().splitlines()
    frames += [path.read_bytes() for path in sorted(folder.glob("nautilus/ws_*.json"))]
    return [frame for frame in frames if b'"arg"' in frame and b'"data"' in frame]


def test_stored_frames(stored_frames: list[bytes]) -> None:
    seen: Counter[str] = Counter()
    for frame in stored_frames:
        found = decoded(frame)
        if found is not None:
            check(*found, json.loads(frame))
            seen[found[0].partition(":")[0]] += 1
    assert set(seen) >= {"trades", "books", "tickers", "bbo-tbt"}


def book_frame(kind: str, previous: int, number: int) -> bytes:
    row = {
        "asks": [["8476.98", "415", "0", "13"]], "bids": [["8476.97", "256", "0", "12"]],
        "ts": "1597026383085", "checksum": 0, "prevSeqId": previous, "seqId": number,
    }  # fmt: skip
    said = {"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": kind, "data": [row]}
    return json.dumps(said, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("last", "kind", "previous", "number", "verdict"),
    [
        (0, "snapshot", -1, 10, 10),
        (10, "update", 10, 15, 15),
        (15, "update", 15, 15, 15),  # a heartbeat
        (15, "update", 15, 3, 3),  # a reset
        (3, "update", 3, 5, 5),
        (3, "update", 4, 5, -5),
        (5, "update", 3, 5, 0),
        (9, "snapshot", -1, 2, 2),
    ],
)
def test_ids(last: int, kind: str, previous: int, number: int, verdict: int) -> None:
    stream: Any = okx.Okx().stream(BookDeltas("BTC-USDT"))
    event = stream.decode(book_frame(kind, previous, number))
    assert chained_book_ids(last, event) == verdict
    assert (event.symbol, event.bids[0].price) == ("BTC-USDT", 8476.97)
