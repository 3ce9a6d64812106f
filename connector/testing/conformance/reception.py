"""Checks that every channel is acknowledged and delivers exact events."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import trio

from connector.channels import AnyChannel, BookDeltas, Candles, Liquidations
from connector.events import BookSnapshot, BookView, Event, Level, Quote, Trade
from connector.exchanges.protocol import Unknown
from connector.testing.conformance import offered
from connector.testing.conformance.stage import (
    Stage,
    expected,
    next_event,
    offer_of,
    open_stage,
    require,
)
from connector.testing.conformance.venue import Levels, Truth, Venue

EVENTS_EACH = 3
OLDEST_MS = 5000
"""Maximum age of a delivered state."""
_SIDES = ("buy", "sell")


async def every_channel_brings_its_events(venue: Venue) -> None:
    """Every channel is subscribed, acknowledged and decoded, and agrees with the server."""
    offer = await offer_of(venue)
    together = offered.groups(offer.exchange, offer.channels)
    require(together, "the exchange offers no channel")
    for group in together:
        async with open_stage(venue) as stage:
            truths = {symbol: stage.truth(symbol) for symbol in venue.symbols}
            async with stage.open_adapter() as adapter:
                async with trio.open_nursery() as nursery:
                    for channel in group:
                        nursery.start_soon(_read, stage, adapter, channel, truths)
                counted = adapter.statistics()
                check_understood(stage)
                require(
                    not counted.decode_errors, f"{counted.decode_errors} messages do not decode"
                )


def check_understood(stage: Stage) -> None:
    """Check that every message is of a known kind.

    Raises:
        NotConforming: the check fails.
    """
    for connection in stage.network.websockets:
        for text in connection.heard:
            said = stage.exchange.parse(text)
            require(not isinstance(said, Unknown), f"{text[:300]!r} is not understood: {said}")


async def _read(
    stage: Stage, adapter: Any, channel: AnyChannel, truths: dict[str, Truth | None]
) -> None:
    count = 1 if isinstance(channel, Liquidations | Candles) else EVENTS_EACH
    feed_is_open = adapter.subscribe(channel, gaps=True)
    async with feed_is_open as feed:
        for _ in range(count):
            event = await next_event(feed, channel)
            if isinstance(event, BookView):
                event = await _synced(feed, channel, event)
            check_event(stage, channel, event, truths)


async def _synced(feed: Any, channel: AnyChannel, view: BookView) -> Event:
    event: Any = view
    with expected(f"{channel} to be synced"):
        while not event.synced:
            event = await next_event(feed, channel)
    return event  # type: ignore[no-any-return]


def check_event(
    stage: Stage, channel: AnyChannel, event: Event, truths: dict[str, Truth | None]
) -> None:
    """Check that an event belongs to its channel and is true.

    Raises:
        NotConforming: the check fails.
    """
    require(
        isinstance(event, offered.EVENTS[type(channel)]),
        f"{channel} brought {type(event).__name__}",
    )
    symbol = getattr(channel, "symbol", None)
    require(event.symbol in stage.venue.symbols, f"{channel}: {event.symbol!r} is not a symbol")
    require(symbol in (None, event.symbol), f"{channel} delivered an event of {event.symbol}")
    require(event.session >= 1 and event.received_ns > 0, f"{channel}: unstamped {event!r}")
    _check_time(stage, event)
    for name, number in numbers_of(event):
        numbers = stage.exchange.numbers
        require(
            isinstance(number, numbers), f"{channel}: {name} is {number!r}, not {numbers.__name__}"
        )
        require(math.isfinite(number), f"{channel}: {name} is {number}")
    if isinstance(event, Trade):
        require(event.side in _SIDES, f"{channel}: side is {event.side!r}")
    if isinstance(event, BookSnapshot | BookView):
        check_sides(channel, event.bids, event.asks)
    truth = truths.get(event.symbol)
    if truth is not None:
        _compare(stage, channel, event, truth)


def _check_time(stage: Stage, event: Event) -> None:
    now_ms = None if stage.served.now_ms is None else stage.served.now_ms()
    if event.exchange_time_ns is None or now_ms is None:
        return
    seconds = event.exchange_time_ns / 1e9 - now_ms / 1e3
    require(
        -OLDEST_MS / 1e3 - 60 < seconds < 1.0,
        f"the time of {event!r} is {seconds:.3f} s from the server's",
    )


def numbers_of(event: Event) -> Iterable[tuple[str, Any]]:
    """The numbers of an event, with their names."""
    for name in event.fields:
        value = getattr(event, name)
        if name in ("bids", "asks"):
            for level in value:
                yield f"a price in {name}", level.price
                yield f"a quantity in {name}", level.quantity
        elif isinstance(value, float | Decimal):
            yield name, value


def check_sides(channel: object, bids: Any, asks: Any) -> None:
    """Check that the levels of a whole book are in order and do not cross.

    Raises:
        NotConforming: they are not.
    """
    for side, sign in ((bids, -1), (asks, 1)):
        prices = [sign * level.price for level in side]
        require(prices == sorted(set(prices)), f"{channel}: levels are out of order: {list(side)}")
        require(all(level.quantity > 0 for level in side), f"{channel}: an empty level: {side}")
    require(
        not bids or not asks or bids[0].price < asks[0].price,
        f"{channel}: bid {bids[:1]} and ask {asks[:1]} cross",
    )


def exactly(levels: Iterable[Level[Any]]) -> Levels:
    """Levels as decimals, as on the wire."""
    return [(Decimal(str(each.price)), Decimal(str(each.quantity))) for each in levels]


def _compare(stage: Stage, channel: AnyChannel, event: Event, truth: Truth) -> None:
    if isinstance(event, Trade):
        price, quantity = Decimal(str(event.price)), Decimal(str(event.quantity))
        require(
            truth.has_trade(price, quantity, event.side),
            f"{channel}: the server knows of no trade such as {event!r}",
        )
    elif isinstance(event, Quote):
        bids = [Level(event.bid_price, event.bid_quantity)]
        asks = [Level(event.ask_price, event.ask_quantity)]
        check_state(stage, channel, truth, bids, asks)
    elif isinstance(event, BookView) or (
        isinstance(event, BookSnapshot) and not isinstance(channel, BookDeltas)
    ):
        check_state(stage, channel, truth, event.bids, event.asks)


def check_state(  # noqa: PLR0917  # of a comparison
    stage: Stage, channel: object, truth: Truth, bids: Any, asks: Any, since: int = 0
) -> int:
    """Find the number of the state of the server's book with these best levels.

    Raises:
        NotConforming: there is no such state, or it is too old.
    """
    depth = offered.SHOWN_LEVELS
    shown = exactly(bids[:depth]), exactly(asks[:depth])
    found = truth.find_book(*shown, since)
    if found is None:
        before = "" if truth.find_book(*shown) is None else " since what was shown before"
        require(False, f"{channel}: the server's book never was {shown}{before}")
    assert found is not None
    until = truth.until_ms(found)
    if until is not None and stage.served.now_ms is not None:
        late = stage.served.now_ms() - until
        # A state may recur; then the older one is found.
        require(
            late < OLDEST_MS or truth.find_book(*shown, found + 1) is not None,
            f"{channel}: what is shown was over {late} ms ago",
        )
    return found
