"""Events are values with a fixed set of public fields, whatever an exchange's struct adds."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector import events
from connector.channels import (
    AggregateTrades,
    AnyChannel,
    BestQuote,
    BookDeltas,
    Candles,
    Channel,
    Liquidations,
    MarkPrices,
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.events import (
    BookDelta,
    BookSnapshot,
    BookView,
    Event,
    Gap,
    Level,
    N_co,
    Quote,
    RawMessage,
    Trade,
    asdict,
    kind_of,
    plain,
)
from connector.exchanges import binance
from connector.exchanges.spelling import from_milliseconds, spelled

KINDS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
]


@spelled(
    exchange_time_ns=from_milliseconds, side=lambda trade: "sell" if trade.wire_side else "buy"
)
class LocalTrade(Trade[float], gc=False, kw_only=True):
    """What an exchange makes of it: its own spelling, and more than everybody has."""

    symbol: str = msgspec.field(name="s")
    price: float = msgspec.field(name="p")
    exchange_time_ns: int = msgspec.field(name="t", default=5)
    side: bool = msgspec.field(name="m", default=True)  # type: ignore[assignment]
    quantity: float = 1.0
    trade_id: int = 7
    more: int = 0


def decoded() -> Trade:
    return msgspec.json.decode(b'{"s":"ETHUSDC","p":2.5,"more":1}', type=LocalTrade)


# --- what is public


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_public_fields_of_a_kind_are_all_of_its_fields_in_order(kind: type[Event]) -> None:
    assert kind.fields == kind.__struct_fields__
    assert kind.fields[: len(Event.fields)] == Event.fields
    assert kind.__name__ in events.__all__


def test_an_exchanges_event_shows_what_is_public_under_its_public_name() -> None:
    assert repr(decoded()) == (
        "Trade(symbol='ETHUSDC', exchange_time_ns=5000000, received_ns=0, session=0, price=2.5, "
        "quantity=1.0, side='sell', trade_id=7, off_book=False, backfilled=False)"
    )
    assert kind_of(decoded()) is Trade


def test_asdict_gives_the_public_fields_in_order() -> None:
    fields = asdict(decoded())

    assert tuple(fields) == Trade.fields
    assert (fields["symbol"], fields["price"], fields["side"]) == ("ETHUSDC", 2.5, "sell")


def test_what_an_exchange_does_not_tell_is_none() -> None:
    sides: dict[str, Any] = {"bids": [], "asks": []}

    assert BookSnapshot(symbol="A", update_id=1, **sides).exchange_time_ns is None
    delta = BookDelta(symbol="A", first_update_id=1, last_update_id=2, **sides)
    assert delta.previous_update_id is None
    quote = Quote(symbol="A", bid_price=1, bid_quantity=1, ask_price=1, ask_quantity=1, update_id=1)
    assert (quote.received_ns, quote.session) == (0, 0)


def test_a_level_is_a_pair() -> None:
    level = msgspec.json.decode(b"[1.5, 2]", type=Level)

    price, quantity = level

    assert (price, quantity) == (level.price, level.quantity) == (1.5, 2)
    assert len({level, Level(1.5, 2)}) == 1
    with pytest.raises(AttributeError):
        level.price = 3  # type: ignore[misc]


# --- values


def built() -> Trade:
    return Trade(
        symbol="ETHUSDC", price=2.5, quantity=1, side="sell", trade_id=7, exchange_time_ns=5_000_000
    )


def test_an_event_is_built_by_keyword_and_equals_the_exchanges_own_that_says_the_same() -> None:
    assert built() == decoded()
    assert decoded() == built()
    assert built() != Trade(
        symbol="ETHUSDC", price=2.5, quantity=1, side="buy", trade_id=7, exchange_time_ns=5_000_000
    )
    assert built() != "a trade"


def test_a_trade_without_a_side_is_no_trade() -> None:
    with pytest.raises(TypeError, match="side"):
        Trade(symbol="X", price=1.0, quantity=1.0, trade_id=1)  # type: ignore[call-arg]


def test_events_of_different_kinds_differ() -> None:
    sides: dict[str, Any] = {"bids": [], "asks": []}

    assert BookSnapshot(symbol="A", update_id=1, **sides) != BookView(symbol="A", **sides)


def test_plain_is_the_public_class_with_the_public_names() -> None:
    event = plain(decoded())

    assert type(event) is Trade
    assert msgspec.json.decode(msgspec.json.encode(event), type=Trade) == decoded()
    assert plain(event) is event


def test_what_is_pickled_or_copied_deeply_is_of_the_public_class() -> None:
    for same in (pickle.loads(pickle.dumps(decoded())), copy.deepcopy(decoded())):
        assert type(same) is Trade
        assert same == decoded()
    assert copy.copy(decoded()) == decoded()


def test_a_copy_with_other_values_takes_the_public_names() -> None:
    other = decoded().__replace__(side="buy", exchange_time_ns=6)

    assert (asdict(other)["side"], other.exchange_time_ns, other.symbol) == ("buy", 6, "ETHUSDC")


def test_an_event_is_no_key() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(built())


def test_a_gap_is_pickled_with_its_channels() -> None:
    gap = Gap(symbol="", channels=(Trades("ETHUSDC"),), reason="overflow", dropped=3)

    assert pickle.loads(pickle.dumps(gap)) == gap


# --- round trips

TEXT = st.text(max_size=8)
INTEGER = st.integers(-(2**63), 2**63 - 1)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
DECIMAL = st.decimals(allow_nan=False, allow_infinity=False)
CHANNEL = st.sampled_from([Trades("A"), PartialBook("B", levels=10), Tickers(), RawStream("c@d")])


def of_type(kind: Any, numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    simple = {int: INTEGER, str: TEXT, bool: st.booleans(), bytes: st.binary(max_size=8)}
    if kind is N_co:
        return numbers
    if kind in simple:
        return simple[kind]
    if kind == tuple[AnyChannel, ...]:
        return st.lists(CHANNEL, max_size=3).map(tuple)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Level:
        return st.builds(Level, numbers, numbers)
    if origin is Literal:
        return st.sampled_from(arguments)
    if type(None) in arguments:
        rest = [of_type(each, numbers) for each in arguments if each is not type(None)]
        return st.one_of(st.none(), *rest)
    return st.lists(of_type(arguments[0], numbers), max_size=3)


def events_of(kind: type[Event], numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: of_type(hints[name], numbers) for name in kind.fields})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=settings().max_examples // 4)
@given(data=st.data())
def test_every_kind_comes_back_from_every_journey(kind: type[Event], data: st.DataObject) -> None:
    numbers = data.draw(st.sampled_from([float, Decimal]))
    event = data.draw(events_of(kind, FLOAT if numbers is float else DECIMAL))

    assert kind(**asdict(event)) == event
    assert pickle.loads(pickle.dumps(event)) == event
    assert copy.deepcopy(event) == copy.copy(event) == plain(event) == event
    if kind is not Gap:  # its channels are of many classes
        exact: Any = kind[numbers] if hasattr(kind, "__class_getitem__") else kind  # type: ignore[index]
        event = plain(event)
        assert msgspec.json.decode(msgspec.json.encode(event), type=exact) == event
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=exact) == event


PAYLOADS: list[tuple[Channel[Any], str]] = [
    (Trades("X"), '"e":"trade","T":5,"s":"X","t":7,"p":"1.5","q":"2","X":"ADL","m":true'),
    (AggregateTrades("X"), '"e":"aggTrade","T":5,"s":"X","a":7,"p":"1.5","q":"2","m":false'),
    (BestQuote("X"), '"e":"bookTicker","T":5,"s":"X","u":7,"b":"1","B":"2","a":"3","A":"4"'),
    (PartialBook("X"), '"e":"depthUpdate","E":5,"s":"X","u":7,"b":[["1","2"]],"a":[["3","4"]]'),
    (
        BookDeltas("X"),
        '"e":"depthUpdate","E":5,"s":"X","U":6,"u":7,"pu":4,"b":[["1","0"]],"a":[]',
    ),
    (
        Candles("X"),
        (
            '"e":"kline","E":5,"s":"X","k":{"i":"1m","t":1,"T":2,"o":"1","h":"2","l":"1","c":"2",'
            '"v":"3","q":"4","n":5,"x":true}'
        ),
    ),
    (
        Tickers("X"),
        (
            '"e":"24hrTicker","E":5,"s":"X","c":"1","o":"2","h":"3","l":"1","v":"5","q":"6","p":"-1",'
            '"P":"-50"'
        ),
    ),
    (MarkPrices("X"), '"e":"markPriceUpdate","E":5,"s":"X","p":"1","i":"2","r":"0.1","T":9'),
    (
        Liquidations("X"),
        '"e":"forceOrder","E":5,"o":{"s":"X","S":"BUY","p":"1","ap":"2","q":"3","z":"4"}',
    ),
    (RawStream("x@trade"), '"e":"trade"'),
]


@pytest.mark.parametrize("numbers", [float, Decimal])
@pytest.mark.parametrize(("channel", "payload"), PAYLOADS, ids=lambda each: type(each).__name__)
def test_what_comes_off_the_wire_is_a_value(
    channel: Channel[Any], payload: str, numbers: type[Any]
) -> None:
    exchange = binance.UsdMFutures(numbers=numbers)
    event = exchange.stream(channel).decode(b"{%s}" % payload.encode())
    kind = kind_of(event)

    same = kind(**asdict(event))

    assert type(same) is type(plain(event)) is kind
    assert same == event == plain(event) == copy.copy(event)
    assert repr(same) == repr(event)
    assert pickle.loads(pickle.dumps(event)) == copy.deepcopy(event) == event
    exact: Any = kind if kind is RawMessage else kind[numbers]  # type: ignore[index]
    assert msgspec.json.decode(msgspec.json.encode(plain(event)), type=exact) == event
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(plain(event)), type=exact) == event
    if kind is not RawMessage:
        assert event.exchange_time_ns == 5_000_000


@pytest.mark.parametrize(("channel", "payload"), PAYLOADS, ids=lambda each: type(each).__name__)
def test_an_exchanges_struct_has_no_more_fields_than_it_needs(
    channel: Channel[Any], payload: str
) -> None:
    event = binance.UsdMFutures().stream(channel).decode(b"{%s}" % payload.encode())

    more = set(type(event).__struct_fields__) - set(kind_of(event).fields)

    assert more <= {"previous_id"}
