"""What an account hears is the account: a reference kept from events alone equals the truth.

Hypothesis writes the scripts; a client sends them over the raw protocol while others trade too.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from connector.testing import OrderFlow
from connector.testing.exchange.trading.accounts import TradingAccount
from connector.testing.exchange.trading.delays import Delays
from connector.testing.exchange.trading.readings import Readings
from tests.testing.exchange.trading.client import RICH, SYMBOL, Client, World, world

ZERO = Decimal(0)
OPEN = ("NEW", "PARTIALLY_FILLED")


@attrs.define
class SpotReference:
    """A spot account as its events tell it."""

    balances: dict[str, Decimal] = attrs.field(
        factory=lambda: {k: Decimal(v) for k, v in RICH.items()}
    )
    shown: dict[str, Decimal] = attrs.field(factory=dict)
    """As ``outboundAccountPosition`` says, which is absolute."""
    orders: dict[int, dict[str, Any]] = attrs.field(factory=dict)
    trades: set[int] = attrs.field(factory=set)

    def hear(self, event: dict[str, Any]) -> None:
        if event["e"] == "outboundAccountPosition":
            for each in event["B"]:
                self.shown[each["a"]] = Decimal(each["f"]) + Decimal(each["l"])
        if event["e"] != "executionReport":
            return
        known = self.orders.get(event["i"])
        if known is None or known["I"] < event["I"]:
            self.orders[event["i"]] = event
        if event["x"] == "TRADE":
            key = event["t"] * 2 + event["m"]
            assert key not in self.trades
            self.trades.add(key)
            sign = 1 if event["S"] == "BUY" else -1
            self._move("ETH", sign * Decimal(event["l"]))
            self._move("USDC", -sign * Decimal(event["Y"]))
            self._move(event["N"], -Decimal(event["n"]))

    def _move(self, asset: str, amount: Decimal) -> None:
        self.balances[asset] = self.balances.get(asset, ZERO) + amount

    def agrees(self, here: World) -> None:
        truth = here.exchange.accounts["mm1"]
        assert self.balances == dict(truth.balances)
        assert all(truth.balances[asset] == total for asset, total in self.shown.items())
        live = {number for number, state in self.orders.items() if state["X"] in OPEN}
        assert live == {order.order_id for order in truth.open_orders}
        for order in truth.orders:
            state = self.orders[order.order_id]
            assert (state["X"], Decimal(state["z"])) == (order.status, order.filled)
            assert Decimal(state["q"]) == order.quantity


def rank(inner: dict[str, Any]) -> tuple[Decimal, bool]:
    """USD-M numbers nothing: the larger filled quantity is later, then what is over (§8)."""
    return Decimal(inner["z"]), inner["X"] not in OPEN


@attrs.define
class UsdmReference:
    """A USD-M account as its events tell it."""

    wallet: Decimal = Decimal(RICH["USDC"])
    shown_wallet: Decimal = Decimal(RICH["USDC"])
    position: Decimal = ZERO
    shown_position: Decimal = ZERO
    orders: dict[int, dict[str, Any]] = attrs.field(factory=dict)
    lite: set[int] = attrs.field(factory=set)
    trades: set[int] = attrs.field(factory=set)

    def hear(self, event: dict[str, Any]) -> None:
        if event["e"] == "TRADE_LITE":
            self.lite.add(event["t"] * 2 + event["m"])
        if event["e"] == "ACCOUNT_UPDATE":
            for each in event["a"]["B"]:
                if each["a"] == "USDC":
                    self.shown_wallet = Decimal(each["wb"])
            for each in event["a"]["P"]:
                self.shown_position = Decimal(each["pa"])
        if event["e"] == "ORDER_TRADE_UPDATE":
            inner = event["o"]
            known = self.orders.get(inner["i"])
            if known is None or rank(known) <= rank(inner):
                self.orders[inner["i"]] = inner
            if inner["x"] == "TRADE":
                self.trades.add(inner["t"] * 2 + inner["m"])
                sign = 1 if inner["S"] == "BUY" else -1
                self.position += sign * Decimal(inner["l"])
                self.wallet += Decimal(inner["rp"]) - Decimal(inner["n"])

    def agrees(self, here: World) -> None:
        truth = here.exchange.accounts["mm1"]
        assert self.wallet == self.shown_wallet == truth.balances["USDC"]
        position = truth.position(SYMBOL).quantity
        assert self.position == self.shown_position == position
        assert self.lite == self.trades
        live = {number for number, inner in self.orders.items() if inner["X"] in OPEN}
        assert live == {order.order_id for order in truth.open_orders}
        for order in truth.orders:
            inner = self.orders[order.order_id]
            assert (inner["X"], Decimal(inner["z"])) == (order.status, order.filled)


quantities = st.integers(10, 400).map(lambda lots: f"{Decimal(lots) / 1000}")
prices = st.integers(-300, 300).map(lambda ticks: f"{3000 + Decimal(ticks) / 100}")
steps = st.one_of(
    st.tuples(
        st.just("place"), st.sampled_from(["BUY", "SELL"]), quantities, prices,
        st.sampled_from(["GTC", "IOC", "FOK", "post"]),
    ),
    st.tuples(st.just("market"), st.sampled_from(["BUY", "SELL"]), quantities),
    st.tuples(st.just("cancel"), st.integers(0, 20)),
    st.tuples(st.just("change"), st.integers(0, 20), quantities, prices),
    st.tuples(st.just("fill"), st.integers(0, 20)),
    st.tuples(st.just("sleep"), st.floats(0.0, 3.0)),
)  # fmt: skip
readings = st.builds(
    Readings,
    balances_first=st.booleans(),
    lite_last=st.booleans(),
    trade_before_new=st.booleans(),
    reply_first=st.booleans(),
)
delays = st.none() | st.builds(
    Delays, gateway=st.just(0.3), engine=st.just(0.5), events=st.just(0.7), seed=st.integers(0, 9)
)


async def act(here: World, client: Client, venue: str, step: tuple[Any, ...]) -> None:
    kind, *rest = step
    open_orders = here.exchange.accounts["mm1"].open_orders
    if kind == "sleep":
        await trio.sleep(rest[0])
    elif kind == "market":
        side, quantity = rest
        await client.place(
            side=side, quantity=quantity, type="MARKET", timeInForce=None, price=None
        )
    elif kind == "place":
        side, quantity, price, tif = rest
        fields: dict[str, Any] = {"timeInForce": tif}
        if tif == "post":
            fields = {"timeInForce": "GTX"}
            if venue == "spot":
                fields = {"type": "LIMIT_MAKER", "timeInForce": None}
        await client.place(side=side, quantity=quantity, price=price, **fields)
    elif open_orders:
        order = open_orders[rest[0] % len(open_orders)]
        named = {"symbol": SYMBOL, "orderId": order.order_id}
        if kind == "cancel":
            await client.ask("order.cancel", **named)
        elif kind == "fill":
            here.exchange.trading.fill(order, min(order.remaining, Decimal("0.01")))
        elif venue == "spot":
            await client.ask("order.amend.keepPriority", **named, newQty=rest[1])
        else:
            await client.ask(
                "order.modify", **named, side=order.side, quantity=rest[1], price=rest[2]
            )


def run(
    venue: str, script: list[Any], reading: Readings, delay: Delays | None, reference: Any
) -> None:
    async def main() -> None:
        account = TradingAccount("mm1", RICH, maker_fee="-0.00005")
        market = OrderFlow(seed=1, rate_per_second=20)
        async with (
            world(venue, account, source=market, readings=reading, delays=delay) as here,
            here.dial() as client,
        ):
            if venue == "spot":
                await client.ask("userDataStream.subscribe.signature")
                await scripted(here, client, client)
            else:
                _, _, body = await here.rest("POST", "/fapi/v1/listenKey", signed=False)
                async with here.dial(f"/private/ws?listenKey={body['listenKey']}") as ears:
                    await scripted(here, client, ears)

    async def scripted(here: World, client: Client, ears: Client) -> None:
        for step in script:
            await act(here, client, venue, step)
        for order in here.exchange.accounts["mm1"].open_orders:
            if order.order_id % 2:
                await client.ask("order.cancel", symbol=SYMBOL, orderId=order.order_id)
        heard = 0
        for _ in range(50):
            await trio.sleep(0.9)
            for event in ears.events[heard:]:
                reference.hear(event.get("event", event))
            heard = len(ears.events)
            if heard == len(here.exchange.trading.told):  # nothing is on its way
                reference.agrees(here)
                return
        raise AssertionError("there was no quiet moment")

    trio.run(main, clock=MockClock(autojump_threshold=0))


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=20), readings, delays)
def test_events_of_spot_tell_the_account(
    script: list[Any], reading: Readings, delay: Delays | None
) -> None:
    run("spot", script, reading, delay, SpotReference())


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=20), readings, delays)
def test_events_of_usdm_tell_the_account(
    script: list[Any], reading: Readings, delay: Delays | None
) -> None:
    run("usdm", script, reading, delay, UsdmReference())
