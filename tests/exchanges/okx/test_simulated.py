"""OKX as it is simulated, met by the whole connector, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector import Adapter, Reconnect, open_adapter
from connector.channels import (
    AggregateTrades,
    BestQuote,
    BookDeltas,
    Candles,
    Channel,
    Liquidations,
    MarkPrices,
    OrderBook,
    PartialBook,
    Tickers,
    Trades,
)
from connector.errors import SubscriptionRejected
from connector.events import Gap
from connector.exchanges import okx
from connector.testing import Fault, MemoryNetwork, OrderFlow, SimulatedExchange, open_exchange

SYMBOL = "BTC-USDT-SWAP"
CHANNELS = [
    Trades(SYMBOL), AggregateTrades(SYMBOL), BestQuote(SYMBOL), PartialBook(SYMBOL),
    BookDeltas(SYMBOL), OrderBook(SYMBOL, 10), Candles(SYMBOL), Tickers(SYMBOL),
    MarkPrices(SYMBOL), Liquidations(),
]  # fmt: skip


@asynccontextmanager
async def world(rate_per_second: float = 200) -> AsyncIterator[tuple[SimulatedExchange, Adapter]]:
    network = MemoryNetwork()
    flow = OrderFlow(symbols=(SYMBOL, "ETH-USDT"), rate_per_second=rate_per_second)
    async with open_exchange("okx", source=flow, network=network) as exchange:
        made = okx.Okx(endpoints=exchange.endpoints, numbers=Decimal)
        reconnect = Reconnect(initial=0.1, jitter="none")
        async with open_adapter(made, dialer=network, reconnect=reconnect) as adapter:
            yield exchange, adapter


async def events_of(adapter: Adapter, channel: Channel[Any], count: int = 3) -> list[Any]:
    with trio.fail_after(600):
        async with adapter.subscribe(channel, gaps=True) as feed:
            return [await anext(feed) for _ in range(count)]


async def test_every_channel_brings_events(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter):
        for channel in CHANNELS:
            for event in await events_of(adapter, channel):
                assert not isinstance(event, Gap), event
                assert event.symbol == SYMBOL
        assert adapter.statistics().decode_errors == 0


async def test_a_bad_symbol_is_refused_and_the_others_live(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter), trio.open_nursery() as nursery:
        nursery.start_soon(events_of, adapter, Tickers(SYMBOL))
        with pytest.raises(SubscriptionRejected, match=r"60018.*XX-USDT doesn't exist"):
            await events_of(adapter, Tickers("XX-USDT"))


async def test_text_pings_keep_a_quiet_connection(autojump_clock: MockClock) -> None:
    async with world(1e-9) as (exchange, adapter):
        async with adapter.subscribe(Trades(SYMBOL)):
            await trio.sleep(300)
            assert exchange.accepted == 1
            assert adapter.statistics().unknown_messages == 0


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
