"""Readers and rules that the compiled part has say the same there as in Python."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.channels import BookDeltas, Trades
from connector.events import BookDelta, BookSnapshot, Trade
from connector.exchanges import binance, bitget, bybit, coinbase, deribit, kraken, okx, shortcuts
from connector.exchanges.binance.sequence import (
    dense_ids_of_trades_and_blanks,
    dense_trade_ids,
)
from connector.exchanges.bitget import decode as of_bitget
from connector.exchanges.bybit import decode as of_bybit
from connector.exchanges.coinbase import decode as of_coinbase
from connector.exchanges.deribit import decode as of_deribit
from connector.exchanges.kraken import futures_decode as of_futures
from connector.exchanges.kraken import v2_decode as of_kraken
from connector.exchanges.okx import decode as of_okx
from connector.transport.compiled import EXTENSION

compiled = pytest.mark.skipif(
    EXTENSION is None, reason="the extension is not compiled, or not used"
)


class Row(msgspec.Struct):
    symbol: str
    number: int = 0
    frame: bytes = b""


class Frame(msgspec.Struct):
    data: list[Row]


class Parts(msgspec.Struct):
    parts: list[Frame]


class LoneRow(msgspec.Struct):
    data: tuple[Row]


def newest_last(found: list[Any]) -> None:
    found.sort(key=lambda row: row.number)


def outcome(read: Callable[[bytes], Any], frame: bytes) -> Any:
    try:
        return read(frame)
    except (msgspec.ValidationError, TypeError) as error:
        return type(error), str(error)


@compiled
@given(
    st.lists(st.builds(Row, st.sampled_from("AB"), st.integers(0, 9)), max_size=4),
    st.tuples(
        st.sampled_from(["", "A", "C"]),
        st.sampled_from(["", "A"]),
        st.booleans(),
        st.booleans(),
        st.sampled_from([None, newest_last]),
        st.just(""),
    ),
)
@example([Row("A"), Row("B")], ("", "A", True, False, None, ""))
@example([Row("B")], ("", "A", True, False, None, ""))
def test_rows(found: list[Row], options: tuple[Any, ...]) -> None:
    assert EXTENSION is not None
    text = msgspec.json.encode({"data": found})
    seen = []
    for frame in (Frame, LoneRow):
        decode = msgspec.json.Decoder(frame).decode
        seen += [
            outcome(make(decode, *options), text)
            for make in (shortcuts.rows_in_python, EXTENSION.rows)
        ]

    assert seen[0] == seen[1]
    assert seen[2] == seen[3]


@compiled
@given(st.lists(st.lists(st.builds(Row, st.just("A"), st.integers(0, 9)), max_size=2), max_size=2))
def test_rows_in_the_only_part_of_a_frame(parts: list[list[Row]]) -> None:
    assert EXTENSION is not None
    text = msgspec.json.encode({"parts": [{"data": found} for found in parts]})
    decode = msgspec.json.Decoder(Parts).decode
    options = "", "", False, False, None, "parts"
    ours = outcome(shortcuts.rows_in_python(decode, *options), text)
    theirs = outcome(EXTENSION.rows(decode, *options), text)

    assert ours == theirs
    assert (ours == parts[0]) if len(parts) == 1 else (ours[0] is msgspec.ValidationError)


@compiled
@given(st.sampled_from([None, 0, 5]), st.sampled_from([None, 0, 7]))
def test_a_time_beside_an_event(first: int | None, second: int | None) -> None:
    assert EXTENSION is not None
    times = []
    for make in (shortcuts.timed_in_python, EXTENSION.timed):
        frame = SimpleNamespace(data=SimpleNamespace(), cts=first, ts=second)
        times.append(make({b"": frame}.__getitem__, "cts", "ts")(b"").wire_exchange_time_ns)

    assert times == [first or second] * 2


class Once(msgspec.Struct):
    time: int
    number: int
    seen: tuple[int, ...] = ()


@compiled
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 2, 2**70])), max_size=8))
@example([(1, 0), (1, 1), (1, 0), (2, 0), (1, 2)])
def test_each_is_delivered_once(told: list[tuple[int, int]]) -> None:
    assert EXTENSION is not None
    found = []
    for make in (shortcuts.once_in_python, EXTENSION.once):
        fold, last = make("time", "number", "seen"), None
        delivered: list[Once] = []
        for time, number in told:
            made = fold(last, Once(time, number))
            delivered += made
            last = delivered[-1] if delivered else None
        found.append(delivered)

    assert found[0] == found[1]
    times = [each.time for each in found[0]]
    assert times == sorted(times)
    assert len({(each.time, each.number) for each in found[0]}) == len(found[0])


class Slotted:
    __slots__ = ("number", "seen", "symbol", "time")

    def __init__(self, time: int, number: int) -> None:
        self.time, self.number = time, number
        self.seen: tuple[int, ...] = ()


class Doubled(Once):
    """Over its field is a property, as `connector.exchanges.spelling` puts one."""


Doubled.number = property(lambda event: 2 * Once.number.__get__(event))  # type: ignore[assignment,attr-defined]


def in_a_dict(time: int, number: int) -> Any:
    return SimpleNamespace(time=time, number=number, seen=())


def by_number(last_id: int, event: Any) -> int:
    return event.number if event.number > last_id else 0


@compiled
@given(
    st.lists(
        st.tuples(
            st.sampled_from([Once, Slotted, Doubled, in_a_dict]),
            st.integers(0, 1),
            st.sampled_from([0, 1, 2, 2**70]),
        ),
        max_size=8,
    )
)
@example([(Once, 0, 1), (Once, 0, 2), (Doubled, 0, 1), (Doubled, 0, 2), (Once, 0, 2)])
def test_the_fields_of_objects_of_any_kind(told: list[tuple[Any, int, int]]) -> None:
    assert EXTENSION is not None
    found: list[list[Any]] = []
    for once, rule in (
        (shortcuts.once_in_python, by_number),
        (EXTENSION.once, EXTENSION.rising(by_number, "number", "")),
    ):
        fold, last = once("time", "number", "seen"), None
        said: list[Any] = []
        found.append(said)
        for kind, time, number in told:
            event = kind(time, number)
            said.append(rule(1, event))
            made = fold(last, event)
            said += [(type(each), each.time, each.number, each.seen) for each in made]
            last = made[-1] if made else last

    assert found[0] == found[1]


@compiled
def test_rows_of_other_kinds_keep_what_they_are_told() -> None:
    assert EXTENSION is not None
    kinds = Row, Row, Slotted, Row, Row, Slotted, Slotted, Slotted

    rows = [Slotted(1, 2) if kind is Slotted else Row("B") for kind in kinds]
    read = EXTENSION.rows(lambda _: SimpleNamespace(data=rows), "A", "A", False, False, None, "")

    assert [row.symbol for row in read(b"")] == ["A"] * len(kinds)


@pytest.mark.parametrize("field", ["time", "number", "seen"])
def test_an_event_without_what_tells_it_apart(field: str) -> None:
    fold = shortcuts.once("time", "number", "seen")
    last, event = SimpleNamespace(time=1, seen=(2,)), SimpleNamespace(time=1, number=3)
    for each in (last, event):
        if hasattr(each, field):
            delattr(each, field)

    with pytest.raises(AttributeError):
        fold(last, event)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 2, 3, 2**70])), max_size=4),
    st.sampled_from([("time",), ("time", "number"), ("number",)]),
)
@example([(2, 1), (1, 3), (1, 2), (0, 9)], ("time", "number"))
@example([(2, 1), (1, 2), (1, 3), (0, 9)], ("time", "number"))
@example([(1, 1), (1, 0), (0, 0)], ("time",))
def test_rows_in_the_order_of_their_fields(
    told: list[tuple[int, int]], fields: tuple[str, ...]
) -> None:
    rows = [Once(*each) for each in told]
    expected = sorted(rows, key=lambda row: [getattr(row, field) for field in fields])

    shortcuts.in_order(*fields)(rows)

    assert list(map(id, rows)) == list(map(id, expected))


def test_rows_without_what_they_are_ordered_by() -> None:
    with pytest.raises(AttributeError):
        shortcuts.in_order("number", "symbol")([Once(1, 2), Once(1, 1)])


@compiled
@given(st.lists(st.one_of(st.integers(), st.booleans(), st.text(max_size=1)), max_size=6))
def test_rows_of_a_kind_and_others(rows: list[Any]) -> None:
    assert EXTENSION is not None
    for kind in (int, bool, str):
        found, others = EXTENSION.split(rows, kind)
        expected = shortcuts.split_in_python(rows, kind)
        assert (found, others) == expected
        assert all(type(each) is kind for each in found)


@compiled
@given(st.from_regex(rb'[^n]{0,12}("n":)?[ +-]?[0-9]{0,20}[_x ]?[,}]?', fullmatch=True))
@example(b'"n":1,')
@example(b'"n":00000000000000000000000007,')
@example(b'"n":12345678901234567890,')
@example(b'"n":123')
def test_the_number_of_a_message(frame: bytes) -> None:
    def number(frame: bytes) -> int | None:
        begin = frame.find(b'"n":', 0, 9)
        end = frame.find(b",", begin)
        try:
            return int(frame[begin + 4 : end]) if 0 <= begin < end else None
        except ValueError:
            return None

    found = shortcuts.numbered(number, b'"n":', 9)(frame)

    assert (type(found), found) == (type(number(frame)), number(frame))


@compiled
@given(
    st.lists(st.sampled_from([None, 0, 1, 2, 3, 4, 2**63 - 1, 2**63, 2**63 + 1]), max_size=6),
    st.integers(0, 3),
    st.sampled_from([None, 0, 1, 2**63 - 1]),
)
@example([1, None, 2, 3], 0, 0)
@example([2**63 - 1, 2**63, 2**63 + 1], 0, None)
def test_messages_that_are_numbered_consecutively(
    numbers: list[int | None], first: int, last: int | None
) -> None:
    payloads = [b"" if each is None else b"%d" % each for each in numbers]

    def number(payload: bytes) -> int | None:
        return int(payload) if payload else None

    found = shortcuts.consecutive(number, payloads, first, last)

    expected = shortcuts.consecutive_in_python(number, payloads, first, last)
    assert found == max(expected, first)


@pytest.mark.parametrize("make", [shortcuts.rows, shortcuts.timed], ids=["rows", "timed"])
def test_what_a_decoder_raises_is_not_hidden(make: Any) -> None:
    def broken(_: bytes) -> Any:
        raise KeyError("broken")

    read = make(broken) if make is shortcuts.rows else make(broken, "a", "b")
    with pytest.raises(KeyError, match="broken"):
        read(b"")


def trade(number: int, _: int | None) -> Any:
    return Trade(symbol="A", price=1.0, quantity=1.0, side="buy", trade_id=number)


def trade_or_blank(number: int, previous: int | None) -> Any:
    return SimpleNamespace(trade_id=number, quantity=number % 2, previous_id=previous)


def delta(number: int, previous: int | None) -> Any:
    return BookDelta(
        symbol="A", bids=[], asks=[], first_update_id=number, last_update_id=number,
        previous_update_id=previous,
    )  # fmt: skip


def snapshot(number: int, _: int | None) -> Any:
    return BookSnapshot(symbol="A", bids=[], asks=[], update_id=number)


def dense(rule: Any) -> Any:
    return shortcuts.dense(rule, "last_update_id")


def dense_trades(rule: Any) -> Any:
    return shortcuts.dense(rule, "trade_id")


def dense_but_blanks(rule: Any) -> Any:
    return shortcuts.dense(rule, "trade_id", "quantity")


RULES: list[tuple[Any, Any, tuple[Any, ...]]] = [
    (shortcuts.rising, of_okx.rising_trade_ids, (trade,)),
    (shortcuts.rising, of_coinbase.rising_trade_ids, (trade,)),
    (shortcuts.rising, of_bitget.other_trade_ids, (trade,)),
    (dense_trades, of_kraken.dense_trade_ids, (trade,)),
    (dense_trades, of_deribit.dense_trade_ids, (trade,)),
    (dense_trades, dense_trade_ids, (trade,)),
    (dense_but_blanks, dense_ids_of_trades_and_blanks, (trade_or_blank,)),
    (dense, of_bybit.dense_book_ids, (delta, snapshot)),
    (dense, of_futures.dense_book_ids, (delta, snapshot)),
    (shortcuts.chained, of_okx.chained_book_ids, (delta, snapshot)),
    (shortcuts.chained, of_deribit.chained_book_ids, (delta, snapshot)),
    (shortcuts.chained, of_bitget.chained_book_ids, (delta, snapshot)),
]
ids = st.one_of(st.integers(0, 4), st.sampled_from([-1, 2**63 - 2, 2**63 - 1, 2**63, 2**64]))


@pytest.mark.parametrize(
    ("usual", "rule", "makers"), RULES, ids=[f"{each[1].__module__}" for each in RULES]
)
@given(last_id=ids.filter(lambda number: number >= 0), named=st.tuples(ids, st.none() | ids))
def test_what_is_usual_is_as_the_rule_says(
    usual: Any, rule: Any, makers: tuple[Any, ...], last_id: int, named: tuple[int, int | None]
) -> None:
    for make in makers:
        event = make(*named)
        assert usual(rule)(last_id, event) == rule(last_id, event)


@pytest.mark.parametrize(
    ("exchange", "symbol"),
    [
        (binance.CoinMFutures(), "BTCUSD_PERP"),
        (bybit.Linear(), "BTCUSDT"),
        (okx.Okx(), "BTC-USDT"),
        (coinbase.AdvancedTrade(), "BTC-USD"),
        (kraken.Spot(), "BTC/USD"),
        (kraken.Futures(), "PF_XBTUSD"),
        (kraken.Unified(), "PF_XBTUSD"),
        (deribit.Deribit(), "BTC-PERPETUAL"),
        (bitget.Futures(), "BTCUSDT"),
    ],
    ids=lambda each: getattr(each, "name", None),
)
def test_an_error_in_an_event_is_not_taken_for_an_unusual_one(exchange: Any, symbol: str) -> None:
    class Broken:
        @property
        def trade_id(self) -> int:
            raise ZeroDivisionError

        last_update_id = previous_update_id = trade_id

    for channel in (Trades(symbol), BookDeltas(symbol)):
        rule = exchange.stream(channel).sequence
        if rule is not None:
            with pytest.raises(ZeroDivisionError):
                rule(5, Broken())


@compiled
@pytest.mark.parametrize("name", ["rows", "timed", "rising", "dense", "chained"])
def test_a_wrong_number_of_arguments_is_refused(name: str) -> None:
    with pytest.raises(TypeError):
        getattr(EXTENSION, name)()
    if name in ("rising", "dense", "chained"):
        arguments = [dense_trade_ids, "trade_id", ""][: 1 if name == "chained" else 3]
        with pytest.raises(TypeError):
            getattr(EXTENSION, name)(*arguments)(1)
