"""Frames of Bitget decode to what plain ``json`` and ``Decimal`` say; books verify by checksum.

The capture is of v1 (2022), of which books are read: they are written as in v2. Its trades, candles
and tickers have other forms: lists for trades, six columns for candles, ``last`` for ``lastPrice``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import strategies

from connector.book import Outcome, RenewedBook
from connector.channels import (
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
from connector.exchanges import bitget
from connector.exchanges.bitget.decode import chained_book_ids, other_trade_ids
from connector.exchanges.envelope import find_name
from connector.exchanges.protocol import Data, Reply

SPOT: Any = bitget.Spot(numbers=Decimal)
FUTURES: Any = bitget.Futures(numbers=Decimal)
MS = 1_000_000
CAPTURE = "bitget/v1_spot_20220407.jsonl.gz"


def channel_of(name: str) -> Any:
    topic, _, rest = name.partition(":")
    symbol, _, interval = rest.partition(":")
    makers: dict[str, Any] = {
        "publicTrade": Trades, "books1": BestQuote, "books": BookDeltas,
        "books5": lambda symbol: PartialBook(symbol, 5),
        "v2.books": lambda symbol: BookDeltas(symbol, 150),
        "v2.books15": lambda symbol: PartialBook(symbol, 15),
    }  # fmt: skip
    if topic == "kline":
        return Candles(symbol, interval)
    return makers[topic](symbol) if topic in makers else None


def decoded(frame: bytes, exchange: Any = SPOT) -> tuple[str, list[Any]] | None:
    said = exchange.parse(frame)
    channel = channel_of(said.stream) if isinstance(said, Data) else None
    if channel is None:
        return None
    stream = exchange.stream(channel)
    assert stream.name == said.stream
    event = stream.decode(said.payload)
    return said.stream, event if isinstance(event, list) else [event]


def sides(rows: list[list[str]]) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(price), Decimal(quantity)) for price, quantity in rows]


def check_book(event: Any, row: Any, *, delta: bool) -> None:
    assert isinstance(event, BookDelta if delta else BookSnapshot)
    assert [tuple(level) for level in event.bids] == sides(row.get("b", row.get("bids")))
    assert [tuple(level) for level in event.asks] == sides(row.get("a", row.get("asks")))
    number = event.last_update_id if delta else event.update_id
    assert number == row.get("seq", 0)
    assert event.checksum == row.get("checksum")
    assert event.exchange_time_ns == int(row["ts"]) * MS
    if delta:
        assert event.previous_update_id == row.get("pseq")


def check(name: str, events: list[Any], said: Any) -> None:
    """Compare the events of a frame with plain json."""
    topic, data = name.partition(":")[0], said["data"]
    arg = said["arg"]
    for event in events:
        assert event.symbol == arg.get("symbol", arg.get("instId"))
    if topic == "publicTrade":
        rows = [] if said["action"] == "snapshot" else data
        assert [
            (e.trade_id, e.price, e.quantity, e.side, e.exchange_time_ns) for e in events
        ] == [
            (int(d["i"]), Decimal(d["p"]), Decimal(d["v"]), d["S"], int(d["T"]) * MS) for d in rows
        ]  # fmt: skip
    elif topic == "books1":
        ((quote,), (row,)) = events, data
        ((bid, bid_quantity),), ((ask, ask_quantity),) = sides(row["b"]), sides(row["a"])
        assert (quote.bid_price, quote.bid_quantity) == (bid, bid_quantity)
        assert (quote.ask_price, quote.ask_quantity) == (ask, ask_quantity)
        assert quote.update_id == row["seq"]
    else:
        delta = said["action"] == "update" and topic in ("books", "v2.books")
        for event, row in zip(events, data, strict=True):
            check_book(event, row, delta=delta)


def test_books_of_the_capture_are_right(
    received_frames: Callable[[str], Iterator[bytes]],
) -> None:
    books: dict[str, RenewedBook] = {}
    outcomes: Counter[Outcome] = Counter()
    acknowledged: set[str] = set()
    for frame in received_frames(CAPTURE):
        said = SPOT.parse(frame)
        if isinstance(said, Reply):
            acknowledged.update(said.streams or ())
        found = decoded(frame)
        if found is None:
            continue
        check(*found, json.loads(frame))
        for event in found[1]:
            source = SPOT.stream(OrderBook(event.symbol, interval_ms=150)).book
            book = books.setdefault(event.symbol, RenewedBook(source.rules, source.extent))
            if isinstance(event, BookSnapshot):
                outcomes[book.restarted(event)] += 1
            else:
                outcomes[book.delta(event)] += 1
    # Each of them has a checksum.
    assert outcomes == {Outcome.UPDATED: 443}
    assert len(books) == 8
    assert {f"v2.books:{symbol}" for symbol in books} <= acknowledged


@pytest.fixture(scope="session")
def stored_frames(data_folder: Path) -> list[bytes]:
    folder = data_folder / "bitget" / "frames"
    frames: list[bytes] = []
    for path in sorted(folder.glob("tardis_node/*.jsonl")):
        frames += path.read_bytes().splitlines()
    for name in ("Spot__OrderBook", "Unified__Trades"):
        text = (folder / "jkorf" / f"Subscriptions__{name}.txt").read_bytes()
        frames.append(text.partition(b"= ")[2])
    return frames


def test_stored_frames(stored_frames: list[bytes]) -> None:
    seen: Counter[str] = Counter()
    for frame in stored_frames:
        for exchange in (SPOT, FUTURES):
            found = decoded(frame, exchange)
            if found is not None:
                check(*found, json.loads(frame))
                seen[found[0].partition(":")[0]] += 1
    assert set(seen) == {"publicTrade", "books", "books1", "v2.books", "v2.books15"}


def test_the_envelope_finds_data_and_nothing_else(stored_frames: list[bytes]) -> None:
    found = 0
    for frame in stored_frames:
        name, _ = find_name(SPOT.envelope.shape[0], frame)
        said = SPOT.parse(frame)
        if name:
            assert isinstance(said, Data)
            assert said.stream == name.decode()
            found += 1
    assert found == 5
    accepted = b'{"event":"subscribe","arg":{"instType":"spot","topic":"books","symbol":"A"}}'
    assert find_name(SPOT.envelope.shape[0], accepted)[0] == b""


def frame_of(topic: str, rows: Any, action: str = "update", **arg: str) -> bytes:
    said = {
        "action": action, "arg": {"instType": "usdt-futures", "topic": topic, **arg},
        "data": rows, "ts": 1777358880013,
    }  # fmt: skip
    return json.dumps(said, separators=(",", ":")).encode()


def test_the_newest_trade_is_written_first_and_read_last() -> None:
    rows = [
        {"i": str(number), "p": "1", "v": "2", "S": "buy", "T": str(time), "isRPI": "no"}
        for number, time in ((9, 3), (8, 3), (5, 2))
    ]
    stream = FUTURES.stream(Trades("BTCUSDT"))
    frame = frame_of("publicTrade", rows, symbol="BTCUSDT")
    assert [each.trade_id for each in stream.decode(frame)] == [5, 8, 9]
    # The past that a subscription begins with is nobody's business.
    assert stream.decode(frame.replace(b'"update"', b'"snapshot"')) == []


TICKER = {
    "lastPrice": "27000.5", "bid1Price": "27000", "bid1Size": "2.71", "ask1Price": "27000.5",
    "ask1Size": "8.76", "openPrice24h": "25000", "highPrice24h": "30668.5",
    "lowPrice24h": "24999.0", "price24hPcnt": "0.08002", "volume24h": "368.900",
    "turnover24h": "10152429.961", "indexPrice": "25702.4", "markPrice": "27000.0",
    "fundingRate": "0.000010", "nextFundingTime": "1695722400000", "openInterest": "929.502",
}  # fmt: skip


def test_a_ticker_and_its_mark_price() -> None:
    frame = frame_of("ticker", [TICKER], "snapshot", symbol="BTCUSDT")
    (event,) = FUTURES.stream(Tickers("BTCUSDT")).decode(frame)
    assert [event.last, event.open, event.high, event.low, event.volume, event.quote_volume] == [
        Decimal(TICKER[each])
        for each in ("lastPrice", "openPrice24h", "highPrice24h", "lowPrice24h", "volume24h",
                     "turnover24h")
    ]  # fmt: skip
    assert (event.price_change, event.price_change_percent) == (
        Decimal("2000.5"), Decimal("8.002"),
    )  # fmt: skip
    (mark,) = FUTURES.stream(MarkPrices("BTCUSDT")).decode(frame)
    assert [mark.mark_price, mark.index_price, mark.funding_rate] == [
        Decimal(TICKER[each]) for each in ("markPrice", "indexPrice", "fundingRate")
    ]
    assert mark.next_funding_time_ns == 1_695_722_400_000 * MS
    assert mark.exchange_time_ns == event.exchange_time_ns == 1_777_358_880_013 * MS


@pytest.mark.parametrize("absent", ["", "0"])
def test_what_expires_has_no_funding(absent: str) -> None:
    row = TICKER | {"fundingRate": "", "nextFundingTime": absent, "indexPrice": ""}
    frame = frame_of("ticker", [row], symbol="BTCUSDT")
    (mark,) = FUTURES.stream(MarkPrices("BTCUSDT")).decode(frame)
    assert (mark.funding_rate, mark.next_funding_time_ns, mark.index_price) == (None, None, None)
    assert FUTURES.stream(MarkPrices("BTCUSDT")).decode(
        frame_of("ticker", [row | {"markPrice": ""}], symbol="BTCUSDT")
    ) == []  # fmt: skip


def test_of_the_candles_of_the_past_only_the_running_one_is_taken() -> None:
    rows = [
        {"start": str(start * 60_000), "open": "1", "high": "4", "low": "0.5", "close": "2",
         "volume": "10", "turnover": "25.5"}
        for start in (1, 2, 3)
    ]  # fmt: skip
    stream = FUTURES.stream(Candles("BTCUSDT"))
    whole = frame_of("kline", rows, "snapshot", symbol="BTCUSDT", interval="1m")
    assert FUTURES.parse(whole) == Data("kline:BTCUSDT:1m", whole)
    (candle,) = stream.decode(whole)
    assert candle.open_time_ns == 180_000 * MS
    assert candle.close_time_ns == 240_000 * MS - MS
    assert (candle.open, candle.high, candle.low, candle.close) == (1, 4, Decimal("0.5"), 2)
    assert (candle.volume, candle.quote_volume) == (10, Decimal("25.5"))
    assert (candle.interval, candle.closed) == ("1m", False)
    update = frame_of("kline", rows[1:], symbol="BTCUSDT", interval="1m")
    assert [each.open_time_ns // MS for each in stream.decode(update)] == [120_000, 180_000]


def test_a_candle_of_v2() -> None:
    row = ["1695672000000", "2200.1", "2201", "2199", "2200.5", "3", "6600", "6600"]
    said = {
        "action": "snapshot", "ts": 1695702747821, "data": [row],
        "arg": {"instType": "COIN-FUTURES", "channel": "candle1Dutc", "instId": "BTCUSD"},
    }  # fmt: skip
    stream = FUTURES.stream(Candles("BTCUSD_CM", "1d"))
    frame = json.dumps(said).encode()
    assert FUTURES.parse(frame) == Data(stream.name, frame)
    (candle,) = stream.decode(frame)
    assert (candle.symbol, candle.interval, stream.route) == ("BTCUSD_CM", "1Dutc", "v2")
    assert [candle.open, candle.high, candle.low, candle.close, candle.volume,
            candle.quote_volume] == [Decimal(each) for each in row[1:7]]  # fmt: skip
    assert candle.close_time_ns == (1695672000000 + 86_400_000 - 1) * MS


def test_liquidations_are_of_all_symbols() -> None:
    rows = [
        {"symbol": symbol, "side": "sell", "price": "100.5", "amount": "3", "ts": "1777358880000"}
        for symbol in ("BTCUSDT", "ETHUSDT")
    ]
    frame = frame_of("liquidation", rows)
    stream = FUTURES.stream(Liquidations())
    assert FUTURES.parse(frame) == Data(stream.name, frame)
    assert [
        (each.symbol, each.side, each.price, each.quantity, each.exchange_time_ns)
        for each in stream.decode(frame)
    ] == [(row["symbol"], "sell", Decimal("100.5"), 3, 1_777_358_880_000 * MS) for row in rows]


def test_a_side_that_is_empty_is_0() -> None:
    row = {"a": [], "b": [["5", "6"]], "seq": 2**60 + 1, "pseq": 0, "ts": "1777358880105"}
    frame = frame_of("books1", [row], "snapshot", symbol="BTCUSDT")
    for exchange, kind in ((bitget.Futures(), float), (FUTURES, Decimal)):
        quote: Any = exchange.stream(BestQuote("BTCUSDT")).decode(frame)
        assert (quote.bid_price, quote.ask_price, quote.ask_quantity) == (5, 0, 0)
        assert quote.update_id == 2**60 + 1
        assert {type(quote.bid_price), type(quote.ask_price)} == {kind}


@pytest.mark.parametrize(
    "wrong", [{"a": None}, {"a": [["NaN", "1"]]}, {"a": [["1"]]}, {"seq": "x"}, {"ts": "1" * 16}],
    ids=str,
)  # fmt: skip
def test_what_is_not_of_the_documented_form_does_not_decode(wrong: dict[str, Any]) -> None:
    row = {"a": [["1", "2"]], "b": [], "seq": 2, "pseq": 1, "ts": "1777358880105"}
    for exchange in (bitget.Spot(), SPOT):
        stream: Any = exchange.stream(BookDeltas("A"))
        stream.decode(frame_of("books", [row], symbol="A"))
        with pytest.raises(msgspec.MsgspecError):
            stream.decode(frame_of("books", [row | wrong], symbol="A"))


@pytest.mark.parametrize(
    ("last", "action", "previous", "number", "verdict"),
    [
        (0, "snapshot", 0, 10, 10),
        (10, "update", 10, 99, 99),
        (99, "update", 10, 99, 0),
        (99, "update", 98, 120, -120),
        (99, "update", 0, 5, -5),  # a restart
        (99, "snapshot", 0, 7, 7),
        (7, "update", None, 0, 7),  # before ids were sent
        (0, "update", 7, 2**60 + 7, 2**60 + 7),
    ],
)
def test_ids(last: int, action: str, previous: int | None, number: int, verdict: int) -> None:
    row = {"a": [], "b": [], "seq": number, "ts": "1"}
    row |= {} if previous is None else {"pseq": previous}
    event = SPOT.stream(BookDeltas("A")).decode(frame_of("books", [row], action, symbol="A"))
    assert chained_book_ids(last, event) == verdict


def test_a_trade_that_is_repeated_is_dropped() -> None:
    row = {"i": "9", "p": "1", "v": "2", "S": "buy", "T": "3"}
    frame = frame_of("publicTrade", [row], symbol="A")
    (trade,) = SPOT.stream(Trades("A")).decode(frame)
    assert [other_trade_ids(last, trade) for last in (0, 8, 9, 10)] == [9, 9, 0, 9]


NUMBERS = strategies.decimals(0, 10**9, places=6).map(str)
ROWS = strategies.lists(strategies.tuples(NUMBERS, NUMBERS))


@hypothesis.given(ROWS, ROWS, strategies.integers(1, 2**62), strategies.booleans())
@hypothesis.settings(max_examples=40)
def test_the_fast_path_is_the_slow_path(
    bids: list[Any], asks: list[Any], number: int, spaced: bool
) -> None:
    row = {"a": asks, "b": bids, "seq": number, "pseq": 1, "ts": "1789456512452"}
    frame = frame_of("books", [row], symbol="A")
    name, _ = find_name(SPOT.envelope.shape[0], frame)
    slow_frame = frame.replace(b'":', b'": ') if spaced else frame
    slow = SPOT.parse(slow_frame)
    assert name.decode() == slow.stream == "books:A"
    stream = SPOT.stream(BookDeltas("A"))
    event = stream.decode(frame)
    assert event == stream.decode(slow.payload)
    check_book(event, json.loads(json.dumps(row)), delta=True)
