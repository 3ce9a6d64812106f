"""Each switch for what the notes leave open does what it says, both ways."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio

from connector.testing.exchange.trading.accounts import TradingAccount
from connector.testing.exchange.trading.readings import Readings
from connector.testing.market.order_flow import OrderFlow
from tests.testing.exchange.trading.client import RICH, SYMBOL, world

TESTED_ELSEWHERE = {
    "balances_first", "lite_last", "trade_before_new", "reply_first", "amend_below_filled",
    "key_in_path", "post_only_refusal",
}  # fmt: skip


def test_every_reading_is_tested() -> None:
    here = {
        name.removeprefix("test_")
        for name in globals()
        if name.startswith("test_") and name != "test_every_reading_is_tested"
    }
    assert {field.name for field in attrs.fields(Readings)} == here | TESTED_ELSEWHERE


@pytest.mark.parametrize(("mode", "left"), [("EXPIRE_MAKER", 1), ("NONE", 0)])
async def test_default_prevention(autojump_clock: Any, mode: Any, left: int) -> None:
    rich = TradingAccount("mm1", {"USDC": "10000000", "ETH": "5000"})
    async with (
        world("spot", rich, readings=Readings(default_prevention=mode)) as here,
        here.dial() as client,
    ):
        flow = here.exchange.trading._house.floor
        book = flow.book(SYMBOL)
        price = f"{(book.bids.best or 0) / 100:.2f}"
        await client.place(side="BUY", price=price, quantity="0.5")
        ahead = book.bids.quantities[book.bids.best or 0]
        await client.place(side="SELL", price=price, quantity=f"{ahead / 10_000:.4f}")

        buy, sell = here.exchange.accounts["mm1"].orders
        assert buy.prevention == mode
        assert buy.status == ("FILLED" if mode == "NONE" else "EXPIRED_IN_MATCH")
        assert sell.is_open == bool(left)


@pytest.mark.parametrize("code", [-1106, -4062])
async def test_hedge_reduce_only(autojump_clock: Any, code: Any) -> None:
    hedged = TradingAccount("mm1", RICH, hedge=True)
    async with (
        world("usdm", hedged, readings=Readings(hedge_reduce_only=code)) as here,
        here.dial() as client,
    ):
        reply = await client.place(positionSide="LONG", reduceOnly="true")

    assert reply["error"]["code"] == code


@pytest.mark.parametrize("code", [-1106, -1114])
async def test_unwanted_time_in_force(autojump_clock: Any, code: Any) -> None:
    async with (
        world("spot", readings=Readings(unwanted_time_in_force=code)) as here,
        here.dial() as client,
    ):
        reply = await client.place(type="LIMIT_MAKER")

    assert reply["error"]["code"] == code


@pytest.mark.parametrize(("scope", "status"), [("symbol", 200), ("account", 400)])
async def test_client_id_scope(autojump_clock: Any, scope: Any, status: int) -> None:
    two = OrderFlow(symbols=(SYMBOL, "BTCUSDC"), rate_per_second=1e-6)
    async with (
        world("spot", source=two, readings=Readings(client_id_scope=scope)) as here,
        here.dial() as client,
    ):
        await client.place(newClientOrderId="same")
        reply = await client.place(
            newClientOrderId="same", symbol="BTCUSDC", price="59000", quantity="0.01"
        )

    assert reply["status"] == status


@pytest.mark.parametrize(("finds", "status"), [("newest", "NEW"), ("oldest", "CANCELED")])
async def test_reused_id_finds(autojump_clock: Any, finds: Any, status: str) -> None:
    async with (
        world("spot", readings=Readings(reused_id_finds=finds)) as here,
        here.dial() as client,
    ):
        named = {"symbol": SYMBOL, "origClientOrderId": "same"}
        await client.place(newClientOrderId="same")
        await client.ask("order.cancel", **named)
        await client.place(newClientOrderId="same")
        found = await client.ask("order.status", **named)

    assert found["result"]["status"] == status


@pytest.mark.parametrize("closes", [False, True])
async def test_closes_after_error(autojump_clock: Any, closes: bool) -> None:
    async with (
        world("spot", readings=Readings(closes_after_error=closes)) as here,
        here.dial() as client,
    ):
        reply = await client.place(price="0.001")
        await trio.sleep(1)

        assert reply["status"] == 400
        assert (client.closed is not None) is closes
        assert client.closed is None or "1008" in client.closed


@pytest.mark.parametrize("cancels", [False, True])
async def test_countdown_cancels_algo(autojump_clock: Any, cancels: bool) -> None:
    async with (
        world("usdm", readings=Readings(countdown_cancels_algo=cancels)) as here,
        here.dial() as client,
    ):
        await client.ask(
            "algoOrder.place", symbol=SYMBOL, side="SELL", algoType="CONDITIONAL",
            type="STOP_MARKET", triggerPrice="2900", quantity="0.1",
        )  # fmt: skip
        await here.rest("POST", "/fapi/v1/countdownCancelAll", symbol=SYMBOL, countdownTime=5000)
        await trio.sleep(6)
        (order,) = here.exchange.trading.algo_orders

    assert order.status == ("CANCELED" if cancels else "NEW")


@pytest.mark.parametrize("text", [False, True])
async def test_expiry_time_as_text(autojump_clock: Any, text: bool) -> None:
    async with world("usdm", readings=Readings(expiry_time_as_text=text)) as here:
        await here.rest("POST", "/fapi/v1/listenKey", signed=False)
        here.exchange.trading.expire_listen_key("mm1")
        (event,) = [event for _, event in here.exchange.trading.told]

    assert isinstance(event["E"], str if text else int)
