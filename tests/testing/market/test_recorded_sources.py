"""A recording of any exchange is a source of its simulated exchange, which plays it as it was."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock

from connector import Adapter, Reconnect, open_adapter
from connector.app.naming import EXCHANGES
from connector.app.recorder import Files, subject_of
from connector.channels import AnyChannel, OrderBook, Trades
from connector.errors import ConfigError, RequestRejected, SubscriptionRejected
from connector.events import BookView, Event, plain
from connector.link.raw_frames import RawFrame, RestAnswer
from connector.testing import Capture, MemoryNetwork, OrderFlow, open_exchange
from connector.testing.conformance import offered

SYMBOLS: dict[str, str] = dict.fromkeys(EXCHANGES, "BTCUSDT") | {
    "binance_coinm": "BTCUSD_PERP", "bybit_inverse": "BTCUSD", "okx": "BTC-USDT-SWAP",
    "kraken": "BTC/USD", "kraken_futures": "PF_XBTUSD", "kraken_unified": "PF_XBTUSD",
    "deribit": "BTC-PERPETUAL", "coinbase": "BTC-USD", "hyperliquid": "BTC",
}  # fmt: skip
SECONDS = 2

Channels: TypeAlias = Sequence[AnyChannel]
Brought: TypeAlias = dict[AnyChannel, list[Event]]


@asynccontextmanager
async def world(name: str, source: Any, **more: Any) -> AsyncIterator[tuple[Any, Any]]:
    """A simulated exchange, and what opens an adapter of it."""
    network = MemoryNetwork()
    venue: Any = name
    async with open_exchange(venue, source=source, network=network) as exchange:
        made: Any = EXCHANGES[name]

        def opened() -> Any:
            return open_adapter(
                made(endpoints=exchange.endpoints),
                dialer=network,
                reconnect=Reconnect(initial=0.1, jitter="none"),
                **more,
            )

        yield exchange, opened


def channels_of(name: str) -> list[AnyChannel]:
    """What one feed can read, but for local books."""
    made: Any = EXCHANGES[name]
    there = [
        each
        for each in offered.channels_of(made(), SYMBOLS[name])
        if not isinstance(each, OrderBook)
    ]
    return offered.groups(made(), there)[0]


def told(event: Event) -> Event:
    """An event without what its connection adds: ids of Coinbase count its messages."""
    same: Any = plain(event)
    same.received_ns = same.session = 0
    if same.symbol == SYMBOLS["coinbase"]:
        for name in {"update_id", "last_update_id", "first_update_id"}.intersection(same.fields):
            setattr(same, name, 0)
    return same  # type: ignore[no-any-return]


@asynccontextmanager
async def reading(adapter: Adapter[Any], channels: Channels) -> AsyncIterator[Brought]:
    """What a feed of each channel brings, until the block is left."""
    brought: Brought = {channel: [] for channel in channels}

    async def read(feed: Any, into: list[Event]) -> None:
        async for event in feed:
            into.append(told(event))  # noqa: PERF401  # what is there at the end is wanted

    async with AsyncExitStack() as stack:
        feeds = [
            await stack.enter_async_context(adapter.subscribe(channel, gaps=True))
            for channel in channels
        ]
        async with trio.open_nursery() as nursery:
            for channel, feed in zip(channels, feeds, strict=True):
                nursery.start_soon(read, feed, brought[channel])
            yield brought
            nursery.cancel_scope.cancel()


async def record(name: str, folder: Path, channels: Channels) -> Brought:
    """Record a few seconds of the order flow; what the feeds brought meanwhile."""
    flow = OrderFlow(symbols=(SYMBOLS[name],), rate_per_second=20)
    async with world(name, flow) as (exchange, opened), opened() as adapter:
        files = Files(
            folder, subject_of(adapter.exchange, tuple(channels)),
            rotate_seconds=3600, rotate_bytes=2**28,
        )  # fmt: skip
        with adapter.frames() as frames, files.opened() as writer:

            async def write() -> None:
                async for item in frames:
                    if isinstance(item, RawFrame | RestAnswer):  # by the clock of the test
                        item = replace(item, received_ns=1 + round(trio.current_time() * 1e9))
                    writer.add([item])

            async with trio.open_nursery() as nursery, reading(adapter, channels) as brought:
                nursery.start_soon(write)
                await trio.sleep(SECONDS)
                exchange.break_connections("mute")
                await trio.sleep(0.5)
                nursery.cancel_scope.cancel()
    return brought


@pytest.mark.parametrize("name", EXCHANGES)
async def test_a_recording_is_played_as_it_was(
    name: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    channels = channels_of(name)
    before = await record(name, tmp_path, channels)
    assert sum(map(len, before.values())) > 20
    source = Capture(tmp_path, speed=math.inf, resume=True)
    async with world(name, source) as (exchange, opened), opened() as adapter:
        async with reading(adapter, channels) as after:
            with trio.fail_after(600):
                await exchange.wait_played()
                await trio.sleep(0.2)
        assert adapter.statistics().decode_errors == 0
        assert adapter.statistics().unknown_messages == 0
    assert after == before


@pytest.mark.parametrize("name", [name for name in EXCHANGES if name != "hyperliquid"])
async def test_who_comes_late_has_the_book_that_all_have(
    name: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Hyperliquid sends whole books."""
    book: Any = OrderBook(SYMBOLS[name])
    await record(name, tmp_path, [book])
    async with world(name, Capture(tmp_path)) as (exchange, opened):
        async with opened() as early, early.subscribe(book) as one:
            await trio.sleep(SECONDS / 2)
            async with opened() as late, late.subscribe(book, gaps=True) as another:
                await exchange.wait_played()
                await trio.sleep(0.2)
                views: list[Any] = []
                for feed in (one, another):
                    changes = 0
                    with trio.move_on_after(0.1):
                        async for event in feed:
                            assert isinstance(event, BookView)
                            view, changes = event, changes + 1
                    assert view.synced
                    assert changes > 3
                    views.append(view.depth())
    first, second = views
    assert (first.bids, first.asks) == (second.bids, second.asks)
    assert len(first.bids) > 5


async def test_a_recording_of_another_exchange_is_refused(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    await record("okx", tmp_path / "okx", [Trades(SYMBOLS["okx"])])
    with pytest.raises(ConfigError, match=r"is a recording of okx: write open_exchange\('okx'"):
        async with world("bybit_linear", Capture(tmp_path / "okx")):
            raise AssertionError("unreachable")
    # Of several, an exchange takes its own.
    await record("bybit_linear", tmp_path / "bybit", [Trades("BTCUSDT")])
    async with world("bybit_linear", Capture(tmp_path)) as (exchange, _):
        assert exchange.player.symbols == ("BTCUSDT",)


async def test_a_symbol_that_was_not_recorded_is_refused_in_the_words_of_the_exchange(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    await record("okx", tmp_path, [Trades(SYMBOLS["okx"])])
    async with world("okx", Capture(tmp_path)) as (_, opened), opened() as adapter:
        with pytest.raises(SubscriptionRejected, match="ETH-USDT-SWAP doesn't exist"):
            async with adapter.subscribe(Trades("ETH-USDT-SWAP")):
                raise AssertionError("unreachable")
        with pytest.raises(RequestRejected, match="doesn't exist"):
            await adapter.recent_trades(SYMBOLS["okx"])
        instruments = await adapter.instruments()
        assert [each.symbol for each in instruments] == [SYMBOLS["okx"]]


async def test_after_a_reconnect_the_book_begins_anew_and_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    book: Any = OrderBook(SYMBOLS["okx"])
    await record("okx", tmp_path, [book])
    async with world("okx", Capture(tmp_path)) as (exchange, opened):
        async with opened() as adapter, adapter.subscribe(book, gaps=True) as feed:
            await trio.sleep(SECONDS / 2)
            exchange.break_connections("reset")
            await exchange.wait_played()
            await trio.sleep(0.2)
            seen: list[Any] = []
            with trio.move_on_after(0.1):
                async for event in feed:
                    told_now = event.synced if isinstance(event, BookView) else event.reason
                    seen.append(told_now)
    assert "disconnected" in seen
    assert seen[-1] is True
