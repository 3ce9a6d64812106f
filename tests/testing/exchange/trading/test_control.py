"""What goes wrong on request: replies, requests, connections, events, delays, lags and bans."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import trio

from connector.testing.exchange.trading.accounts import TradingAccount
from connector.testing.faults.trading import TradingFault
from tests.testing.exchange.trading.client import RICH, STILL, SYMBOL, Client, World, world

VENUES = pytest.mark.parametrize("venue", ["spot", "usdm"])


async def unanswered(client: Client, **params: Any) -> bool:
    """Whether a place gets no reply within a minute."""
    with trio.move_on_after(60):
        return await client.place(**params) is None
    return True


def orders(here: World) -> int:
    return len(here.exchange.accounts["mm1"].orders)


# --- requests and replies


@VENUES
async def test_a_lost_reply_leaves_an_order(autojump_clock: Any, venue: str) -> None:
    async with world(venue) as here, here.dial() as client:
        here.exchange.trading.lose_reply("order.place")

        assert await unanswered(client)
        assert orders(here) == 1
        assert (await client.place())["status"] == 200


@VENUES
async def test_a_lost_request_leaves_none(autojump_clock: Any, venue: str) -> None:
    async with world(venue) as here, here.dial() as client:
        here.exchange.trading.lose_request("order.place", times=2)

        assert await unanswered(client)
        assert await unanswered(client)
        assert orders(here) == 0
        assert (await client.place())["status"] == 200


@VENUES
@pytest.mark.parametrize(("cut", "left"), [("cut_request", 0), ("cut_reply", 1)])
async def test_a_cut_ends_the_connection(
    autojump_clock: Any, venue: str, cut: str, left: int
) -> None:
    async with world(venue) as here:
        getattr(here.exchange.trading, cut)("order.place")
        async with here.dial() as client:
            assert await client.place() is None
            assert client.closed is not None
        assert orders(here) == left
        async with here.dial() as client:
            assert (await client.place())["status"] == 200


@pytest.mark.parametrize("after_bytes", [1, 2, 10, 100])
async def test_a_reply_may_be_cut_at_any_byte(autojump_clock: Any, after_bytes: int) -> None:
    async with world("spot") as here:
        here.exchange.trading.cut_reply("order.place", after_bytes=after_bytes)
        async with here.network.connect(here.exchange.host, here.exchange.port):
            pass
        async with here.dial() as client:
            before = here.exchange.connections[0].bytes_sent
            connection = here.exchange.connections[0]
            assert await client.place() is None
            assert connection.bytes_sent - before == after_bytes
        assert orders(here) == 1


@VENUES
async def test_a_late_and_a_double_reply(autojump_clock: Any, venue: str) -> None:
    async with world(venue) as here, here.dial() as client:
        here.exchange.trading.late_reply(30, "order.place")
        begun = trio.current_time()
        assert (await client.place())["status"] == 200
        assert trio.current_time() - begun >= 30
        here.exchange.trading.double_reply("order.*")
        number = await client.send("order.place", client.signed({"symbol": SYMBOL}))
        await trio.sleep(1)

        assert len(client.replies[number]) == 2


ANSWERS = [
    ("unknown_503", {"effect": True}, (503, -1000, "Unknown error, please check"), 1),
    ("unknown_503", {"effect": False}, (503, -1000, "Unknown error, please check"), 0),
    ("unavailable_503", {}, (503, -1000, "Service Unavailable."), 0),
    ("bus_error", {"effect": True}, (500, -1006, "execution status unknown"), 1),
    ("time_out", {"effect": True}, (408, -1007, "Timeout waiting"), 1),
    ("time_out", {"effect": False}, (408, -1007, "Timeout waiting"), 0),
    ("overload", {}, (503, -1008, "overloaded"), 0),
]


@VENUES
@pytest.mark.parametrize("answer", ANSWERS)
async def test_errors_with_and_without_effect(
    autojump_clock: Any, venue: str, answer: tuple[str, dict[str, bool], tuple[int, int, str], int]
) -> None:
    name, options, (status, code, text), left = answer
    async with world(venue) as here, here.dial() as client:
        getattr(here.exchange.trading, name)("order.place", **options)
        reply = await client.place()
        await trio.sleep(1)

        assert (reply["status"], reply["error"]["code"]) == (status, code)
        assert text.lower() in reply["error"]["msg"].lower()
        assert orders(here) == left


async def test_the_same_faults_strike_over_rest(autojump_clock: Any) -> None:
    order = {
        "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.5",
        "price": "2990",
    }  # fmt: skip
    async with world("usdm") as here:
        trading = here.exchange.trading
        trading.lose_reply()
        with trio.move_on_after(60) as scope:
            await here.rest("POST", "/fapi/v1/order", **order)
        assert scope.cancelled_caught
        assert orders(here) == 1
        trading.cut_reply(after_bytes=20)
        with pytest.raises((EOFError, trio.BrokenResourceError)):
            await here.rest("POST", "/fapi/v1/order", **order)
        assert orders(here) == 2
        trading.unknown_503(effect=True)
        status, _, body = await here.rest("POST", "/fapi/v1/order", body=True, **order)
        assert (status, body["msg"][:13], orders(here)) == (503, "Unknown error", 3)
        trading.inject(TradingFault("late_reply", via="ws"))
        status, headers, body = await here.rest("POST", "/fapi/v1/order", body=True, **order)
        assert (status, body["status"]) == (200, "NEW")
        assert headers["X-MBX-ORDER-COUNT-10S"] == "3"


# --- time


async def test_a_window_that_closes_on_the_way_to_the_engine(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        here.exchange.trading.delay_gateway(3)
        late = await client.place(recvWindow=2000)
        here.exchange.trading.mend()
        here.exchange.trading.delay_engine(3)
        inside = await client.place(recvWindow=2000)

        assert late["error"]["code"] == -1021
        assert inside["status"] == 200
        assert orders(here) == 1


async def test_usdm_checks_the_window_in_its_engine(autojump_clock: Any) -> None:
    async with world("usdm") as here, here.dial() as client:
        here.exchange.trading.delay_engine(3)
        late = await client.place(recvWindow=2000)

        assert late["error"]["code"] == -5028
        assert orders(here) == 0


async def test_an_engine_that_takes_too_long_is_a_time_out_and_an_order(
    autojump_clock: Any,
) -> None:
    async with world("spot") as here, here.dial() as client:
        here.exchange.trading.delay_engine(12)
        reply = await client.place(recvWindow=5000)

        assert reply["error"]["code"] == -1007
        assert orders(here) == 0
        await trio.sleep(3)
        assert orders(here) == 1


async def test_requests_reach_the_engine_in_order(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        here.exchange.trading.delay_engine(3)
        first = await client.send("order.place", client.signed(_limit("first")))
        here.exchange.trading.delay_engine(0)
        second = await client.send("order.place", client.signed(_limit("second")))
        replies = [await client.reply(first), await client.reply(second)]

        assert [reply["status"] for reply in replies] == [200, 200]
        assert here.exchange.accounts["mm1"].client_ids == ("first", "second")


def _limit(client_id: str) -> dict[str, Any]:
    return {
        "symbol": SYMBOL, "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.1", "price": "2990",
        "newClientOrderId": client_id,
    }  # fmt: skip


@VENUES
async def test_queries_lag_and_the_engine_does_not(autojump_clock: Any, venue: str) -> None:
    async with world(venue) as here, here.dial() as client:
        here.exchange.trading.lag_queries(30)
        await trio.sleep(60)
        placed = await client.place(newClientOrderId="mine")
        named = {"symbol": SYMBOL, "origClientOrderId": "mine"}
        early = await client.ask("order.status", **named)
        cancelled = await client.ask("order.cancel", **named)
        await trio.sleep(31)
        late = await client.ask("order.status", **named)

    assert placed["status"] == 200
    assert early["error"]["code"] == -2013
    assert cancelled["result"]["status"] == late["result"]["status"] == "CANCELED"


@pytest.mark.parametrize(("skew_ms", "code"), [(1500, -1021), (-6000, -1021), (900, None)])
async def test_a_client_whose_clock_is_wrong(
    autojump_clock: Any, skew_ms: int, code: int | None
) -> None:
    async with world("spot") as here, here.dial() as client:
        client.skew_ms = skew_ms
        reply = await client.place()

    assert reply.get("error", {}).get("code") == code


@pytest.mark.parametrize("seconds", [-2.0, 10.0])
async def test_the_clock_of_the_exchange_jumps(autojump_clock: Any, seconds: float) -> None:
    async with world("spot") as here, here.dial() as client:
        trading = here.exchange.trading
        trading.delay_gateway(1)
        number = await client.send("order.place", client.signed(_limit("in_flight")))
        await trio.sleep(0.5)
        trading.shift_clock(seconds)
        client.skew_ms = -round(seconds * 1000)
        refused = await client.place()
        time = await client.reply(await client.send("time"))
        client.skew_ms = 0
        flown = await client.reply(number)
        accepted = await client.place()

        assert refused["error"]["code"] == -1021
        assert abs(time["result"]["serverTime"] - client.now_ms) < 2000
        assert accepted["status"] == 200
        assert flown["status"] == (200 if seconds < 0 else 400)


async def test_a_ban_is_of_the_whole_host(autojump_clock: Any) -> None:
    accounts = TradingAccount("mm1", RICH), TradingAccount("mm2", RICH)
    async with world("usdm", *accounts) as here:
        here.exchange.trading.ban(120)
        status, headers, body = await here.rest("GET", "/fapi/v1/openOrders", "mm2")
        public = await here.rest("GET", "/fapi/v1/time", None, signed=False)

    assert (status, headers["Retry-After"], body["code"]) == (418, "120", -1003)
    assert public[0] == 418


async def test_orders_are_counted_for_each_account(autojump_clock: Any) -> None:
    accounts = TradingAccount("mm1", RICH), TradingAccount("mm2", RICH)
    async with (
        world("usdm", *accounts) as here,
        here.dial() as one,
        here.dial(account="mm2") as two,
    ):
        await one.place()
        await one.place()
        reply = await two.place()

    counts = {limit["interval"]: limit["count"] for limit in reply["rateLimits"]}
    assert counts["SECOND"] == 1


# --- events


async def listening(client: Client) -> None:
    await client.ask("userDataStream.subscribe.signature")


EVENT_FAULTS = [
    ("lose_event", (), ["TRADE"]),
    ("double_event", (), ["NEW", "NEW", "TRADE"]),
    ("swap_events", (), ["TRADE", "NEW"]),
    ("late_event", (5.0,), ["TRADE", "NEW"]),
]


@pytest.mark.parametrize(("name", "options", "told"), EVENT_FAULTS)
async def test_events_are_spoilt(
    autojump_clock: Any, name: str, options: tuple[float, ...], told: list[str]
) -> None:
    async with world("spot") as here, here.dial() as client:
        await listening(client)
        trading = here.exchange.trading
        trading.lose_event("outboundAccountPosition", times=None)
        getattr(trading, name)(*options, "executionReport:NEW")
        await client.place(price="3100", quantity="0.01")
        await trio.sleep(10)

    assert [each["event"]["x"] for each in client.events] == told
    assert [each["x"] for _, each in trading.told if each["e"] == "executionReport"] == [
        "NEW", "TRADE",
    ]  # fmt: skip
    assert "executionReport" in [struck for _, struck in trading.struck]


# --- what others do


@VENUES
async def test_an_order_of_another_program_is_told_too(autojump_clock: Any, venue: str) -> None:
    async with world(venue) as here, here.dial() as client:
        trading = here.exchange.trading
        order = trading.place(
            "mm1", symbol=SYMBOL, side="SELL", type="LIMIT", timeInForce="GTC", quantity="0.1",
            price="3010", newClientOrderId="web_1",
        )  # fmt: skip
        opened = await client.ask("openOrders.status", symbol=SYMBOL) if venue == "spot" else None
        trading.cancel(order)

        assert opened is None or opened["result"][0]["clientOrderId"] == "web_1"
        assert here.exchange.accounts["mm1"].open_orders == ()
        with pytest.raises(ValueError, match="not open"):
            trading.fill(order)


async def test_deposits_are_told(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        await listening(client)
        here.exchange.trading.deposit("mm1", "USDC", "-0.00000001")
        event = await client.event("outboundAccountPosition")

    assert client.names == ["balanceUpdate", "outboundAccountPosition"]
    assert event["B"] == [{"a": "USDC", "f": "99999.99999999", "l": "0.00000000"}]


async def test_a_closed_market_takes_no_orders(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        here.exchange.trading.halt(SYMBOL)
        reply = await client.place()

    assert reply["error"] == {"code": -2010, "msg": "Market is closed."}


@pytest.mark.parametrize(("venue", "code"), [("spot", -2010), ("usdm", -4087)])
async def test_a_restricted_account_opens_nothing(
    autojump_clock: Any, venue: str, code: int
) -> None:
    async with world(venue) as here, here.dial() as client:
        await client.place(price="3100", quantity="0.1")
        await client.place(newClientOrderId="mine")
        here.exchange.trading.restrict("mm1")
        opens = await client.place()
        cancel = await client.ask("order.cancel", symbol=SYMBOL, origClientOrderId="mine")
        closes = await client.place(side="SELL", price="3200", quantity="0.1", reduceOnly="true")

    assert opens["error"]["code"] == code
    assert cancel["status"] == 200
    assert closes["status"] == (200 if venue == "usdm" else 400)


async def test_a_stop_order_waits_and_goes_to_the_book(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        await listening(client)
        placed = await client.place(type="STOP_LOSS_LIMIT", stopPrice="3005", price="3020")
        account = here.exchange.accounts["mm1"]
        assert placed["status"] == 200
        assert account.fills == []
        here.exchange.trading.trigger(account.open_orders[0])
        await client.event("executionReport", 3)

    assert sum((fill.quantity for fill in account.fills), Decimal(0)) == Decimal("0.5")


def test_faults_are_data() -> None:
    fault = TradingFault("lose_reply", "order.*", account="mm1", times=3)
    assert repr(fault) == (
        "TradingFault(kind='lose_reply', method='order.*', account='mm1', times=3)"
    )
    with pytest.raises(ValueError, match="no kind of fault"):
        TradingFault("explode")  # type: ignore[arg-type]
    assert STILL.rate_per_second < 1
