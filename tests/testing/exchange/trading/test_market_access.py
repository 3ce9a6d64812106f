"""Accounts on the order flow's book: the public streams show what they do, and the flow fills them.

Every view of the market is compared with the others: streams, depth snapshots, private events.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import trio

from connector.testing import MemoryNetwork, OrderFlow, open_exchange
from connector.testing.exchange.trading.accounts import TradingAccount
from tests.testing.exchange.trading.client import RICH, SYMBOL, Client, World, world

BUSY = OrderFlow(seed=5, rate_per_second=200)
VENUES = pytest.mark.parametrize("venue", ["spot", "usdm"])
PUBLIC = {"spot": "/stream?streams={}", "usdm": "/public/stream?streams={}"}


async def best(here: World, venue: str) -> tuple[Decimal, Decimal]:
    path = "/api/v3/depth" if venue == "spot" else "/fapi/v1/depth"
    _, _, body = await here.rest("GET", path, None, signed=False, symbol=SYMBOL, limit=5)
    return Decimal(body["bids"][0][0]), Decimal(body["asks"][0][0])


@VENUES
async def test_an_order_is_seen_in_the_book_and_its_trade_in_the_streams(
    autojump_clock: Any, venue: str
) -> None:
    name = SYMBOL.lower()
    streams = f"{name}@bookTicker/{name}@depth@100ms"
    async with (
        world(venue) as here,
        here.dial() as client,
        here.dial(PUBLIC[venue].format(streams)) as public,
    ):
        bid, ask = await best(here, venue)
        price = str(bid + Decimal("0.01")) if ask - bid > Decimal("0.01") else str(bid)
        await client.place(price=price, quantity="0.5")
        await trio.sleep(1)
        seen = await best(here, venue)
        client_order = here.exchange.accounts["mm1"].open_orders[0]
        here.exchange.trading.fill(client_order)
        await trio.sleep(1)

    assert seen[0] == Decimal(price)
    deltas = [each["data"] for each in public.events if "depth" in each["stream"]]
    assert [len(each["b"]) for each in deltas] == [1, 1]
    assert Decimal(deltas[0]["b"][0][0]) == Decimal(price)
    ids = [(each["U"], each["u"]) for each in deltas]
    if venue == "spot":
        assert ids[1][0] == ids[0][1] + 1
    else:
        assert deltas[1]["pu"] == ids[0][1]


async def test_a_taker_is_a_trade_for_everybody(autojump_clock: Any) -> None:
    async with (
        world("spot") as here,
        here.dial() as client,
        here.dial(f"/ws/{SYMBOL.lower()}@trade") as public,
    ):
        reply = await client.place(type="MARKET", timeInForce=None, price=None, quantity="0.5")
        await trio.sleep(1)

    fills = [(each["tradeId"], each["price"], each["qty"]) for each in reply["result"]["fills"]]
    assert [(each["t"], each["p"], each["q"]) for each in public.events] == fills
    assert not any(each["m"] for each in public.events)


@VENUES
async def test_the_flow_fills_orders_though_nobody_watches_the_market(
    autojump_clock: Any, venue: str
) -> None:
    async with world(venue, source=BUSY) as here, here.dial() as client:
        bid, _ = await best(here, venue)
        await client.place(price=str(bid), quantity="0.5")
        await trio.sleep(90)

        account = here.exchange.accounts["mm1"]
        assert account.fills
        assert all(fill.maker for fill in account.fills)


@VENUES
async def test_makers_of_a_busy_market_keep_their_books(autojump_clock: Any, venue: str) -> None:
    """Minutes of quoting on both sides: wallet, fills and the streams tell one story."""
    name = SYMBOL.lower()
    route = PUBLIC[venue] if venue == "spot" else "/market/stream?streams={}"
    fees = TradingAccount("mm1", RICH, maker_fee="-0.0001", fee_asset="BNB")
    async with (
        world(venue, fees, source=BUSY) as here,
        here.dial() as client,
        here.dial(route.format(f"{name}@trade")) as public,
    ):
        account = here.exchange.accounts["mm1"]
        for _ in range(10):
            bid, ask = await best(here, venue)
            for side, price in (("BUY", bid), ("SELL", ask)):
                await client.place(side=side, price=str(price), quantity="0.05")
            await trio.sleep(3)
            for order in account.open_orders:
                await client.ask("order.cancel", symbol=SYMBOL, orderId=order.order_id)
        await trio.sleep(1)

    trades = {each["data"]["t"]: each["data"] for each in public.events}
    assert len(account.fills) > 5
    for fill in account.fills:
        seen = trades[fill.trade_id]
        assert Decimal(seen["p"]) == fill.price
        assert Decimal(seen["q"]) == fill.quantity
        assert seen["m"] == ((fill.side == "BUY") == fill.maker)
    check_the_wallet(venue, account)


def check_the_wallet(venue: str, account: Any) -> None:
    ether, dollars = Decimal(RICH["ETH"]), Decimal(RICH["USDC"])
    held = Decimal(0)
    for fill in account.fills:
        sign = 1 if fill.side == "BUY" else -1
        held += sign * fill.quantity
        dollars -= sign * fill.quote
        if fill.fee_asset == "ETH":
            ether -= fill.fee
        else:
            dollars -= fill.fee
    if venue == "spot":
        assert account.balances["ETH"] == ether + held
        assert account.balances["USDC"] == dollars
    else:
        position = account.position(SYMBOL)
        assert position.quantity == held
        cost = position.cost if held > 0 else -position.cost
        assert account.balances["USDC"] == dollars + cost


@VENUES
async def test_accounts_that_do_nothing_change_nothing(autojump_clock: Any, venue: str) -> None:
    name = SYMBOL.lower()
    path = PUBLIC[venue].format(f"{name}@depth@100ms/{name}@bookTicker")

    async def run(*accounts: TradingAccount) -> list[Any]:
        network = MemoryNetwork()
        async with (
            open_exchange(venue, source=BUSY, network=network, accounts=accounts) as exchange,  # type: ignore[arg-type]
            World(network, exchange).dial(path) as public,
        ):
            await trio.sleep(5)
            return list(public.events)

    alone = await run()
    assert len(alone) > 100
    assert await run(TradingAccount("mm1", RICH)) == alone


async def test_the_same_seed_and_script_are_the_same_events(autojump_clock: Any) -> None:
    async def run() -> list[Any]:
        async with world("spot", source=BUSY) as here, here.dial() as client:
            await client.ask("userDataStream.subscribe.signature")
            for price in ("2999", "3001", "2998"):
                await client.place(price=price, quantity="0.1")
                await trio.sleep(6)
            return client.events

    first = await run()
    assert first
    assert await run() == first


async def test_accounts_trade_with_each_other(autojump_clock: Any) -> None:
    accounts = TradingAccount("mm1", RICH), TradingAccount("mm2", RICH)
    async with (
        world("usdm", *accounts) as here,
        here.dial() as one,
        here.dial(account="mm2") as two,
    ):
        bid, ask = await best(here, "usdm")
        inside = str(bid)
        await one.place(price=inside, quantity="0.100")
        await drain(here, two, inside)

        first, second = (here.exchange.accounts[name] for name in ("mm1", "mm2"))
        assert first.position(SYMBOL).quantity == Decimal("0.1")
        assert second.fills[-1].trade_id == first.fills[-1].trade_id
        assert [first.fills[-1].maker, second.fills[-1].maker] == [True, False]
        assert ask > bid


async def drain(here: World, client: Client, price: str) -> None:
    """Sells until what was before the order of `mm1` is taken, and then that."""
    account = here.exchange.accounts["mm1"]
    while account.open_orders:
        reply = await client.place(side="SELL", price=price, quantity="0.100", timeInForce="IOC")
        assert reply["status"] == 200
