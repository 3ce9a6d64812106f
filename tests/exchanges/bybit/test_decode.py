"""Stored frames of Bybit decode to what plain ``json`` and ``Decimal`` say."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.book import RenewedBook
from connector.channels import (
    BestQuote,
    BookDeltas,
    Candles,
    Liquidations,
    MarkPrices,
    OrderBook,
    Tickers,
    Trades,
)
from connector.events import BookDelta, BookSnapshot, Candle, Liquidation, MarkPrice, Quote, Ticker
from connector.exchanges import bybit
from connector.exchanges.bybit.decode import dense_book_ids, rising_quote_ids
from connector.exchanges.bybit.wire import Level
from connector.exchanges.envelope import find_name
from connector.exchanges.protocol import UNDECODABLE, Data, Stream

EXACT = bybit.Linear(numbers=Decimal)
MS = 1_000_000


def loads(frame: bytes) -> Any:
    return json.loads(frame, parse_float=Decimal)


TOPICS = re.compile(
    rb'"topic":\s*"(publicTrade|orderbook\.(1|50)|tickers|kline\.\w+|allLiquidation)\.[A-Z0-9]+"'
)
RECEIVED = re.compile(rb"^= ?\n(\{.*?^\})", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def v5_frames(data_folder: Path) -> list[bytes]:
    """Every stored frame of a public topic of v5."""
    folder = data_folder / "bybit" / "frames"
    frames: list[bytes] = []
    for path in sorted(folder.glob("tardis_node/*.jsonl")):
        frames += path.read_bytes().splitlines()
    frames += [path.read_bytes() for path in sorted(folder.glob("nautilus/ws_*.json"))]
    for path in sorted(folder.glob("jkorf/*.txt")):
        frames += RECEIVED.findall(path.read_bytes())
    return [frame for frame in frames if TOPICS.search(frame)]


def stream_of(topic: str, exchange: Any = EXACT) -> Stream[Any]:
    kind, *middle, symbol = topic.split(".")
    channel: Any = {
        "publicTrade": lambda: Trades(symbol),
        "tickers": lambda: Tickers(symbol),
        "allLiquidation": lambda: Liquidations(symbol),
        "kline": lambda: Candles(symbol, middle[0]),
        "orderbook": lambda: (
            BestQuote(symbol) if middle == ["1"] else BookDeltas(symbol, {"50": 20}[middle[0]])
        ),
    }[kind]()
    stream: Stream[Any] = exchange.stream(channel)
    assert stream.name == topic
    return stream


def decoded(frame: bytes, exchange: Any = EXACT) -> list[Any]:
    """The events of a frame: the slow path."""
    said = exchange.parse(frame)
    assert isinstance(said, Data)
    stream = stream_of(said.stream, exchange)
    event = stream.decode(said.payload)
    events = event if isinstance(event, list) else [event]
    if stream.fold is not None:
        events = [folded for each in events for folded in stream.fold(None, each)]
    return events


def levels(rows: list[list[str]]) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(price), Decimal(quantity)) for price, quantity in rows]


def check(frame: bytes) -> str:
    """Compare one frame with plain json; its kind of topic."""
    said = loads(frame)
    kind = said["topic"].partition(".")[0]
    events, data = decoded(frame), said["data"]
    if kind == "publicTrade":
        assert [
            (e.symbol, e.exchange_time_ns, e.price, e.quantity, e.side, e.wire_trade_id, e.off_book)
            for e in events
        ] == [
            (d["s"], d["T"] * MS, Decimal(d["p"]), Decimal(d["v"]), d["S"].lower(), d["i"], d["BT"])
            for d in data
        ]
    elif kind == "orderbook" and not said["topic"].startswith("orderbook.1."):
        (event,) = events
        assert isinstance(event, BookSnapshot if said["type"] == "snapshot" else BookDelta)
        number = event.update_id if isinstance(event, BookSnapshot) else event.last_update_id
        assert (event.symbol, number) == (data["s"], data["u"])
        assert [list(event.bids), list(event.asks)] == [
            [Level[Decimal](Decimal(p), Decimal(q)) for p, q in data[side]] for side in "ba"
        ]
        assert event.exchange_time_ns == said.get("cts", said["ts"]) * MS
    elif kind == "orderbook" and said["type"] == "snapshot":
        (quote,) = events
        assert isinstance(quote, Quote)
        ((bid, bid_quantity), *_), ((ask, ask_quantity), *_) = levels(data["b"]), levels(data["a"])
        assert (quote.bid_price, quote.bid_quantity) == (bid, bid_quantity)
        assert (quote.ask_price, quote.ask_quantity) == (ask, ask_quantity)
        assert quote.update_id == data["u"]
    elif kind == "tickers" and said["type"] == "snapshot":
        (ticker,) = events
        assert isinstance(ticker, Ticker)
        assert [ticker.last, ticker.open, ticker.high, ticker.low, ticker.volume] == [
            Decimal(data[name])
            for name in (
                "lastPrice", "prevPrice24h", "highPrice24h", "lowPrice24h", "volume24h"
            )
        ]  # fmt: skip
        assert ticker.quote_volume == Decimal(data["turnover24h"])
        assert ticker.price_change == Decimal(data["lastPrice"]) - Decimal(data["prevPrice24h"])
        assert ticker.price_change_percent == 100 * Decimal(data["price24hPcnt"])
        marks: Any = EXACT.stream(MarkPrices(data["symbol"]))
        (mark,) = marks.fold(None, marks.decode(frame))
        assert isinstance(mark, MarkPrice)
        assert mark.mark_price == Decimal(data["markPrice"])
        assert mark.index_price == Decimal(data["indexPrice"])
        rate = data["fundingRate"]
        assert mark.funding_rate == (Decimal(rate) if rate else None)
    elif kind == "kline":
        assert [
            (e.interval, e.open_time_ns, e.close_time_ns, e.open, e.high, e.low, e.close, e.volume,
             e.quote_volume, e.closed)
            for e in events if isinstance(e, Candle)
        ] == [
            (d["interval"], d["start"] * MS, d["end"] * MS, *(
                Decimal(d[name]) for name in ("open", "high", "low", "close", "volume", "turnover")
            ), d["confirm"])
            for d in data
        ]  # fmt: skip
    elif kind == "allLiquidation":
        for event, row in zip(events, data, strict=True):
            assert isinstance(event, Liquidation)
            assert (event.symbol, event.price) == (row["s"], Decimal(row["p"]))
            assert event.side != row["S"].lower()
            assert event.quantity == event.filled_quantity == Decimal(row["v"])
    else:
        assert said["type"] == "delta"
        assert events == []  # there is nothing yet that it changes
        return f"{kind}, a change"
    return kind


def test_every_stored_frame(v5_frames: list[bytes]) -> None:
    seen = {check(frame) for frame in v5_frames}

    assert len(v5_frames) >= 15
    assert seen >= {
        "publicTrade", "orderbook", "tickers", "kline", "allLiquidation", "tickers, a change"
    }  # fmt: skip


def test_the_fast_path_finds_the_same(v5_frames: list[bytes]) -> None:
    fast = 0
    for frame in v5_frames:
        name, _ = find_name(EXACT.envelope.shape[0], frame)
        said = EXACT.parse(frame)
        assert isinstance(said, Data)
        if name:
            fast += 1
            assert (name.decode(), frame) == (said.stream, said.payload)
    assert fast > len(v5_frames) / 2  # pretty-printed frames take the long way


SNAPSHOT = (
    b'{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":5,"data":{"s":"BTCUSDT",'
    b'"b":[["100","1"],["99","2"]],"a":[["101","3"]],"u":7,"seq":1},"cts":4}'
)


def change(number: int, bids: str = "[]", asks: str = "[]") -> bytes:
    return (
        '{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":6,"data":{"s":"BTCUSDT",'
        f'"b":{bids},"a":{asks},"u":{number},"seq":2}}}}'
    ).encode()


def test_a_book_is_rebuilt() -> None:
    deltas: Any = EXACT.stream(BookDeltas("BTCUSDT", 20))
    source = EXACT.stream(OrderBook("BTCUSDT", interval_ms=20)).book
    assert source is not None
    book = RenewedBook(source.rules, source.extent)

    book.restarted(deltas.decode(SNAPSHOT))
    book.delta(deltas.decode(change(8, '[["100","0"],["98","4"]]', '[["101","5"]]')))
    assert [[float(level.price), float(level.quantity)] for level in book.book.bids] == [
        [99, 2], [98, 4]
    ]  # fmt: skip
    assert book.book.asks[0].quantity == 5
    book.delta(deltas.decode(change(10)))
    assert not book.synced
    assert book.wants_resubscription


def test_ids_of_a_book() -> None:
    deltas: Any = EXACT.stream(BookDeltas("BTCUSDT", 20))
    snapshot = deltas.decode(SNAPSHOT)
    assert dense_book_ids(0, snapshot) == 7
    assert dense_book_ids(9, snapshot) == 7
    assert dense_book_ids(0, deltas.decode(change(8))) == 8
    assert dense_book_ids(7, deltas.decode(change(8))) == 8
    assert dense_book_ids(7, deltas.decode(change(9))) == -9
    assert dense_book_ids(7, deltas.decode(change(7))) == 0


def quote_frame(kind: str, number: int, bids: list[Any], asks: list[Any]) -> bytes:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": number, "seq": 1}
    return json.dumps(
        {"topic": "orderbook.1.BTCUSDT", "type": kind, "ts": 1, "data": data}
    ).encode()


def test_a_quote_of_which_one_side_changes() -> None:
    stream: Any = EXACT.stream(BestQuote("BTCUSDT"))
    latest = None
    seen = []
    for kind, number, bids, asks in (
        ("snapshot", 5, [["10", "1"]], [["11", "2"]]),
        ("delta", 6, [["10", "0"], ["9", "3"]], []),
        ("delta", 7, [], [["11", "4"]]),
        ("delta", 8, [["9", "0"]], []),
        ("snapshot", 1, [], [["12", "1"]]),
    ):
        (latest,) = stream.fold(latest, stream.decode(quote_frame(kind, number, bids, asks)))
        seen.append([latest.bid_price, latest.bid_quantity, latest.ask_price, latest.ask_quantity])
    assert seen == [
        [10, 1, 11, 2], [9, 3, 11, 2], [9, 3, 11, 4], [0, 0, 11, 4], [0, 0, 12, 1]
    ]  # fmt: skip
    assert [rising_quote_ids(last, latest) for last in (0, 1, 9)] == [1, 1, 1]


def ticker_frame(kind: str, ts: int = 3, **data: str) -> bytes:
    said = {"topic": "tickers.BTCUSDT", "type": kind, "data": {"symbol": "BTCUSDT", **data}}
    return json.dumps({**said, "ts": ts}).encode()


WHOLE = {
    "lastPrice": "10", "prevPrice24h": "8", "highPrice24h": "11", "lowPrice24h": "7",
    "volume24h": "100", "turnover24h": "1000", "price24hPcnt": "0.25", "markPrice": "10.1",
    "indexPrice": "10.2", "fundingRate": "0.0001", "nextFundingTime": "1673280000000",
}  # fmt: skip


def test_a_ticker_is_whole_though_only_changes_come() -> None:
    stream: Any = EXACT.stream(Tickers("BTCUSDT"))
    (first,) = stream.fold(None, stream.decode(ticker_frame("snapshot", **WHOLE)))
    (second,) = stream.fold(first, stream.decode(ticker_frame("delta", ts=4, lastPrice="12")))

    assert (second.last, second.open, second.volume) == (12, 8, 100)
    assert second.price_change == 4
    assert second.price_change_percent == 25
    assert (first.exchange_time_ns, second.exchange_time_ns) == (3 * MS, 4 * MS)


def test_a_mark_price_comes_when_it_or_its_funding_changes() -> None:
    stream: Any = EXACT.stream(MarkPrices("BTCUSDT"))
    (first,) = stream.fold(None, stream.decode(ticker_frame("snapshot", **WHOLE)))
    assert first.next_funding_time_ns == 1673280000000 * MS
    assert stream.fold(first, stream.decode(ticker_frame("delta", lastPrice="12"))) == []
    (second,) = stream.fold(first, stream.decode(ticker_frame("delta", markPrice="10.3")))
    assert (second.mark_price, second.index_price) == (Decimal("10.3"), Decimal("10.2"))
    assert second.funding_rate == Decimal("0.0001")
    (third,) = stream.fold(
        second, stream.decode(ticker_frame("delta", fundingRate="", nextFundingTime="0"))
    )
    assert (third.funding_rate, third.next_funding_time_ns) == (None, None)


@pytest.mark.parametrize("text", ["x", "nan", "inf", "1e999"])
def test_what_is_no_number_does_not_decode(text: str) -> None:
    stream: Any = EXACT.stream(Tickers("BTCUSDT"))
    with pytest.raises(msgspec.ValidationError):
        stream.decode(ticker_frame("snapshot", **{**WHOLE, "indexPrice": text}))
    with pytest.raises(msgspec.ValidationError):
        stream.decode(ticker_frame("snapshot", **{**WHOLE, "lastPrice": ""}))


def test_a_trade_whose_id_is_digits_or_a_uuid() -> None:
    stream: Any = bybit.Spot().stream(Trades("BTCUSDT"))
    frame = (
        b'{"topic":"publicTrade.BTCUSDT","data":[{"T":1,"s":"BTCUSDT","S":"Sell","v":"0.1",'
        b'"p":"2","i":"%b","BT":true}]}'
    )
    (digits,) = stream.decode(frame % b"2290000000068683542")
    (uuid,) = stream.decode(frame % b"20f43950-d8dd-5b31-9112-a178eb6023af")
    assert digits.trade_id == 2290000000068683542
    assert uuid.trade_id == 0x20F43950D8DD5B31 >> 1
    assert digits.off_book
    assert (digits.price, digits.side) == (2.0, "sell")


@given(st.binary(max_size=60), st.sampled_from([SNAPSHOT, change(9), ticker_frame("delta")]))
def test_whatever_comes_decodes_or_says_that_it_does_not(noise: bytes, frame: bytes) -> None:
    for broken in (noise, frame[: len(noise)] + noise, frame[:-1] + noise):
        try:
            said = EXACT.parse(broken)
            if isinstance(said, Data):
                decoded(broken)
        except UNDECODABLE:
            pass
        except (KeyError, AssertionError, ValueError):
            assert isinstance(said, Data)  # a topic that these tests do not know
