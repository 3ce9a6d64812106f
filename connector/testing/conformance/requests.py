"""Checks of REST requests: books, trades, candles and funding rates agree with the venue."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeAlias

from connector.channels import Candles, Trades
from connector.errors import ConfigError, ConnectorError
from connector.events import BookSnapshot, Candle, Event, FundingRate, Trade
from connector.exchanges.requests import DAY_MS, MINUTE_MS, requests_of
from connector.testing.conformance.reception import check_sides, check_state, numbers_of
from connector.testing.conformance.stage import Stage, expected, next_event, open_stage, require
from connector.testing.conformance.venue import NotConforming, Truth, Venue

LEVELS = 5
TRADES = 5
"""Number of trades read from the stream and requested afterwards."""
MOST_CANDLES = 1500
"""Candles of one question; it takes several requests if the venue's replies are smaller."""
MORE_THAN_A_PAGE = 3
FUNDING_SPAN_MS = 2 * DAY_MS
NS_PER_MS = 1_000_000

Ask: TypeAlias = Callable[[Stage, Any, str, "Truth | None"], Awaitable[None]]


async def what_is_asked_once_is_what_the_venue_knows(venue: Venue) -> None:
    """Each offered request is answered correctly; any other raises an error with the offers."""
    async with open_stage(venue, pace="steady") as stage:
        requests, symbol = requests_of(stage.exchange), venue.symbols[0]
        truth = stage.truth(symbol)
        async with stage.open_adapter() as adapter:
            for kind, ask in _ASKED.items():
                if getattr(requests, kind) is None:
                    await _must_be_refused(_ask(adapter, kind, symbol), kind, ConfigError)
                    continue
                with expected(f"an answer to {kind}"):
                    await ask(stage, adapter, symbol, truth)
                    # Candles have no time limit: a refusal without text is retried for long.
                    if venue.unknown is not None and kind != "candles":
                        asked = _ask(adapter, kind, venue.unknown)
                        await _must_be_refused(asked, f"{kind} of {venue.unknown}", ConnectorError)


async def _ask(adapter: Any, kind: str, symbol: str) -> Any:
    if kind == "candles":
        return await anext(adapter.candles(symbol, start=0))
    if kind == "funding_rates":
        return await adapter.funding_rates(symbol, 0, timeout=60)
    return await getattr(adapter, kind)(symbol, timeout=60)


async def _must_be_refused(asked: Awaitable[Any], what: str, error: type[Exception]) -> None:
    try:
        answer = await asked
    except error:
        return
    raise NotConforming(f"{what} was answered with {answer!r}; {error.__name__} was expected")


async def _depth(stage: Stage, adapter: Any, symbol: str, truth: Truth | None) -> None:
    book = await adapter.depth(symbol, limit=LEVELS)
    _check(stage, "depth", symbol, book, BookSnapshot)
    require(book.bids and book.asks, f"depth: a side is empty: {book}")
    for side in (book.bids, book.asks):
        require(len(side) <= LEVELS, f"depth: {len(side)} levels, {LEVELS} were wanted")
    check_sides("depth", book.bids, book.asks)
    if truth is not None:
        check_state(stage, "depth", truth, book.bids, book.asks)


async def _recent_trades(stage: Stage, adapter: Any, symbol: str, truth: Truth | None) -> None:
    channel = next((each for each in stage.channels if isinstance(each, Trades)), None)
    streamed: list[Any] = []
    if channel is not None:
        async with adapter.subscribe(channel, gaps=True) as feed:
            while len(streamed) < TRADES:
                streamed.append(await next_event(feed, channel))
            trades = await adapter.recent_trades(symbol)
    else:
        trades = await adapter.recent_trades(symbol)
    require(trades, "recent_trades: the answer is empty")
    for before, after in itertools.pairwise(trades):
        require(
            before.exchange_time_ns <= after.exchange_time_ns,
            f"recent_trades: {after} is older than {before}, which stands before it",
        )
    for trade in trades:
        _check(stage, "recent_trades", symbol, trade, Trade)
        require(trade.side in ("buy", "sell"), f"recent_trades: side is {trade.side!r}")
        if truth is not None:
            require(
                _is_known(truth, trade),
                f"recent_trades: the venue knows of no trade such as {trade}",
            )
    answered = {each.trade_id: _facts(each) for each in trades}
    require(len(answered) == len(trades), "recent_trades: a trade occurs twice")
    for trade in streamed:
        found = answered.get(trade.trade_id)
        require(
            found == _facts(trade),
            f"recent_trades: {found} differs from the stream: {trade}",
        )


def _facts(trade: Any) -> tuple[Any, ...]:
    return trade.price, trade.quantity, trade.side, trade.exchange_time_ns


def _is_known(truth: Truth, trade: Any) -> bool:
    price, quantity = Decimal(str(trade.price)), Decimal(str(trade.quantity))
    return truth.has_trade(price, quantity, trade.side)


async def _candles(stage: Stage, adapter: Any, symbol: str, _: Truth | None) -> None:
    offer: Any = requests_of(stage.exchange).candles
    channel = next(
        (
            each
            for each in stage.channels
            if isinstance(each, Candles) and each.interval in offer.intervals
        ),
        None,
    )
    interval = _interval(offer) if channel is None else channel.interval
    running: Any = None
    spelled = {interval}
    if channel is not None:
        async with adapter.subscribe(channel, gaps=True) as feed:
            running = await next_event(feed, channel)
        spelled = {running.interval}
    length_ms = offer.intervals[interval]
    count = min(offer.most + MORE_THAN_A_PAGE, MOST_CANDLES)
    end_ms = _now_ms(stage) // length_ms * length_ms + length_ms
    begin_ms = end_ms - count * length_ms
    history = adapter.candles(
        symbol, interval, start=begin_ms * NS_PER_MS, end=end_ms * NS_PER_MS, gaps=True
    )
    reached_ms, found = begin_ms, 0
    async for item in history:
        if not isinstance(item, Candle):
            require(
                item.begin_ns == reached_ms * NS_PER_MS, f"candles: {item} has a wrong opening time"
            )
            reached_ms = item.end_ns // NS_PER_MS
            continue
        found += 1
        _check(stage, "candles", symbol, item, Candle)
        require(
            item.open_time_ns == reached_ms * NS_PER_MS,
            f"candles: one that opens at {reached_ms} ms should follow, not {item}",
        )
        require(item.interval in spelled, f"candles: {item} is not of {spelled}")
        reached_ms += length_ms
        require(
            item.low <= min(item.open, item.close) <= max(item.open, item.close) <= item.high
            and item.volume >= 0,
            f"candles: impossible numbers: {item}",
        )
        if running is not None and item.open_time_ns == running.open_time_ns:
            require(
                item.open == running.open and item.high >= running.high and item.low <= running.low,
                f"candles: {item} differs from the stream: {running}",
            )
    require(found, f"candles: the venue has none of the last {count}")
    require(reached_ms == end_ms, f"candles: they end at {reached_ms} ms, not at {end_ms} ms")


def _interval(offer: Any) -> str:
    """One minute, or the offered interval closest to it."""
    by_length: dict[int, str] = {
        length: name for name, length in offer.intervals.items() if length >= MINUTE_MS
    }
    return by_length[min(by_length)]


async def _funding_rates(stage: Stage, adapter: Any, symbol: str, _: Truth | None) -> None:
    end_ms = _now_ms(stage)
    begin_ms = end_ms - FUNDING_SPAN_MS
    rates = await adapter.funding_rates(symbol, begin_ms * NS_PER_MS, end_ms * NS_PER_MS)
    require(rates, "funding_rates: none for the last two days")
    reached = begin_ms * NS_PER_MS - 1
    for rate in rates:
        _check(stage, "funding_rates", symbol, rate, FundingRate)
        require(
            reached < rate.exchange_time_ns < end_ms * NS_PER_MS,
            f"funding_rates: {rate} is out of order, or out of the span",
        )
        reached = rate.exchange_time_ns
        require(abs(rate.funding_rate) < 1, f"funding_rates: {rate} is not a fraction")


def _now_ms(stage: Stage) -> int:
    now_ms = stage.served.now_ms
    return round(time.time() * 1000) if now_ms is None else now_ms()


def _check(stage: Stage, kind: str, symbol: str, event: Event, wanted: type[Event]) -> None:
    """Check what must hold for each event.

    Raises:
        NotConforming: it does not.
    """
    require(isinstance(event, wanted), f"{kind} brought {type(event).__name__}")
    require(event.symbol == symbol, f"{kind}: the symbol is {event.symbol!r}, not {symbol!r}")
    require(event.received_ns > 0, f"{kind}: unstamped {event!r}")
    for name, number in numbers_of(event):
        numbers = stage.exchange.numbers
        require(
            isinstance(number, numbers), f"{kind}: {name} is {number!r}, not {numbers.__name__}"
        )
        require(math.isfinite(number), f"{kind}: {name} is {number}")


_ASKED: Mapping[str, Ask] = MappingProxyType(
    {
        "depth": _depth,
        "recent_trades": _recent_trades,
        "candles": _candles,
        "funding_rates": _funding_rates,
    }
)
