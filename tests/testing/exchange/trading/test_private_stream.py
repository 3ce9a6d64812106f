"""USD-M: listen keys, private sockets, and the events of orders and positions on them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
import trio

from connector.testing.exchange.trading.accounts import TradingAccount
from connector.testing.exchange.trading.readings import Readings
from tests.testing.exchange.trading.client import RICH, SYMBOL, Client, World, world

FILL = ["TRADE_LITE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE:TRADE"]
HOUR = 3600.0


async def open_key(here: World) -> str:
    status, _, body = await here.rest("POST", "/fapi/v1/listenKey", signed=False)
    assert status == 200
    return str(body["listenKey"])


@asynccontextmanager
async def both(here: World, form: str = "/private/ws?listenKey={}") -> AsyncIterator[Any]:
    """A connection for orders and one that hears of them."""
    key = await open_key(here)
    async with here.dial() as client, here.dial(form.format(key)) as ears:
        yield client, ears


async def long_position(client: Client, quantity: str = "0.100") -> None:
    reply = await client.place(
        type="MARKET", timeInForce=None, price=None, quantity=quantity, newOrderRespType="RESULT"
    )
    assert reply["result"]["status"] == "FILLED"


async def test_one_fill_is_three_events(autojump_clock: Any) -> None:
    async with world("usdm") as here, both(here) as (client, ears):
        await client.place(newClientOrderId="mm1-1", quantity="0.100")
        (order,) = here.exchange.accounts["mm1"].open_orders
        here.exchange.trading.fill(order, "0.040")
        await ears.event("ORDER_TRADE_UPDATE", 2)

    assert ears.names == ["ORDER_TRADE_UPDATE:NEW", *FILL]
    lite, account, update = ears.events[1:]
    assert (lite["l"], lite["L"], lite["t"], lite["q"]) == ("0.04", "2990.00", update["o"]["t"],
                                                            "0.100")  # fmt: skip
    assert (account["T"], account["E"]) == (update["T"], update["E"])
    assert account["a"]["m"] == "ORDER"
    (position,) = account["a"]["P"]
    assert (position["s"], position["pa"], position["ep"], position["ps"]) == (
        SYMBOL, "0.04", "2990", "BOTH",
    )  # fmt: skip
    inner = update["o"]
    assert (inner["X"], inner["z"], inner["m"], inner["c"]) == (
        "PARTIALLY_FILLED", "0.04", True, "mm1-1",
    )  # fmt: skip
    assert (inner["N"], inner["n"]) == ("USDC", "0.02392000")
    balance = account["a"]["B"][0]
    assert Decimal(balance["wb"]) == 100_000 - Decimal("0.02392")


@pytest.mark.parametrize("reading", ["lite_last", "trade_before_new", "reply_first"])
async def test_events_may_come_in_other_orders(autojump_clock: Any, reading: str) -> None:
    async with (
        world("usdm", readings=Readings(**{reading: True})) as here,
        both(here) as (client, ears),
    ):
        await client.place(price="3100", quantity="0.010")
        await ears.event("ORDER_TRADE_UPDATE", 2)
        await ears.event("TRADE_LITE")

    lite, account, trade = FILL
    assert (
        ears.names
        == {
            "lite_last": ["ORDER_TRADE_UPDATE:NEW", account, trade, lite],
            "trade_before_new": [lite, account, trade, "ORDER_TRADE_UPDATE:NEW"],
            "reply_first": ["ORDER_TRADE_UPDATE:NEW", *FILL],
        }[reading]
    )


# --- which sockets hear


@pytest.mark.parametrize(
    ("form", "hears"),
    [
        ("/private/ws?listenKey={}", True),
        ("/private/stream?listenKey={}", True),
        ("/private/ws?listenKey={}&events=TRADE_LITE", False),
        ("/private/ws?listenKey={}&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE", True),
        ("/private/ws/{}", False),
        ("/ws/{}", False),
        ("/ws?listenKey={}", False),
        ("/stream?streams={}", False),
        ("/public/ws?listenKey={}", False),
        ("/market/ws/{}", False),
    ],
)
async def test_other_forms_connect_and_stay_silent(
    autojump_clock: Any, form: str, hears: bool
) -> None:
    async with world("usdm") as here, both(here, form) as (client, ears):
        await client.place(quantity="0.100")
        await trio.sleep(5)
        assert ears.closed is None

    assert bool(ears.events) is hears
    if "stream?listenKey" in form:
        assert set(ears.events[0]) == {"stream", "data"}


async def test_the_key_in_the_path_has_another_reading(autojump_clock: Any) -> None:
    async with (
        world("usdm", readings=Readings(key_in_path=True)) as here,
        both(here, "/private/ws/{}") as (client, ears),
    ):
        await client.place(quantity="0.100")
        await ears.event("ORDER_TRADE_UPDATE")


async def test_a_key_may_be_subscribed_to(autojump_clock: Any) -> None:
    async with world("usdm") as here, here.dial() as client, here.dial("/private/stream") as ears:
        key = await open_key(here)
        await ears.socket.send_message(f'{{"method":"SUBSCRIBE","params":["{key}"],"id":1}}')
        await trio.sleep(1)
        await client.place(quantity="0.100")
        await trio.sleep(1)

    assert [each.get("stream", each.get("id")) for each in ears.events] == [1, key]


# --- the life of a key


async def test_a_key_lives_for_an_hour_and_is_extended(autojump_clock: Any) -> None:
    async with world("usdm", ping_seconds=1e9, lifetime_seconds=1e9) as here:
        key = await open_key(here)
        assert await open_key(here) == key
        async with here.dial(f"/private/ws?listenKey={key}") as ears:
            await trio.sleep(HOUR - 60)
            status, _, body = await here.rest("PUT", "/fapi/v1/listenKey", signed=False)
            assert (status, body) == (200, {"listenKey": key})
            await trio.sleep(HOUR - 60)
            assert ears.events == []
            await trio.sleep(120)
            (expired,) = ears.events
            status, _, body = await here.rest("PUT", "/fapi/v1/listenKey", signed=False)
            assert (status, body["code"]) == (400, -1125)
            assert await open_key(here) != key
            here.exchange.trading.place("mm1", symbol=SYMBOL, side="BUY", type="MARKET",
                                        quantity="0.1")  # fmt: skip
            await trio.sleep(5)

    assert (expired["e"], expired["listenKey"]) == ("listenKeyExpired", key)
    assert isinstance(expired["E"], int)
    assert len(ears.events) == 1


@pytest.mark.parametrize("announce", [True, False])
async def test_a_test_may_expire_a_key(autojump_clock: Any, announce: bool) -> None:
    async with world("usdm") as here, both(here) as (client, ears):
        here.exchange.trading.expire_listen_key("mm1", announce=announce)
        await client.place(quantity="0.100")
        await trio.sleep(5)

    assert ears.names == (["listenKeyExpired"] if announce else [])


async def test_an_announcement_may_be_late(autojump_clock: Any) -> None:
    async with world("usdm") as here, both(here) as (client, ears):
        here.exchange.trading.delay_events(2)
        here.exchange.trading.expire_listen_key("mm1")
        await client.place(quantity="0.100")
        await trio.sleep(5)

    assert ears.names == ["listenKeyExpired"]


async def test_deleting_a_key_ends_it_for_everybody(autojump_clock: Any) -> None:
    async with world("usdm") as here, both(here) as (client, ears):
        await here.rest("DELETE", "/fapi/v1/listenKey", signed=False)
        await client.place(quantity="0.100")
        await trio.sleep(5)

    assert ears.events == []


async def test_keys_are_also_had_over_the_websocket_api(autojump_clock: Any) -> None:
    async with world("usdm") as here, here.dial() as client:
        key = {"apiKey": here.exchange.accounts["mm1"].key}
        started = await client.reply(await client.send("userDataStream.start", key))
        pinged = await client.reply(await client.send("userDataStream.ping", key))
        stopped = await client.reply(await client.send("userDataStream.stop", key))
        gone = await client.reply(await client.send("userDataStream.ping", key))

    assert started["result"] == pinged["result"]
    assert len(started["result"]["listenKey"]) == 64
    assert stopped["result"] == {}
    assert gone["error"]["code"] == -1125


# --- orders


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"price": "2990.001"}, -1111),
    ({"quantity": "0.0001"}, -1111),
    ({"quantity": "0"}, -4003),
    ({"quantity": "10000"}, -4005),
    ({"quantity": "0.001"}, -4164),
    ({"price": "0"}, -4001),
    ({"price": "2000000"}, -4002),
    ({"price": "4000"}, -4016),
    ({"price": "2000", "side": "SELL"}, -4024),
    ({"quantity": "900"}, -2019),
    ({"reduceOnly": "true"}, -2022),
    ({"positionSide": "LONG"}, -4061),
    ({"positionSide": "UP"}, -4060),
    ({"timeInForce": "GTX", "price": "3100"}, -5022),
    ({"timeInForce": "FOK", "quantity": "30.000"}, -5021),
    ({"timeInForce": "GTD"}, -1102),
    ({"timeInForce": "GTD", "goodTillDate": 1_785_000_010_000}, -5040),
    ({"type": "STOP_MARKET", "price": None}, -4120),
    ({"type": "LIMIT_MAKER"}, -1116),
    ({"newClientOrderId": "x" * 37}, -4015),
    ({"newClientOrderId": "a b"}, -1100),
    ({"selfTradePreventionMode": "DECREMENT"}, -5038),
    ({"stopPrice": "1"}, -1104),
    ({"symbol": "NOSUCH"}, -1121),
]  # fmt: skip


@pytest.mark.parametrize(("params", "code"), REFUSED)
async def test_what_is_refused_has_no_effect(
    autojump_clock: Any, params: dict[str, Any], code: int
) -> None:
    async with world("usdm") as here, here.dial() as client:
        reply = await client.place(**params)

        assert (reply["status"], reply["error"]["code"]) == (400, code)
        assert here.exchange.accounts["mm1"].orders == ()


async def test_a_duplicate_id_proves_that_the_first_is_open(autojump_clock: Any) -> None:
    async with world("usdm") as here, here.dial() as client:
        await client.place(newClientOrderId="a.b:c/d")
        again = await client.place(newClientOrderId="a.b:c/d")

    assert again["error"] == {"code": -4116, "msg": "ClientOrderId is duplicated."}


async def test_replies_have_no_average_price(autojump_clock: Any) -> None:
    async with world("usdm") as here, here.dial() as client:
        placed = await client.place(price="3100", quantity="0.010")
        order_id = placed["result"]["orderId"]
        query = await client.ask("order.status", symbol=SYMBOL, orderId=order_id)

    assert placed["result"]["status"] == "NEW"
    assert {"avgPrice", "cumQuote"}.isdisjoint(placed["result"])
    assert query["result"]["status"] == "FILLED"
    assert {"avgPrice", "cumQuote"} <= set(query["result"])


async def test_a_modification_is_told_and_cancels_in_two_cases(autojump_clock: Any) -> None:
    async with world("usdm") as here, both(here) as (client, ears):
        placed = await client.place(quantity="0.100", timeInForce="GTX")
        named = {"symbol": SYMBOL, "side": "BUY", "orderId": placed["result"]["orderId"]}
        same = await client.ask("order.modify", **named, quantity="0.100", price="2990.00")
        moved = await client.ask(
            "order.modify", **named, quantity="0.200", price="2991.00", modifyId=77
        )
        bad = await client.ask("order.modify", **named, quantity="0.200", price="2991.001")
        takes = await client.ask("order.modify", **named, quantity="0.200", price="3100.00")
        history = await here.rest("GET", "/fapi/v1/orderAmendment", **named)
        await ears.event("ORDER_TRADE_UPDATE", 3)

    assert same["error"]["code"] == -5027
    assert (moved["result"]["origQty"], moved["result"]["price"]) == ("0.200", "2991.00")
    assert bad["error"]["code"] in (-4014, -1111)
    assert takes["result"]["status"] == "CANCELED"
    assert ears.names == [f"ORDER_TRADE_UPDATE:{x}" for x in ("NEW", "AMENDMENT", "CANCELED")]
    assert ears.events[1]["o"]["M"] == "77"
    (amendment,) = history[2]
    assert amendment["amendment"]["price"] == {"before": "2990.00", "after": "2991.00"}


async def test_batches_mix_replies_and_errors(autojump_clock: Any) -> None:
    order = (
        '{"symbol":"ETHUSDC","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.1",'
        '"price":"%s","newClientOrderId":"%s"}'
    )
    async with world("usdm") as here:
        orders = f"[{order % ('2990', 'a')},{order % ('2990.0001', 'b')}]"
        status, headers, placed = await here.rest(
            "POST", "/fapi/v1/batchOrders", batchOrders=orders
        )
        _, _, cancelled = await here.rest(
            "DELETE", "/fapi/v1/batchOrders", symbol=SYMBOL, origClientOrderIdList='["a","b"]'
        )

    assert status == 200
    assert (placed[0]["clientOrderId"], placed[1]["code"]) == ("a", -1111)
    assert (headers["X-MBX-ORDER-COUNT-10S"], headers["X-MBX-ORDER-COUNT-1M"]) == ("5", "1")
    assert (cancelled[0]["status"], cancelled[1]["code"]) == ("CANCELED", -2011)


async def test_cancelling_everything_leaves_conditional_orders(autojump_clock: Any) -> None:
    async with world("usdm") as here, both(here) as (client, ears):
        await client.place(quantity="0.100")
        algo = await client.ask(
            "algoOrder.place", symbol=SYMBOL, side="SELL", algoType="CONDITIONAL",
            type="STOP_MARKET", triggerPrice="2900", quantity="0.1", clientAlgoId="stop",
        )  # fmt: skip
        _, _, said = await here.rest("DELETE", "/fapi/v1/allOpenOrders", symbol=SYMBOL)
        _, _, opened = await here.rest("GET", "/fapi/v1/openOrders")
        _, _, waiting = await here.rest("GET", "/fapi/v1/openAlgoOrders")
        (order,) = here.exchange.trading.algo_orders
        here.exchange.trading.trigger(order)
        await ears.event("ALGO_UPDATE", 4)

    assert said == {"code": 200, "msg": "The operation of cancel all open order is done."}
    assert opened == []
    assert [each["clientAlgoId"] for each in waiting] == ["stop"]
    states = [each["o"]["X"] for each in ears.events if each["e"] == "ALGO_UPDATE"]
    assert states == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    assert algo["result"]["algoStatus"] == "NEW"
    assert here.exchange.accounts["mm1"].position(SYMBOL).quantity == Decimal("-0.1")


async def test_the_countdown_cancels_a_symbol(autojump_clock: Any) -> None:
    async with world("usdm") as here, both(here) as (client, ears):
        await client.place(quantity="0.100")
        for _ in range(3):
            _, _, said = await here.rest(
                "POST", "/fapi/v1/countdownCancelAll", symbol=SYMBOL, countdownTime=10_000
            )
            await trio.sleep(9)
        assert len(here.exchange.accounts["mm1"].open_orders) == 1
        await trio.sleep(2)

        assert said == {"symbol": SYMBOL, "countdownTime": "10000"}
        assert here.exchange.accounts["mm1"].open_orders == ()
        assert ears.names[-1] == "ORDER_TRADE_UPDATE:CANCELED"


async def test_good_till_date_expires(autojump_clock: Any) -> None:
    async with world("usdm") as here, here.dial() as client:
        until = here.exchange._audience.opened_ms + 700_000
        await client.place(quantity="0.100", timeInForce="GTD", goodTillDate=until)
        await trio.sleep(701)

        (order,) = here.exchange.accounts["mm1"].orders
        assert order.status == "EXPIRED"


# --- positions, hedge mode, what the exchange does


async def test_hedge_mode_holds_sides_apart(autojump_clock: Any) -> None:
    accounts = (TradingAccount("mm1", RICH, hedge=True),)
    async with world("usdm", *accounts) as here, both(here) as (client, ears):
        one_way = await client.place()
        cut = await client.place(positionSide="LONG", reduceOnly="true")
        market = {"type": "MARKET", "timeInForce": None, "price": None, "quantity": "0.100"}
        await client.place(**market, positionSide="LONG")
        await client.place(**market, positionSide="SHORT", side="SELL")
        beyond = await client.place(
            **{**market, "quantity": "0.200"}, positionSide="LONG", side="SELL"
        )
        _, _, risk = await here.rest("GET", "/fapi/v3/positionRisk")
        mode = await here.rest("GET", "/fapi/v1/positionSide/dual")
        update = await ears.event("ACCOUNT_UPDATE")

    assert one_way["error"]["code"] == -4061
    assert cut["error"]["code"] == -1106
    assert beyond["error"]["code"] == -2022
    assert [(each["positionSide"], each["positionAmt"]) for each in risk] == [
        ("LONG", "0.100"), ("SHORT", "-0.100"),
    ]  # fmt: skip
    assert mode[2] == {"dualSidePosition": True}
    assert [each["ps"] for each in update["a"]["P"]] == ["BOTH", "LONG"]


async def test_absence_from_position_risk_is_flat(autojump_clock: Any) -> None:
    async with world("usdm") as here, here.dial() as client:
        assert (await here.rest("GET", "/fapi/v3/positionRisk"))[2] == []
        await long_position(client)
        _, _, (risk,) = await here.rest("GET", "/fapi/v3/positionRisk")
        _, _, account = await here.rest("GET", "/fapi/v3/account")
        _, _, balances = await here.rest("GET", "/fapi/v3/balance")
        _, _, trades = await here.rest("GET", "/fapi/v1/userTrades", symbol=SYMBOL)

    truth = here.exchange.accounts["mm1"]
    assert Decimal(risk["positionAmt"]) == Decimal("0.1")
    assert Decimal(balances[0]["balance"]) == truth.balances["USDC"]
    assert account["totalWalletBalance"]
    assert [each["id"] for each in trades] == [fill.trade_id for fill in truth.fills]


async def test_a_liquidation_and_deleveraging_are_told(autojump_clock: Any) -> None:
    async with world("usdm") as here, both(here) as (client, ears):
        await long_position(client)
        await client.place(quantity="0.010")
        here.exchange.trading.deleverage("mm1", SYMBOL, quantity="0.040")
        here.exchange.trading.liquidate("mm1", SYMBOL)
        await ears.event("ACCOUNT_UPDATE", 3)
        await trio.sleep(1)

    updates = [each["o"] for each in ears.events if each["e"] == "ORDER_TRADE_UPDATE"]
    told = [(each["c"][:9], each["x"], each["X"], each["l"]) for each in updates[-5:]]
    assert told == [
        ("adl_autoc", "NEW", "NEW", "0"),
        ("adl_autoc", "CALCULATED", "NEW_ADL", "0.04"),
        (updates[-3]["c"][:9], "CANCELED", "CANCELED", "0"),
        ("autoclose", "NEW", "NEW", "0"),
        ("autoclose", "CALCULATED", "FILLED", "0.06"),
    ]
    assert here.exchange.accounts["mm1"].position(SYMBOL).quantity == 0


async def test_funding_is_charged_by_the_clock(autojump_clock: Any) -> None:
    async with (
        world("usdm", ping_seconds=1e9, lifetime_seconds=1e9) as here,
        both(here) as (client, ears),
    ):
        await long_position(client)
        mark = here.exchange.trading._house.floor.mark(SYMBOL)
        await here.rest("PUT", "/fapi/v1/listenKey", signed=False)
        here.exchange.trading.fund(SYMBOL, "0.0001")
        event = await ears.event("ACCOUNT_UPDATE", 2)
        await trio.sleep(8 * HOUR)
        _, _, income = await here.rest("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")

    paid = (-mark * Decimal("0.1") * Decimal("0.0001")).quantize(Decimal("1E-8"))
    assert (event["a"]["m"], event["a"]["S"], event["a"]["P"]) == ("FUNDING_FEE", SYMBOL, [])
    assert abs(Decimal(event["a"]["B"][0]["bc"]) - paid) <= Decimal("1E-8")
    assert len(income) == 2


async def test_leverage_and_position_mode_are_changed(autojump_clock: Any) -> None:
    async with world("usdm") as here, both(here) as (client, ears):
        _, _, said = await here.rest(
            "POST", "/fapi/v1/leverage", body=True, symbol=SYMBOL, leverage=5
        )
        config = await ears.event("ACCOUNT_CONFIG_UPDATE")
        mode = ("POST", "/fapi/v1/positionSide/dual")
        await client.place(quantity="0.100")
        refused = await here.rest(*mode, dualSidePosition="true")
        here.exchange.trading.cancel(here.exchange.accounts["mm1"].open_orders[0])
        done = await here.rest(*mode, dualSidePosition="true")

    assert said["leverage"] == 5
    assert config["ac"] == {"s": SYMBOL, "l": 5}
    assert refused[2]["code"] == -4067
    assert done[2] == {"code": 200, "msg": "success"}
