"""Orders that close a position or trail the price, on both futures venues, as a raw client sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from connector.testing import OrderFlow
from connector.testing.exchange.trading.accounts import TradingAccount
from connector.testing.exchange.trading.conditions import followed, is_active, is_reached
from connector.testing.exchange.trading.orders import Draft, Side, Trail
from tests.testing.exchange.trading.client import SYMBOL, Client, World, world

COIN_SYMBOL = "BTCUSD_PERP"


@attrs.frozen
class Futures:
    """One of the two venues with its own words for the same request."""

    here: World
    client: Client
    ears: Client
    coinm: bool

    @property
    def symbol(self) -> str:
        return COIN_SYMBOL if self.coinm else SYMBOL

    @property
    def unit(self) -> str:
        return "10" if self.coinm else "0.5"

    def price(self, part: str) -> str:
        """A part of the price at which the market begins, in percent."""
        return str(Decimal(600 if self.coinm else 30) * Decimal(part))

    async def ask(self, **params: Any) -> Any:
        """Place a conditional order; parameters that are None are left out."""
        params = {"symbol": self.symbol, "side": "SELL", "quantity": self.unit} | params
        if not self.coinm:
            words = {"stopPrice": "triggerPrice", "activationPrice": "activatePrice"}
            params = {words.get(name, name): value for name, value in params.items()}
            params["algoType"] = "CONDITIONAL"
        params = {name: value for name, value in params.items() if value is not None}
        return await self.client.ask("order.place" if self.coinm else "algoOrder.place", **params)

    async def code(self, **params: Any) -> int | None:
        reply = await self.ask(**params)
        return reply["error"]["code"] if "error" in reply else None

    async def trade(self, part: str, side: str = "BUY") -> None:
        """Let a trade happen at a price, and the exchange look at it."""
        placed = await self.client.place(
            symbol=self.symbol, side=side, quantity=self.unit, price=self.price(part)
        )
        assert placed["status"] == 200, placed
        mine = self.here.exchange.accounts["mm1"].open_orders
        for order in mine:
            if order.order_id == placed["result"]["orderId"]:
                self.here.exchange.trading.fill(order)
        await trio.sleep(2)

    @property
    def position(self) -> Decimal:
        return self.here.exchange.accounts["mm1"].position(self.symbol).quantity

    def told(self, name: str) -> list[Any]:
        return [event["o"] for event in self.ears.events if event["e"] == name]


@pytest.fixture(params=["usdm", "binance_coinm"])
def venue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def futures(venue: str, **account: Any) -> AsyncIterator[Futures]:
    coinm = venue == "binance_coinm"
    balance = {"BTC": "50"} if coinm else {"USDC": "1000000"}
    source = OrderFlow(symbols=(COIN_SYMBOL if coinm else SYMBOL,), rate_per_second=1e-6)
    mine = TradingAccount("mm1", balance, **account)
    async with world(venue, mine, source=source) as here:
        path = "/dapi/v1/listenKey" if coinm else "/fapi/v1/listenKey"
        key = (await here.rest("POST", path, signed=False))[2]["listenKey"]
        ears = f"/ws/{key}?listenKey={key}" if coinm else f"/private/ws?listenKey={key}"
        async with here.dial() as client, here.dial(ears) as listening:
            yield Futures(here, client, listening, coinm)


CLOSE: dict[str, Any] = {"type": "STOP_MARKET", "closePosition": "true", "quantity": None}
TRAIL: dict[str, Any] = {"type": "TRAILING_STOP_MARKET", "callbackRate": "1"}


async def test_a_close_has_no_quantity_until_it_takes_the_whole_position(
    venue: str, autojump_clock: Any
) -> None:
    async with futures(venue) as at:
        await at.trade("99.5")
        placed = (await at.ask(**CLOSE, stopPrice=at.price("98")))["result"]
        await at.trade("99.4")
        held = at.position
        await at.trade("97.9")

        assert (placed["closePosition"], placed["reduceOnly"]) == (True, True)
        assert Decimal(placed["origQty" if at.coinm else "quantity"]) == 0
        assert held == 2 * Decimal(at.unit)
        assert at.position == 0, "what was bought while it waited is closed too"
        ended = at.told("ORDER_TRADE_UPDATE")[-1]
        assert (ended["X"], ended["S"]) == ("FILLED", "SELL")
        assert Decimal(ended["z"]) == 3 * Decimal(at.unit)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": "10"}, -4137),
        ({"type": "STOP", "price": "98", "timeInForce": "GTC"}, -4136),
        (TRAIL | {"stopPrice": None}, -4136),
        ({"reduceOnly": "true"}, -1106),
        ({"reduceOnly": "false"}, -4138),
        ({"stopPrice": "101"}, -2021),
        ({"stopPrice": None}, -1102),
        ({"callbackRate": "1"}, -1106),
        ({"closePosition": "yes"}, -1130),
    ],
)
async def test_what_may_not_go_with_a_close(
    venue: str, changes: dict[str, Any], code: int, autojump_clock: Any
) -> None:
    async with futures(venue) as at:
        asked = CLOSE | {"stopPrice": "98"} | changes
        for name in ("stopPrice", "price"):
            if asked.get(name):
                asked[name] = at.price(asked[name])
        assert await at.code(**asked) == code


async def test_one_close_of_a_kind_may_wait_on_each_side(venue: str, autojump_clock: Any) -> None:
    async with futures(venue) as at:
        assert await at.code(**CLOSE, stopPrice=at.price("98")) is None
        assert await at.code(**CLOSE, stopPrice=at.price("97")) == -4130
        profit = CLOSE | {"type": "TAKE_PROFIT_MARKET"}
        assert await at.code(**profit, stopPrice=at.price("102")) is None
        assert await at.code(**CLOSE, side="BUY", stopPrice=at.price("102")) is None


async def test_a_close_of_nothing_ends_without_a_trade(venue: str, autojump_clock: Any) -> None:
    async with futures(venue) as at:
        await at.ask(**CLOSE, side="BUY", stopPrice=at.price("101"))
        await at.trade("99.5")
        trading = at.here.exchange.trading
        if at.coinm:
            trading.trigger(at.here.exchange.accounts["mm1"].open_orders[0])
        else:
            trading.trigger(trading.algo_orders[0])
        await trio.sleep(1)

        assert at.position == Decimal(at.unit), "a buy closes no long position"
        if at.coinm:
            assert at.told("ORDER_TRADE_UPDATE")[-1]["X"] == "EXPIRED"
        else:
            assert at.told("ALGO_UPDATE")[-1]["X"] == "REJECTED"


async def test_hedge_mode_closes_only_against_its_side(venue: str, autojump_clock: Any) -> None:
    async with futures(venue, hedge=True) as at:
        stop = CLOSE | {"stopPrice": at.price("98")}
        assert await at.code(**stop, positionSide="SHORT") == -4061
        assert await at.code(**stop, positionSide="LONG") is None


async def test_a_trailing_stop_follows_the_best_price(venue: str, autojump_clock: Any) -> None:
    async with futures(venue) as at:
        placed = (await at.ask(**TRAIL, activationPrice=at.price("101")))["result"]
        await at.trade("98.5")
        assert at.position == Decimal(at.unit), "it is not active yet"
        await at.trade("102", side="SELL")
        await at.trade("101.5", side="SELL")
        assert at.position == -Decimal(at.unit), "half a percent is no turn"
        await at.trade("100.9", side="SELL")
        told = at.told("ORDER_TRADE_UPDATE")

        assert at.position == -3 * Decimal(at.unit), "two of them were ours, the third is its own"
        assert Decimal(placed["activatePrice"]) == Decimal(at.price("101"))
        if at.coinm:
            mine = [each for each in told if each["ot"] == "TRAILING_STOP_MARKET"]
            assert placed["priceRate"] == "1"
            assert [(each["o"], each["x"]) for each in mine] == [
                ("TRAILING_STOP_MARKET", "NEW"), ("MARKET", "NEW"), ("MARKET", "TRADE"),
            ]  # fmt: skip
            assert {each["cr"] for each in mine} == {"1"}
            assert {Decimal(each["AP"]) for each in mine} == {Decimal(at.price("101"))}
            assert not any("AP" in each for each in told if each not in mine)
        else:
            assert placed["callbackRate"] == "1"
            assert [(each["X"], each["ia"]) for each in at.told("ALGO_UPDATE")] == [
                ("NEW", False), ("NEW", True), ("TRIGGERING", False), ("TRIGGERED", False),
                ("FINISHED", False),
            ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"callbackRate": None}, -1102),
        ({"callbackRate": "0.05"}, -2007),
        ({"callbackRate": "20.1"}, -2007),
        ({"callbackRate": "0.1"}, None),
        ({"activationPrice": "99"}, -2021),
        ({"activationPrice": "101"}, None),
        ({"side": "BUY", "activationPrice": "101"}, -2021),
        ({"stopPrice": "99"}, -1106),
        ({"quantity": None}, -1102),
    ],
)
async def test_what_a_trailing_stop_needs(
    venue: str, changes: dict[str, Any], code: int | None, autojump_clock: Any
) -> None:
    async with futures(venue) as at:
        asked = TRAIL | changes
        for name in ("stopPrice", "activationPrice"):
            if name in asked:
                asked[name] = at.price(asked[name])
        assert await at.code(**asked) == code


async def test_the_activation_price_keeps_to_the_tick(venue: str, autojump_clock: Any) -> None:
    async with futures(venue) as at:
        off = str(Decimal(at.price("101")) + Decimal("0.001"))
        assert await at.code(**TRAIL, activationPrice=off) == -4135


PRICES = st.lists(st.integers(50, 150).map(Decimal), min_size=1, max_size=30)


@given(
    side=st.sampled_from(["BUY", "SELL"]),
    prices=PRICES,
    activation=st.integers(50, 150),
    rate=st.sampled_from([Decimal("0.1"), Decimal(1), Decimal(10)]),
)
def test_it_is_triggered_as_the_rule_says(
    side: Side, prices: list[Decimal], activation: int, rate: Decimal
) -> None:
    """The rule, written over all prices since the order was placed."""
    trail = Trail(activation_price=Decimal(activation), callback_rate=rate, best=prices[0])
    for count, price in enumerate(prices, 1):
        trail = followed(trail, side, price)
        order = Draft(
            symbol="S", side=side, type="TRAILING_STOP_MARKET", client_id="c", trail=trail
        )
        low, high = min(prices[:count]), max(prices[:count])
        if side == "BUY":
            active, turned = low <= activation, price >= low + low * rate / 100
        else:
            active, turned = high >= activation, price <= high - high * rate / 100
        assert is_active(trail, side) == active
        assert is_reached(order, price) == (active and turned)
