"""The sums over open orders are what adding all of them up gives, whatever happens to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from connector.inputs.decimals import total
from connector.orders import Limit, Market
from connector.trading.exposure import exposure_of, notional_of
from connector.trading.live_orders import LiveOrders
from connector.trading.order_record import OrderRecord
from connector.trading.reports import FillReport, OrderReport
from tests.trading.markets import instrument

INSTRUMENTS = {"ETHUSDC": instrument(), "BTCUSDC": instrument(symbol="BTCUSDC")}
PRICES = {"ETHUSDC": Decimal(2500)}
AMOUNTS = st.decimals("0.01", "9", places=2)


@st.composite
def intents(draw: st.DrawFn) -> Limit | Market:
    symbol = draw(st.sampled_from(["ETHUSDC", "BTCUSDC", "UNLISTED"]))
    side: Any = draw(st.sampled_from(["buy", "sell"]))
    reduces = draw(st.sampled_from([False, False, True]))
    quantity = draw(AMOUNTS)
    if draw(st.booleans()):
        return Market(symbol, side, quantity=quantity, reduce_only=reduces)
    return Limit(symbol, side, quantity=quantity, price=draw(AMOUNTS), reduce_only=reduces)


def reported(record: OrderRecord, state: Any, filled: Decimal) -> OrderReport:
    return OrderReport(
        symbol=record.symbol,
        client_id=record.client_id,
        exchange_id="1",
        side=record.intent.side,
        state=state,
        price=record.price,
        quantity=record.quantity,
        filled=filled,
    )


def traded(record: OrderRecord, quantity: Decimal, number: int) -> FillReport:
    return FillReport(
        symbol=record.symbol,
        trade_id=str(number),
        exchange_id="1",
        side=record.intent.side,
        price=Decimal(1),
        quantity=quantity,
        cumulative=record.filled + quantity,
    )


CHANGES: tuple[Callable[[OrderRecord, Decimal, int], object], ...] = (
    lambda record, _, __: record.move("sent"),
    lambda record, _, __: record.move("lost"),
    lambda record, _, __: record.move("absent"),
    lambda record, _, __: record.move("refused"),
    lambda record, amount, _: record.read(reported(record, "open", amount / 10), 1),
    lambda record, amount, _: record.read(reported(record, "cancelled", amount / 10), 1),
    lambda record, amount, number: record.read_fill(traded(record, amount / 10, number), 1),
    lambda record, amount, _: record.amend(amount, amount if record.price else None),
    lambda record, _, __: record.give_up_amend(),
    lambda record, amount, _: record.read(
        msgspec.structs.replace(reported(record, "open", Decimal(0)), quantity=amount), 1
    ),
)


def check(live: LiveOrders, records: Iterable[OrderRecord], without: OrderRecord | None) -> None:
    counted = [each for each in records if not each.over and each is not without]
    for symbol in ("ETHUSDC", "BTCUSDC", "UNLISTED"):
        assert live.exposure(symbol, without) == exposure_of(counted, symbol)
    assert live.notional(PRICES, without) == total(
        notional_of(each, INSTRUMENTS[each.symbol], PRICES.get(each.symbol))
        for each in counted
        if not each.intent.reduce_only and each.symbol in INSTRUMENTS
    )


@given(
    st.lists(intents(), min_size=1, max_size=4),
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(CHANGES), AMOUNTS, st.booleans()), max_size=20
    ),
)
def test_the_sums_are_those_of_all_that_are_not_over(wanted: Any, script: Any) -> None:
    live = LiveOrders(INSTRUMENTS)
    records = [OrderRecord(intent, str(i), intent.symbol) for i, intent in enumerate(wanted)]
    for record in records:
        live.add(record)

    for number, (which, change, amount, looks) in enumerate(script):
        record = records[which % len(records)]
        change(record, amount, number)
        if looks:
            check(live, records, record)

    check(live, records, None)
    assert {each.client_id for each in live.records()} == {
        each.client_id for each in records if not each.over
    }
