"""Trades of USD-M futures come on the route that carries them, and without those of nothing."""

from __future__ import annotations

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector import Gap, open_adapter
from connector.channels import BestQuote, Trades
from connector.exchanges import binance
from connector.testing import MemoryNetwork, open_exchange
from tests.faults.world import trade


@pytest.mark.parametrize("trades", ["public", "market"])
async def test_they_come_where_the_exchange_carries_them(
    trades: str, autojump_clock: MockClock
) -> None:
    network = MemoryNetwork()
    async with (
        open_exchange("usdm", network=network, trades=trades) as exchange,
        open_adapter(binance.UsdMFutures(endpoints=exchange.endpoints), dialer=network) as adapter,
        adapter.subscribe(BestQuote("ETHUSDC"), Trades("ETHUSDC"), gaps=True) as feed,
    ):
        assert {each.route for each in exchange.connections} == {"/public", f"/{trades}"}
        nothing = {"p": "0", "q": "0", "X": "NA"}
        for number, change in enumerate([{}, nothing, nothing, {}, {}], 1):
            exchange.publish("ethusdc@trade", {**trade("ethusdc", number), **change})
        got = [await feed.receive() for _ in range(3)]
        assert not any(isinstance(each, Gap) for each in got)
        assert [each.trade_id for each in got if not isinstance(each, Gap)] == [1, 4, 5]


@pytest.mark.parametrize(("trades", "asked"), [("public", "market"), ("market", "public")])
async def test_on_the_other_route_they_are_acknowledged_and_silent(
    trades: str, asked: str, autojump_clock: MockClock
) -> None:
    network = MemoryNetwork()
    async with open_exchange("usdm", network=network, trades=trades) as exchange:
        endpoints = attrs.evolve(exchange.endpoints, trades=asked)
        async with (
            open_adapter(binance.UsdMFutures(endpoints=endpoints), dialer=network) as adapter,
            adapter.subscribe(Trades("ETHUSDC")) as feed,
        ):
            exchange.publish("ethusdc@trade", trade("ethusdc", 1))
            with trio.move_on_after(60) as patience:
                await feed.receive()
    assert patience.cancelled_caught


async def test_a_route_that_the_exchange_does_not_have(autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match="'private' is not a route; write 'public' or 'market'"):
        async with open_exchange("usdm", network=MemoryNetwork(), trades="private"):
            pass
