"""Checks that unknown channels and symbols raise typed errors and disturb nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec
import trio

from connector.channels import AggregateTrades, AnyChannel, Liquidations, OrderBook, Trades
from connector.errors import ConfigError, SubscriptionRejected
from connector.events import Gap
from connector.exchanges.protocol import AnyExchange
from connector.exchanges.requests import requests_of
from connector.testing.conformance import offered
from connector.testing.conformance.stage import (
    WHOLE_RUN_SECONDS,
    Stage,
    expected,
    next_event,
    open_stage,
    require,
)
from connector.testing.conformance.venue import NotConforming, Venue

_ODD = 'A"B', "A\\B"


async def what_is_not_offered_says_what_is(venue: Venue) -> None:
    """A channel that the exchange lacks raises a `ConfigError` that lists what it offers.

    So does `backfill` for a channel whose missed trades the exchange cannot send again.
    """
    async with open_stage(venue, pace="quiet") as stage:
        there = offered.channels_of(stage.exchange, venue.symbols[0])
        names = {type(channel).__name__ for channel in there}
        for kind in offered.kinds_not_offered(there):
            missing: Any = kind
            message = _refusal(stage.exchange, missing, venue.symbols[0])
            require(
                any(name in message for name in names),
                f"{kind.__name__} is not offered, but the error does not list what is: {message}",
            )
        some: Any = next(kind for kind in offered.EVENTS if kind.__name__ in names)
        for symbol in _ODD:
            _check_odd(stage.exchange, some, symbol, venue.symbols[0])
        backfilled = requests_of(stage.exchange).backfill
        async with stage.open_adapter() as adapter:
            for channel in there:
                if (
                    isinstance(channel, Trades | AggregateTrades)
                    and type(channel) not in backfilled
                ):
                    await _check_backfill(adapter, channel, backfilled)


async def _check_backfill(adapter: Any, channel: Any, backfilled: Mapping[Any, Any]) -> None:
    asked = attrs.evolve(channel, backfill=True)
    try:
        async with adapter.subscribe(asked):
            pass
    except ConfigError as error:
        there = [each.__name__ for each in backfilled] or ["no channel"]
        require(
            all(each in str(error) for each in there),
            f"{asked} is refused, and the error does not say what is offered: {error}",
        )
        return
    raise NotConforming(f"missed trades of {asked} cannot be fetched; ConfigError was expected")


def _refusal(exchange: AnyExchange, kind: Any, symbol: str) -> str:
    try:
        stream = exchange.stream(kind(symbol))
    except ConfigError as error:
        return str(error)
    raise NotConforming(
        f"{kind.__name__}({symbol!r}) became the stream {stream.name!r}; ConfigError was expected"
    )


def _check_odd(exchange: Any, kind: Any, symbol: str, plain: str) -> None:
    """Check that a symbol with quotes is refused, or escaped so that the request is valid JSON."""
    try:
        stream = exchange.stream(kind(symbol))
    except ConfigError:
        return
    known = exchange.stream(kind(plain))
    for requested in (known, stream):
        text = exchange.subscribe(1, [requested])
        try:
            msgspec.json.decode(text)
        except msgspec.DecodeError:
            if requested is known:
                return
            raise NotConforming(f"{kind.__name__}({symbol!r}) breaks a request: {text}") from None


async def an_unknown_symbol_is_rejected(venue: Venue) -> None:
    """Every channel of an unknown symbol raises `SubscriptionRejected`."""
    unknown = venue.unknown
    require(unknown is not None, "Venue.unknown names no symbol")
    async with open_stage(venue, pace="steady") as stage:
        known, wrong = _both(stage, unknown)
        async with stage.open_adapter() as adapter, adapter.subscribe(known, gaps=True) as feed:
            await next_event(feed, known)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_keep_reading, feed, known)
                async with trio.open_nursery() as rejections:
                    for channel in wrong:
                        rejections.start_soon(_must_be_rejected, adapter, channel)
                nursery.cancel_scope.cancel()
            name = offered.wire_stream(stage.exchange, known).name
            times = sum(stage.asked_on(each).count(name) for each in stage.network.websockets)
            require(times == 1, f"{known} was subscribed {times} times: others disturb it")


def _both(stage: Stage, unknown: Any) -> tuple[AnyChannel, list[AnyChannel]]:
    """One channel that works, and one unknown channel of each kind."""
    kinds: dict[type[AnyChannel], AnyChannel] = {}
    for channel in stage.channels:
        if getattr(channel, "symbol", None) is not None:
            kinds.setdefault(type(channel), channel)
    (group, *_) = offered.groups(stage.exchange, kinds.values())
    known = next(each for each in group if not isinstance(each, Liquidations | OrderBook))
    return known, [attrs.evolve(each, symbol=unknown) for each in group]  # type: ignore[misc]


async def _must_be_rejected(adapter: Any, channel: AnyChannel) -> None:
    try:
        with expected(f"{channel} to be rejected"):
            async with adapter.subscribe(channel, gaps=True) as feed:
                async for event in feed:
                    require(not getattr(event, "synced", False), f"{channel} brought {event!r}")
    except SubscriptionRejected as error:
        symbol: Any = getattr(channel, "symbol", "")
        require(symbol in str(error), f"the rejection does not name {symbol}: {error}")


async def _keep_reading(feed: Any, channel: AnyChannel) -> None:
    with expected(f"{channel} to go on", WHOLE_RUN_SECONDS):
        async for event in feed:
            require(not isinstance(event, Gap), f"{channel}, which is known, has a gap: {event}")
