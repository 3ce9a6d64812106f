"""What an exchange spells in its own way is stored as it is sent, and read as everybody's."""

from __future__ import annotations

import msgspec

from connector.events import Trade
from connector.exchanges.spelling import from_microseconds, from_milliseconds, spelled


@spelled(exchange_time_ns=from_milliseconds, side=lambda trade: trade.wire_side.lower())
class Loud(Trade[float], gc=False, kw_only=True):
    exchange_time_ns: int = msgspec.field(name="t")
    side: str = msgspec.field(name="S")  # type: ignore[assignment]


@spelled(exchange_time_ns=from_microseconds)
class LoudAndExact(Loud, gc=False, kw_only=True):
    exchange_time_ns: int = msgspec.field(name="us")


REST = b'"symbol":"X","price":1.0,"quantity":2.0,"trade_id":3}'


def test_a_field_is_converted_when_it_is_read() -> None:
    trade = msgspec.json.decode(b'{"t":5,"S":"BUY",' + REST, type=Loud)

    assert (trade.exchange_time_ns, trade.side) == (5_000_000, "buy")
    assert trade.wire_side == "BUY"  # type: ignore[attr-defined]


def test_the_struct_has_no_more_fields_than_the_event() -> None:
    assert Loud.__struct_fields__ == Trade.__struct_fields__


def test_a_subclass_may_spell_a_field_in_another_way() -> None:
    trade = msgspec.json.decode(b'{"us":5,"S":"SELL",' + REST, type=LoudAndExact)

    assert (trade.exchange_time_ns, trade.side) == (5_000, "sell")
