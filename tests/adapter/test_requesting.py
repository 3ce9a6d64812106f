"""What an adapter answers once, against every simulated venue, in virtual time.

What is asked for is compared with what the streams of the same market brought.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector import Adapter, open_adapter
from connector.channels import Candles, PartialBook, Trades
from connector.errors import ConfigError, ExchangeUnavailable, RequestRejected
from connector.events import Candle, Gap, Level
from connector.exchanges import binance, bitget, bybit, deribit, okx
from connector.testing import Fault, MemoryNetwork, OrderFlow, SimulatedExchange, open_exchange

EXCHANGES: dict[str, Any] = {
    "spot": binance.Spot,
    "usdm": binance.UsdMFutures,
    "bybit_spot": bybit.Spot,
    "bybit_linear": bybit.Linear,
    "bybit_inverse": bybit.Inverse,
    "okx": okx.Okx,
    "deribit": deribit.Deribit,
    "bitget_spot": bitget.Spot,
    "bitget_futures": bitget.Futures,
}
SYMBOLS = dict.fromkeys(EXCHANGES, "ETHUSDT") | {
    "okx": "ETH-USDT-SWAP", "deribit": "ETH-PERPETUAL",
}  # fmt: skip
SMALL_PAGES = ("okx", "bitget_spot", "bitget_futures")
WITHOUT_BOOK_IDS = ("bitget_spot", "bitget_futures")
WITH_FUNDING = ["usdm", "bybit_linear", "bybit_inverse", "okx", "bitget_futures"]
SECOND, MINUTE, HOUR = 10**9, 60 * 10**9, 3600 * 10**9


@attrs.frozen
class World:
    exchange: SimulatedExchange
    adapter: Adapter[Any]
    symbol: str

    @property
    def now_ns(self) -> int:
        return self.exchange._audience.now_ms() * 10**6


@asynccontextmanager
async def world(venue: Any, *, numbers: Any = float, rate: float = 50) -> AsyncIterator[World]:
    network = MemoryNetwork()
    symbol = SYMBOLS[venue]
    flow = OrderFlow(symbols=(symbol,), rate_per_second=rate)
    async with open_exchange(venue, source=flow, network=network) as exchange:
        made = EXCHANGES[venue](endpoints=exchange.endpoints, numbers=numbers)
        async with open_adapter(made, dialer=network) as adapter:
            with trio.fail_after(3600):
                await trio.lowlevel.checkpoint()
                yield World(exchange, adapter, symbol)


@pytest.mark.parametrize("venue", EXCHANGES)
async def test_depth_is_the_book_of_the_exchange(autojump_clock: MockClock, venue: str) -> None:
    async with world(venue, numbers=Decimal) as there:
        await trio.sleep(5)
        book = await there.adapter.depth(there.symbol.lower(), limit=7)
        flow = there.exchange._player.history(there.symbol)  # type: ignore[union-attr]
        assert flow is not None
        assert book.symbol == there.symbol
        assert len(book.bids) == len(book.asks) == 7
        assert all(isinstance(each, Level) and type(each.price) is Decimal for each in book.bids)
        assert [each.price for each in book.bids] == sorted(
            (each.price for each in book.bids), reverse=True
        )
        assert [each.price for each in book.asks] == sorted(each.price for each in book.asks)
        assert book.bids[0].price < book.asks[0].price
        assert (book.update_id > 0) is (venue not in WITHOUT_BOOK_IDS)
        assert book.received_ns > 0


@pytest.mark.parametrize("venue", EXCHANGES)
async def test_recent_trades_are_those_of_the_stream(autojump_clock: MockClock, venue: str) -> None:
    async with world(venue, numbers=Decimal) as there:
        async with there.adapter.subscribe(Trades(there.symbol)) as feed:
            streamed = [await anext(feed) for _ in range(40)]
            trades = await there.adapter.recent_trades(there.symbol, limit=60)
            streamed += [await anext(feed) for _ in range(40)]
        facts = [(each.trade_id, each.price, each.quantity, each.side) for each in trades]
        live = [(each.trade_id, each.price, each.quantity, each.side) for each in streamed]
        assert len(facts) == min(60, len(facts))
        overlap = [each for each in live if each in facts]
        assert len(overlap) >= 30
        assert overlap == [each for each in facts if each in live], "in the order of the stream"
        assert [each.exchange_time_ns for each in trades] == sorted(
            each.exchange_time_ns or 0 for each in trades
        )


@pytest.mark.parametrize("venue", EXCHANGES)
async def test_candles_are_those_of_the_stream(autojump_clock: MockClock, venue: str) -> None:
    async with world(venue, rate=1) as there:
        async with there.adapter.subscribe(Candles(there.symbol, "1m")) as feed:
            streamed: dict[int, Candle] = {}
            async for candle in feed:
                if candle.closed:
                    streamed[candle.open_time_ns] = candle
                    if len(streamed) == 2:
                        break
        first = min(streamed)
        candles = there.adapter.candles(
            there.symbol.lower(), "1m", start=first, end=max(streamed) + 1
        )
        fetched = [each async for each in candles]
        assert [each.open_time_ns for each in fetched] == sorted(streamed)
        assert candles.missing == ()
        for each in fetched:
            live = streamed[each.open_time_ns]
            for name in ("symbol", "interval", "open_time_ns", "close_time_ns", "open", "high",
                         "low", "close", "volume", "quote_volume", "trades"):  # fmt: skip
                assert getattr(each, name) == getattr(live, name), name


@pytest.mark.parametrize("venue", EXCHANGES)
async def test_a_long_past_comes_in_pages_without_a_hole(
    autojump_clock: MockClock, venue: str
) -> None:
    async with world(venue) as there:
        there.exchange._player.history(there.symbol)  # type: ignore[union-attr]
        # The clock of a test and that of the exchange are not the same: ask the exchange's.
        opened = there.exchange._audience.opened_ms * 10**6
        start = opened - 40 * HOUR
        candles = there.adapter.candles(there.symbol, "1m", start=start, end=opened - 2 * MINUTE)
        times = [each.open_time_ns async for each in candles]
        assert times == list(range(times[0], times[0] + len(times) * MINUTE, MINUTE))
        assert len(times) in (40 * 60 - 2, 40 * 60 - 1)
        assert candles.missing == ()
        assert candles.requests == -(-len(times) // (100 if venue in SMALL_PAGES else 1000))
        assert candles.through_ns >= times[-1]
        assert there.adapter.statistics().rest.failures == {}  # type: ignore[union-attr]


@pytest.mark.parametrize("venue", EXCHANGES)
async def test_candles_from_before_the_listing_are_reported_missing(
    autojump_clock: MockClock, venue: str
) -> None:
    async with world(venue) as there:
        opened = there.exchange._audience.opened_ms * 10**6
        start = opened - 60 * HOUR - (opened - 60 * HOUR) % HOUR
        candles = there.adapter.candles(
            there.symbol, "1h", start=start, end=opened - HOUR, gaps=True
        )
        hole, *rest = [each async for each in candles]
        assert isinstance(hole, Gap)
        assert hole.reason == "missing"
        assert hole.begin_ns == start
        assert candles.missing == (hole,)
        assert all(isinstance(each, Candle) for each in rest)
        assert isinstance(rest[0], Candle)
        assert hole.end_ns == rest[0].open_time_ns
        silent = there.adapter.candles(there.symbol, "1h", start=start, end=opened - HOUR)
        assert len([each async for each in silent]) == len(rest)
        assert len(silent.missing) == 1


@pytest.mark.parametrize("venue", WITH_FUNDING)
async def test_funding_rates_of_a_span_arrive_in_order(
    autojump_clock: MockClock, venue: str
) -> None:
    async with world(venue, numbers=Decimal) as there:
        opened = there.exchange._audience.opened_ms * 10**6
        rates = await there.adapter.funding_rates(there.symbol, opened - 30 * HOUR, opened)
        times = [each.exchange_time_ns or 0 for each in rates]
        assert len(times) in (3, 4)
        assert all(each % (8 * HOUR) == 0 for each in times)
        assert times == sorted(times)
        assert all(type(each.funding_rate) is Decimal for each in rates)
        assert rates[0].funding_rate == Decimal("0.0001")
        assert rates[0].symbol == there.symbol


async def test_an_unsupported_request_is_a_config_error_that_lists_the_supported_ones(
    autojump_clock: MockClock,
) -> None:
    async with world("spot") as there:
        has = "does not answer funding_rates; it answers depth, recent_trades, candles"
        with pytest.raises(ConfigError, match=has):
            await there.adapter.funding_rates("ETHUSDT", 0)
        with pytest.raises(ConfigError, match="interval can be 1s, 1m"):
            there.adapter.candles("ETHUSDT", "7m", start=0)
        with pytest.raises(ConfigError, match="at most 5000 levels"):
            await there.adapter.depth("ETHUSDT", limit=5001)
        with pytest.raises(ConfigError, match="at most 1000 trades"):
            await there.adapter.recent_trades("ETHUSDT", limit=1001)
        with pytest.raises(ConfigError, match="limit=0"):
            await there.adapter.depth("ETHUSDT", limit=0)
        with pytest.raises(ConfigError, match="with a time zone"):
            there.adapter.candles("ETHUSDT", start=datetime(2026, 1, 1))  # noqa: DTZ001
        with pytest.raises(ConfigError, match="is not a symbol"):
            await there.adapter.depth("ETH/USDT")
    with pytest.raises(trio.ClosedResourceError):
        await there.adapter.depth("ETHUSDT")


@pytest.mark.parametrize("venue", EXCHANGES)
async def test_an_unknown_symbol_is_refused_in_the_words_of_the_exchange(
    autojump_clock: MockClock, venue: str
) -> None:
    async with world(venue) as there:
        unknown = "NO-PE" if venue == "okx" else "NOPE"
        for asked in (there.adapter.depth, there.adapter.recent_trades):
            with pytest.raises(RequestRejected) as refused:
                await asked(unknown)
            assert refused.value.code in (-1121, 10001, "51001", 13020, "25100")
        with pytest.raises(RequestRejected):
            await anext(there.adapter.candles(unknown, start=there.now_ns - HOUR))


async def test_moments_may_be_datetimes(autojump_clock: MockClock) -> None:
    async with world("usdm") as there:
        opened = there.exchange._audience.opened_ms // 1000
        start, end = (datetime.fromtimestamp(opened - ago, UTC) for ago in (7200, 3600))
        candles = there.adapter.candles("ETHUSDT", "5m", start=start, end=end)
        assert len([each async for each in candles]) == 12


async def test_a_program_that_stops_reading_asks_for_nothing_more(
    autojump_clock: MockClock,
) -> None:
    async with world("okx") as there:
        opened = there.exchange._audience.opened_ms * 10**6
        candles = there.adapter.candles(there.symbol, "1m", start=opened - 40 * HOUR)
        await anext(candles)
        await trio.sleep(60)
        assert candles.requests == 1
        with trio.move_on_after(0):
            await anext(candles)
        assert (await anext(candles)).open_time_ns % MINUTE == 0


async def test_only_one_task_reads(autojump_clock: MockClock) -> None:
    async with world("usdm") as there, trio.open_nursery() as nursery:
        candles = there.adapter.candles("ETHUSDT", start=there.now_ns - HOUR)
        nursery.start_soon(candles.__anext__)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await candles.__anext__()


async def test_a_cancelled_page_is_asked_for_again(autojump_clock: MockClock) -> None:
    async with world("usdm") as there:
        there.exchange.inject(Fault("late_answer", after_seconds=3, times=1))
        start = there.exchange._audience.opened_ms * 10**6 - HOUR
        candles = there.adapter.candles("ETHUSDT", start=start, end=start + 10 * MINUTE)
        with trio.move_on_after(1) as scope:
            await anext(candles)
        assert scope.cancelled_caught
        assert len([each async for each in candles]) == 10


async def test_a_request_without_an_answer_in_time_is_an_error(autojump_clock: MockClock) -> None:
    async with world("usdm") as there:
        there.exchange.inject("refuse")
        with pytest.raises(ExchangeUnavailable, match="no answer within 2 s"):
            await there.adapter.depth("ETHUSDT", timeout=2)
        with pytest.raises(ExchangeUnavailable):
            await there.adapter.funding_rates("ETHUSDT", 0, timeout=2)


async def test_pages_keep_to_the_weights(autojump_clock: MockClock) -> None:
    """A hundred pages are paced, and the exchange never has to refuse one."""
    async with world("okx", rate=1) as there:
        began = trio.current_time()
        opened = there.exchange._audience.opened_ms * 10**6
        # An end by today's date would add fifteen pages a day; those beyond now are asked for too.
        candles = there.adapter.candles(
            there.symbol, "1m", start=opened - 47 * HOUR, end=opened + 150 * HOUR
        )
        count = len([each async for each in candles])
        assert count >= 47 * 60 - 1
        assert candles.requests > 100
        # 16 in 2 s are ours.
        assert trio.current_time() - began >= (candles.requests / 16 - 1) * 2
        rest = there.adapter.statistics().rest
        assert rest is not None
        assert rest.failures == {}
    async with world("usdm") as there, there.adapter.subscribe(PartialBook("ETHUSDT")):
        assert await there.adapter.depth("ETHUSDT", limit=1000)
