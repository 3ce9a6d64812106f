"""The channels that an exchange offers, found by asking for each with the values in use."""

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
"""Of a venue that has none of those."""
SHOWN_LEVELS = 10
"""Of local order books."""
OF_ALL = (Tickers, MarkPrices, Liquidations)
"""Channels that may be of all symbols."""


def channels_of(exchange: AnyExchange, symbol: str) -> tuple[AnyChannel, ...]:
    """All channels of a symbol, and of all symbols, that an exchange offers; each stream once."""
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
    """Classes of channels of which none is offered."""
    there = {type(channel) for channel in offered}
    return [kind for kind in EVENTS if kind not in there]


def groups(exchange: AnyExchange, channels: Iterable[AnyChannel]) -> list[list[AnyChannel]]:
    """Channels that one adapter can have: no two of one stream that are decoded differently."""
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
    """The stream that the wire brings: of an order book, that of its deltas."""
    stream: AnyStream = exchange.stream(channel)
    deltas: Any = None if stream.book is None else stream.book.deltas
    return stream if deltas is None else cast("AnyStream", deltas)
