"""The programs that explore accounts: each places orders in a different way, and ends.

They tolerate an unreachable exchange, and never repeat an action that may have succeeded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias

import trio

from connector import Adapter
from connector.account import Account, Order
from connector.accounts import Timing
from connector.errors import (
    AmendRefused,
    NameInUse,
    NotSynced,
    OrderEnded,
    OrderNotPlaced,
    OrderUnknown,
)
from connector.keys import ApiKey
from connector.orders import Intent, Limit, Limits
from connector.testing.exchange.trading.accounts import TradingAccount
from connector.testing.explore.order_judge import OrderJudge, secrets_watched
from connector.testing.explore.programs import Describe, _open_adapter, coinm, usdm
from connector.testing.explore.stage import Stage
from connector.trading.client_ids import ClientIds

SYMBOL = "ETHUSDC"
CONTRACT = "ETHUSD_PERP"
TRADER = TradingAccount("mm1", {"USDC": "100000", "ETH": "50"})
TIMING = Timing(leave_timeout=60.0)
WIDE = Decimal(60)


def bid(price: str, quantity: str = "0.5", symbol: str = SYMBOL) -> Limit:
    """Make a bid far below the market, which stays at 3000."""
    return Limit(symbol, "buy", quantity=quantity, price=price)


Work: TypeAlias = Callable[[Stage, Account, OrderJudge], Awaitable[None]]


async def on_account(
    stage: Stage, describe: Describe = usdm, *, work: Work, symbol: str = SYMBOL
) -> None:
    """Run `body` with an account, inside the scope that the fault ``leave`` cancels."""
    judge = stage.orders_of(TRADER.name, symbol)
    with secrets_watched(judge):
        async with _open_adapter(stage, describe) as adapter:
            with stage.body:
                async with _open(adapter, judge) as account:
                    await work(stage, account, judge)
            stage.leaving()


@asynccontextmanager
async def _open(adapter: Adapter, judge: OrderJudge, **options: Any) -> AsyncIterator[Account]:
    key = ApiKey(TRADER.key, TRADER.secret)
    given = {"name": TRADER.name, "limits": Limits.none(), "timing": TIMING, **options}
    async with adapter.open_account(key, **given) as account, account.events() as feed:
        judge.runs(account, feed, kept=options.get("on_leave") == "keep")
        try:
            yield account
        finally:
            judge.look()


async def place(stage: Stage, account: Account, judge: OrderJudge, intent: Intent) -> Order | None:
    """Place an order once; return None if it certainly does not exist."""
    stage.turn()
    with suppress(NotSynced):
        await account.wait_synced()
        judge.intends(intent)
        try:
            return await account.place(intent)
        except OrderUnknown as unknown:
            order: Any = unknown.order
            return order  # type: ignore[no-any-return]
        except OrderNotPlaced:
            return None
    return None


async def trade(stage: Stage, describe: Describe = usdm) -> None:
    """Place, fill, cancel, a working order, and an order that stays until the block is left."""
    await on_account(stage, describe, work=_trade)


async def trade_contracts(stage: Stage) -> None:
    """Do the same with COIN-M contracts, which trade in whole numbers only."""
    work = partial(_trade, quantity="5", part="1")
    await on_account(stage, coinm, work=work, symbol=CONTRACT)


async def _trade(
    stage: Stage, account: Account, judge: OrderJudge, *, quantity: str = "0.5", part: str = "0.1"
) -> None:
    order = partial(bid, quantity=quantity, symbol=judge.symbol)
    first = await place(stage, account, judge, order("2980"))
    taken = await place(stage, account, judge, order("2985"))
    for each in judge.truth.open_orders:
        if taken is not None and each.client_id == taken.client_id:
            stage.exchange.trading.fill(each, part)
    if first is not None:
        await account.cancel(first)
    stage.turn()
    with suppress(OrderNotPlaced, OrderUnknown):
        async with account.working(judge.intends(order("2970"))):
            await trio.sleep(0.01)
    await judge.rest()


async def leave_at_once(stage: Stage, describe: Describe = usdm) -> None:
    """Leave with orders in every state: partly filled, open, in flight, queued."""
    await on_account(stage, describe, work=_leave_at_once)


async def _leave_at_once(stage: Stage, account: Account, judge: OrderJudge) -> None:
    await place(stage, account, judge, bid("2980"))
    for each in judge.truth.open_orders[:1]:
        stage.exchange.trading.fill(each, "0.1")
    with suppress(OrderNotPlaced):
        account.submit(judge.intends(bid("2981")))
        await trio.lowlevel.checkpoint()
        account.submit(judge.intends(bid("2982")))
        account.submit(judge.intends(bid("2983")))


async def amend(stage: Stage, describe: Describe = usdm) -> None:
    """Amend an order that is partly filled meanwhile, and cancel it."""
    await on_account(stage, describe, work=_amend)


async def _amend(stage: Stage, account: Account, judge: OrderJudge) -> None:
    order = await place(stage, account, judge, bid("2980"))
    for price, quantity in (("2981", None), (None, "0.7")):
        if order is None or order.ended:
            break
        stage.turn()
        with suppress(AmendRefused, OrderEnded, OrderUnknown, OrderNotPlaced):
            await account.amend(order, price=price, quantity=quantity)
        for each in judge.truth.open_orders[:1]:
            stage.exchange.trading.fill(each, "0.1")
    if order is not None:
        await account.cancel(order)
    await judge.rest()


async def quote(stage: Stage, describe: Describe = usdm, away: int = 20) -> None:
    """Quote at a distance from a moving market, and have the quotes filled."""
    await on_account(stage, describe, work=partial(_quote, away=away))


async def _quote(stage: Stage, account: Account, judge: OrderJudge, *, away: int) -> None:
    size, middle = Decimal("0.1"), 3000
    async with account.quotes(SYMBOL, max_long=WIDE, max_short=WIDE, max_age=10.0) as quotes:
        for number in range(4):
            stage.turn()
            judge.wants(bids=size, asks=size, max_long=WIDE, max_short=WIDE)
            price = middle + (number if away > 4 else 0)
            quotes.want(bids=[(price - away, size)], asks=[(price + away, size)])
            await trio.sleep(0.05 if away > 4 else 0.5)
            for each in judge.truth.open_orders[:1]:
                if number == 1:
                    stage.exchange.trading.fill(each, "0.05")
    await judge.rest()


async def crash_and_return(stage: Stage, describe: Describe = usdm) -> None:
    """End one run without cancelling, and check that the next run finds its orders."""
    judge = stage.orders_of(TRADER.name, SYMBOL)
    with secrets_watched(judge):
        async with _open_adapter(stage, describe) as adapter:
            with stage.body:
                async with _open(adapter, judge, on_leave="keep") as account:
                    await place(stage, account, judge, bid("2980"))
                    await place(stage, account, judge, bid("2981"))
                    bookmark = account.bookmark
                for each in judge.truth.open_orders[:1]:
                    stage.exchange.trading.fill(each, "0.2")
                async with _open(adapter, judge, bookmark=bookmark):
                    stage.turn()
                    await judge.rest()
            stage.leaving()


async def same_name(stage: Stage, describe: Describe = usdm) -> None:
    """Start a second program of the same name: the first must end and not touch its orders."""
    with suppress(NameInUse):
        await on_account(stage, describe, work=_same_name)


async def _same_name(stage: Stage, account: Account, judge: OrderJudge) -> None:
    other = ClientIds(TRADER.name, 5).make()
    await place(stage, account, judge, bid("2980"))
    await trio.sleep(100)
    judge.foreign.add(other)
    stage.exchange.trading.place(
        TRADER.name, symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC",
        quantity="0.5", price="2900", newClientOrderId=other,
    )  # fmt: skip
    await trio.sleep(100)
    stage.find("I13", "a second program of the same name was not noticed")
