"""Checks of broken, silent and quiet connections: reconnect, resubscribe once, ping."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import attrs
import msgspec
import trio

from connector.channels import AnyChannel, BestQuote, BookDeltas, PartialBook, Trades
from connector.testing.conformance import offered
from connector.testing.conformance.reception import check_understood
from connector.testing.conformance.stage import (
    Stage,
    expected,
    next_event,
    offer_of,
    open_stage,
    require,
    wait_gap,
)
from connector.testing.conformance.venue import Venue
from connector.testing.conformance.watched_network import WatchedConnection

MOST_CHANNELS = 6
BUFFER = 100_000
NARROW = 2
"""Streams per connection, in the check that fills every connection."""
LEAST_QUIET_SECONDS = 200.0
LATE_PINGS = 1.5
"""Factor by which a ping may be later than promised."""
_LIVELY = (Trades, BestQuote, PartialBook, BookDeltas)
"""Channels that deliver data soon."""


async def a_broken_connection_is_replaced_once(venue: Venue) -> None:
    """After each break: one new connection, each stream subscribed once, a `Gap` in each feed."""
    async with open_stage(venue, pace="steady") as stage:
        channels = _some(stage)
        async with stage.open_adapter() as adapter, AsyncExitStack() as feeds:
            reading = await _subscribe(feeds, adapter, channels)
            for kind in ("reset", "end", "mute"):
                broken = stage.network.live
                _check_connections(stage, broken, channels)
                for connection in broken:
                    _break(connection, kind)
                for channel, feed in reading:
                    await wait_gap(feed, channel)
                for channel, feed in reading:
                    await next_event(feed, channel)
            _check_connections(stage, stage.network.live, channels)


def _break(connection: WatchedConnection, kind: str) -> None:
    if kind == "reset":
        connection.reset()
    elif kind == "end":
        connection.end()
    else:
        connection.muted = True


def _check_connections(
    stage: Stage, live: list[WatchedConnection], channels: list[AnyChannel]
) -> None:
    wanted = Counter(offered.wire_stream(stage.exchange, each).name for each in channels)
    targets = Counter(connection.target for connection in live)
    require(max(targets.values(), default=0) <= 1, f"there are several connections: {targets}")
    _check_asked(stage, live, wanted)


def _check_asked(stage: Stage, live: list[WatchedConnection], wanted: Counter[str]) -> None:
    for connection in live:
        for text in connection.heard:
            _check_reply(stage, text)
        for text in connection.texts:
            _check_request(text)
    asked = Counter(name for connection in live for name in stage.asked_on(connection))
    require(
        asked == wanted,
        f"each stream must be subscribed once on a connection; the requests were {dict(asked)}",
    )


def _check_request(text: bytes) -> None:
    """Check that a request names each stream once."""
    try:
        said = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return
    for values in _lists(said):
        written = [msgspec.json.encode(each) for each in values]
        require(len(set(written)) == len(written), f"a request names something twice: {text!r}")


def _lists(value: Any) -> list[list[Any]]:
    if isinstance(value, dict):
        return [found for each in value.values() for found in _lists(each)]
    if isinstance(value, list):
        return [value, *(found for each in value for found in _lists(each))]
    return []


def _check_reply(stage: Stage, text: bytes) -> None:
    said = stage.exchange.parse(text)
    refusal = getattr(said, "message", None)
    require(refusal is None, f"the server refuses a request: {text!r}")


async def everything_is_subscribed_at_once(venue: Venue) -> None:
    """Subscribe to everything in one feed: no request is refused, no stream is subscribed twice."""
    offer = await offer_of(venue)
    others = [
        attrs.evolve(each, symbol=symbol)  # type: ignore[misc]
        for symbol in venue.symbols[1:]
        for each in offer.channels
        if getattr(each, "symbol", None) is not None
    ]
    for group in offered.groups(offer.exchange, [*offer.channels, *others]):
        async with open_stage(venue, pace="steady") as stage, stage.open_adapter() as adapter:
            with expected("everything to be acknowledged"):
                async with adapter.subscribe(*group, buffer=BUFFER):
                    live = stage.network.live
                    wire = [offered.wire_stream(stage.exchange, each).name for each in group]
                    _check_asked(stage, live, Counter(dict.fromkeys(wire, 1)))


async def a_quiet_connection_lives(venue: Venue) -> None:
    """A connection without data stays open, and the link shows that it is alive as required."""
    liveness = (await offer_of(venue)).exchange.liveness
    seconds = venue.quiet_seconds or max(
        LEAST_QUIET_SECONDS, 3 * (liveness.ping_seconds or 0), 3 * (liveness.idle_seconds or 0)
    )
    async with open_stage(venue, pace="quiet") as stage:
        quiet = [
            channel
            for channel in stage.channels
            if stage.exchange.stream(channel).silence_seconds is None
            and not isinstance(channel, offered.OF_ALL)
        ]
        require(quiet, "every channel has a limit of silence")
        await _watch(stage, quiet[:1], seconds)


async def a_busy_connection_lives(venue: Venue) -> None:
    """On a busy connection, the link also shows that it is alive, if the venue requires it."""
    async with open_stage(venue, pace="slow") as stage:
        await _watch(stage, _some(stage), venue.busy_seconds)


async def _watch(stage: Stage, channels: list[AnyChannel], seconds: float) -> None:
    async with stage.open_adapter() as adapter:
        async with adapter.subscribe(*channels, buffer=BUFFER):
            begun = trio.current_time()
            await trio.sleep(seconds)
            _check_lasting(stage, begun, stage.exchange.liveness)
        check_understood(stage)


def _check_lasting(stage: Stage, begun: float, liveness: Any) -> None:
    connections = stage.network.websockets
    require(
        len(connections) == len(stage.network.live),
        f"a connection was closed: of {len(connections)}, {len(stage.network.live)} are left",
    )
    if liveness.ping_seconds is not None:
        for connection in connections:
            _check_pings(connection, begun, liveness)


def _check_pings(connection: WatchedConnection, begun: float, liveness: Any) -> None:
    ping = None if liveness.ping is None else liveness.ping.encode()
    moments = [begun]
    moments += [
        each.seconds
        for each in connection.said
        if (each.opcode == 0x9 if ping is None else each.text == ping)
    ]
    moments.append(trio.current_time())
    longest = max(b - a for a, b in itertools.pairwise(moments))
    most = LATE_PINGS * liveness.ping_seconds
    require(longest <= most, f"for {longest:.0f} s there was no ping; promised were {most:.0f} s")


async def more_streams_than_a_connection_takes_are_spread(venue: Venue) -> None:
    """No connection has more streams than the limit, and no more connections open than needed."""
    limits = (await offer_of(venue)).exchange.limits
    limits = attrs.evolve(limits, streams_per_connection=NARROW)
    async with open_stage(venue, pace="steady", limits=limits) as stage:
        channels = _some(stage)
        async with stage.open_adapter() as adapter, AsyncExitStack() as feeds:
            for channel, feed in await _subscribe(feeds, adapter, channels):
                await next_event(feed, channel)
            live = stage.network.live
            most = max(len(set(stage.asked_on(each))) for each in live)
            require(most <= NARROW, f"{most} streams on a connection that takes {NARROW}")
            routes = Counter(offered.wire_stream(stage.exchange, each).route for each in channels)
            needed = sum(math.ceil(count / NARROW) for count in routes.values())
            require(
                len(live) == needed,
                f"{len(live)} connections for {len(channels)} streams, {NARROW} each",
            )


def _some(stage: Stage) -> list[AnyChannel]:
    """The lively channels of all symbols that one adapter can combine."""
    lively: list[Any] = [each for each in stage.channels if isinstance(each, _LIVELY)]
    lively = lively or list(stage.channels)
    others = [
        attrs.evolve(each, symbol=symbol)
        for symbol in stage.venue.symbols[1:]
        for each in lively[:2]
    ]
    (group, *_) = offered.groups(stage.exchange, [*lively[: MOST_CHANNELS - len(others)], *others])
    return group


async def _subscribe(
    feeds: AsyncExitStack, adapter: Any, channels: list[AnyChannel]
) -> list[tuple[AnyChannel, Any]]:
    """Open feeds with large buffers, so that waiting for one does not block the others."""
    return [
        (
            channel,
            await feeds.enter_async_context(adapter.subscribe(channel, gaps=True, buffer=BUFFER)),
        )
        for channel in channels
    ]
