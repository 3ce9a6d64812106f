"""Stored frames of Hyperliquid decode to what plain ``json`` and ``Decimal`` say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.book import RenewedBook
from connector.channels import (
    BestQuote,
    Candles,
    MarkPrices,
    OrderBook,
    PartialBook,
    Tickers,
    Trades,
)
from connector.events import BookSnapshot, Candle, MarkPrice, Quote, Ticker, Trade
from connector.exchanges import hyperliquid
from connector.exchanges.envelope import find_name
from connector.exchanges.numbers import LATEST_MS
from connector.exchanges.protocol import UNDECODABLE, Data, Several, Stream, Unknown

EXACT = hyperliquid.Hyperliquid(numbers=Decimal)
RECEIVED = re.compile(rb"^= ?\n(\{.*\})", re.MULTILINE | re.DOTALL)
MS = 10**6


def compact(said: object) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()


@pytest.fixture(scope="session")
def stored(
    data_folder: Path, received_frames: Callable[[str], Iterator[bytes]]
) -> list[dict[str, Any]]:
    """Every stored frame of public data, single ones and a capture."""
    folder = data_folder / "hyperliquid" / "frames"
    frames: list[bytes] = []
    for path in sorted(folder.glob("tardis_node/*.jsonl")):
        frames += path.read_bytes().splitlines()
    for path in sorted(folder.glob("jkorf/*.txt")):
        frames += RECEIVED.findall(path.read_bytes())
    data = (folder / "nautilus" / "ws_book_data.json").read_bytes()
    frames.append(b'{"channel":"l2Book","data":%b}' % data)
    frames += received_frames("hyperliquid/btc_l2book_trades_20250126.jsonl.gz")
    return [json.loads(frame) for frame in frames]


def stream_of(name: str, exchange: Any = EXACT, *, ticker: bool = False) -> Stream[Any]:
    kind, _, coin = name.partition(":")
    channels: dict[str, Any] = {
        "trades": lambda: Trades(coin), "bbo": lambda: BestQuote(coin),
        "l2Book": lambda: PartialBook(coin, 5), "l2Book.slow": lambda: PartialBook(coin, 20),
        "activeAssetCtx": lambda: Tickers(coin) if ticker else MarkPrices(coin),
        "activeSpotAssetCtx": lambda: Tickers(coin) if ticker else MarkPrices(coin),
        "candle": lambda: Candles(*coin.rpartition(":")[::2]),
    }  # fmt: skip
    stream: Stream[Any] = exchange.stream(channels[kind]())
    assert stream.name == name
    return stream


def decoded(frame: bytes, exchange: Any = EXACT, *, ticker: bool = False) -> list[Any]:
    """The events of a frame: the slow path, before anything is folded."""
    said = exchange.parse(frame)
    assert isinstance(said, Data)
    event = stream_of(said.stream, exchange, ticker=ticker).decode(said.payload)
    return event if isinstance(event, list) else [event]


def check_trades(events: list[Any], data: Any) -> None:
    got = [(e.symbol, e.price, e.quantity, e.side, e.exchange_time_ns, e.trade_id) for e in events]
    assert all(isinstance(event, Trade) for event in events)
    assert got == [
        (d["coin"], Decimal(d["px"]), Decimal(d["sz"]), {"A": "sell", "B": "buy"}[d["side"]],
         d["time"] * MS, d["tid"])
        for d in data
    ]  # fmt: skip


def check_book(events: list[Any], data: Any) -> None:
    (book,) = events
    assert isinstance(book, BookSnapshot)
    assert [
        [(level.price, level.quantity) for level in side] for side in (book.bids, book.asks)
    ] == [[(Decimal(row["px"]), Decimal(row["sz"])) for row in side] for side in data["levels"]]
    assert (book.symbol, book.exchange_time_ns) == (data["coin"], data["time"] * MS)


def check_quote(events: list[Any], data: Any) -> None:
    (quote,) = events
    assert isinstance(quote, Quote)
    got = [quote.bid_price, quote.bid_quantity, quote.ask_price, quote.ask_quantity]
    sides = [*data["bbo"], None][:2]  # a stored frame has one
    assert got == [Decimal(side[key]) if side else 0 for side in sides for key in ("px", "sz")]
    assert (quote.symbol, quote.exchange_time_ns) == (data["coin"], data["time"] * MS)


def check_candle(events: list[Any], data: Any) -> None:
    (candle,) = events
    assert isinstance(candle, Candle)
    assert (candle.symbol, candle.interval, candle.trades) == (data["s"], data["i"], data["n"])
    assert (candle.open_time_ns, candle.close_time_ns) == (data["t"] * MS, data["T"] * MS)
    got = [candle.open, candle.high, candle.low, candle.close, candle.volume]
    assert got == [Decimal(data[key]) for key in "ohlcv"]


def check_context(said: Any) -> None:
    frame, ctx = compact(said), said["data"]["ctx"]
    (mark,) = decoded(frame)
    assert isinstance(mark, MarkPrice)
    assert mark.mark_price == Decimal(ctx["markPx"])
    assert mark.index_price == (Decimal(ctx["oraclePx"]) if "oraclePx" in ctx else None)
    assert mark.funding_rate == (Decimal(ctx["funding"]) if "funding" in ctx else None)
    (ticker,) = decoded(frame, ticker=True)
    assert isinstance(ticker, Ticker)
    assert [ticker.last, ticker.open] == [Decimal(ctx["markPx"]), Decimal(ctx["prevDayPx"])]
    assert [ticker.quote_volume, ticker.high, ticker.low] == [Decimal(ctx["dayNtlVlm"]), 0, 0]
    assert ticker.price_change == ticker.last - ticker.open
    assert ticker.symbol == mark.symbol == said["data"]["coin"]


CHECKS = {
    "trades": check_trades, "l2Book": check_book, "bbo": check_quote, "candle": check_candle,
}  # fmt: skip


def test_every_stored_frame(stored: list[dict[str, Any]]) -> None:
    seen: dict[str, int] = {}
    for said in stored:
        seen[said["channel"]] = seen.get(said["channel"], 0) + 1
        if said["channel"] in CHECKS:
            CHECKS[said["channel"]](decoded(compact(said)), said["data"])
        else:
            check_context(said)

    assert set(seen) == {*CHECKS, "activeAssetCtx", "activeSpotAssetCtx"}
    assert (seen["l2Book"], seen["trades"]) == (34, 10)


def test_the_fast_path_finds_the_same(stored: list[dict[str, Any]]) -> None:
    fast = set()
    for said in stored:
        if said["channel"] == "l2Book":
            said = {**said, "data": {**said["data"], "fast": True}}
        frame = compact(said)
        name, _ = find_name(EXACT.envelope.shape[0], frame)
        if name:
            fast.add(said["channel"])
            assert EXACT.parse(frame) == Data(name.decode(), frame)
    assert fast == {"trades", "l2Book", "bbo", "activeAssetCtx", "activeSpotAssetCtx"}


def test_the_trades_of_a_capture_come_once(
    received_frames: Callable[[str], Iterator[bytes]],
) -> None:
    stream = EXACT.stream(Trades("BTC"))
    assert stream.fold is not None
    frames = list(received_frames("hyperliquid/btc_l2book_trades_20250126.jsonl.gz"))
    frames = [frame for frame in frames if b'"channel":"trades"' in frame]
    # As if the connection had broken in the middle: the history is sent once more.
    last: Any = None
    told: list[Any] = []
    for frame in [*frames[:3], frames[0], frames[2], *frames[3:]]:
        events: Any = stream.decode(frame)
        for event in events:
            for trade in stream.fold(last, event):
                told.append((trade.exchange_time_ns, trade.trade_id))
                last = trade
    rows = [row for frame in frames for row in json.loads(frame)["data"]]
    assert told == [(row["time"] * MS, row["tid"]) for row in rows]
    assert len(told) == 34


def test_the_books_of_a_capture_replace_each_other(
    received_frames: Callable[[str], Iterator[bytes]],
) -> None:
    source = EXACT.stream(OrderBook("BTC")).book
    assert source is not None
    book = RenewedBook(source.rules, source.extent)
    last_id = compared = 0
    for frame in received_frames("hyperliquid/btc_l2book_trades_20250126.jsonl.gz"):
        said = json.loads(frame)
        if said["channel"] != "l2Book":
            continue
        snapshot: Any = source.deltas.decode(frame)
        assert source.deltas.sequence is not None
        last_id = source.deltas.sequence(last_id, snapshot)
        assert last_id == said["data"]["time"]  # the first two have the same
        book.restarted(snapshot)
        assert book.synced
        sides = [[(level.price, level.quantity) for level in side]
                 for side in (book.book.bids, book.book.asks)]  # fmt: skip
        assert sides == [
            [(Decimal(row["px"]), Decimal(row["sz"])) for row in side]
            for side in said["data"]["levels"]
        ]
        compared += 1
    assert compared == 30


# --- one at a time


def row(coin: str = "BTC", time: int = 5, tid: int = 1) -> dict[str, Any]:
    return {"coin": coin, "side": "A", "px": "1", "sz": "2", "time": time, "tid": tid,
            "hash": "0x0", "users": ["0x1", "0x2"]}  # fmt: skip


def trades(*rows: dict[str, Any]) -> bytes:
    return compact({"channel": "trades", "data": list(rows)})


def test_trades_of_one_time_are_told_apart_by_their_ids() -> None:
    stream = EXACT.stream(Trades("BTC"))
    assert stream.fold is not None
    last: Any = None
    told = []
    for time, tid in ((5, 9), (5, 3), (5, 9), (5, 3), (4, 1), (6, 9), (6, 9), (6, 2)):
        (event,) = stream.decode(trades(row(time=time, tid=tid)))  # type: ignore[misc]
        for trade in stream.fold(last, event):
            told.append((time, trade.trade_id))
            last = trade
    assert told == [(5, 9), (5, 3), (6, 9), (6, 2)]


@pytest.mark.parametrize(
    ("fast", "name"), [(True, "l2Book:BTC"), (False, "l2Book.slow:BTC"), (None, "l2Book.slow:BTC")]
)
def test_both_forms_of_a_book_are_told_apart(fast: bool | None, name: str) -> None:
    data: dict[str, Any] = {"coin": "BTC", "time": 5, "levels": [[], []]}
    if fast is not None:
        data["fast"] = fast
    frame = compact({"channel": "l2Book", "data": data})
    assert EXACT.parse(frame) == Data(name, frame)
    assert decoded(frame)[0].bids == []
    if not fast:
        with pytest.raises(msgspec.ValidationError):
            stream_of("l2Book:BTC").decode(frame)


def test_coins_that_share_a_frame_are_taken_apart() -> None:
    said = EXACT.parse(trades(row("BTC", tid=1), row("ETH", tid=2), row("BTC", tid=3)))
    assert isinstance(said, Several)
    got = [
        (part.stream, [trade.trade_id for trade in stream_of(part.stream).decode(part.payload)])
        for part in said.parts
    ]
    assert got == [("trades:BTC", [1, 3]), ("trades:ETH", [2])]
    with pytest.raises(msgspec.ValidationError):
        stream_of("trades:BTC").decode(trades(row("BTC"), row("ETH")))
    assert EXACT.parse(b'{"channel":"trades","data":[]}') == Several(())


def test_an_empty_side_of_a_quote_is_0() -> None:
    data = {"coin": "@1", "time": 5, "bbo": [None, {"px": "2", "sz": "3", "n": 1}]}
    (quote,) = decoded(compact({"channel": "bbo", "data": data}))
    assert (quote.bid_price, quote.bid_quantity, quote.ask_price) == (0, 0, 2)


@pytest.mark.parametrize("coin", ["BTC", "kPEPE", "xyz:GOLD", "@107", "PURR/USDC", "#10"])
def test_coins_are_spelled_as_they_are(coin: str) -> None:
    for channel in (Trades(coin), BestQuote(coin), MarkPrices(coin), Candles(coin, "1h")):
        stream = EXACT.stream(channel)  # type: ignore[var-annotated]
        assert f":{coin}" in stream.name
        said = json.loads(EXACT.subscribe(1, [stream]))["subscription"]
        assert said["coin"] == coin
        frame = compact({"channel": "subscriptionResponse",
                         "data": {"method": "subscribe", "subscription": said}})  # fmt: skip
        assert EXACT.parse(frame).streams == (stream.name,)  # type: ignore[union-attr]


NUMBERS = st.decimals(0, 10**6, places=4).map(str)
COINS = st.sampled_from(["BTC", "@107"])
LEVELS = st.lists(
    st.fixed_dictionaries({"px": NUMBERS, "sz": NUMBERS, "n": st.just(1)}), max_size=3
)
DATA = st.one_of(
    st.tuples(st.just("trades"), st.lists(st.builds(
        row, COINS, st.integers(1, 5), st.integers(1, 10)), min_size=1, max_size=3)),
    st.tuples(st.just("l2Book"), st.fixed_dictionaries(
        {"coin": COINS, "time": st.integers(1, LATEST_MS), "levels": st.tuples(LEVELS, LEVELS)},
        optional={"fast": st.booleans()})),
)  # fmt: skip


@settings(max_examples=60)
@given(DATA, st.sampled_from([Decimal, float]))
def test_the_slow_path_agrees(said: tuple[str, Any], numbers: Any) -> None:
    exchange = hyperliquid.Hyperliquid(numbers=numbers)
    frame = compact({"channel": said[0], "data": said[1]})
    name, end = find_name(exchange.envelope.shape[0], frame)
    assert end > 0
    fast = None
    try:
        event: Any = stream_of(name.decode(), exchange).decode(frame)
        fast = event if isinstance(event, list) else [event]
    except UNDECODABLE:
        pass
    slow = []
    answer = exchange.parse(frame)
    for part in answer.parts if isinstance(answer, Several) else [answer]:
        assert isinstance(part, Data)
        found: Any = stream_of(part.stream, exchange).decode(part.payload)
        slow += found if isinstance(found, list) else [found]
    if said[0] == "trades":
        assert len(slow) == len(said[1])
        assert (fast is None) == (len({each["coin"] for each in said[1]}) > 1)
    else:
        assert (fast is None) == (not said[1].get("fast"))
    if fast is not None:
        assert fast == slow


@given(st.binary(max_size=60), st.sampled_from([trades(row()), b'{"channel":"l2Book","data":{']))
def test_whatever_comes_decodes_or_says_that_it_does_not(noise: bytes, frame: bytes) -> None:
    for broken in (noise, frame[: len(noise)] + noise, frame[:-1] + noise):
        try:
            said = EXACT.parse(broken)
            if isinstance(said, Data):
                stream_of("trades:BTC").decode(broken)
        except UNDECODABLE:
            pass


@pytest.mark.parametrize("text", ["NaN", "Infinity", "x", "1_0"])
def test_what_is_no_number_does_not_decode(text: str) -> None:
    for exchange in (EXACT, hyperliquid.Hyperliquid()):
        with pytest.raises(msgspec.ValidationError):
            decoded(trades({**row(), "px": text}), exchange)


def test_what_is_not_known() -> None:
    assert EXACT.parse(b'{"channel":"allMids","data":{}}') == Unknown("allMids")
    assert EXACT.parse(b"[1]") == Unknown("list")
