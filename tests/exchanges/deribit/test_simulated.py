"""Deribit as it is simulated, met by the whole connector, in virtual time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector import Adapter
from connector.channels import (
    BestQuote,
    BookDeltas,
    Candles,
    Liquidations,
    MarkPrices,
    OrderBook,
    PartialBook,
    Tickers,
    Trades,
)
from connector.errors import SubscriptionRejected
from connector.events import BookView, Gap
from connector.exchanges import deribit
from connector.testing import (
    Fault,
    FaultPlan,
    Silent,
)
from tests.exchanges.simulated import Simulated, events_of, open_simulated

SYMBOL = "BTC-PERPETUAL"
SYMBOLS = (SYMBOL, "ETH_USDC", "ETH-27AUG27-4000-P")


def world(rate_per_second: float = 200, **options: Any) -> AbstractAsyncContextManager[Simulated]:
    return open_simulated("deribit", deribit.Deribit, SYMBOLS, rate_per_second, **options)


async def test_what_comes_in_one_stream_is_read_for_each_channel(
    autojump_clock: MockClock,
) -> None:
    levels: dict[int, set[int]] = {}

    async def read(adapter: Adapter, wanted: int) -> None:
        books = await events_of(adapter, PartialBook(SYMBOL, wanted))
        levels[wanted] = {len(book.bids) for book in books}

    async with world() as (exchange, adapter), trio.open_nursery() as nursery:
        for channel in (Trades(SYMBOL), Liquidations(SYMBOL), MarkPrices(SYMBOL, 100)):
            nursery.start_soon(events_of, adapter, channel)
        nursery.start_soon(events_of, adapter, Tickers(SYMBOL))
        for wanted in (10, 5, 20):
            nursery.start_soon(read, adapter, wanted)
        await trio.sleep(0.5)
        (connection,) = exchange.connections
        assert len(connection.subscriptions) == 4
    assert levels == {5: {5}, 10: {10}, 20: {20}}


async def test_trades_are_numbered_without_holes(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter):
        ids = [each.trade_id for each in await events_of(adapter, Trades(SYMBOL), 50)]
        assert ids == list(range(ids[0], ids[0] + 50))


async def test_a_candle_is_closed_by_the_next(autojump_clock: MockClock) -> None:
    async with world(1) as (_, adapter), adapter.subscribe(Candles(SYMBOL)) as feed:
        closed = []
        with trio.fail_after(300):
            async for candle in feed:
                if candle.closed:
                    closed.append(candle)
                    after = await anext(feed)
                    assert after.open_time_ns == candle.open_time_ns + 60 * 10**9
                    if len(closed) == 2:
                        break
        assert closed[0].close_time_ns + 10**6 == closed[1].open_time_ns


async def test_an_error_for_a_whole_request_refuses_the_one_that_is_wrong(
    autojump_clock: MockClock,
) -> None:
    fault = Fault("reject_subscription", stream="quote.*", code=11050, message="bad_request")
    async with world(faults=FaultPlan((fault,))) as (_, adapter), trio.open_nursery() as nursery:
        nursery.start_soon(events_of, adapter, Tickers(SYMBOL))
        nursery.start_soon(events_of, adapter, Trades(SYMBOL))
        with pytest.raises(SubscriptionRejected, match=r"11050.*bad_request"):
            await events_of(adapter, BestQuote(SYMBOL))


async def test_questions_are_answered_and_keep_a_quiet_connection(
    autojump_clock: MockClock,
) -> None:
    async with world(1e-9) as (exchange, adapter):
        async with adapter.subscribe(Trades(SYMBOL)):
            await trio.sleep(300)
            assert exchange.accepted == 1
            assert adapter.statistics().unknown_messages == 0
        requests = [json.loads(each.detail) for each in exchange.log if each.what == "request"]
        asked = [each["method"] for each in requests]
        assert asked[0] == "public/set_heartbeat"
        assert asked.count("public/test") >= 18


async def test_without_heartbeats_a_connection_is_dead(autojump_clock: MockClock) -> None:
    async with world(1e-9, faults=FaultPlan((Fault("half_open", times=1),))) as (exchange, adapter):
        async with adapter.subscribe(Trades(SYMBOL)):
            await trio.sleep(60)
            assert exchange.accepted == 2


@pytest.mark.parametrize("interval_ms", [100, 1000])
async def test_a_book_is_the_book_of_the_exchange(
    autojump_clock: MockClock, interval_ms: int
) -> None:
    compared = 0
    async with world() as (exchange, adapter):
        flow = exchange._player.desks[SYMBOL].flow  # type: ignore[attr-defined]  # the truth
        async with adapter.subscribe(OrderBook(SYMBOL, interval_ms=interval_ms)) as feed:
            with trio.fail_after(600):
                async for view in feed:
                    assert isinstance(view, BookView)
                    if not view.synced or view.update_id != flow.update_id * 7:
                        continue  # the market has gone on
                    for side, levels in ((flow.book.bids, view.bids), (flow.book.asks, view.asks)):
                        assert [
                            (int(level.price * 100), int(level.quantity / 10)) for level in levels
                        ] == side.best_levels(1 << 30)
                    compared += 1
                    if compared == 8:
                        break


@pytest.mark.parametrize(
    "fault", ["reset", "half_open", "close", Fault("truncated_json", stream="book.*")], ids=str
)
async def test_a_book_is_right_again_after_a_loss(autojump_clock: MockClock, fault: Any) -> None:
    async with world() as (exchange, adapter):
        flow = exchange._player.desks[SYMBOL].flow  # type: ignore[attr-defined]  # the truth
        async with adapter.subscribe(OrderBook(SYMBOL), gaps=True) as feed:
            while not (await anext(feed)).synced:  # type: ignore[union-attr]
                pass
            exchange.break_connections(fault)
            with trio.fail_after(300):
                while not isinstance(await anext(feed), Gap):
                    pass
                compared = 0
                while compared < 10:
                    view: Any = await anext(feed)
                    if isinstance(view, Gap) or not view.synced:
                        continue
                    if view.update_id == flow.update_id * 7:
                        best = Decimal(flow.best[0]).scaleb(-2), flow.best[1] * 10
                        assert tuple(view.best_bid) == best
                        compared += 1


async def test_instruments(autojump_clock: MockClock) -> None:
    async with world() as (_, adapter):
        found = {each.symbol: each for each in await adapter.instruments(timeout=60)}
        assert set(found) == set(SYMBOLS)
        assert found[SYMBOL].base_quantity(Decimal(600), Decimal(60_000)) == Decimal("0.01")
        assert found[SYMBOLS[2]].strike == 4000


async def test_every_frame_of_a_capture_comes_once_and_the_books_are_right(
    autojump_clock: MockClock, received_frames: Callable[[str], Iterator[bytes]]
) -> None:
    """The capture is of ``raw``, whose data is as that of 100 ms."""
    said = [json.loads(frame) for frame in received_frames("deribit/v2_raw_20210722.jsonl.gz")]
    played = [
        (each["params"]["channel"].replace(".raw", ".100ms"), each["params"]["data"])
        for each in said
        if "params" in each
    ]
    names = sorted({data["instrument_name"] for _, data in played})
    got: dict[str, list[Any]] = {name: [] for name in names}
    views: dict[str, list[Any]] = {name: [] for name in names}
    ready: list[Any] = []

    async def read(adapter: Adapter, into: list[Any], *channels: Any) -> None:
        async with adapter.subscribe(*channels, gaps=True) as feed:
            ready.append(channels)
            async for each in feed:
                into.append(each.depth() if isinstance(each, BookView) else each)  # noqa: PERF401

    async with world(source=Silent()) as (exchange, adapter), trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(read, adapter, got[name], BookDeltas(name), Tickers(name))
            nursery.start_soon(read, adapter, views[name], OrderBook(name))
        while len(ready) < 2 * len(names):
            await trio.sleep(0.1)
        for channel, data in played:
            assert exchange.publish(channel, data) == 1
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    for name in names:
        told = [data for _, data in played if data["instrument_name"] == name]
        numbers = [getattr(e, "last_update_id", getattr(e, "update_id", None)) for e in got[name]]
        assert numbers == [data.get("change_id") for data in told]
        assert [e.exchange_time_ns for e in got[name]] == [d["timestamp"] * 10**6 for d in told]
        truth: list[dict[Decimal, Decimal]] = [{}, {}]
        for data in told:
            for side, rows in zip(truth, (data.get("bids", ()), data.get("asks", ())), strict=True):
                side |= {Decimal(str(price)): Decimal(str(amount)) for _, price, amount in rows}
        assert all(isinstance(view, BookView) and view.synced for view in views[name])
        last = views[name][-1]
        for side, levels in zip(truth, (last.bids, last.asks), strict=True):
            assert dict(map(tuple, levels)) == {
                price: amount for price, amount in side.items() if amount
            }


async def test_a_broken_chain_is_never_shown_and_ends_with_a_new_snapshot(
    autojump_clock: MockClock,
) -> None:
    def data(kind: str, number: int, previous: int, **rows: Any) -> dict[str, Any]:
        return {
            "type": kind, "timestamp": number, "instrument_name": SYMBOL, "change_id": number,
            "prev_change_id": previous, "bids": [], "asks": [], **rows,
        }  # fmt: skip

    async with world(source=Silent()) as (exchange, adapter):
        async with adapter.subscribe(OrderBook(SYMBOL), gaps=True) as feed:

            def say(*args: Any, **rows: Any) -> None:
                assert exchange.publish(f"book.{SYMBOL}.100ms", data(*args, **rows)) == 1

            say("change", 1, 0, bids=[["new", 1.0, 1.0]])  # of before the snapshot
            say("snapshot", 5, 4, bids=[["new", 99.0, 1.0]], asks=[["new", 101.0, 1.0]])
            say("change", 9, 5, bids=[["new", 100.0, 2.0]])
            with trio.fail_after(60):
                while (view := await anext(feed)).update_id != 9:  # type: ignore[union-attr]
                    assert not isinstance(view, Gap)
                say("change", 20, 15, bids=[["delete", 100.0, 0.0]])  # 15 is missing
                assert isinstance(await anext(feed), Gap)
                unsynced: Any = await anext(feed)
                assert (unsynced.synced, len(unsynced.bids)) == (False, 0)
                await trio.sleep(5)  # it has subscribed anew
                say("change", 30, 20, bids=[["new", 98.0, 1.0]])
                say("snapshot", 40, 30, bids=[["new", 97.0, 1.0]])
                view = await anext(feed)
                while not view.synced:  # type: ignore[union-attr]
                    view = await anext(feed)
                assert (view.update_id, view.best_bid.price) == (40, 97)  # type: ignore[union-attr]
        methods = [json.loads(each.detail)["method"] for each in exchange.log.of("request")]
        assert methods.count("public/subscribe") >= 2
        assert methods.count("public/unsubscribe") >= 1
        assert exchange.accepted == 1
