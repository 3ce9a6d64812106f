"""Bybit as it is simulated, met by the whole connector, in virtual time."""

from __future__ import annotations

import itertools
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector import Adapter
from connector.channels import (
    BookDeltas,
    Liquidations,
    OrderBook,
)
from connector.events import BookSnapshot, BookView, Gap, Level
from connector.exchanges import bybit
from connector.testing import (
    Fault,
    OrderFlow,
    SimulatedExchange,
    Source,
)
from tests.exchanges.simulated import Simulated, events_of, open_simulated

EXCHANGES = {
    "bybit_spot": bybit.Spot,
    "bybit_linear": bybit.Linear,
    "bybit_inverse": bybit.Inverse,
}
SYMBOLS = ("BTCUSDT", "ETHUSDT")


@attrs.frozen
class World:
    exchange: SimulatedExchange
    adapter: Adapter


def world(
    venue: str, *, source: Source | None = None, numbers: Any = float
) -> AbstractAsyncContextManager[Simulated]:
    make = EXCHANGES[venue]
    return open_simulated(venue, make, SYMBOLS, 50, numbers=numbers, source=source)


async def test_a_book_is_the_books_of_the_exchange_and_agrees_with_quotes(
    autojump_clock: MockClock,
) -> None:
    compared = 0
    async with world("bybit_linear", numbers=Decimal) as there:
        flow: Any = there.exchange._player  # the truth
        async with there.adapter.subscribe(OrderBook("BTCUSDT", interval_ms=20)) as feed:
            with trio.fail_after(600):
                async for view in feed:
                    assert isinstance(view, BookView)
                    if not view.synced:
                        continue
                    book = flow.desks["BTCUSDT"].flow.book
                    if flow.desks["BTCUSDT"].flow.changed_ms * 10**6 != view.exchange_time_ns:
                        continue  # the market has gone on
                    top = [(int(level.price * 100), int(level.quantity * 1000))
                           for level in view.bids]  # fmt: skip
                    assert top == book.bids.best_levels(50)
                    assert len(view.asks) <= 50
                    compared += 1
                    if compared == 200:
                        break


async def test_a_snapshot_comes_first_and_deltas_follow(autojump_clock: MockClock) -> None:
    async with world("bybit_spot") as there:
        first, *rest = await events_of(there.adapter, BookDeltas("BTCUSDT", 20), 20)
        assert isinstance(first, BookSnapshot)
        assert all(isinstance(level, Level) for level in first.bids)
        ids = [first.update_id, *(each.last_update_id for each in rest)]
        assert ids == list(range(first.update_id, first.update_id + 20))


async def test_pings_keep_a_quiet_connection(autojump_clock: MockClock) -> None:
    silent = OrderFlow(symbols=("BTCUSDT",), rate_per_second=1e-9)
    async with world("bybit_linear", source=silent) as there:
        async with there.adapter.subscribe(Liquidations("BTCUSDT")):
            await trio.sleep(800)
            requests = [each for each in there.exchange.log if "ping" in each.detail]
            assert len(requests) > 36
            assert there.exchange.accepted == 1
            assert there.adapter.statistics().unknown_messages == 0


@pytest.mark.parametrize("kind", ["reset", "close", "fin", "half_open"])
async def test_a_break_is_a_gap_and_the_book_is_right_again(
    autojump_clock: MockClock, kind: Any
) -> None:
    async with world("bybit_linear") as there:
        async with there.adapter.subscribe(OrderBook("BTCUSDT"), gaps=True) as feed:
            while not (await anext(feed)).synced:
                pass
            there.exchange.break_connections(kind)
            with trio.fail_after(120):
                while not isinstance(await anext(feed), Gap):
                    pass
                while not ((event := await anext(feed)) and getattr(event, "synced", False)):
                    pass
        assert there.exchange.max_concurrent == 1


async def test_a_lost_delta_is_mended_by_subscribing_anew(autojump_clock: MockClock) -> None:
    async with world("bybit_linear") as there:
        async with there.adapter.subscribe(OrderBook("BTCUSDT"), gaps=True) as feed:
            while not (await anext(feed)).synced:
                pass
            there.exchange.break_connections(Fault("truncated_json", stream="orderbook.*"))
            with trio.fail_after(60):
                while not isinstance(await anext(feed), Gap):
                    pass
                while not ((event := await anext(feed)) and getattr(event, "synced", False)):
                    pass
        assert there.exchange.accepted == 1
        (book,) = there.adapter.statistics().books.values() or (None,)  # it is gone
        assert book is None


async def test_a_book_that_does_not_stay_synced_subscribes_less_and_less_often(
    autojump_clock: MockClock,
) -> None:
    async with (
        world("bybit_linear") as there,
        there.adapter.subscribe(OrderBook("BTCUSDT"), gaps=True) as feed,
    ):
        for _ in range(4):
            while not ((event := await anext(feed)) and getattr(event, "synced", False)):
                pass
            there.exchange.break_connections(Fault("truncated_json", stream="orderbook.*"))
            known = len(there.exchange.log.of("request"))
            with trio.fail_after(60):
                while len(there.exchange.log.of("request")) == known:
                    await anext(feed)
        requests = there.exchange.log.of("request")

    left = [entry.seconds for entry in requests if "unsubscribe" in entry.detail]
    assert [round(after - before) for before, after in itertools.pairwise(left)] == [2, 4, 8]


async def test_instruments(autojump_clock: MockClock) -> None:
    symbols = tuple(f"A{number}USDT" for number in range(1100))
    flow = OrderFlow(symbols=symbols, rate_per_second=0.001)
    async with world("bybit_linear", source=flow) as there:
        found = await there.adapter.instruments(timeout=60)
        assert [each.symbol for each in found] == list(symbols)
        assert found[0].tick_size == Decimal("0.01")
