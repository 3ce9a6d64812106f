"""The WebSocket API of spot, met by a client that knows the notes only."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
import trustme
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from connector.testing import MemoryNetwork, open_exchange
from connector.testing.exchange.trading.accounts import TradingAccount
from connector.testing.exchange.trading.readings import Readings
from tests.testing.exchange.trading.client import RICH, STILL, SYMBOL, Client, World, world


async def subscribe(client: Client) -> None:
    reply = await client.ask("userDataStream.subscribe.signature")
    assert reply["result"] == {"subscriptionId": 0}


async def test_an_order_is_placed_filled_and_told(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        await subscribe(client)
        reply = await client.place(newClientOrderId="mm1-1")
        (order,) = here.exchange.accounts["mm1"].open_orders
        here.exchange.trading.fill(order, "0.2")
        here.exchange.trading.fill(order)
        await client.event("executionReport", 3)

    placed = reply["result"]
    assert reply["status"] == 200
    assert (placed["status"], placed["clientOrderId"], placed["fills"]) == ("NEW", "mm1-1", [])
    reports = [e["event"] for e in client.events if e["event"]["e"] == "executionReport"]
    assert [(r["x"], r["X"], r["l"], r["z"]) for r in reports] == [
        ("NEW", "NEW", "0.00000000", "0.00000000"),
        ("TRADE", "PARTIALLY_FILLED", "0.20000000", "0.20000000"),
        ("TRADE", "FILLED", "0.30000000", "0.50000000"),
    ]
    assert {r["i"] for r in reports} == {placed["orderId"]}
    assert all(r["m"] for r in reports[1:])
    assert all(event["subscriptionId"] == 0 for event in client.events)


async def test_balances_follow_each_report(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        await subscribe(client)
        await client.place()
        await client.event("outboundAccountPosition")

    assert client.names == ["executionReport:NEW", "outboundAccountPosition"]
    balances = {each["a"]: (each["f"], each["l"]) for each in client.events[1]["event"]["B"]}
    assert balances == {
        "ETH": ("50.00000000", "0.00000000"),
        "USDC": ("98505.00000000", "1495.00000000"),
    }


@pytest.mark.parametrize("reading", ["balances_first", "trade_before_new", "reply_first"])
async def test_the_order_of_events_has_other_readings(autojump_clock: Any, reading: str) -> None:
    async with world("spot", readings=Readings(**{reading: True})) as here, here.dial() as client:
        await subscribe(client)
        number = await client.send(
            "order.place",
            client.signed(
                {
                    "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                    "quantity": "0.01", "price": "3100.00",
                }
            ),
        )  # fmt: skip
        await client.event("outboundAccountPosition", 2)
        if reading == "reply_first":
            assert number in client.replies

    reports = ["executionReport:NEW", "executionReport:TRADE"]
    if reading == "trade_before_new":
        reports.reverse()
    balances = "outboundAccountPosition"
    expected = [name for report in reports for name in (report, balances)]
    if reading == "balances_first":
        expected = [name for report in reports for name in (balances, report)]
    assert client.names == expected


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"price": "2990.001"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"price": "2990.0000000001"}, -1111, "Precision"),
    ({"quantity": "0.00005"}, -1013, "Filter failure: LOT_SIZE"),
    ({"quantity": "0.001", "price": "2900"}, -1013, "Filter failure: NOTIONAL"),
    ({"price": "5000", "quantity": "1"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    ({"quantity": "100"}, -2010, "insufficient balance"),
    ({"symbol": "NOSUCH"}, -1121, "Invalid symbol"),
    ({"side": "HOLD"}, -1117, "side"),
    ({"type": "ICEBERG"}, -1116, "orderType"),
    ({"timeInForce": "GTX"}, -1115, "timeInForce"),
    ({"timeInForce": None}, -1102, "timeInForce"),
    ({"type": "LIMIT_MAKER"}, -1106, "timeInForce"),
    ({"type": "LIMIT_MAKER", "timeInForce": None, "price": "3100"}, -2010, "immediately match"),
    ({"newClientOrderId": "a.b"}, -1100, "newClientOrderId"),
    ({"newClientOrderId": "x" * 37}, -1100, "newClientOrderId"),
    ({"reduceOnly": "true"}, -1104, "Not all sent parameters"),
    ({"timestamp": 1}, -1021, "outside of the recvWindow"),
    ({"timestamp": 1_785_000_001_500}, -1021, "1000ms ahead"),
    ({"recvWindow": 60_001}, -1131, "recvWindow"),
]  # fmt: skip


@pytest.mark.parametrize(("params", "code", "text"), REFUSED)
async def test_what_is_refused_has_no_effect(
    autojump_clock: Any, params: dict[str, Any], code: int, text: str
) -> None:
    async with world("spot") as here, here.dial() as client:
        reply = await client.place(**params)

        assert reply["status"] == 400
        assert reply["error"]["code"] == code
        assert text in reply["error"]["msg"]
        assert here.exchange.accounts["mm1"].orders == ()


async def test_a_client_id_is_unique_among_open_orders_only(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        first = await client.place(newClientOrderId="twice")
        second = await client.place(newClientOrderId="twice")
        cancel = await client.ask("order.cancel", symbol=SYMBOL, origClientOrderId="twice")
        third = await client.place(newClientOrderId="twice")

    assert second["error"] == {"code": -2010, "msg": "Duplicate order sent."}
    assert cancel["result"]["orderId"] == first["result"]["orderId"]
    assert third["status"] == 200
    assert here.exchange.accounts["mm1"].client_ids == ("twice", "twice")


async def test_a_cancel_reports_both_ids(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        await subscribe(client)
        await client.place(newClientOrderId="mine")
        reply = await client.ask("order.cancel", symbol=SYMBOL, origClientOrderId="mine")
        again = await client.ask("order.cancel", symbol=SYMBOL, origClientOrderId="mine")
        report = await client.event("executionReport", 2)

    made_up = reply["result"]["clientOrderId"]
    assert (reply["result"]["origClientOrderId"], len(made_up)) == ("mine", 22)
    assert (report["x"], report["C"], report["c"]) == ("CANCELED", "mine", made_up)
    assert again["error"] == {"code": -2011, "msg": "Unknown order sent."}


async def test_an_amendment_keeps_the_order_and_changes_its_client_id(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        await subscribe(client)
        await client.place(newClientOrderId="mine")
        method, named = "order.amend.keepPriority", {"symbol": SYMBOL, "origClientOrderId": "mine"}
        more = await client.ask(method, **named, newQty="0.6")
        less = await client.ask(method, **named, newQty="0.4")
        lost = await client.ask("order.status", **named)
        made_up = less["result"]["amendedOrder"]["clientOrderId"]
        found = await client.ask("order.status", symbol=SYMBOL, origClientOrderId=made_up)
        report = await client.event("executionReport", 2)

    assert more["error"]["code"] == -2038
    assert lost["error"] == {"code": -2013, "msg": "Order does not exist."}
    assert found["result"]["origQty"] == "0.40000000"
    assert (report["x"], report["C"], report["c"], report["q"]) == (
        "REPLACED", "mine", made_up, "0.40000000",
    )  # fmt: skip


@pytest.mark.parametrize("reading", ["refused", "ends"])
async def test_an_amendment_to_what_is_filled(autojump_clock: Any, reading: Any) -> None:
    async with (
        world("spot", readings=Readings(amend_below_filled=reading)) as here,
        here.dial() as client,
    ):
        placed = await client.place()
        (order,) = here.exchange.accounts["mm1"].open_orders
        here.exchange.trading.fill(order, "0.2")
        reply = await client.ask(
            "order.amend.keepPriority",
            symbol=SYMBOL,
            orderId=placed["result"]["orderId"],
            newQty="0.1",
        )

    if reading == "refused":
        assert reply["error"]["code"] == -2038
    else:
        assert reply["result"]["amendedOrder"]["status"] == "EXPIRED"


@pytest.mark.parametrize(
    ("cancelled", "price", "mode", "outcome"),
    [
        ("mine", "2980.00", "STOP_ON_FAILURE", (200, None)),
        ("other", "2980.00", "STOP_ON_FAILURE", (400, -2022)),
        ("other", "2980.00", "ALLOW_FAILURE", (409, -2021)),
        ("mine", "3100.00", "STOP_ON_FAILURE", (409, -2021)),
    ],
)
async def test_a_replacement_may_half_fail(
    autojump_clock: Any, cancelled: str, price: str, mode: str, outcome: tuple[int, int | None]
) -> None:
    status, code = outcome
    async with world("spot") as here, here.dial() as client:
        await client.place(newClientOrderId="mine")
        reply = await client.ask(
            "order.cancelReplace", symbol=SYMBOL, side="BUY", type="LIMIT_MAKER",
            quantity="0.1", price=price, cancelReplaceMode=mode, cancelOrigClientOrderId=cancelled,
        )  # fmt: skip

    assert reply["status"] == status
    assert code is None or reply["error"]["code"] == code
    data = reply["result"] if code is None else reply["error"]["data"]
    assert {"SUCCESS": 200}.get(data["cancelResult"]) == (200 if cancelled == "mine" else None)


async def test_signatures_keys_and_ids_are_checked(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        wrong = client.signed({"symbol": SYMBOL}) | {"symbol": "BTCUSDC"}
        bad = await client.reply(await client.send("openOrders.status", wrong))
        unknown = client.signed({}) | {"apiKey": "x" * 64}
        nobody = await client.reply(await client.send("account.status", unknown))
        bare = await client.reply(await client.send("account.status"))
        await client.socket.send_message(json.dumps({"id": 1.5, "method": "ping"}))
        no_id = await client.reply(None)  # type: ignore[arg-type]
        missing = await client.reply(await client.send("no.such.method"))

    assert bad["error"]["code"] == -1022
    assert (nobody["status"], nobody["error"]["code"]) == (401, -2015)
    assert bare["error"]["code"] == -2014
    assert no_id["error"]["code"] == -1135
    assert missing["status"] == 400


async def test_a_logon_needs_an_ed25519_key_and_saves_signatures(autojump_clock: Any) -> None:
    accounts = TradingAccount("mm1", RICH), TradingAccount("ed", RICH, kind="ed25519")
    async with (
        world("spot", *accounts) as here,
        here.dial() as hmac_client,
        here.dial() as client,
    ):
        refused = await hmac_client.ask("session.logon")
        account = here.exchange.accounts["ed"]
        private = load_pem_private_key(account.secret.encode(), None)
        assert isinstance(private, Ed25519PrivateKey)
        params: dict[str, Any] = {"apiKey": account.key, "timestamp": client.now_ms}
        text = "&".join(f"{name}={params[name]}" for name in sorted(params))
        params["signature"] = base64.b64encode(private.sign(text.encode())).decode()
        logon = await client.reply(await client.send("session.logon", params))
        subscribed = await client.reply(await client.send("userDataStream.subscribe"))
        twice = await client.reply(await client.send("userDataStream.subscribe"))
        order = {
            "symbol": SYMBOL, "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.1",
            "price": "2990", "timestamp": client.now_ms,
        }  # fmt: skip
        placed = await client.reply(await client.send("order.place", order))
        status = await client.reply(await client.send("session.status"))
        here.exchange.trading.revoke_key("ed")
        await client.send("session.status")
        revoked = await client.reply(None)  # type: ignore[arg-type]

    assert refused["error"]["code"] == -2015
    assert logon["result"]["apiKey"] == account.key
    assert subscribed["result"] == {"subscriptionId": 0}
    assert twice["error"]["code"] == -2035
    assert placed["status"] == 200
    assert status["result"]["userDataStream"] is True
    assert (revoked["id"], revoked["status"], revoked["error"]["code"]) == (None, 401, -2015)


async def test_a_logout_ends_the_subscription_of_the_logon(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        await subscribe(client)
        await client.reply(await client.send("userDataStream.unsubscribe"))
        await client.event("eventStreamTerminated")
        await client.place()
        again = await client.ask("userDataStream.subscribe.signature")

    assert client.names == ["eventStreamTerminated"]
    assert again["result"] == {"subscriptionId": 1}


async def test_events_go_to_every_connection_of_the_account_and_no_other(
    autojump_clock: Any,
) -> None:
    accounts = TradingAccount("mm1", RICH), TradingAccount("mm2", RICH)
    async with (
        world("spot", *accounts) as here,
        here.dial() as one,
        here.dial() as two,
        here.dial(account="mm2") as other,
    ):
        for client in (one, two, other):
            await subscribe(client)
        await one.place()
        await two.event("executionReport")
        await trio.sleep(1)

    assert (len(one.events), len(two.events), len(other.events)) == (2, 2, 0)


async def test_limits_are_shown_and_kept(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        first = await client.place(quantity="0.01")
        replies = [await client.place(quantity="0.01") for _ in range(50)]
        cancel = await client.ask("order.cancel", symbol=SYMBOL, orderId=first["result"]["orderId"])
        await trio.sleep(10)
        later = await client.place(quantity="0.01")
        quiet = await client.ask("account.status", returnRateLimits="false")

    counts = {limit["interval"]: limit["count"] for limit in first["rateLimits"]}
    assert counts == {"SECOND": 1, "DAY": 1, "MINUTE": 2}
    assert [reply["status"] for reply in replies] == [200] * 49 + [429]
    error = replies[-1]["error"]
    assert error["code"] == -1015
    assert error["data"]["retryAfter"] == here.exchange._audience.opened_ms + 10_000
    assert (cancel["status"], later["status"]) == (200, 200)
    assert "rateLimits" not in quiet


async def test_a_ban_closes_the_connection(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        here.exchange.trading.ban(120)
        reply = await client.place()
        await trio.sleep(1)

    assert (reply["status"], reply["error"]["code"]) == (418, -1003)
    assert "IP banned until" in reply["error"]["msg"]
    assert reply["error"]["data"]["retryAfter"] > reply["error"]["data"]["serverTime"]
    assert client.closed is not None


async def test_only_failures_weigh_on_spot(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        good = await client.place()
        bad = await client.place(price="0.001")

    def used(reply: Any) -> int:
        return int(reply["rateLimits"][-1]["count"])

    assert used(bad) == used(good) + 1


@pytest.mark.parametrize("response", ["ACK", "RESULT", "FULL"])
async def test_a_taker_sees_its_fills_in_the_reply(autojump_clock: Any, response: str) -> None:
    async with world("spot") as here, here.dial() as client:
        reply = await client.place(
            type="MARKET", timeInForce=None, price=None, newOrderRespType=response
        )
        account = here.exchange.accounts["mm1"]

    result = reply["result"]
    assert ("status" in result, "fills" in result) == (response != "ACK", response == "FULL")
    if response == "FULL":
        quantities = [Decimal(fill["qty"]) for fill in result["fills"]]
        assert sum(quantities) == Decimal("0.5")
        assert [fill["tradeId"] for fill in result["fills"]] == [f.trade_id for f in account.fills]


async def test_public_methods_need_no_key(autojump_clock: Any) -> None:
    async with world("spot") as here, here.dial() as client:
        time = await client.reply(await client.send("time"))
        info = await client.reply(await client.send("exchangeInfo"))
        depth = await client.reply(await client.send("depth", {"symbol": SYMBOL}))

    assert 0 <= time["result"]["serverTime"] - here.exchange._audience.opened_ms < 100
    (symbol,) = info["result"]["symbols"]
    assert {each["filterType"] for each in symbol["filters"]} >= {"PRICE_FILTER", "NOTIONAL"}
    assert len(depth["result"]["bids"]) > 10


async def test_nobody_trades_where_there_are_no_accounts(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("spot", network=network) as exchange:
        assert exchange.accounts == {}
        with pytest.raises(ValueError, match="this exchange has no accounts"):
            _ = exchange.trading
    with pytest.raises(ValueError, match="need a market"):
        async with open_exchange("spot", network=MemoryNetwork(), accounts=(TradingAccount("a"),)):
            pass


@pytest.mark.parametrize("encrypted", [False, True])
async def test_accounts_trade_over_real_sockets(encrypted: bool) -> None:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with open_exchange(
        "spot",
        source=STILL,
        accounts=(TradingAccount("mm1", RICH),),
        ssl_context=server if encrypted else None,
    ) as exchange:
        here = World(Loopback(context if encrypted else None), exchange)  # type: ignore[arg-type]
        with trio.fail_after(20):
            async with here.dial() as client:
                await subscribe(client)
                assert (await client.place())["status"] == 200
                report = await client.event("executionReport")
                exchange.trading.cut_reply("order.place", after_bytes=10)
                assert await client.place() is None
            status, _, opened = await here.rest("GET", "/api/v3/openOrders")

    assert report["x"] == "NEW"
    assert (status, len(opened)) == (200, 2)


@attrs.frozen
class Loopback:
    """Sockets, plain or with TLS, in place of a network in memory."""

    context: ssl.SSLContext | None

    @asynccontextmanager
    async def connect(self, host: str, port: int) -> AsyncIterator[trio.abc.Stream]:
        stream: trio.abc.Stream = await trio.open_tcp_stream(host, port)
        if self.context is not None:
            stream = trio.SSLStream(stream, self.context, server_hostname=host)
        try:
            yield stream
        finally:
            await trio.aclose_forcefully(stream)
