"""What holds on every simulated venue, met by the whole connector, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

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
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import RequestRejected, SubscriptionRejected
from connector.events import Gap
from connector.exchanges import bitget, bybit, coinbase, deribit, hyperliquid, okx
from tests.exchanges.simulated import events_of, open_simulated

MINUTE_NS = 60 * 10**9
HOUR_NS = 60 * MINUTE_NS


@attrs.frozen(kw_only=True)
class Venue:
    """A simulated venue, and the channels of the real one."""

    make: Callable[..., Any]
    symbols: tuple[str, ...]
    channels: tuple[Channel[Any], ...]
    refused: tuple[Channel[Any], ...]
    """Channels of symbols that the venue does not have."""
    refusal: str
    """What it says to them."""
    quiet: Channel[Any]
    """A channel without data while nothing is traded."""
    timed: bool = False
    """Whether every event has the exchange's time."""

    def open(self, name: str, rate_per_second: float = 200) -> Any:
        return open_simulated(name, self.make, self.symbols, rate_per_second)


def common(symbol: str) -> tuple[Channel[Any], ...]:
    return (
        Trades(symbol), BestQuote(symbol), BookDeltas(symbol), OrderBook(symbol, 10),
        Tickers(symbol),
    )  # fmt: skip


PERPETUAL, LINEAR, COIN = "BTC-PERPETUAL", "BTCUSDT", "BTC"
_BITGET = (
    *common(LINEAR), PartialBook(LINEAR), PartialBook(LINEAR, 15), PartialBook(LINEAR, 50, 20),
    BookDeltas(LINEAR, 150), Candles(LINEAR), Candles(LINEAR, "1d"),
)  # fmt: skip
_BYBIT = (*common(LINEAR), BookDeltas(LINEAR, 20), Candles(LINEAR))


def of_hyperliquid(symbol: str) -> tuple[Channel[Any], ...]:
    return (
        Trades(symbol), BestQuote(symbol), PartialBook(symbol), PartialBook(symbol, 20),
        OrderBook(symbol, 5), OrderBook(symbol), Candles(symbol), Tickers(symbol),
        MarkPrices(symbol),
    )  # fmt: skip


def bybit_venue(make: Callable[..., Any], *more: Channel[Any]) -> Venue:
    return Venue(
        make=make,
        symbols=(LINEAR, "ETHUSDT"),
        channels=(*_BYBIT, *more),
        refused=(Trades("NOPEUSDT"),),
        refusal="handler not found",
        quiet=Trades("ETHUSDT"),
        timed=True,
    )


VENUES = {
    "okx": Venue(
        make=okx.Okx,
        symbols=("BTC-USDT-SWAP", "ETH-USDT"),
        channels=(
            *common("BTC-USDT-SWAP"), AggregateTrades("BTC-USDT-SWAP"),
            PartialBook("BTC-USDT-SWAP"), Candles("BTC-USDT-SWAP"), MarkPrices("BTC-USDT-SWAP"),
            Liquidations(),
        ),
        refused=(Tickers("XX-USDT"),),
        refusal=r"60018.*XX-USDT doesn't exist",
        quiet=Trades("BTC-USDT-SWAP"),
    ),
    "bitget_spot": Venue(
        make=bitget.Spot,
        symbols=(LINEAR, "ETHUSDC"),
        channels=_BITGET,
        refused=(Tickers("NOPEUSDT"),),
        refusal=r"30001.*exist",
        quiet=Trades(LINEAR),
        timed=True,
    ),
    "bitget_futures": Venue(
        make=bitget.Futures,
        symbols=(LINEAR, "ETHPERP", "BTCUSD_CM"),
        channels=(
            *_BITGET, MarkPrices(LINEAR), Liquidations(), Trades("ETHPERP"),
            BookDeltas("BTCUSD_CM"), BookDeltas("BTCUSD_CM", 150),
        ),
        refused=(Tickers("NOPEUSDT"), BookDeltas("NOPEUSDT", 150), Candles("XPERP", "1d")),
        refusal=r"30001.*exist",
        quiet=Trades(LINEAR),
        timed=True,
    ),
    "bybit_spot": bybit_venue(bybit.Spot),
    "bybit_linear": bybit_venue(bybit.Linear, MarkPrices("ETHUSDT"), Liquidations("ETHUSDT")),
    "bybit_inverse": bybit_venue(bybit.Inverse, MarkPrices("ETHUSDT"), Liquidations("ETHUSDT")),
    "coinbase": Venue(
        make=coinbase.AdvancedTrade,
        symbols=("BTC-USD", "ETH-USDC"),
        channels=(*common("BTC-USD"), Candles("BTC-USD", "5m"), RawStream("status:BTC-USD")),
        refused=(Trades("XX-USD"),),
        refusal=r"not valid|did not acknowledge",
        quiet=Trades("BTC-USD"),
    ),
    "deribit": Venue(
        make=deribit.Deribit,
        symbols=(PERPETUAL, "ETH_USDC", "ETH-27AUG27-4000-P"),
        channels=(
            *common(PERPETUAL), PartialBook(PERPETUAL), PartialBook(PERPETUAL, 20, 1000),
            Candles(PERPETUAL), MarkPrices(PERPETUAL), Liquidations(PERPETUAL),
        ),
        refused=(Tickers("NOPE-PERPETUAL"), RawStream(f"book.{PERPETUAL}.raw")),
        refusal="did not acknowledge",
        quiet=Trades(PERPETUAL),
    ),
    "hyperliquid": Venue(
        make=hyperliquid.Hyperliquid,
        symbols=(COIN, "@107"),
        channels=(*of_hyperliquid(COIN), *of_hyperliquid("@107")),
        refused=of_hyperliquid("btc")[:4],
        refusal=r'Invalid subscription.*"btc"',
        quiet=BestQuote(COIN),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VENUES)
async def test_every_channel_brings_events(autojump_clock: MockClock, name: str) -> None:
    async with VENUES[name].open(name) as (_, adapter), trio.open_nursery() as nursery:

        async def check(channel: Channel[Any]) -> None:
            count = 1 if isinstance(channel, RawStream) else 3
            for event in await events_of(adapter, channel, count):
                assert not isinstance(event, Gap), event
                assert event.symbol == (channel.symbol or event.symbol)
                assert event.exchange_time_ns or not VENUES[name].timed

        for channel in VENUES[name].channels:
            nursery.start_soon(check, channel)
    assert adapter.statistics().decode_errors == 0


@pytest.mark.parametrize("name", VENUES)
async def test_a_bad_symbol_is_refused_and_the_others_live(
    autojump_clock: MockClock, name: str
) -> None:
    venue = VENUES[name]
    async with venue.open(name) as (exchange, adapter), trio.open_nursery() as nursery:
        for channel in venue.channels[:2]:
            nursery.start_soon(events_of, adapter, channel, 20)
        for channel in venue.refused:
            with pytest.raises(SubscriptionRejected, match=venue.refusal):
                await events_of(adapter, channel)
        assert exchange.accepted == len(exchange.connections), "nobody was cut off"


@pytest.mark.parametrize("name", VENUES)
async def test_a_quiet_connection_is_kept(autojump_clock: MockClock, name: str) -> None:
    """Before and after the first subscription; tests/conformance watches one for longer."""
    async with VENUES[name].open(name, 1e-9) as (exchange, adapter):
        await trio.sleep(60)  # nothing is subscribed yet
        async with adapter.subscribe(VENUES[name].quiet):
            opened = exchange.accepted
            await trio.sleep(20)
            assert exchange.accepted == opened
            assert adapter.statistics().unknown_messages == 0


@pytest.mark.parametrize("name", ["coinbase", "hyperliquid"])
async def test_what_is_asked_once_is_what_the_streams_bring(
    autojump_clock: MockClock, name: str
) -> None:
    async with VENUES[name].open(name) as (exchange, adapter):
        symbol = VENUES[name].symbols[0]
        async with adapter.subscribe(Trades(symbol)) as feed:
            live = [await anext(feed) for _ in range(60)]
            asked = await adapter.recent_trades(symbol, limit=20)
            live += [await anext(feed) for _ in range(40)]
        ids = [trade.trade_id for trade in live]
        told = [trade.trade_id for trade in asked]
        assert len(told) == 20
        assert [each for each in told if each in ids] == [each for each in ids if each in told]
        assert len([each for each in told if each in ids]) >= 10

        book = await adapter.depth(symbol, limit=5)
        assert len(book.bids) == len(book.asks) == 5
        assert book.bids[0].price < book.asks[0].price

        opened = exchange._audience.opened_ms * 10**6
        start = opened - opened % MINUTE_NS - 20 * HOUR_NS
        candles = adapter.candles(symbol, "1m", start=start, end=start + 18 * HOUR_NS)
        times = [candle.open_time_ns async for candle in candles]
        assert times == [start + n * MINUTE_NS for n in range(18 * 60)]
        assert candles.missing == ()
        with pytest.raises(RequestRejected):
            await adapter.depth("NOPE", limit=5)
        if name == "hyperliquid":
            rates = await adapter.funding_rates(symbol, opened - 30 * HOUR_NS, opened)
            assert len(rates) in (30, 31)
            assert rates[0].funding_rate == Decimal("0.0000125")
