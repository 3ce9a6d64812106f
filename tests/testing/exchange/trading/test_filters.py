"""Filters at their edges: what is just allowed, and what is just not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.testing.exchange.trading.accounts import SimulatedAccount, TradingAccount
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.orders import Draft
from connector.testing.exchange.trading.refusals import Refused
from connector.testing.exchange.trading.spot import filters as spot_filters
from connector.testing.exchange.trading.usdm import filters as usdm_filters
from connector.testing.market.payloads import SPOT_SCALE, USDM_SCALE
from tests.testing.exchange.trading.client import SYMBOL, world
from tests.testing.exchange.trading.pit import NOW_MS, limit

REFERENCE = Decimal(3000)
SPOT = Instrument(
    symbol=SYMBOL, base="ETH", quote="USDC", scale=SPOT_SCALE, max_position=Decimal(5000)
)
USDM = Instrument(symbol=SYMBOL, base="ETH", quote="USDC", scale=USDM_SCALE)
POOR = SimulatedAccount(TradingAccount("a"), NOW_MS)


def spot(draft: Draft) -> str | None:
    try:
        spot_filters.check(draft, SPOT, REFERENCE, POOR)
    except Refused as refused:
        return refused.message.removeprefix("Filter failure: ")
    return None


def usdm(draft: Draft, best: str = "3000") -> int | None:
    try:
        usdm_filters.check(draft, USDM, REFERENCE, POOR, Decimal(best))
    except Refused as refused:
        return refused.code
    return None


@pytest.mark.parametrize(
    ("quantity", "price", "said"),
    [
        ("0.001", "3600", "NOTIONAL"),
        ("0.0021", "2400", None),
        ("0.0020", "2500", None),
        ("0.0019", "2500", "NOTIONAL"),
        ("0.0009", "3600", "LOT_SIZE"),
        ("0.00215", "2400", "LOT_SIZE"),
        ("9000", "3600", "NOTIONAL"),
        ("9000.0001", "900", "PERCENT_PRICE_BY_SIDE"),
        ("5000", "2400", "NOTIONAL"),
        ("1", "2399.99", "PERCENT_PRICE_BY_SIDE"),
        ("1", "2400.00", None),
        ("1", "3600.00", None),
        ("1", "3600.01", "PERCENT_PRICE_BY_SIDE"),
        ("1", "3000.005", "PRICE_FILTER"),
        ("1", "0.001", "PRICE_FILTER"),
        ("1", "1000000.01", "PRICE_FILTER"),
    ],
)
def test_edges_of_spot(quantity: str, price: str, said: str | None) -> None:
    assert spot(limit("buy", quantity, price)) == said


def test_a_position_has_a_maximum_on_spot() -> None:
    small = attrs.evolve(SPOT, max_position=Decimal(2))
    spot_filters.check(limit("buy", "2", "3000"), small, REFERENCE, POOR)
    spot_filters.check(limit("sell", "3", "3000"), small, REFERENCE, POOR)
    with pytest.raises(Refused, match="MAX_POSITION"):
        spot_filters.check(limit("buy", "2.0001", "3000"), small, REFERENCE, POOR)


@pytest.mark.parametrize(
    ("side", "quantity", "price", "code"),
    [
        ("buy", "0.002", "2500", None),
        ("buy", "0.001", "3600", -4164),
        ("buy", "1", "3600.00", None),
        ("buy", "1", "3600.01", -4016),
        ("buy", "10", "1", None),
        ("sell", "1", "2400.00", None),
        ("sell", "1", "2399.99", -4024),
        ("sell", "1", "100000", None),
        ("buy", "1", "0.005", -1111),
        ("buy", "9000", "3000", None),
        ("buy", "9001", "3000", -4005),
        ("buy", "0", "3000", -4003),
    ],
)
def test_edges_of_usdm(side: str, quantity: str, price: str, code: int | None) -> None:
    assert usdm(limit(side, quantity, price)) == code


@pytest.mark.parametrize(("best", "code"), [("3900", None), ("3901", -4131), ("2099", -4131)])
def test_a_market_order_is_bound_to_the_mark_price(best: str, code: int | None) -> None:
    draft = attrs.evolve(limit("buy", "1", "0"), type="MARKET")

    assert usdm(draft, best) == code


def test_a_small_reduce_only_order_is_let_pass() -> None:
    assert usdm(limit("sell", "0.001", "3000", reduce_only=True)) is None


@given(st.decimals("0.001", "9000", places=4), st.decimals("2400", "3600", places=3))
def test_what_passes_is_whole_lots_and_ticks(quantity: Decimal, price: Decimal) -> None:
    draft = limit("buy", quantity, price)
    if spot(draft) is None:
        assert SPOT.quantity(SPOT.lots(quantity)) == quantity
        assert SPOT.price(SPOT.ticks(price)) == price
    if usdm(draft) is None:
        assert USDM.quantity(USDM.lots(quantity)) == quantity
        assert USDM.price(USDM.ticks(price)) == price


@pytest.mark.parametrize(
    ("venue", "said"), [("spot", (-1013, "Filter failure: MAX_NUM_ORDERS")), ("usdm", (-2025, ""))]
)
async def test_two_hundred_orders_are_the_most(
    autojump_clock: Any, venue: str, said: tuple[int, str]
) -> None:
    async with world(venue) as here, here.dial() as client:
        for _ in range(200):
            here.exchange.trading.place(
                "mm1", symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC",
                quantity="0.01", price="2990",
            )  # fmt: skip
        reply = await client.place(quantity="0.01")

    assert reply["error"]["code"] == said[0]
    assert said[1] in reply["error"]["msg"]


async def test_an_order_is_amended_ten_times(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        placed = await client.place(quantity="0.5")
        replies = [
            await client.ask(
                "order.amend.keepPriority",
                symbol=SYMBOL,
                orderId=placed["result"]["orderId"],
                newQty=f"0.{49 - number}",
            )
            for number in range(11)
        ]

    assert [reply["status"] for reply in replies] == [200] * 10 + [400]
    assert "MAX_NUM_ORDER_AMENDS" in replies[-1]["error"]["msg"]
