"""The channels that an exchange offers, found by trying each with common values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, cast

from connector.channels import (
    AggregateTrades,
    AnyChannel,
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
from connector.errors import ConfigError
from connector.events import (
    BookDelta,
    BookSnapshot,
    BookView,
    Candle,
    Event,
    Liquidation,
    MarkPrice,
    Quote,
    Ticker,
    Trade,
)
from connector.exchanges.protocol import AnyExchange, AnyStream

EVENTS: Mapping[type[AnyChannel], tuple[type[Event], ...]] = MappingProxyType(
    {
        Trades: (Trade,),
        AggregateTrades: (Trade,),
        BestQuote: (Quote,),
        PartialBook: (BookSnapshot,),
        BookDeltas: (BookDelta, BookSnapshot),
        OrderBook: (BookView,),
        Candles: (Candle,),
        Tickers: (Ticker,),
        MarkPrices: (MarkPrice,),
        Liquidations: (Liquidation,),
    }
)
"""What a feed of each channel yields."""

MILLISECONDS = (100, 0, 10, 20, 50, 200, 250, 500, 1000, 3000)
LEVELS = (5, 1, 10, 15, 20, 25, 50, 100, 200, 400, 500, 1000)
INTERVALS = ("1m", "1", "1H", "1h")
ANOTHER_INTERVAL = "5m"
"""Interval to try on a venue that has none of the usual ones."""
SHOWN_LEVELS = 10
"""Number of levels of local order books."""
OF_ALL = (Tickers, MarkPrices, Liquidations)
"""Channels that can cover all symbols."""


def channels_of(exchange: AnyExchange, symbol: str) -> tuple[AnyChannel, ...]:
    """All channels that an exchange offers for a symbol and for all symbols; each stream once."""
    by_name: dict[tuple[type, str], AnyChannel] = {}
    for channel in _candidates(symbol):
        try:
            stream = exchange.stream(channel)
        except ConfigError:
            continue
        is_rare = isinstance(channel, Candles) and channel.interval == ANOTHER_INTERVAL
        if not (is_rare and any(kind is Candles for kind, _ in by_name)):
            by_name.setdefault((type(channel), stream.name), channel)
    return tuple(by_name.values())


def _candidates(symbol: str) -> Iterator[AnyChannel]:
    yield Trades(symbol)
    yield AggregateTrades(symbol)
    yield BestQuote(symbol)
    for interval_ms in MILLISECONDS:
        for levels in LEVELS:
            yield PartialBook(symbol, levels, interval_ms)
        yield BookDeltas(symbol, interval_ms)
        yield OrderBook(symbol, SHOWN_LEVELS, interval_ms=interval_ms)
    for interval in (*INTERVALS, ANOTHER_INTERVAL):
        yield Candles(symbol, interval)
    yield Tickers(symbol)
    for interval_ms in MILLISECONDS:
        yield MarkPrices(symbol, interval_ms)
    yield Liquidations(symbol)
    yield Tickers()
    yield MarkPrices()
    yield Liquidations()


def kinds_not_offered(offered: Iterable[AnyChannel]) -> list[type[AnyChannel]]:
    """Classes of channels that the exchange does not offer at all."""
    there = {type(channel) for channel in offered}
    return [kind for kind in EVENTS if kind not in there]


def groups(exchange: AnyExchange, channels: Iterable[AnyChannel]) -> list[list[AnyChannel]]:
    """Groups of channels for one adapter: no group decodes one stream in two ways."""
    made: list[tuple[set[str], list[AnyChannel]]] = []
    for channel in channels:
        names = {exchange.stream(channel).name, wire_stream(exchange, channel).name}
        for taken, group in made:
            if not names & taken:
                taken |= names
                group.append(channel)
                break
        else:
            made.append((names, [channel]))
    return [group for _, group in made]


def wire_stream(exchange: AnyExchange, channel: AnyChannel) -> AnyStream:
    """The stream on the wire; for an order book, the stream of its deltas."""
    stream: AnyStream = exchange.stream(channel)
    deltas: Any = None if stream.book is None else stream.book.deltas
    return stream if deltas is None else cast("AnyStream", deltas)
