"""OKX as it is simulated, met by the whole connector, in virtual time."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector.channels import (
    OrderBook,
)
from connector.events import Gap
from connector.exchanges import okx
from connector.testing import Fault
from tests.exchanges.simulated import Simulated, open_simulated

SYMBOL = "BTC-USDT-SWAP"


def world(rate_per_second: float = 200) -> AbstractAsyncContextManager[Simulated]:
    return open_simulated("okx", okx.Okx, (SYMBOL, "ETH-USDT"), rate_per_second)


@pytest.mark.parametrize(
    "fault", ["reset", "half_open", Fault("truncated_json", stream="books:*")], ids=str
)
async def test_a_book_is_right_again_after_a_loss(autojump_clock: MockClock, fault: Any) -> None:
    async with world() as (exchange, adapter):
        flow: Any = exchange._player  # the truth
        async with adapter.subscribe(OrderBook(SYMBOL), gaps=True) as feed:
            while not (await anext(feed)).synced:
                pass
            exchange.break_connections(fault)
            with trio.fail_after(300):
                while not isinstance(await anext(feed), Gap):
                    pass
                compared = 0
                while compared < 20:
                    view: Any = await anext(feed)
                    if isinstance(view, Gap) or not view.synced:
                        continue
                    desk = flow.desks[SYMBOL].flow
                    # Between two updates the exchange's book goes on.
                    top = {level.price for level in view.bids}
                    best = Decimal(desk.best[0]).scaleb(-2)
                    compared += best in top or best > max(top)


async def test_instruments(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter):
        found = {each.symbol: each for each in await adapter.instruments(timeout=60)}
        assert set(found) == {SYMBOL, "ETH-USDT"}
        assert found[SYMBOL].base_quantity(Decimal(100)) == 1
