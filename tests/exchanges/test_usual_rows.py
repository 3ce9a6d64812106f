"""Market data of the usual form, decoded in C: as msgspec decodes it, or left to it."""

from __future__ import annotations

import json
import struct
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import field

from connector import events
from connector.exchanges import usual_json
from connector.exchanges.coinbase import decode as coinbase
from connector.exchanges.coinbase import wire as coinbase_wire
from connector.exchanges.deribit import wire as deribit_wire
from connector.exchanges.hyperliquid import wire as hyperliquid_wire
from connector.exchanges.numbers import Finite, Milliseconds, decoder
from connector.exchanges.protocol import UNDECODABLE
from connector.exchanges.usual_json import usual_decoder

needs_c = pytest.mark.skipif(usual_json.EXTENSION is None, reason="not compiled")


class Row(msgspec.Struct, gc=False, kw_only=True, tag_field="kind", tag="row"):
    price: float = field(name="p")
    quantity: Finite = field(name="q")
    number: int = field(name="i")
    time: Milliseconds = field(name="t")
    side: Literal["BUY", "SELL"] = field(name="s")
    text: Annotated[str, msgspec.Meta(max_length=4)] = "none"
    other: float | None = None
    seen: tuple[int, ...] = field(name="-", default=())


class Tracked(Row, gc=True, kw_only=True, tag="row"):
    """The same, made by a call."""


USUAL: dict[str, Any] = {
    "kind": "row", "p": "60000.13", "q": 0.5, "i": "7", "t": 1785000002200, "s": "BUY",
    "text": "abc", "hash": "0x00", "users": ["a" * 70, "b"], "other": None,
}  # fmt: skip
DIGITS = st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{0,20})?", fullmatch=True)
NUMBERS = st.one_of(
    st.floats().map(repr),
    st.decimals(allow_nan=None).map(str),
    st.integers().map(str),
    DIGITS,
    st.sampled_from([
        "0", "-0", "-0.0", "007", "00.5", "1.", ".5", "1e5", "1E5", "1.5e-3", "NaN", "nan", "inf",
        "-Infinity", "", "-", "null", "9007199254740993", "0.1234567890123456789", "4133980800000",
        "4133980800001", "1" * 18, "1" * 19, "1" * 41, "1" * 400, "0." + "0" * 30 + "1", "1_0",
        " 1", "1 ", "123456789012345", "1234567890123456", "999999999999999.9", "1.2.3", "+1",
    ]),
)  # fmt: skip
"""What may stand where a number is wanted, as text."""
VALUES = st.one_of(
    NUMBERS,
    NUMBERS.map(lambda text: msgspec.Raw(text.encode())),
    st.none() | st.booleans() | st.text(max_size=5) | st.integers() | st.floats(allow_nan=False),
    st.sampled_from(["BUY", "SELL", "buy", "BUY ", "row", "other", [], {}, [1], "a" * 5, "é"]),
)
CHANGED = st.dictionaries(st.sampled_from([*USUAL, "-", "new"]), VALUES, max_size=3)
ROWS = st.lists(CHANGED, max_size=4)


def written(row: dict[str, Any], separators: tuple[str, str] = (",", ":")) -> str:
    """A row as JSON; what is `Raw` stands as it is."""
    comma, colon = separators
    return (
        "{"
        + comma.join(
            json.dumps(name)
            + colon
            + (
                bytes(value).decode()
                if isinstance(value, msgspec.Raw)
                else json.dumps(value, separators=separators)
            )
            for name, value in row.items()
        )
        + "}"
    )


def bits(value: Any) -> Any:
    """A value by which floats differ that are equal, such as 0.0 and -0.0."""
    if isinstance(value, float):
        return struct.pack(">d", value)
    if isinstance(value, msgspec.Struct):
        return type(value), [bits(each) for each in msgspec.structs.astuple(value)]
    if isinstance(value, list | tuple):
        return [bits(each) for each in value]
    return type(value), value


def outcome(decode: Any, payload: bytes) -> Any:
    """What is decoded, with its types, or the error."""
    try:
        return bits(decode(payload))
    except UNDECODABLE as error:
        return type(error), str(error)


def agree(ours: Any, theirs: Any, payload: bytes) -> None:
    expected = outcome(theirs, payload)
    for _ in range(2):  # the second time from memory
        assert outcome(ours, payload) == expected


@pytest.mark.parametrize("kind", [Row, Tracked])
@given(rows=ROWS, order=st.randoms(use_true_random=False), separators=st.sampled_from(
    [(",", ":"), (", ", ": "), (" ,\n", " : ")]
))  # fmt: skip
@example(rows=[{}, {}], order=None, separators=(",", ":"))
def test_it_decodes_lists_as_msgspec_does(
    kind: Any, rows: list[dict[str, Any]], order: Any, separators: tuple[str, str]
) -> None:
    texts = []
    for changed in rows:
        fields = list((USUAL | changed).items())
        if order is not None and order.random() < 0.5:
            order.shuffle(fields)
        texts.append(written(dict(fields), separators))
    agree(
        usual_decoder(list[kind], strict=False),
        msgspec.json.Decoder(list[kind], strict=False).decode,
        ("[" + separators[0].join(texts) + "]").encode("utf-8", "surrogatepass"),
    )


@given(NUMBERS, st.sampled_from(["p", "q", "i", "t", "other"]), st.booleans())
def test_every_number_is_as_msgspec_reads_it(text: str, name: str, quoted: bool) -> None:
    value = text if quoted else msgspec.Raw(text.encode())
    # A row before it leaves another number in memory.
    payload = f"[{written(USUAL)},{written(USUAL | {name: value})},{written(USUAL)}]".encode()
    agree(
        usual_decoder(list[Row], strict=False),
        msgspec.json.Decoder(list[Row], strict=False).decode,
        payload,
    )


@given(st.integers(0, 10**15 - 1), st.integers(0, 15))
def test_short_decimals_are_the_nearest_floats(number: int, fraction: int) -> None:
    text = f"{Decimal(number).scaleb(-fraction):f}"
    agree(
        usual_decoder(list[Row], strict=False),
        lambda _: [
            msgspec.structs.replace(msgspec.convert(USUAL, Row, strict=False), price=float(text))
        ],
        f"[{written(USUAL | {'p': text})}]".encode(),
    )


COINBASE_TRADE = {
    "trade_id": "4982736", "product_id": "BTC-USD", "price": "59999.73", "size": "0.288",
    "side": "BUY", "time": "2026-07-25T17:20:05.25112Z",
}  # fmt: skip
HYPERLIQUID_TRADE = {
    "coin": "BTC", "side": "A", "px": "60000.13", "sz": "1.169", "time": 1785000002200,
    "hash": "0x" + "0" * 64, "tid": 53355899872802, "users": ["0x" + "a" * 40, "0x" + "b" * 40],
}  # fmt: skip
DERIBIT_TRADE = {
    "trade_seq": 4473376, "trade_id": "13420128", "timestamp": 1785000002427, "tick_direction": 2,
    "price": 60000.09, "liquidation": "T", "instrument_name": "BTC-PERPETUAL",
    "direction": "sell", "contracts": 1430.0, "amount": 14300.0, "block_rfq_id": None,
}  # fmt: skip
TRADES: list[tuple[Any, dict[str, Any]]] = [
    (coinbase_wire.Trade, COINBASE_TRADE),
    (hyperliquid_wire.Trade, HYPERLIQUID_TRADE),
    (deribit_wire.Trade, DERIBIT_TRADE),
]


@pytest.mark.parametrize("numbers", [float, Finite, Decimal])
@pytest.mark.parametrize(("kind", "trade"), TRADES)
@given(data=st.data())
def test_trades_of_exchanges_are_decoded_as_by_msgspec(
    kind: Any, trade: dict[str, Any], numbers: Any, data: st.DataObject
) -> None:
    names = st.sampled_from([*trade, "block_trade_id", "received_ns", "session", "off_book"])
    changed = data.draw(st.lists(st.dictionaries(names, VALUES, max_size=2), max_size=3))
    many: Any = list[kind[numbers]]
    theirs = decoder(many)
    agree(
        usual_decoder(many, strict=False, otherwise=theirs),
        theirs,
        ("[" + ",".join(written(trade | each) for each in changed) + "]").encode(
            "utf-8", "surrogatepass"
        ),
    )


def damaged(payload: bytes, data: st.DataObject) -> bytes:
    """The same with a few bytes replaced, or its end missing."""
    found = bytearray(payload)
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(found) - 1))
        end = data.draw(st.integers(at, min(at + 3, len(found))))
        found[at:end] = data.draw(
            st.binary(max_size=2) | st.sampled_from([b'"', b",", b"{", b"}", b"[", b"]", b"0"])
        )
        found = found or bytearray(b"x")
    return bytes(found[: data.draw(st.integers(0, len(found)) | st.just(len(found)))])


@pytest.mark.parametrize(("kind", "trade"), TRADES)
@given(data=st.data())
def test_damaged_lists_are_decoded_or_refused_as_by_msgspec(
    kind: Any, trade: dict[str, Any], data: st.DataObject
) -> None:
    many: Any = list[kind[float]]
    theirs = decoder(many)
    whole = f"[{written(trade)},{written(trade)}]".encode()
    ours = usual_decoder(many, strict=False, otherwise=theirs)
    agree(ours, theirs, whole)
    agree(ours, theirs, damaged(whole, data))


LEVEL = {
    "side": "bid", "event_time": "2026-07-25T17:20:01.5Z", "price_level": "59999.98",
    "new_quantity": "0.278",
}  # fmt: skip
BOOK: dict[str, Any] = {
    "channel": "l2_data", "timestamp": "2026-07-25T17:20:01.500278662Z", "sequence_num": 20,
}  # fmt: skip
CHANGES: dict[str, Any] = {"type": "update", "product_id": "BTC-USD"}


def told(decode: Any, payload: bytes) -> Any:
    """As `outcome`, of an event or a list of them."""
    try:
        found = decode(payload)
    except UNDECODABLE as error:
        return type(error), str(error)
    return [(type(each), bits(list(events.asdict(each).values()))) for each in (
        found if isinstance(found, list) else [found]
    )]  # fmt: skip


def book_frame(frame: dict[str, Any], event: dict[str, Any], levels: list[dict[str, Any]]) -> str:
    rows = ",".join(written(LEVEL | each) for each in levels)
    inner = written(CHANGES | {"updates": msgspec.Raw(f"[{rows}]".encode())} | event)
    return written(BOOK | {"events": msgspec.Raw(f"[{inner}]".encode())} | frame)


LEVELS = st.lists(
    st.dictionaries(st.sampled_from(list(LEVEL)), VALUES | st.just("offer"), max_size=2)
    | st.fixed_dictionaries({"side": st.sampled_from(["bid", "offer"])}),
    max_size=4,
)


@given(
    symbol=st.sampled_from(["BTC-USD", "BTC-USDC", "ETH-USD"]),
    frame=st.dictionaries(
        st.sampled_from([*BOOK, "events", "session", "checksum", "-"]), VALUES, max_size=1
    ),
    event=st.dictionaries(st.sampled_from([*CHANGES, "updates"]), VALUES, max_size=1),
    levels=LEVELS,
)
@example(symbol="BTC-USD", frame={}, event={"type": "snapshot"}, levels=[{}])
@example(symbol="BTC-USDC", frame={}, event={}, levels=[{}, {"side": "offer"}])
def test_changes_of_a_book_are_as_decoded_by_msgspec(
    symbol: str, frame: dict[str, Any], event: dict[str, Any], levels: list[dict[str, Any]]
) -> None:
    payload = book_frame(frame, event, levels).encode("utf-8", "surrogatepass")
    ours, theirs = coinbase.changes(float, symbol), coinbase.book(float, symbol)
    for _ in range(2):
        assert told(ours, payload) == told(theirs, payload)


@given(st.data())
def test_a_damaged_book_is_decoded_or_refused_as_by_msgspec(data: st.DataObject) -> None:
    ours, theirs = coinbase.changes(float, "BTC-USD"), coinbase.book(float, "BTC-USD")
    whole = book_frame({}, {}, [{}, {"side": "offer"}]).encode()
    assert told(ours, whole) == told(theirs, whole)
    payload = damaged(whole, data)
    assert told(ours, payload) == told(theirs, payload)


@pytest.mark.parametrize(
    "text",
    [
        '{"events":[],"timestamp":"","sequence_num":1}',
        '{"events":[{"updates":[],"updates":[],"type":"update"}],"timestamp":"","sequence_num":1}',
        '{"timestamp":"","timestamp":"","sequence_num":1,"events":[]}',
        '{"sequence_num":1}',
    ],
)
def test_unusual_books_are_left_to_msgspec(text: str) -> None:
    ours, theirs = coinbase.changes(float, "BTC-USD"), coinbase.book(float, "BTC-USD")
    assert told(ours, text.encode()) == told(theirs, text.encode())


@needs_c
def test_usual_frames_are_not_left_to_msgspec() -> None:
    def refuse(payload: bytes) -> Any:
        raise AssertionError(payload)

    for kind, trade in TRADES:
        decode = usual_decoder(list[kind[float]], strict=False, otherwise=refuse)
        rows = f"[{written(trade)},{written(trade)}]".encode()
        first, second = decode(rows)
        assert first.symbol is second.symbol
        assert first.price is second.price


@needs_c
def test_a_struct_with_a_limit_that_is_not_checked_is_refused() -> None:
    class Odd(msgspec.Struct):
        a: Annotated[int, msgspec.Meta(ge=1)]

    with pytest.raises(TypeError, match="cannot be checked"):
        usual_decoder(Odd)


@needs_c
def test_a_struct_that_looks_at_its_values_is_refused() -> None:
    class Odd(msgspec.Struct):
        a: int

        def __post_init__(self) -> None:
            self.a += 1

    with pytest.raises(TypeError, match="told of its values"):
        usual_decoder(Odd)


@needs_c
@pytest.mark.parametrize(
    "arguments",
    [
        (Row, ("a",), False, 1, ()),
        (Row, ("a",), False, 2, ()),
        (Row, (), False, 0, ((b"a", 1, 0, True, None, None, 5, None),)),
        (Row, ("a",), False, 1, ((b"a", 512, 0, True, None, None, 5, None),)),
        (Row, ("a",), False, 1, ((b"a", 2048, 0, True, None, None, 5, None),)),
        (Row, ("a",), False, 1, ((b"a", 1, 0, False, None, None, 5, None),) * 2),
        (Row, (), False, 0, ((b"a", 1, -1, False, None, None, 5, None),)),
        (Row, (), False, 0, (7,)),
    ],
)
def test_a_reader_that_could_not_make_its_struct_is_refused(arguments: Any) -> None:
    assert usual_json.EXTENSION is not None
    with pytest.raises((TypeError, ValueError)):
        usual_json.EXTENSION.Decoder(*arguments)
