"""Hyperliquid as it is simulated, met by the whole connector, in virtual time."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector.channels import (
    OrderBook,
    RawStream,
    Trades,
)
from connector.events import BookView, Trade
from connector.exchanges import hyperliquid
from connector.testing import (
    Fault,
    FaultPlan,
    When,
)
from tests.exchanges.simulated import Simulated, events_of, open_simulated

SYMBOL = "BTC"


def world(
    rate_per_second: float = 100, faults: FaultPlan | None = None
) -> AbstractAsyncContextManager[Simulated]:
    make = hyperliquid.Hyperliquid
    return open_simulated("hyperliquid", make, (SYMBOL, "@107"), rate_per_second, faults=faults)


async def test_raw_frames_of_both_books(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter):
        for name, fast in (("l2Book:BTC", True), ("l2Book.slow:BTC", False)):
            (message, *_) = await events_of(adapter, RawStream(name))
            assert (b'"fast":true' in message.data) is fast


async def test_each_trade_once_over_reconnects(autojump_clock: MockClock) -> None:
    faults = FaultPlan((Fault("reset", When(messages=40)),))
    async with world(40, faults) as (exchange, adapter):
        with trio.fail_after(600):
            async with adapter.subscribe(Trades(SYMBOL), gaps=True) as feed:
                trades: list[Trade[Any]] = []
                while exchange.accepted < 4:
                    event = await anext(feed)
                    if isinstance(event, Trade):
                        trades.append(event)
    ids = [(trade.exchange_time_ns, trade.trade_id) for trade in trades]
    assert len(ids) > 80
    assert len(set(ids)) == len(ids)
    times = [trade.exchange_time_ns for trade in trades]
    assert times == sorted(times)  # type: ignore[type-var]


@pytest.mark.parametrize("depth", [5, 20])
@pytest.mark.parametrize(
    "fault",
    ["reset", "half_open", "mute", Fault("truncated_json", stream="l2Book*"),
     Fault("reorder", stream="l2Book*", count=1), Fault("duplicate_frames", count=3)],
    ids=lambda fault: getattr(fault, "kind", fault),
)  # fmt: skip
async def test_a_book_is_never_wrong_while_it_is_synced(
    autojump_clock: MockClock, fault: Any, depth: int
) -> None:
    async with world(10) as (exchange, adapter):
        truth = exchange.keep_truth(SYMBOL, depth)
        seen = compared = 0
        async with adapter.subscribe(OrderBook(SYMBOL, depth), gaps=True) as feed:
            with trio.fail_after(600):
                while compared < 12:
                    if compared == 4:
                        exchange.break_connections(fault)
                    view = await anext(feed)
                    if not isinstance(view, BookView) or not view.synced:
                        continue
                    sides = [[tuple(level) for level in side] for side in (view.bids, view.asks)]
                    found = truth.find_book(*sides, seen)  # type: ignore[arg-type]
                    assert found is not None, "the book never was so, or not after the last view"
                    seen, compared = found, compared + 1


async def test_instruments(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter):
        found = {each.symbol: each for each in await adapter.instruments(timeout=60)}
        assert set(found) == {SYMBOL, "@107"}
        assert (found[SYMBOL].kind, found["@107"].kind) == ("perpetual", "spot")
