"""COIN-M as a raw client meets it: paths, fields, coins, and orders that wait in the same list."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connector.testing import OrderFlow
from connector.testing.exchange.trading.accounts import TradingAccount
from tests.testing.exchange.trading.client import World, world

SYMBOL = "BTCUSD_PERP"
PRICE = 60_000
"""At which the market begins."""
STILL = OrderFlow(symbols=(SYMBOL,), rate_per_second=1e-6)


def coinm(**account: Any) -> Any:
    return world("binance_coinm", TradingAccount("mm1", {"BTC": "2"}, **account), source=STILL)


async def key_of(here: World) -> str:
    status, _, body = await here.rest("POST", "/dapi/v1/listenKey", signed=False)
    assert status == 200
    return str(body["listenKey"])


def at(price: int, /, **changes: Any) -> dict[str, Any]:
    return {"symbol": SYMBOL, "quantity": "6", "price": str(price)} | changes


async def test_a_trade_is_told_in_contracts_and_coins(autojump_clock: Any) -> None:
    async with coinm() as here:
        key = await key_of(here)
        truth = here.exchange.accounts["mm1"]
        async with here.dial() as client, here.dial(f"/ws/{key}?listenKey={key}") as ears:
            await client.place(**at(50_000))
            here.exchange.trading.fill(truth.open_orders[0])
            await client.place(**at(62_500, side="SELL"))
            here.exchange.trading.fill(truth.open_orders[0])
            await ears.event("ORDER_TRADE_UPDATE", 4)
            _, _, trades = await here.rest("GET", "/dapi/v1/userTrades", symbol=SYMBOL)
            _, _, positions = await here.rest("GET", "/dapi/v1/positionRisk")
            _, _, account = await here.rest("GET", "/dapi/v1/account")

    # Six contracts of 100 dollars: 0.012 BTC at 50,000, and 0.0096 BTC at 62,500.
    assert (
        ears.names == ["ORDER_TRADE_UPDATE:NEW", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE:TRADE"] * 2
    )
    update = ears.events[-1]["o"]
    assert (update["ma"], update["q"], update["rp"], update["N"]) == ("BTC", "6", "0.0024", "BTC")
    assert not {"si", "ss", "gtd"} & set(update)
    fees = Decimal("0.0002") * (Decimal("0.012") + Decimal("0.0096"))
    assert truth.balances == {"BTC": 2 + Decimal("0.0024") - fees}
    assert [(each["baseQty"], each["quoteQty"], each["pair"]) for each in trades] == [
        ("0.012", "0", "BTCUSD"), ("0.0096", "0", "BTCUSD"),
    ]  # fmt: skip
    assert [(each["symbol"], each["positionAmt"]) for each in positions] == [(SYMBOL, "0")]
    assert account["assets"][0]["walletBalance"] == f"{truth.balances['BTC']:.8f}"
    assert "totalMarginBalance" not in account


async def test_margin_is_in_the_coin(autojump_clock: Any) -> None:
    async with coinm(leverage=10) as here, here.dial() as client:
        # 2 BTC carry 20 BTC: 12,000 contracts at 60,000, less than that at 50,000.
        assert (await client.place(**at(50_000, quantity="9999")))["status"] == 200
        reply = await client.place(**at(50_000, quantity="2"))
        assert reply["error"]["code"] == -2019


async def test_a_key_in_the_form_of_usdm_is_silent(autojump_clock: Any) -> None:
    async with coinm() as here:
        key = await key_of(here)
        async with (
            here.dial() as client,
            here.dial(f"/ws?listenKey={key}") as deaf,
            here.dial("/ws/somethingelse") as stranger,
        ):
            assert (await client.place(**at(50_000)))["status"] == 200
        assert (deaf.events, stranger.events) == ([], [])


async def test_what_it_lists_and_refuses(autojump_clock: Any) -> None:
    async with coinm() as here, here.dial() as client:
        assert (await client.place(**at(50_000, quantity="0.5")))["error"]["code"] == -1111
        assert (await client.place(**at(80_000)))["error"]["code"] == -4016
        taken = await client.place(**at(70_000, timeInForce="GTX"))
        assert taken["error"]["code"] == -5022
        one = await client.place(**at(1000, quantity="1", newClientOrderId="a"))
        assert one["status"] == 200, "there is no least notional"
        assert one["result"]["pair"] == "BTCUSD"
        again = await client.place(**at(1000, newClientOrderId="a"))
        assert again["error"]["code"] == -4116
        only = await client.ask("order.modify", symbol=SYMBOL, side="BUY", origClientOrderId="a",
                                quantity="2")  # fmt: skip
        assert only["error"]["code"] == -1102, "price and quantity are required"
        _, _, info = await here.rest("GET", "/dapi/v1/exchangeInfo", None, signed=False)

    (symbol,) = info["symbols"]
    assert (symbol["contractSize"], symbol["marginAsset"]) == (100, "BTC")
    kinds = {each["filterType"] for each in symbol["filters"]}
    assert {"LOT_SIZE", "MAX_NUM_ALGO_ORDERS"} <= kinds
    assert "MIN_NOTIONAL" not in kinds


async def test_orders_that_wait_are_in_the_same_list(autojump_clock: Any) -> None:
    async with coinm() as here, here.dial() as client:
        stop: dict[str, Any] = {"type": "STOP_MARKET", "timeInForce": None, "price": None}
        reached = await client.place(**at(0, stopPrice="50000", **stop))
        assert reached["error"]["code"] == -2021
        for number in range(5):
            waiting = {"newClientOrderId": f"s{number}", "stopPrice": "90000"}
            assert (await client.place(**at(0) | stop | waiting))["status"] == 200
        most = await client.place(**at(0) | stop | {"stopPrice": "90000"})
        assert most["error"]["code"] == -4045
        _, _, listed = await here.rest("GET", "/dapi/v1/openOrders")
        gone = await client.ask("order.cancel", symbol=SYMBOL, origClientOrderId="s0")
        truth = here.exchange.accounts["mm1"]
        here.exchange.trading.trigger(truth.open_orders[0])
        _, _, order = await here.rest("GET", "/dapi/v1/order", symbol=SYMBOL,
                                      origClientOrderId="s1")  # fmt: skip
        await here.rest("DELETE", "/dapi/v1/allOpenOrders", symbol=SYMBOL)

    assert [(each["type"], each["stopPrice"]) for each in listed] == [
        ("STOP_MARKET", "90000.00")
    ] * 5
    assert gone["result"]["status"] == "CANCELED"
    assert (order["type"], order["origType"], order["status"]) == (
        "MARKET",
        "STOP_MARKET",
        "FILLED",
    )
    assert truth.open_orders == ()


async def test_what_is_triggered_without_anything_to_reduce_expires(autojump_clock: Any) -> None:
    async with coinm() as here, here.dial() as client:
        await client.place(
            symbol=SYMBOL, type="TAKE_PROFIT", stopPrice="50000", price="50000", quantity="5",
            reduceOnly="true",
        )  # fmt: skip
        truth = here.exchange.accounts["mm1"]
        here.exchange.trading.trigger(truth.open_orders[0])
        assert [each.status for each in truth.orders] == ["EXPIRED"]
