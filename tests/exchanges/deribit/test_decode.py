"""Frames of Deribit decode to what plain ``json`` and ``Decimal`` say; books chain by their ids."""

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
from connector.events import BookDelta, BookSnapshot, Level, kind_of
from connector.exchanges import deribit
from connector.exchanges.candles import closed_by_the_next
from connector.exchanges.deribit.decode import chained_book_ids, dense_trade_ids
from connector.exchanges.envelope import find_name
from connector.exchanges.protocol import Data

EXACT: Any = deribit.Deribit(numbers=Decimal)
MS = 1_000_000
CAPTURE = "deribit/v2_raw_20210722.jsonl.gz"


def number(value: Any) -> Decimal:
    return Decimal(0) if value is None else Decimal(value)


def exactly(text: bytes) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=int)


def channel_of(name: str) -> Any:
    kind, symbol, *rest = name.removeprefix("chart.").split(".")
    if kind == "book" and len(rest) == 3:
        return PartialBook(symbol, int(rest[1]))
    if name.startswith("chart."):
        return Candles(symbol, rest[0])
    makers: dict[str, Any] = {
        "book": BookDeltas, "quote": BestQuote, "ticker": Tickers, "trades": Trades,
    }  # fmt: skip
    return makers[kind](symbol) if kind in makers else None


def decoded(frame: bytes) -> tuple[str, list[Any]] | None:
    said = EXACT.parse(frame)
    channel = channel_of(said.stream) if isinstance(said, Data) else None
    if channel is None:
        return None
    event = EXACT.stream(channel).decode(said.payload)
    return said.stream, event if isinstance(event, list) else [event]


def check_book(event: Any, data: Any) -> None:
    delta = data.get("type") == "change"
    assert isinstance(event, BookDelta if delta else BookSnapshot)
    for levels, rows in ((event.bids, data["bids"]), (event.asks, data["asks"])):
        assert [tuple(level) for level in levels] == [
            (number(row[-2]), Decimal(0) if row[0] == "delete" else number(row[-1])) for row in rows
        ]
    if delta:
        ids = (event.first_update_id, event.last_update_id, event.previous_update_id)
        assert ids == (data["change_id"], data["change_id"], data["prev_change_id"])
    else:
        assert event.update_id == data["change_id"]


def check_ticker(event: Any, data: Any) -> None:
    stats = data["stats"]
    assert event.last == number(data["last_price"])
    names = ("high", "low", "volume")
    assert [event.high, event.low, event.volume] == [number(stats[each]) for each in names]
    assert event.quote_volume == number(stats.get("volume_usd"))
    assert event.price_change_percent == number(stats.get("price_change"))
    # Only the percentage is told.
    assert event.open * (100 + event.price_change_percent) == pytest.approx(event.last * 100)
    assert event.price_change == event.last - event.open
    (mark,) = EXACT.stream(MarkPrices(event.symbol)).decode(msgspec.json.encode(data))
    assert (mark.symbol, mark.mark_price) == (event.symbol, number(data["mark_price"]))
    funding = data.get("current_funding")
    assert mark.index_price == number(data["index_price"])
    assert mark.funding_rate == (None if funding is None else number(funding))
    assert mark.exchange_time_ns == data["timestamp"] * MS


def check(name: str, events: list[Any], said: Any) -> None:
    """Compare the events of a frame with plain json."""
    kind, data = name.partition(".")[0], said["params"]["data"]
    if kind == "trades":
        assert [
            (e.symbol, e.trade_id, e.exchange_trade_id, e.price, e.quantity, e.side,
             e.exchange_time_ns, e.off_book)
            for e in events
        ] == [
            (d["instrument_name"], d["trade_seq"], d["trade_id"], number(d["price"]),
             number(d["amount"]), d["direction"], d["timestamp"] * MS,
             "combo_trade_id" in d or "block_trade_id" in d)
            for d in data
        ]  # fmt: skip
        return
    (event,) = events
    if kind == "chart":
        assert (event.open_time_ns, event.symbol) == (data["tick"] * MS, name.split(".")[2])
        assert [event.open, event.high, event.low, event.close, event.volume] == [
            number(data[each]) for each in ("open", "high", "low", "close", "volume")
        ]
        assert (event.quote_volume, event.closed) == (number(data["cost"]), False)
        assert event.close_time_ns == event.open_time_ns + 60_000 * MS - MS
        return
    assert (event.symbol, event.exchange_time_ns) == (
        data["instrument_name"], data["timestamp"] * MS,
    )  # fmt: skip
    if kind == "book":
        check_book(event, data)
    elif kind == "quote":
        assert [
            event.bid_price, event.bid_quantity, event.ask_price, event.ask_quantity
        ] == [
            number(data[f"best_{each}"])
            for each in ("bid_price", "bid_amount", "ask_price", "ask_amount")
        ]  # fmt: skip
    else:
        check_ticker(event, data)


def test_every_frame_of_the_capture(received_frames: Callable[[str], Iterator[bytes]]) -> None:
    seen: Counter[str] = Counter()
    for frame in received_frames(CAPTURE):
        found = decoded(frame)
        if found is None:
            continue
        check(*found, exactly(frame))
        seen[found[0].partition(".")[0]] += 1
        name, begin = find_name(EXACT.envelope.shape[0], frame)
        said = EXACT.parse(frame)
        assert (name.decode(), frame[begin:-2]) == (said.stream, said.payload)
    assert seen == {"ticker": 51, "book": 35}


def test_books_of_the_capture_are_right(
    received_frames: Callable[[str], Iterator[bytes]],
) -> None:
    books: dict[str, RenewedBook] = {}
    told: dict[tuple[str, int], tuple[Any, ...]] = {}
    outcomes: Counter[Outcome] = Counter()
    compared = 0
    for frame in received_frames(CAPTURE):
        kind, events = decoded(frame) or ("", [])
        for event in events if kind.startswith("book.") else []:
            source = EXACT.stream(OrderBook(event.symbol)).book
            book = books.setdefault(event.symbol, RenewedBook(source.rules, source.extent))
            if isinstance(event, BookSnapshot):
                outcomes[book.restarted(event)] += 1
            else:
                outcomes[book.delta(event)] += 1
            # A ticker of the same moment comes before.
            top = told.get((event.symbol, event.exchange_time_ns))
            if top is not None:
                assert best(book.book) == top
                compared += 1
        if kind.startswith("ticker."):
            data = exactly(frame)["params"]["data"]
            names = ("bid_price", "bid_amount", "ask_price", "ask_amount")
            told[data["instrument_name"], data["timestamp"] * MS] = tuple(
                number(data[f"best_{each}"]) for each in names
            )
    assert outcomes == {Outcome.UPDATED: 35}
    assert compared > 5


def best(book: Any) -> tuple[Any, ...]:
    return tuple(
        value for side in (book.bids, book.asks) for value in (side[0] if len(side) else (0, 0))
    )


@pytest.fixture(scope="session")
def stored_frames(data_folder: Path) -> list[bytes]:
    folder = data_folder / "deribit" / "frames"
    frames = (folder / "tardis_node" / "deribit__messages.jsonl").read_bytes().splitlines()
    frames += [path.read_bytes() for path in sorted(folder.glob("nautilus/ws_*.json"))]
    return frames


def test_stored_frames(stored_frames: list[bytes]) -> None:
    """All but those of 2019, when a book did not say whether it was whole."""
    seen: Counter[str] = Counter()
    for frame in stored_frames:
        if b'"book.ETH-PERPETUAL.raw"' in frame and b'"type"' not in frame:
            with pytest.raises(msgspec.ValidationError):
                decoded(frame)
            seen["2019"] += 1
            continue
        found = decoded(frame)
        if found is not None:
            check(*found, exactly(frame))
            seen[found[0].partition(".")[0]] += 1
    assert set(seen) == {"2019", "trades", "book", "ticker", "quote", "chart"}
    assert seen["2019"] == 2


def test_a_partial_book_of_five_levels_is_the_best_of_ten() -> None:
    rows = [[100 - each, 1] for each in range(10)]
    data = {"timestamp": 1, "instrument_name": "A", "change_id": 7, "bids": rows, "asks": rows[:3]}
    stream = deribit.Deribit().stream(PartialBook("A"))
    book: Any = stream.decode(json.dumps(data).encode())
    assert stream.name == "book.A.none.10.100ms"
    assert [tuple(level) for level in book.bids] == [tuple(row) for row in rows[:5]]
    assert len(book.asks) == 3


def test_a_side_that_is_empty_is_0_however_it_is_told() -> None:
    data: dict[str, Any] = {
        "timestamp": 5, "instrument_name": "A", "best_bid_price": None, "best_bid_amount": 0.0,
        "best_ask_price": 2.5, "best_ask_amount": 3,
    }  # fmt: skip
    for exchange, kind in ((deribit.Deribit(), float), (EXACT, Decimal)):
        quote: Any = exchange.stream(BestQuote("A")).decode(json.dumps(data).encode())
        assert (quote.bid_price, quote.bid_quantity, quote.ask_price) == (0, 0, 2.5)
        assert {type(quote.bid_price), type(quote.ask_price)} == {kind}
        assert (quote.symbol, quote.exchange_time_ns) == ("A", 5 * MS)


@pytest.mark.parametrize(
    ("flag", "side"), [("T", "sell"), ("M", "buy"), ("MT", "sell"), (None, None)]
)
def test_liquidations_are_trades(flag: str | None, side: str | None) -> None:
    trade = {
        "trade_seq": 40782080, "trade_id": "66460626", "timestamp": 1584058067675, "price": 4458.5,
        "instrument_name": "BTC-PERPETUAL", "direction": "sell", "amount": 2500,
    } | ({"liquidation": flag} if flag else {})  # fmt: skip
    stream = EXACT.stream(Liquidations("btc-perpetual"))
    found = stream.decode(json.dumps([trade]).encode())
    assert stream.name == "trades.BTC-PERPETUAL.100ms"
    assert [(e.side, e.price, e.filled_quantity, e.symbol) for e in found] == (
        [(side, Decimal("4458.5"), 2500, "BTC-PERPETUAL")] if side else []
    )


def test_a_level_that_is_deleted_is_gone_whatever_amount_is_told() -> None:
    data = {
        "type": "change", "timestamp": 1, "instrument_name": "A", "prev_change_id": 1,
        "change_id": 2, "bids": [["delete", 5.5, 17.0]], "asks": [],
    }  # fmt: skip
    for exchange in (deribit.Deribit(), EXACT):
        (level,) = exchange.stream(BookDeltas("A")).decode(json.dumps(data).encode()).bids
        assert level == Level(5.5, 0.0)
        assert tuple(level) == (5.5, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"prev_change_id": None}, {"change_id": "x"}, {"type": "whole"}, {"bids": [["old", 1, 1]]},
        {"bids": [["new", "NaN", 1]]}, {"timestamp": 1626993723632000}, {"asks": None},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_of_the_documented_form_does_not_decode(wrong: dict[str, Any]) -> None:
    data = {
        "type": "change", "timestamp": 1, "instrument_name": "A", "prev_change_id": 1,
        "change_id": 2, "bids": [["new", 5.5, 17.0]], "asks": [],
    }  # fmt: skip
    for exchange in (deribit.Deribit(), EXACT):
        stream: Any = exchange.stream(BookDeltas("A"))
        stream.decode(json.dumps(data).encode())
        with pytest.raises(msgspec.MsgspecError):
            stream.decode(json.dumps(data | wrong).encode())


@pytest.mark.parametrize(
    ("last", "kind", "previous", "number", "verdict"),
    [
        (0, "snapshot", None, 10, 10),
        (10, "change", 10, 15, 15),
        (15, "change", 15, 3, 3),  # ids begin anew
        (15, "change", 14, 16, -16),
        (15, "change", 9, 12, -12),  # older, or a chain that is broken: not known
        (15, "change", 10, 15, 0),
        (15, "snapshot", 15, 9, 9),
    ],
)
def test_ids(last: int, kind: str, previous: int | None, number: int, verdict: int) -> None:
    data = {
        "type": kind, "timestamp": 1, "instrument_name": "A", "change_id": number,
        "prev_change_id": previous, "bids": [], "asks": [],
    }  # fmt: skip
    event = EXACT.stream(BookDeltas("A")).decode(json.dumps(data).encode())
    assert chained_book_ids(last, event) == verdict


@pytest.mark.parametrize(
    ("last", "number", "verdict"), [(0, 9, 9), (9, 10, 10), (9, 9, 0), (9, 8, 0), (9, 11, -11)]
)
def test_trade_ids(last: int, number: int, verdict: int) -> None:
    trade = {
        "trade_seq": number, "trade_id": "ETH-1", "timestamp": 1, "price": 1, "amount": 1,
        "instrument_name": "A", "direction": "buy",
    }  # fmt: skip
    (event,) = EXACT.stream(Trades("A")).decode(json.dumps([trade]).encode())
    assert dense_trade_ids(last, event) == verdict


def test_a_candle_is_said_to_be_closed_when_the_next_begins() -> None:
    stream = EXACT.stream(Candles("A", "1m"))

    def candle(tick: int, close: int) -> Any:
        data = {"tick": tick * 60_000, "open": 1, "high": 9, "low": 1, "close": close, "volume": 2,
                "cost": 4}  # fmt: skip
        return stream.decode(json.dumps(data).encode())

    first, again, following, late = candle(1, 2), candle(1, 3), candle(2, 4), candle(1, 5)
    assert closed_by_the_next(None, first) == [first]
    assert closed_by_the_next(first, again) == [again]
    closed, new = closed_by_the_next(again, following)
    assert (closed.closed, closed.close, closed.open_time_ns) == (True, 3, again.open_time_ns)
    assert (new, again.closed, following.closed) == (following, False, False)
    assert closed_by_the_next(following, late) == []


NUMBERS = strategies.decimals(0, 10**9, places=4)
ROWS = strategies.lists(
    strategies.tuples(strategies.sampled_from(["new", "change", "delete"]), NUMBERS, NUMBERS)
)


@hypothesis.given(ROWS, ROWS, strategies.integers(1, 2**62), strategies.booleans())
@hypothesis.settings(max_examples=40)
def test_the_fast_path_is_the_slow_path(
    bids: list[Any], asks: list[Any], change_id: int, spaced: bool
) -> None:
    def text(rows: list[Any]) -> str:
        return ",".join(f'["{action}",{price},{amount}]' for action, price, amount in rows)

    data = (
        f'{{"type":"change","timestamp":1626993723632,"instrument_name":"A","prev_change_id":1,'
        f'"change_id":{change_id},"bids":[{text(bids)}],"asks":[{text(asks)}]}}'
    )
    head = '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.A.100ms","data":'
    frame = f"{head}{data}}}}}".encode()
    name, begin = find_name(EXACT.envelope.shape[0], frame)
    slow = EXACT.parse(frame.replace(b'":', b'": ') if spaced else frame)
    assert name.decode() == slow.stream == "book.A.100ms"
    stream = EXACT.stream(BookDeltas("A"))
    fast_event, slow_event = stream.decode(frame[begin:-2]), stream.decode(slow.payload)
    assert fast_event == slow_event
    assert kind_of(fast_event) is BookDelta
    check_book(fast_event, exactly(data.encode()))
