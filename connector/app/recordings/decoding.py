"""Decode recorded streams: find the channel of a stream, and turn its frames into events."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from connector import channels
from connector.channels import AnyChannel, RawStream
from connector.errors import ConfigError
from connector.events import Event
from connector.exchanges.binance.spot import INTERVALS
from connector.exchanges.inbound import data_of
from connector.exchanges.protocol import UNDECODABLE, AnyStream, Exchange, PartlyUndecodable
from connector.recording import Mark, Span, start_of
from connector.recording.reader import ALWAYS
from connector.recording.steps import Frames, steps_of

_INTERVALS_MS = (100, 0, 10, 20, 50, 200, 250, 500, 1000, 3000)
_LEVELS = (5, 10, 20)


def channel_of(exchange: Exchange, name: str) -> AnyChannel:
    """The channel whose stream is called `name`; a `RawStream` when no other is."""
    for symbol in _symbols(name):
        for candidate in _candidates(symbol):
            try:
                if exchange.stream(candidate).name == name:
                    return candidate
            except ConfigError:
                continue
    return RawStream(name)


def _symbols(name: str) -> dict[str, None]:
    """What may be the symbol in a stream's name: what most exchanges put ``@``, ``:`` or ``.``
    around. An ordered set.
    """
    parts = [part for part in re.split("[@:.]", name) if part]
    # Those of tokenised assets are not in capitals.
    return dict.fromkeys(("!", *(part.upper() for part in parts), *parts))


def _candidates(upper: str) -> Iterator[AnyChannel]:
    """Every channel of a symbol, and of all symbols."""
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
    """The recorded channels by their name on the wire, typed where possible."""
    names = dict.fromkeys(name for path in paths for name in start_of(path).streams)
    return {name: exchange.stream(channel_of(exchange, name)) for name in names}


@attrs.frozen
class Decoded:
    """An event of a stream."""

    stream: AnyStream
    event: Event


def events_of(
    exchange: Exchange, paths: Iterable[Path], span: Span = ALWAYS
) -> Iterator[Decoded | Mark]:
    """The events of a recording, stamped as they were received, and the marks between them.

    What does not decode is left out; ``connector verify`` counts it.

    Args:
        exchange: whose.
        paths: the files in their order.
        span: what is wanted of them.

    Raises:
        OSError, ConfigError, RecordingDamaged: as `connector.recording.read_frames`.
    """
    files = tuple(paths)
    streams = streams_of(exchange, files)
    latest: dict[str, tuple[int, Event]] = {}
    for step in steps_of(files, span):
        if isinstance(step, Mark):
            yield step
        if not isinstance(step, Frames):
            continue
        for name, payload in zip(step.streams, step.payloads, strict=True):
            if name not in streams:
                continue
            try:
                parts = data_of(exchange.parse(payload))
            except UNDECODABLE:
                continue
            for part in parts:
                if part.stream in streams:
                    stream = streams[part.stream]
                    events = _decoded(stream, part.payload)
                    if stream.fold is not None:
                        events = _fold(stream, events, latest, step.session)
                    for event in events:
                        event.received_ns = step.time_ns
                        event.session = step.session
                        yield Decoded(stream, event)


def _fold(
    stream: AnyStream, events: list[Event], latest: dict[str, tuple[int, Event]], session: int
) -> list[Event]:
    """What a feed would have had of `events`, each of which says what has changed.

    Args:
        stream: has a fold.
        events: as they were decoded.
        latest: the last event of each stream, and its session.
        session: which brought them.
    """
    assert stream.fold is not None
    folded: list[Event] = []
    for event in events:
        known = latest.get(stream.name)
        lasts = known is not None and (known[0] == session or stream.repeats is not None)
        made = stream.fold(known[1] if known and lasts else None, event)
        if made:
            latest[stream.name] = session, made[-1]
            folded += made
    return folded


def _decoded(stream: AnyStream, payload: bytes) -> list[Event]:
    """The events in a payload, as far as they decode."""
    try:
        decoded = stream.decode(payload)
    except PartlyUndecodable as error:
        return error.events
    except UNDECODABLE:
        return []
    return decoded if isinstance(decoded, list) else [decoded]
