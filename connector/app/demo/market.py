"""The demo's market: the source of its data, and the channels that the adapter subscribes to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import attrs

from connector.channels import (
    AggregateTrades,
    AnyChannel,
    BestQuote,
    BookDeltas,
    Candles,
    PartialBook,
    Trades,
)
from connector.errors import ConfigError
from connector.exchanges import binance
from connector.exchanges.protocol import Exchange
from connector.testing import Capture, Frame, OrderFlow, Source, read_capture
from connector.testing.market.capture_files import NO_CAPTURE
from connector.testing.venues.rules import SimulatedName

SYMBOL = "ETHUSDC"
STALE_AFTER_SECONDS = 0.8
"""Far below the defaults of the channels: there are only two seconds to notice and recover."""
QUIET_SECONDS = 3.0
"""A recorded stream that is silent for longer is not worth watching."""
STALE_FACTOR = 1.5
"""On the longest silence of what is watched."""


@attrs.frozen
class Market:
    """A venue, its data, and the channels that the data has."""

    venue: SimulatedName
    source: Source
    channels: tuple[AnyChannel, ...]
    stale_after_seconds: float = STALE_AFTER_SECONDS

    def describe(self, endpoints: binance.Endpoints) -> Exchange:
        """The description of the exchange that the adapter gets."""
        return EXCHANGES[self.venue](endpoints=endpoints)


EXCHANGES: dict[SimulatedName, type[binance.Spot | binance.UsdMFutures]] = {
    "binance_spot": binance.Spot,
    "binance_usdm": binance.UsdMFutures,
}

CHANNELS: tuple[tuple[re.Pattern[str], Callable[..., AnyChannel]], ...] = (
    (re.compile(r"(.+)@trade"), Trades),
    (re.compile(r"(.+)@aggTrade"), AggregateTrades),
    (re.compile(r"(.+)@bookTicker"), BestQuote),
    (re.compile(r"(.+)@depth(5|10|20)@(\d+)ms"), PartialBook),
    (re.compile(r"(.+)@depth@(\d+)ms"), BookDeltas),
    (re.compile(r"(.+)@kline_(\w+)"), Candles),
)
"""The channel of a recorded stream; the groups are its arguments."""

SIGNS: tuple[tuple[SimulatedName, str, str], ...] = (
    ("binance_usdm", "url", r"//fapi\.|//fstream\."),
    ("binance_spot", "url", r"//api\.|//stream\."),
    ("binance_usdm", "text", r'"pu":|"X":|"e":"bookTicker"'),
    ("binance_spot", "text", r'"lastUpdateId":|"e":"(trade|depthUpdate)"|\{"u":'),
)
"""What tells the venue of a capture: a fetched URL, or a field that only one of them has."""


def market_of(capture: Path | None, *, seed: int, duration_seconds: float) -> Market:
    """A made-up market from `seed`, or the recorded one, of which the beginning is played.

    Raises:
        ConfigError: the capture is none of Binance spot or USD-M, or has nothing to subscribe to.
        OSError: it cannot be read.
    """
    if capture is not None:
        return _recorded(capture, duration_seconds)
    return Market(
        "binance_usdm",
        OrderFlow(symbols=(SYMBOL,), seed=seed),
        (PartialBook(SYMBOL, levels=5, interval_ms=100), Trades(SYMBOL), BestQuote(SYMBOL)),
    )


def _recorded(path: Path, duration_seconds: float) -> Market:
    try:
        frames = tuple(read_capture(path))
    except NO_CAPTURE as error:
        raise ConfigError(
            f"{path} is not a capture of one JSON object per line: {error}"
        ) from error
    silences = _longest_silences(frames, duration_seconds)
    channels = {name: channel for name in silences if (channel := _channel(name)) is not None}
    lively = [name for name in channels if silences[name] <= QUIET_SECONDS] or list(channels)
    venue = _venue(frames)
    if venue is None or not lively:
        raise ConfigError(
            f"{path} has no stream that can be shown: record combined "
            "streams of Binance spot or USD-M "
            "futures, such as ethusdc@trade or ethusdc@depth5@100ms"
        )
    longest = max(silences[name] for name in lively)
    return Market(
        venue,
        Capture(path, loop=True),
        tuple(channels[name] for name in lively),
        max(STALE_AFTER_SECONDS, STALE_FACTOR * longest),
    )


def _channel(stream: str) -> AnyChannel | None:
    for pattern, channel in CHANNELS:
        found = pattern.fullmatch(stream)
        if found:
            symbol, *parameters = found.groups()
            return channel(symbol, *(int(each) if each.isdigit() else each for each in parameters))
    return None


def _longest_silences(frames: Iterable[Frame], duration_seconds: float) -> dict[str, float]:
    """Seconds, by stream, from the first frame of any; of the part that is played."""
    began = last = None
    heard: dict[str, int] = {}
    longest: dict[str, int] = {}
    for frame in frames:
        if frame.ns is None or frame.stream is None:
            continue
        began = frame.ns if began is None else began
        if frame.ns - began > duration_seconds * 1e9:
            break
        last = frame.ns
        before = heard.get(frame.stream, began)
        longest[frame.stream] = max(longest.get(frame.stream, 0), frame.ns - before)
        heard[frame.stream] = frame.ns
    return {
        name: max(silence, (last or 0) - heard[name]) / 1e9 for name, silence in longest.items()
    }


def _venue(frames: Iterable[Frame]) -> SimulatedName | None:
    for frame in frames:
        for venue, field, sign in SIGNS:
            if re.search(sign, getattr(frame, field) or ""):
                return venue
    return None
