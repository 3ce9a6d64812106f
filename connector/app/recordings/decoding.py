"""Recorded streams as events: which channel a stream is of, and what its frames say."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from connector import channels
from connector.channels import AnyChannel, RawStream
from connector.errors import ConfigError
from connector.events import Event
from connector.exchanges.binance.spot import INTERVALS
from connector.exchanges.protocol import UNDECODABLE, AnyStream, Data, Exchange
from connector.link.raw_frames import RawFrame
from connector.recording import Mark, read_frames, start_of

_INTERVALS_MS = (100, 0, 250, 500, 1000, 3000)
_LEVELS = (5, 10, 20)


def channel_of(exchange: Exchange, name: str) -> AnyChannel:
    """The channel whose stream is called `name`; a `RawStream` when no other is."""
    for candidate in _candidates(name.partition("@")[0] or "!"):
        try:
            if exchange.stream(candidate).name == name:
                return candidate
        except ConfigError:
            continue
    return RawStream(name)


def _candidates(symbol: str) -> Iterator[AnyChannel]:
    """Every channel of a symbol, and of all symbols."""
    upper = symbol.upper()
    for kind in (channels.Trades, channels.AggregateTrades, channels.BestQuote):
        yield kind(upper)
    for interval in _INTERVALS_MS:
        yield channels.BookDeltas(upper, interval)
    for levels, interval in itertools.product(_LEVELS, _INTERVALS_MS):
        yield channels.PartialBook(upper, levels, interval)
    for each in (upper, None):
        yield channels.Tickers(each)
        yield channels.Liquidations(each)
        for interval in (1000, 3000):
            yield channels.MarkPrices(each, interval)
    for interval_name in INTERVALS:
        yield channels.Candles(upper, interval_name)


def streams_of(exchange: Exchange, paths: Iterable[Path]) -> dict[str, AnyStream]:
    """What was recorded, by the name on the wire, as typed as it can be."""
    names = dict.fromkeys(name for path in paths for name in start_of(path).streams)
    return {name: exchange.stream(channel_of(exchange, name)) for name in names}


@attrs.frozen
class Decoded:
    """An event of a stream."""

    stream: AnyStream
    event: Event


def events_of(exchange: Exchange, paths: Iterable[Path]) -> Iterator[Decoded | Mark]:
    """The events of a recording, stamped as they were received, and the marks between them.

    What does not decode is left out; ``connector verify`` counts it.

    Raises:
        OSError, ConfigError, RecordingDamaged: as `connector.recording.read_frames`.
    """
    files = tuple(paths)
    streams = streams_of(exchange, files)
    for item in itertools.chain.from_iterable(map(read_frames, files)):
        if isinstance(item, Mark):
            yield item
        if not isinstance(item, RawFrame) or item.stream not in streams:
            continue
        stream = streams[item.stream]
        try:
            message = exchange.parse(item.payload)
            decoded = stream.decode(message.payload) if isinstance(message, Data) else []
        except UNDECODABLE:
            continue
        for event in decoded if isinstance(decoded, list) else [decoded]:
            event.received_ns = item.received_ns
            event.session = item.session
            yield Decoded(stream, event)
