"""Payloads: what decodes, what does not and how, in both number types."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.channels import (
    AggregateTrades,
    AnyChannel,
    BestQuote,
    BookDeltas,
    Candles,
    Liquidations,
    MarkPrices,
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.events import Event, Liquidation, MarkPrice, Ticker, asdict
from connector.exchanges import binance
from connector.exchanges.protocol import UNDECODABLE, PartlyUndecodable

Json = dict[str, Any]

SPOT = binance.Spot()
USDM = binance.UsdMFutures()
EXACT = {kind: kind(numbers=Decimal) for kind in (binance.Spot, binance.UsdMFutures)}

TRADE: Json = {
    "e": "trade", "E": 2, "s": "ETHUSDC", "t": 5, "p": "0.10000000", "q": "3", "T": 1, "m": True,
}  # fmt: skip
AGGREGATE = {**TRADE, "e": "aggTrade", "a": 6, "f": 5, "l": 5}
QUOTE: Json = {"u": 4, "s": "ETHUSDC", "b": "1.10", "B": "2", "a": "1.2", "A": "7"}
TIMED_QUOTE = {**QUOTE, "e": "bookTicker", "T": 1, "E": 2}
SPOT_BOOK: Json = {"lastUpdateId": 4, "bids": [["1.10", "2"]], "asks": [["1.20", "7"]]}
DELTA: Json = {
    "e": "depthUpdate", "E": 2, "T": 1, "s": "ETHUSDC", "U": 3, "u": 4, "pu": 2,
    "b": [["1.10", "2"]], "a": [["1.20", "0.00000000"]],
}  # fmt: skip
KLINE: Json = {
    "e": "kline", "E": 2, "s": "ETHUSDC", "k": {
        "t": 0, "T": 59999, "s": "ETHUSDC", "i": "1m", "f": 1, "L": 2, "o": "1", "c": "2",
        "h": "3", "l": "1", "v": "10", "n": 2, "x": False, "q": "20", "V": "5", "Q": "9", "B": "0",
    },
}  # fmt: skip
TICKER: Json = {
    "e": "24hrTicker", "E": 2, "s": "ETHUSDC", "p": "-1", "P": "-0.5", "c": "2", "o": "3",
    "h": "4", "l": "1", "v": "10", "q": "20", "st": 1,
}  # fmt: skip
MARK_PRICE: Json = {
    "e": "markPriceUpdate", "E": 2, "s": "ETHUSDC", "p": "1.5", "ap": "1.4", "P": "1.6",
    "i": "1.55", "r": "0.0001", "T": 9, "st": 1,
}  # fmt: skip
FORCE_ORDER: Json = {
    "e": "forceOrder", "E": 2, "o": {
        "s": "ETHUSDC", "S": "SELL", "o": "LIMIT", "f": "IOC", "q": "2", "p": "1", "ap": "1.01",
        "X": "FILLED", "l": "2", "z": "1.5", "T": 1,
    },
}  # fmt: skip

CASES: list[tuple[binance.Spot | binance.UsdMFutures, AnyChannel, Json]] = [
    (SPOT, Trades("ETHUSDC"), TRADE),
    (SPOT, AggregateTrades("ETHUSDC"), AGGREGATE),
    (SPOT, BestQuote("ETHUSDC"), QUOTE),
    (SPOT, PartialBook("ETHUSDC"), SPOT_BOOK),
    (SPOT, BookDeltas("ETHUSDC"), DELTA),
    (SPOT, Candles("ETHUSDC"), KLINE),
    (SPOT, Tickers("ETHUSDC"), TICKER),
    (USDM, Trades("ETHUSDC"), TRADE),
    (USDM, AggregateTrades("ETHUSDC"), AGGREGATE),
    (USDM, BestQuote("ETHUSDC"), TIMED_QUOTE),
    (USDM, PartialBook("ETHUSDC"), DELTA),
    (USDM, BookDeltas("ETHUSDC"), DELTA),
    (USDM, Candles("ETHUSDC"), KLINE),
    (USDM, Tickers("ETHUSDC"), TICKER),
    (USDM, MarkPrices("ETHUSDC"), MARK_PRICE),
    (USDM, Liquidations("ETHUSDC"), FORCE_ORDER),
]
EVENT_OF = {
    Trades: "Trade", AggregateTrades: "Trade", BestQuote: "Quote", PartialBook: "BookSnapshot",
    BookDeltas: "BookDelta", Candles: "Candle", Tickers: "Ticker", MarkPrices: "MarkPrice",
    Liquidations: "Liquidation",
}  # fmt: skip
OF_ALL: list[tuple[AnyChannel, Json]] = [
    (Tickers(), TICKER),
    (MarkPrices(), MARK_PRICE),
    (Liquidations(), FORCE_ORDER),
]

each_lean = settings(max_examples=max(1, settings().max_examples // 4))
"""Of each of the sixteen kinds of messages, a quarter of the usual examples."""
each_case = pytest.mark.parametrize(
    ("exchange", "channel", "payload"),
    CASES,
    ids=[f"{exchange.name}-{type(channel).__name__}" for exchange, channel, _ in CASES],
)


def decode(exchange: binance.Spot | binance.UsdMFutures, channel: AnyChannel, payload: Any) -> Any:
    return exchange.stream(channel).decode(json.dumps(payload).encode())


@each_case
def test_event_is_the_normalised_one(
    exchange: binance.Spot | binance.UsdMFutures, channel: AnyChannel, payload: Json
) -> None:
    event = decode(exchange, channel, payload)
    assert event.symbol == "ETHUSDC"
    assert event.exchange_time_ns in (None, 1_000_000, 2_000_000)
    assert repr(event).startswith(f"{EVENT_OF[type(channel)]}(symbol='ETHUSDC'")
    for _, value in numbers_of(asdict(event)):
        assert type(value) is float


@each_case
def test_decimals_keep_every_digit(
    exchange: binance.Spot | binance.UsdMFutures, channel: AnyChannel, payload: Json
) -> None:
    event = decode(EXACT[type(exchange)], channel, payload)
    written = set(strings_of(payload))
    for name, value in numbers_of(asdict(event)):
        assert type(value) is Decimal, name
        assert f"{value:f}" in written


def numbers_of(fields: Json) -> list[tuple[str, Any]]:
    """Prices and quantities, those in levels too."""
    found = [(name, value) for name, value in fields.items() if isinstance(value, float | Decimal)]
    for side in ("bids", "asks"):
        found += [(side, number) for level in fields.get(side, []) for number in level]
    return found


def strings_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [each for one in inner for each in strings_of(one)]


@pytest.mark.parametrize(
    ("exchange", "channel", "payload", "time_ns"),
    [
        (SPOT, Trades("X"), TRADE, 1_000_000),
        (USDM, AggregateTrades("X"), AGGREGATE, 1_000_000),
        (SPOT, BestQuote("X"), QUOTE, None),
        (USDM, BestQuote("X"), TIMED_QUOTE, 1_000_000),
        (SPOT, PartialBook("X"), SPOT_BOOK, None),
        (USDM, PartialBook("X"), DELTA, 2_000_000),
        (SPOT, BookDeltas("X"), DELTA, 2_000_000),
        (USDM, MarkPrices("X"), MARK_PRICE, 2_000_000),
        (USDM, Liquidations("X"), FORCE_ORDER, 2_000_000),
    ],
)
def test_time_of_an_event(
    exchange: binance.Spot | binance.UsdMFutures,
    channel: AnyChannel,
    payload: Json,
    time_ns: int | None,
) -> None:
    assert decode(exchange, channel, payload).exchange_time_ns == time_ns


def test_a_spot_partial_book_takes_its_symbol_from_the_stream() -> None:
    assert decode(SPOT, PartialBook("ethUSDC"), SPOT_BOOK).symbol == "ETHUSDC"
    assert decode(SPOT, PartialBook("测试usdt"), SPOT_BOOK).symbol == "测试USDT"


@pytest.mark.parametrize(("maker", "side"), [(True, "sell"), (False, "buy")])
def test_side_is_the_aggressors(maker: bool, side: str) -> None:
    assert decode(SPOT, Trades("X"), {**TRADE, "m": maker}).side == side


@pytest.mark.parametrize(("written", "side"), [("SELL", "sell"), ("BUY", "buy")])
def test_side_of_a_liquidation(written: str, side: str) -> None:
    payload = {**FORCE_ORDER, "o": {**FORCE_ORDER["o"], "S": written}}
    event = decode(USDM, Liquidations("X"), payload)
    assert isinstance(event, Liquidation)
    assert (event.side, event.quantity, event.filled_quantity) == (side, 2, 1.5)


@pytest.mark.parametrize("exchange", [USDM, EXACT[binance.UsdMFutures]])
def test_a_contract_that_expires_has_no_funding(exchange: binance.UsdMFutures) -> None:
    expires = {**MARK_PRICE, "s": "BTCUSDT_260327", "r": "", "T": 0}
    events = [
        decode(exchange, MarkPrices("BTCUSDT_260327"), expires),
        *decode(exchange, MarkPrices(), [MARK_PRICE, expires])[1:],
    ]
    assert len(events) == 2
    for event in events:
        assert isinstance(event, MarkPrice)
        assert (event.funding_rate, event.next_funding_time_ns) == (None, None)
        assert event.mark_price


def test_only_the_futures_delta_names_the_one_before() -> None:
    assert decode(SPOT, BookDeltas("X"), DELTA).previous_update_id is None
    assert decode(USDM, BookDeltas("X"), DELTA).previous_update_id == 2


# Binance's own names have one or two letters; `session` is what the adapter stamps.
new_names = st.text(min_size=3, max_size=6).filter(lambda name: name != "session")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@each_case
@each_lean
@given(more=st.dictionaries(new_names, values, max_size=4), data=st.data())
def test_unknown_fields_and_any_order_make_no_difference(
    exchange: binance.Spot | binance.UsdMFutures,
    channel: AnyChannel,
    payload: Json,
    more: Json,
    data: st.DataObject,
) -> None:
    shuffled = data.draw(st.permutations([*payload.items(), *more.items()]))
    plain = decode(exchange, channel, payload)
    assert asdict(decode(exchange, channel, dict(shuffled) | payload)) == asdict(plain)


@each_case
@each_lean
@given(data=st.data())
def test_a_wrong_type_is_an_error_of_msgspec_or_no_difference(
    exchange: binance.Spot | binance.UsdMFutures,
    channel: AnyChannel,
    payload: Json,
    data: st.DataObject,
) -> None:
    key = data.draw(st.sampled_from(sorted(payload)))
    try:
        event = decode(exchange, channel, {**payload, key: data.draw(values)})
    except UNDECODABLE:
        return
    assert isinstance(event, Event)


@each_case
def test_a_missing_field_is_never_made_up(
    exchange: binance.Spot | binance.UsdMFutures, channel: AnyChannel, payload: Json
) -> None:
    optional = {"e", "E", "T", "i", "r", "t", "f", "l", "U", "pu", "ap", "P", "st"}
    for key in payload:
        less = {name: value for name, value in payload.items() if name != key}
        try:
            decode(exchange, channel, less)
        except msgspec.ValidationError as error:
            assert f"`{key}`" in str(error)  # noqa: PT017
        else:
            assert key in optional


@each_case
@each_lean
@given(cut=st.integers(0, 400), junk=st.binary(max_size=8))
def test_damaged_bytes_are_an_error_of_msgspec(
    exchange: binance.Spot | binance.UsdMFutures,
    channel: AnyChannel,
    payload: Json,
    cut: int,
    junk: bytes,
) -> None:
    whole = json.dumps(payload).encode()
    for damaged in (whole[: cut % len(whole)], whole[: cut % len(whole)] + junk):
        try:
            event = exchange.stream(channel).decode(damaged)
        except UNDECODABLE:
            continue
        assert isinstance(event, Event)


@each_case
@pytest.mark.parametrize(
    "damaged", [b"", b"[]", b"null", b'"x"', b'{"s":"\xff"}', b'{"zz":' + b"[" * 100_000]
)
def test_other_json_and_what_is_none_are_errors_of_msgspec(
    exchange: binance.Spot | binance.UsdMFutures,
    channel: AnyChannel,
    payload: Json,
    damaged: bytes,
) -> None:
    with pytest.raises(UNDECODABLE):
        exchange.stream(channel).decode(damaged)


@pytest.mark.parametrize(
    ("channel", "payload"),
    [
        (Trades("X"), AGGREGATE),
        (AggregateTrades("X"), {**AGGREGATE, "e": "trade"}),
        (BestQuote("X"), {**TIMED_QUOTE, "e": "depthUpdate"}),
        (BookDeltas("X"), {**DELTA, "e": "trade"}),
    ],
)
def test_another_kind_of_event_is_refused(channel: AnyChannel, payload: Json) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"Invalid value .* at `\$.e`"):
        decode(USDM, channel, payload)


# --- what cannot be


def with_each(value: Any, number: str) -> list[Any]:
    """`value` with `number` in place of one text in it, once for each."""
    if isinstance(value, str):
        return [number]
    if not isinstance(value, dict | list):
        return []
    found = []
    for place, each in value.items() if isinstance(value, dict) else enumerate(value):
        for other in with_each(each, number):
            copy = value.copy()
            copy[place] = other
            found.append(copy)
    return found


def shows(exchange: binance.Spot | binance.UsdMFutures, channel: AnyChannel, payload: Json) -> bool:
    """Whether one of the event's numbers is 7777."""
    try:
        event = decode(exchange, channel, payload)
    except UNDECODABLE:
        return False
    return 7777 in [value for _, value in numbers_of(asdict(event))]


@each_case
@pytest.mark.parametrize("bad", ["NaN", "-Infinity", "inf", "1_000", " 1 "])
def test_a_number_that_is_none_does_not_decode(
    exchange: binance.Spot | binance.UsdMFutures, channel: AnyChannel, payload: Json, bad: str
) -> None:
    tried = 0
    for right, wrong in zip(with_each(payload, "7777"), with_each(payload, bad), strict=True):
        if not shows(exchange, channel, right):
            continue
        tried += 1
        for numbers in (exchange, EXACT[type(exchange)]):
            with pytest.raises(UNDECODABLE):
                decode(numbers, channel, wrong)
    assert tried >= 2


@each_case
def test_microseconds_taken_for_milliseconds_do_not_decode(
    exchange: binance.Spot | binance.UsdMFutures, channel: AnyChannel, payload: Json
) -> None:
    now = 1_785_000_000_000
    field = {1: "T", 2: "E"}.get(
        (decode(exchange, channel, payload).exchange_time_ns or 0) // 10**6
    )
    if field is None:
        return
    assert decode(exchange, channel, {**payload, field: now}).exchange_time_ns == now * 10**6
    with pytest.raises(UNDECODABLE):
        decode(exchange, channel, {**payload, field: now * 1000})


# --- all-market streams


def of_symbol(payload: Json, symbol: str, **more: Any) -> Json:
    """`payload` for another symbol; for the market in `st`, if any."""
    other = {key: value for key, value in payload.items() if key != "st"} | more
    if payload["e"] == "forceOrder":
        return {**other, "o": {**payload["o"], "s": symbol}}
    return {**other, "s": symbol}


each_of_all = pytest.mark.parametrize(
    ("channel", "payload"), OF_ALL, ids=[type(channel).__name__ for channel, _ in OF_ALL]
)


@each_of_all
@pytest.mark.parametrize("numbers", [float, Decimal])
def test_an_element_that_does_not_decode_is_lost_alone(
    channel: AnyChannel, payload: Json, numbers: type[float | Decimal]
) -> None:
    exchange = binance.UsdMFutures(numbers=numbers)
    bad = of_symbol(payload, "BADUSDT", st=1, E=10**15)
    other = of_symbol(payload, "BTCUSDT", st=1)

    with pytest.raises(PartlyUndecodable, match=r"\$\.E") as found:
        decode(exchange, channel, [payload, bad, other, bad, None])

    assert [event.symbol for event in found.value.events] == ["ETHUSDC", "BTCUSDT"]
    assert (found.value.lost, found.value.symbol) == (3, "BADUSDT")
    assert json.loads(found.value.raw) == bad
    assert isinstance(found.value, UNDECODABLE)


@each_of_all
def test_more_elements_than_there_are_symbols_are_not_read(
    channel: AnyChannel, payload: Json
) -> None:
    with pytest.raises(UNDECODABLE, match="20000 elements"):
        decode(USDM, channel, [0] * 20_000)


@each_of_all
def test_lists_and_bare_objects_both_become_lists(channel: AnyChannel, payload: Json) -> None:
    other = of_symbol(payload, "BTCUSDT", st=1)
    for shape, symbols in (
        (payload, ["ETHUSDC"]),
        ([payload], ["ETHUSDC"]),
        ([payload, other], ["ETHUSDC", "BTCUSDT"]),
        ([], []),
    ):
        for text in (json.dumps(shape), f" \n{json.dumps(shape, indent=2)} "):
            got = USDM.stream(channel).decode(text.encode())
            assert isinstance(got, list)
            assert [event.symbol for event in got] == symbols


@each_of_all
@pytest.mark.parametrize(
    ("symbol", "market", "kept"),
    [
        ("BTCUSD_PERP", 2, False),
        ("BTCUSD_260925", 2, False),
        ("ANYTHING", 2, False),
        ("BTCUSD_PERP", 1, True),  # `st` has the last word
        ("BTCUSDT", 1, True),
        ("BTCUSD_PERP", None, False),
        ("BNBUSD_240927", None, False),
        ("BTCUSDT", None, True),
        ("BTCUSDT_260925", None, True),
        ("BTCBUSD_210129", None, True),
        ("ETHBUSD_210129", None, True),
        ("测试USDT", None, True),
    ],
)
def test_the_other_market_is_left_out(
    channel: AnyChannel, payload: Json, symbol: str, market: int | None, kept: bool
) -> None:
    more = {} if market is None else {"st": market}
    element = of_symbol(payload, symbol, **more)
    expected = ["ETHUSDC", symbol, "ETHUSDC"] if kept else ["ETHUSDC", "ETHUSDC"]
    got = decode(USDM, channel, [payload, element, payload])
    assert [event.symbol for event in got] == expected


@pytest.mark.parametrize(("symbol", "market"), [("ANYTHING", 2), ("BTCUSD_PERP", 1)])
def test_a_liquidation_says_its_market_within_the_order(symbol: str, market: int) -> None:
    order = {**FORCE_ORDER["o"], "s": symbol, "ps": symbol, "st": market}
    got = decode(USDM, Liquidations(), {**of_symbol(FORCE_ORDER, symbol), "o": order})
    assert [event.symbol for event in got] == ([symbol] if market == 1 else [])


@each_of_all
def test_what_is_left_out_need_not_decode(channel: AnyChannel, payload: Json) -> None:
    # COIN-M deliveries have an empty funding rate, and who knows what else.
    strange = {"e": "?", "s": "BTCUSD_260925", "st": 2, "r": "", "p": None}
    got = decode(USDM, channel, [strange, payload])
    assert [event.symbol for event in got] == ["ETHUSDC"]


@each_of_all
def test_one_bad_element_is_an_error(channel: AnyChannel, payload: Json) -> None:
    bad_elements: list[Any] = [{"s": "ETHUSDC"}, 5, None, "x", []]
    for bad in bad_elements:
        with pytest.raises(UNDECODABLE):
            decode(USDM, channel, [payload, bad])
    for bad_bytes in (b"[", b'[{"s":"\xff"}]', b"[{}", b"[" * 100_000, b'[{"q":' + b"[" * 100_000):
        with pytest.raises(UNDECODABLE):
            USDM.stream(channel).decode(bad_bytes)


def test_elements_are_of_the_right_type() -> None:
    for channel, payload, kind in (
        (Tickers(), TICKER, Ticker),
        (MarkPrices(), MARK_PRICE, MarkPrice),
        (Liquidations(), FORCE_ORDER, Liquidation),
    ):
        (event,) = decode(EXACT[binance.UsdMFutures], channel, [payload])
        assert isinstance(event, kind)
        assert all(type(value) is Decimal for _, value in numbers_of(asdict(event)))


# --- raw streams


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("ETHUSDC@miniTicker", "ETHUSDC"),
        ("测试usdt@trade", "测试USDT"),
        ("!contractInfo", ""),
        ("!miniTicker@arr", ""),
        ("tradingSession", ""),
    ],
)
def test_a_raw_message_has_the_symbol_of_its_name(name: str, symbol: str) -> None:
    event = USDM.stream(RawStream(name)).decode(b'{"x": 1}')
    assert not isinstance(event, list)
    assert (event.symbol, event.data) == (symbol, b'{"x": 1}')


def test_a_raw_message_is_json_at_least() -> None:
    for damaged in (b"", b"{", b'{"a":1}}', b"x"):
        with pytest.raises(UNDECODABLE):
            USDM.stream(RawStream("x@y")).decode(damaged)
