"""Events are values with a fixed set of public fields, whatever an exchange's struct adds."""

from __future__ import annotations

import pickle
from typing import Any

import msgspec
import pytest

from connector import events
from connector.channels import Trades
from connector.events import BookDelta, BookSnapshot, Event, Gap, Level, Quote, Trade, asdict

KINDS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
]


class LocalTrade(Trade, gc=False, kw_only=True):
    """What an exchange makes of it: its own spelling, and more than everybody has."""

    symbol: str = msgspec.field(name="s")
    price: float = msgspec.field(name="p")
    quantity: float = 1.0
    trade_id: int = 7
    time_ms: int = 5
    maker: bool = True

    @property
    def exchange_time_ns(self) -> int:
        return self.time_ms * 1_000_000

    @property
    def side(self) -> events.Side:
        return "sell" if self.maker else "buy"


def decoded() -> Trade:
    return msgspec.json.decode(b'{"s":"ETHUSDC","p":2.5,"more":1}', type=LocalTrade)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_names_its_public_fields_after_those_of_all(kind: type[Event]) -> None:
    assert kind.fields[: len(Event.fields)] == Event.fields
    assert len(set(kind.fields)) == len(kind.fields)
    assert kind.__name__ in events.__all__
    for name in kind.fields:
        assert name in kind.__struct_fields__ or isinstance(getattr(kind, name), property)


def test_an_exchanges_event_shows_what_is_public_under_its_public_name() -> None:
    assert repr(decoded()) == (
        "Trade(symbol='ETHUSDC', exchange_time_ns=5000000, received_ns=0, session=0, price=2.5, "
        "quantity=1.0, side='sell', trade_id=7)"
    )


def test_asdict_gives_the_public_fields_in_order() -> None:
    fields = asdict(decoded())

    assert tuple(fields) == Trade.fields
    assert (fields["symbol"], fields["price"], fields["side"]) == ("ETHUSDC", 2.5, "sell")


def test_events_are_equal_by_value_and_survive_pickling() -> None:
    assert decoded() == decoded()
    assert pickle.loads(pickle.dumps(decoded())) == decoded()
    gap = Gap(symbol="", channels=(Trades("ETHUSDC"),), reason="overflow", dropped=3)
    assert pickle.loads(pickle.dumps(gap)) == gap


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
