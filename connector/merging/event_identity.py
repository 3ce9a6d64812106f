"""How to recognise copies of the same event: by its ids, or by its time.

Most streams define it (`connector.exchanges.protocol.Stream.sequence`). Events that are sent at
regular intervals use their time as the id.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import attrs

from connector.channels import (
    AggregateTrades,
    AnyChannel,
    BestQuote,
    BookDeltas,
    Candles,
    Channel,
    MarkPrices,
    PartialBook,
    Tickers,
    Trades,
)
from connector.errors import ConfigError
from connector.events import (
    BookDelta,
    BookSnapshot,
    Candle,
    Event,
    MarkPrice,
    Quote,
    Ticker,
    Trade,
)
from connector.exchanges.protocol import AnyStream, SequenceRule

Kind: TypeAlias = tuple[type[Event], str | None, str | None]
"""What distinguishes the events of one channel from others: type, symbol, interval."""


def rising_times(last_ns: int, event: Event) -> int:
    """For events at regular intervals: times never fall, and the same time is the same event."""
    time_ns = event.exchange_time_ns or event.received_ns
    return time_ns if time_ns > last_ns else 0


def rising_candles(last_ns: int, candle: Candle) -> int:
    """For candles: a closed candle is final, so no event of it is newer."""
    time_ns = candle.exchange_time_ns or candle.received_ns
    final_ns = candle.close_time_ns
    place_ns = final_ns if candle.closed else min(time_ns, final_ns - 1)
    return place_ns if place_ns > last_ns else 0


_EVENTS: Mapping[type[Channel[Any]], type[Event]] = MappingProxyType(
    {
        Trades: Trade,
        AggregateTrades: Trade,
        BestQuote: Quote,
        PartialBook: BookSnapshot,
        BookDeltas: BookDelta,
        Candles: Candle,
        Tickers: Ticker,
        MarkPrices: MarkPrice,
    }
)
"""What can be merged. A liquidation cannot: two may have one time and one price, so that a
repetition is not to be told from a second one. A local book is merged by its deltas."""
_BY_TIME: Mapping[type[Channel[Any]], Any] = MappingProxyType(
    {Candles: rising_candles, Tickers: rising_times, MarkPrices: rising_times}
)


def rule_of(stream: AnyStream) -> SequenceRule:
    """The rule by which the events of `stream` follow each other.

    Raises:
        ConfigError: copies of one event cannot be distinguished from two events.
    """
    channel = stream.channel
    rule = stream.sequence or _BY_TIME.get(type(channel))
    if stream.book is not None or type(channel) not in _EVENTS or rule is None:
        names = ", ".join(each.__name__ for each in _EVENTS)
        raise ConfigError(
            f"{channel!r} cannot be merged: its events have no ids by which two copies of one "
            f"could be told from two; what can be merged, where the exchange numbers it: {names}"
        )
    return cast("SequenceRule", rule)


def kind_of(stream: AnyStream) -> Kind:
    """The properties that all events of `stream` share.

    Raises:
        ConfigError: copies of one event cannot be distinguished from two events.
    """
    rule_of(stream)
    channel = stream.channel
    symbol = getattr(channel, "symbol", None)
    interval = channel.interval if isinstance(channel, Candles) else None
    return _EVENTS[type(channel)], None if symbol is None else plain(symbol), interval


def identity(channel: AnyChannel) -> AnyChannel:
    """`channel`, the same however its symbol is spelled."""
    symbol = getattr(channel, "symbol", None)
    return channel if symbol is None else attrs.evolve(cast("Any", channel), symbol=plain(symbol))


def plain(symbol: str) -> str:
    """`symbol` without the characters that exchanges and people write differently."""
    return "".join(filter(str.isalnum, symbol)).upper()
