"""Stored frames of Coinbase decode to what plain ``json`` and ``Decimal`` say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.book import Extent, RenewedBook
from connector.channels import BestQuote, BookDeltas, Candles, OrderBook, Tickers, Trades
from connector.events import BookDelta, BookSnapshot, Candle, Quote, Ticker, Trade
from connector.exchanges import coinbase
from connector.exchanges.coinbase.decode import rising_trade_ids, was_told
from connector.exchanges.coinbase.wire import nanoseconds
from connector.exchanges.envelope import find_name
from connector.exchanges.protocol import UNDECODABLE, Data, Heartbeat, Several, Stream, Subscribed

EXACT = coinbase.AdvancedTrade(numbers=Decimal)
RECEIVED = re.compile(rb"^= ?\n(\{.*\})", re.MULTILINE | re.DOTALL)
ACKNOWLEDGED = re.compile(rb"^< (\{.*\})$", re.MULTILINE)
DATA = frozenset({"l2_data", "market_trades", "ticker", "ticker_batch", "candles"})


def compact(said: object) -> bytes:
    """As the exchange writes it."""
    return json.dumps(said, separators=(",", ":")).encode()


@pytest.fixture(scope="session")
def stored(data_folder: Path) -> list[dict[str, Any]]:
    """Every stored frame of the current API."""
    folder = data_folder / "coinbase_advanced" / "frames"
    frames = [path.read_bytes() for path in sorted(folder.glob("nautilus/ws_*.json"))]
    for path in sorted(folder.glob("jkorf/*.txt")):
        frames += RECEIVED.findall(path.read_bytes()) + ACKNOWLEDGED.findall(path.read_bytes())
    return [json.loads(frame) for frame in frames]


def stream_of(name: str, exchange: Any = EXACT) -> Stream[Any]:
    kind, _, product = name.partition(":")
    channels: dict[str, Any] = {
        "l2_data": BookDeltas(product), "market_trades": Trades(product),
        "ticker": BestQuote(product), "ticker_batch": Tickers(product),
        "candles": Candles(product, "5m"),
    }  # fmt: skip
    stream: Stream[Any] = exchange.stream(channels[kind])
    assert stream.name == name
    return stream


def decoded(frame: bytes, exchange: Any = EXACT) -> list[Any]:
    """The events of a frame: the slow path, without what was delivered before."""
    said = exchange.parse(frame)
    assert isinstance(said, Data)
    event = stream_of(said.stream, exchange).decode(said.payload)
    return event if isinstance(event, list) else [event]


def nanoseconds_of(text: str) -> int:
    whole, _, digits = text.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(f"{whole}+00:00")
    return int(moment.timestamp()) * 10**9 + int(digits.ljust(9, "0") or 0)


def sides(rows: list[dict[str, str]], *, whole: bool) -> list[list[tuple[Decimal, Decimal]]]:
    """Bids and asks; of a whole book the best first."""
    found = []
    for side in ("bid", "offer"):
        levels = [
            (Decimal(row["price_level"]), Decimal(row["new_quantity"]))
            for row in rows
            if row["side"] == side
        ]
        found.append(sorted(levels, reverse=side == "bid") if whole else levels)
    return found


def check_book(event: Any, said: dict[str, Any]) -> None:
    whole = said["type"] == "snapshot"
    assert isinstance(event, BookSnapshot if whole else BookDelta)
    got = [[(level.price, level.quantity) for level in side] for side in (event.bids, event.asks)]
    assert got == sides(said["updates"], whole=whole)


def check_trade(event: Any, said: dict[str, str]) -> None:
    taker = {"BUY": "sell", "SELL": "buy"}[said["side"]]
    assert isinstance(event, Trade)
    assert (event.trade_id, event.price, event.quantity, event.side, event.exchange_time_ns) == (
        int(said["trade_id"]), Decimal(said["price"]), Decimal(said["size"]), taker,
        nanoseconds_of(said["time"]),
    )  # fmt: skip


def check_quote(event: Any, said: dict[str, str]) -> None:
    assert isinstance(event, Quote)
    names = ("best_bid", "best_bid_quantity", "best_ask", "best_ask_quantity")
    assert [event.bid_price, event.bid_quantity, event.ask_price, event.ask_quantity] == [
        Decimal(said[name]) for name in names
    ]


def check_ticker(event: Any, said: dict[str, str]) -> None:
    assert isinstance(event, Ticker)
    assert [event.last, event.volume, event.low, event.high, event.price_change_percent] == [
        Decimal(said[name])
        for name in ("price", "volume_24_h", "low_24_h", "high_24_h", "price_percent_chg_24_h")
    ]
    assert event.price_change == event.last - event.open
    assert abs(event.price_change * 100 / event.open - event.price_change_percent) < Decimal("1e-9")


def check_candle(event: Any, said: dict[str, str]) -> None:
    assert isinstance(event, Candle)
    assert event.open_time_ns == int(said["start"]) * 10**9
    assert event.close_time_ns == (int(said["start"]) + 300) * 10**9 - 10**6
    assert [event.open, event.high, event.low, event.close, event.volume] == [
        Decimal(said[name]) for name in ("open", "high", "low", "close", "volume")
    ]


ROWS: dict[str, tuple[str, Callable[[Any, Any], None]]] = {
    "market_trades": ("trades", check_trade), "ticker": ("tickers", check_quote),
    "ticker_batch": ("tickers", check_ticker), "candles": ("candles", check_candle),
}  # fmt: skip


def check(said: dict[str, Any]) -> None:
    events = decoded(compact(said))
    if said["channel"] == "l2_data":
        rows: list[Any] = said["events"]
        compare: Callable[[Any, Any], None] = check_book
    else:
        key, compare = ROWS[said["channel"]]
        rows = [row for event in said["events"] for row in event[key]]
    for event, row in zip(events, rows, strict=True):
        compare(event, row)
        assert event.symbol == row["product_id"]
        if said["channel"] != "market_trades":
            assert event.exchange_time_ns == nanoseconds_of(said["timestamp"])


def test_every_stored_frame(stored: list[dict[str, Any]]) -> None:
    seen = set()
    for said in stored:
        seen.add(said["channel"])
        if said["channel"] in DATA:
            check(said)
        elif said["channel"] == "heartbeats":
            assert EXACT.parse(compact(said)) == Heartbeat()
        elif said["channel"] == "subscriptions":
            assert isinstance(EXACT.parse(compact(said)), Subscribed)

    assert seen >= DATA | {"heartbeats", "subscriptions"}


def test_the_fast_path_finds_the_same(stored: list[dict[str, Any]]) -> None:
    fast = set()
    for said in stored:
        frame = compact(said)
        name, _ = find_name(EXACT.envelope.shape[0], frame)
        if said["channel"] in DATA:
            fast.add(said["channel"])
            assert EXACT.parse(frame) == Data(name.decode(), frame)
        assert EXACT.envelope.number is not None
        indented = json.dumps(said, indent=2).encode()
        assert EXACT.envelope.number(frame) == said["sequence_num"]
        assert EXACT.envelope.number(indented) == said["sequence_num"]
    assert fast == DATA


# --- numbers, times, ids


NUMBERS = st.decimals(0, 10**6, places=4).map(str)
PRODUCTS = st.sampled_from(["BTC-USD", "ETH-EUR"])
TIMES = st.sampled_from(["2026-09-07T23:37:22.278662782Z", "2026-09-07T23:37:22Z"])
ROW_OF = {
    "l2_data": lambda product: st.fixed_dictionaries(
        {
            "type": st.sampled_from(["snapshot", "update"]), "product_id": product,
            "updates": st.lists(
                st.fixed_dictionaries(
                    {
                        "side": st.sampled_from(["bid", "offer"]), "event_time": TIMES,
                        "price_level": NUMBERS, "new_quantity": NUMBERS,
                    }
                ),
                max_size=3,
            ),
        }
    ),
    "market_trades": lambda product: st.fixed_dictionaries(
        {
            "trade_id": st.integers(1, 10**9).map(str), "product_id": product, "price": NUMBERS,
            "size": NUMBERS, "side": st.sampled_from(["BUY", "SELL"]), "time": TIMES,
        }
    ),
}  # fmt: skip


@st.composite
def frames(draw: Any) -> bytes:
    """Frames of one product, or of two."""
    channel = draw(st.sampled_from(sorted(ROW_OF)))
    product = PRODUCTS if draw(st.booleans()) else st.just("BTC-USD")
    events = draw(st.lists(ROW_OF[channel](product), max_size=3))
    if channel == "market_trades":
        events = [{"type": draw(st.sampled_from(["snapshot", "update"])), "trades": events}]
    return compact({
        "channel": channel, "timestamp": draw(TIMES), "sequence_num": 5, "events": events,
    })  # fmt: skip


def both_ways(frame: bytes, exchange: Any) -> tuple[list[Any] | None, list[Any]]:
    """What the fast path makes of a frame, None if it refuses it, and what the slow one does."""
    name, end = find_name(exchange.envelope.shape[0], frame)
    fast = None
    if end >= 0:
        try:
            event = stream_of(name.decode(), exchange).decode(frame)
            fast = event if isinstance(event, list) else [event]
        except UNDECODABLE:
            pass
    said = exchange.parse(frame)
    slow = []
    for part in said.parts if isinstance(said, Several) else [said]:
        event = stream_of(part.stream, exchange).decode(part.payload)
        slow += event if isinstance(event, list) else [event]
    return fast, slow


@settings(max_examples=60)
@given(frames(), st.sampled_from([Decimal, float]))
def test_the_slow_path_agrees(frame: bytes, numbers: Any) -> None:
    exchange = coinbase.AdvancedTrade(numbers=numbers)
    fast, slow = both_ways(frame, exchange)
    products = set(re.findall(rb'"product_id":"([\w-]+)"', frame))

    rows = json.loads(frame)["events"]
    count = len(rows) if b"l2_data" in frame else sum(len(each["trades"]) for each in rows)
    assert len(slow) == count
    assert {event.symbol.encode() for event in slow} == products
    if len(products) > 1:
        assert fast is None  # whoever reads the one would have the other's
    elif products:
        assert fast == slow


@given(st.binary(max_size=60))
def test_whatever_comes_decodes_or_says_that_it_does_not(noise: bytes) -> None:
    frame = compact({
        "channel": "market_trades", "timestamp": "x", "sequence_num": 1, "events": [
            {"type": "update", "trades": [
                {"trade_id": "1", "product_id": "BTC-USD", "price": "1", "size": "1",
                 "side": "BUY", "time": "yesterday"}]}],
    })  # fmt: skip
    (trade,) = decoded(frame)
    assert trade.exchange_time_ns is None
    for broken in (noise, frame[: len(noise)] + noise, frame[:-1] + noise):
        try:
            said = EXACT.parse(broken)
            if isinstance(said, Data):
                stream_of("market_trades:BTC-USD").decode(broken)
        except UNDECODABLE:
            pass
        assert EXACT.envelope.number is not None
        EXACT.envelope.number(broken)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-09-07T23:37:22.278662782Z", 1788824242278662782),
        ("2023-06-09T20:19:35.39625135Z", 1686341975396251350),
        ("1970-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00Z", None),
        ("2026-09-07T23:37:22+02:00", None),
        ("", None),
        ("soon", None),
    ],
)
def test_times_to_the_nanosecond(text: str, ns: int | None) -> None:
    assert nanoseconds(text) == ns


@pytest.mark.parametrize("text", ["NaN", "Infinity", "x", "1_0"])
@pytest.mark.parametrize("numbers", [float, Decimal])
def test_what_is_no_number_does_not_decode(text: str, numbers: Any) -> None:
    frame = compact({
        "channel": "l2_data", "timestamp": "2026-09-07T23:37:22Z", "sequence_num": 1, "events": [
            {"type": "update", "product_id": "BTC-USD", "updates": [
                {"side": "bid", "event_time": "x", "price_level": text, "new_quantity": "1"}]}],
    })  # fmt: skip
    with pytest.raises(msgspec.ValidationError):
        decoded(frame, coinbase.AdvancedTrade(numbers=numbers))


def trades(kind: str, *ids: int) -> bytes:
    rows = [
        {"trade_id": str(each), "product_id": "BTC-USD", "price": "1", "size": "1", "side": "BUY",
         "time": "2026-09-07T23:37:22Z"}
        for each in ids
    ]  # fmt: skip
    said = {"channel": "market_trades", "timestamp": "", "sequence_num": 1}
    return compact({**said, "events": [{"type": kind, "trades": rows}]})


def test_a_history_comes_in_order_and_repeats_nothing() -> None:
    history = decoded(trades("snapshot", 9, 8, 7))
    assert [trade.trade_id for trade in history] == [7, 8, 9]
    assert [rising_trade_ids(8, trade) for trade in history] == [0, 0, 9]
    assert all(was_told(10**9, trade) for trade in history)
    (again,) = decoded(trades("update", 9))
    assert was_told(9, again)
    assert not was_told(10**9, again)  # the ids begin anew


def test_usdc_is_delivered_under_the_name_of_its_twin() -> None:
    stream = EXACT.stream(Trades("btc-usdc"))
    assert (stream.name, stream.argument) == ("market_trades:BTC-USD", "BTC-USDC")
    assert [trade.symbol for trade in stream.decode(trades("update", 1, 2))] == ["BTC-USDC"] * 2
    # And if it should come under its own.
    frame = trades("update", 1).replace(b"BTC-USD", b"BTC-USDC")
    assert EXACT.parse(frame) == Data("market_trades:BTC-USD", frame)
    assert [trade.symbol for trade in stream.decode(frame)] == ["BTC-USDC"]
    assert EXACT.stream(Trades("USDT-USDC")).name == "market_trades:USDT-USDC"


def test_candles_of_a_frame_are_over_but_for_the_last() -> None:
    rows = [
        {"start": str(start), "product_id": "BTC-USD", **dict.fromkeys(
            ("open", "high", "low", "close", "volume"), "1")}
        for start in (600, 0, 300)
    ]  # fmt: skip
    said = {"channel": "candles", "timestamp": "2026-09-07T23:37:22Z", "sequence_num": 1}
    found = decoded(compact({**said, "events": [{"type": "snapshot", "candles": rows}]}))
    assert [(each.open_time_ns // 10**9, each.closed) for each in found] == [
        (0, True), (300, True), (600, False),
    ]  # fmt: skip


# --- the older API


def translated(said: dict[str, Any]) -> dict[str, Any]:
    """A book message of Coinbase Exchange in the words of Advanced Trade."""
    if said["type"] == "snapshot":
        changes = [("bid", *row) for row in said["bids"]] + [
            ("offer", *row) for row in said["asks"]
        ]
    else:
        changes = [("bid" if side == "buy" else "offer", *row) for side, *row in said["changes"]]
    updates = [
        {"side": side, "event_time": "", "price_level": price, "new_quantity": quantity}
        for side, price, quantity in changes
    ]
    kind = "snapshot" if said["type"] == "snapshot" else "update"
    event = {"type": kind, "product_id": said["product_id"], "updates": updates}
    return {"channel": "l2_data", "timestamp": said.get("time", ""), "events": [event]}


def test_books_of_a_capture_of_the_older_api(
    received_frames: Callable[[str], Iterator[bytes]],
) -> None:
    """Same levels, other words: no number, ``buy`` and ``sell``, pairs of price and size."""
    source = EXACT.stream(OrderBook("YFI-BTC")).book
    assert source is not None
    books: dict[str, RenewedBook] = {}
    truth: dict[str, dict[str, dict[Decimal, Decimal]]] = {}
    compared = 0
    for frame in received_frames("coinbase_exchange/exchange_l2_20210417.jsonl.gz"):
        said = json.loads(frame)
        if said["type"] not in ("snapshot", "l2update"):
            continue
        product = said["product_id"]
        message = translated(said)
        (event,) = decoded(compact(message))
        if isinstance(event, BookSnapshot):
            books[product] = RenewedBook(source.rules, Extent())
            truth[product] = {"bid": {}, "offer": {}}
            books[product].restarted(event)
        else:
            books[product].delta(event)
        for row in message["events"][0]["updates"]:
            side, price = truth[product][row["side"]], Decimal(row["price_level"])
            if Decimal(row["new_quantity"]):
                side[price] = Decimal(row["new_quantity"])
            else:
                side.pop(price)
        compared += 1
        if compared % 97 == 0:
            check_whole(books[product], truth[product])
    assert len(books) == 5
    assert compared == 5 + 5165
    for product, book in books.items():
        check_whole(book, truth[product])


def check_whole(book: RenewedBook, truth: dict[str, dict[Decimal, Decimal]]) -> None:
    assert book.synced
    bids = sorted(truth["bid"].items(), reverse=True)
    assert [(level.price, level.quantity) for level in book.book.bids] == bids
    asks = sorted(truth["offer"].items())
    assert [(level.price, level.quantity) for level in book.book.asks] == asks


def test_trades_of_a_capture_of_the_older_api(
    received_frames: Callable[[str], Iterator[bytes]],
) -> None:
    """A match has the names and values of a trade, but for ``side`` in small letters."""
    last: dict[str, int] = {}
    for frame in received_frames("coinbase_exchange/exchange_l2_20210417.jsonl.gz"):
        said = json.loads(frame)
        if said["type"] not in ("match", "last_match"):
            continue
        row = {**said, "trade_id": str(said["trade_id"]), "side": said["side"].upper()}
        message = {"channel": "market_trades", "timestamp": "", "sequence_num": 0}
        (trade,) = decoded(compact({**message, "events": [{"type": "update", "trades": [row]}]}))
        check_trade(trade, row)
        before = last.get(trade.symbol, trade.trade_id - 1)
        assert rising_trade_ids(before, trade) == before + 1
        last[trade.symbol] = trade.trade_id
    assert len(last) == 5


def test_single_frames_of_the_older_api(data_folder: Path) -> None:
    """Older still: sizes that are no numbers, times that are none, quotes without quantities."""
    path = data_folder / "coinbase_exchange/frames/tardis_node/coinbase__messages.jsonl"
    seen = []
    # What is a product of its own there is a twin now, whose data has the other's name.
    for line in path.read_text().replace("-USDC", "-USD").splitlines():
        said = json.loads(line)
        seen.append(said["type"])
        if said["type"] in ("snapshot", "l2update"):
            message = translated(said)
            if "0.-10000" in line:
                with pytest.raises(msgspec.ValidationError):
                    decoded(compact(message))
                continue
            (event,) = decoded(compact(message))
            check_book(event, message["events"][0])
            year_1 = said.get("time", "0001").startswith("0001")
            assert (event.exchange_time_ns is None) == year_1
        elif said["type"] == "match":
            row = {**said, "trade_id": str(said["trade_id"]), "side": said["side"].upper()}
            said = {"channel": "market_trades", "timestamp": "", "sequence_num": 0}
            said["events"] = [{"type": "update", "trades": [row]}]
            (trade,) = decoded(compact(said))
            check_trade(trade, row)
        else:
            row = {**said, "best_bid_quantity": said.get("best_bid_size", "0"),
                   "best_ask_quantity": said.get("best_ask_size", "0")}  # fmt: skip
            said = {"channel": "ticker", "timestamp": said["time"], "sequence_num": 0}
            said["events"] = [{"type": "update", "tickers": [row]}]
            (quote,) = decoded(compact(said))
            check_quote(quote, row)
    assert sorted(set(seen)) == ["l2update", "match", "snapshot", "ticker"]
    assert len(seen) == 9
