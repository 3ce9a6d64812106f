"""Requests for market data over REST: books, trades, candles, funding rates.

An exchange describes each kind of request by an offer: data (the size of a reply, the intervals)
and a pure function that writes the request and knows the reader of its reply. The adapter sends as
many requests as a long span needs (`connector.exchanges.pages`). Replies are read into the same
events as those of the streams.

.. code-block:: python

    @property
    def requests(self) -> PublicRequests:
        return PublicRequests(
            candles=CandlesOffer(
                intervals={"1m": 60_000, "1h": 3_600_000},
                most=1000,
                oldest_first=True,
                request=candles_request,
            ),
        )
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, TypeVar

import attrs

from connector.errors import ConfigError
from connector.events import BookSnapshot, Candle, FundingRate, Trade
from connector.exchanges.rest_service import RestRequest

T = TypeVar("T")

Trades: TypeAlias = tuple[Trade[Any], ...]
Candles: TypeAlias = tuple[Candle[Any], ...]
FundingRates: TypeAlias = tuple[FundingRate[Any], ...]

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
MONTH_MS = 0
"""The length of an interval that follows the calendar."""
SHORTEST_MONTH_MS = 28 * DAY_MS


@attrs.frozen(kw_only=True)
class Span:
    """The part of a history that one request covers. Times are milliseconds since the epoch."""

    begin_ms: int
    """The begin of the span, included."""
    end_ms: int
    """The end of the span, excluded."""
    limit: int
    """Most rows in the reply; at most the offer's `most`."""
    now_ms: int
    """Time of the request, by the clock of this machine."""
    page: int = 1
    """The number of the page, from 1, if the exchange has pages."""


@attrs.frozen(kw_only=True)
class DepthOffer:
    """Requests for the current book."""

    limits: Sequence[int]
    """The numbers of levels per side that can be requested, ascending. The smallest sufficient one
    is requested, and extra levels are cut off."""
    request: Callable[[str, int], RestRequest[BookSnapshot[Any]]]
    """``request(symbol, levels)``; the symbol as the program wrote it. Raises `ConfigError` when it
    cannot be one."""


@attrs.frozen(kw_only=True)
class TradesOffer:
    """Requests for the newest trades."""

    most: int
    """Most trades in one reply."""
    request: Callable[[str, int], RestRequest[Trades]]
    """``request(symbol, limit)``; the reply is read oldest first."""


@attrs.frozen(kw_only=True)
class CandlesOffer:
    """Requests for past candles and the running one."""

    intervals: Mapping[str, int]
    """Length in milliseconds of each interval that a program may use; `MONTH_MS` for a month."""
    most: int
    """Candles in one reply."""
    request: Callable[[str, str, Span], RestRequest[Candles]]
    """``request(symbol, interval, span)``; the reply in any order, and it may hold candles outside
    the span. A candle is `closed` unless the exchange says that it is not."""
    oldest_first: bool
    """Whether the reply to a span with too many candles starts at the begin of the span. If not,
    the span is requested in parts that cannot hold more than the limit."""
    most_ms: int | None = None
    """The longest span of one request; None: any."""


@attrs.frozen(kw_only=True)
class FundingOffer:
    """Requests for funding rates."""

    most: int
    """Rates in one reply."""
    request: Callable[[str, Span], RestRequest[FundingRates]]
    """``request(symbol, span)``; the reply in any order, and it may hold rates outside the span."""
    oldest_first: bool
    """Whether the reply to a span with too many rates starts at its begin; otherwise at its end."""
    paged: bool = False
    """Whether the exchange is asked for pages (`Span.page`) of all its rates, newest first, and not
    for a span."""


@attrs.frozen(kw_only=True)
class BackfillWay:
    """One kind of request that returns missed trades."""

    reach: Literal["from", "before", "newest"]
    """The content of the reply: trades from a number on, the newest before a number, or the
    newest."""
    most: int
    """Trades in one reply."""
    request: Callable[[str, int | None, int], RestRequest[Trades]]
    """``request(symbol, trade_id, limit)``; the reply is read oldest first. The number is None of
    "newest", and of "before" where the newest are asked for."""


@attrs.frozen(kw_only=True)
class BackfillOffer:
    """How trades that a stream missed are fetched."""

    ways: tuple[BackfillWay, ...]
    """The kinds of requests, best first; if the exchange refuses one, the next is tried."""
    numbered: bool = True
    """Whether `Trade.trade_id` rises from trade to trade. If not, it only identifies a trade."""
    dense: bool = False
    """Whether every number belongs to a trade."""


@attrs.frozen(kw_only=True)
class PublicRequests:
    """All requests that one exchange offers; None for those it lacks."""

    depth: DepthOffer | None = None
    recent_trades: TradesOffer | None = None
    candles: CandlesOffer | None = None
    funding_rates: FundingOffer | None = None
    backfill: Mapping[type[Any], BackfillOffer] = attrs.field(factory=dict)
    """By channel: `connector.channels.Trades`, `connector.channels.AggregateTrades`."""
    reasons: Mapping[Any, str] = attrs.field(factory=dict)
    """The reason why a request is not offered, if it is not obvious: by the name of the request, or
    by the channel without backfill. The error shows it."""


NOTHING = PublicRequests()
"""For an exchange without any such request."""


def following_ms(open_ms: int, length_ms: int) -> int:
    """The opening time of the candle after the one that opens at `open_ms`."""
    if length_ms != MONTH_MS:
        return open_ms + length_ms
    moment = datetime.fromtimestamp(open_ms / 1000, UTC)
    months = moment.year * 12 + moment.month  # of the next one, counted from 0
    following = moment.replace(year=months // 12, month=months % 12 + 1)
    return round(following.timestamp() * 1000)


def requests_of(exchange: object) -> PublicRequests:
    """The requests of an exchange; `NOTHING` if it does not declare any."""
    found: PublicRequests = getattr(exchange, "requests", NOTHING)
    return found


def offered(exchange: str, requests: PublicRequests, kind: str) -> Any:
    """The offer of `kind`, the name of a field of `PublicRequests`.

    Raises:
        ConfigError: the exchange has no such request; the message lists what it has.
    """
    offer = getattr(requests, kind)
    if offer is None:
        kinds = ("depth", "recent_trades", "candles", "funding_rates")
        there = [each for each in kinds if getattr(requests, each)]
        has = ", ".join(there) or "none of these requests"
        reason = _reason(requests, kind)
        raise ConfigError(f"{exchange} does not answer {kind}{reason}; it answers {has}")
    return offer


def levels_to_ask(exchange: str, offer: DepthOffer, limit: int) -> int:
    """How many levels to ask for when `limit` are wanted.

    Raises:
        ConfigError: the exchange does not send so many.
    """
    enough = next((each for each in offer.limits if each >= limit), None)
    if enough is None:
        raise ConfigError(
            f"{exchange} sends at most {offer.limits[-1]} levels per side, not {limit}"
        )
    return enough


def check_most(exchange: str, what: str, most: int, limit: int) -> int:
    """Return `limit` if one reply can hold as many.

    Raises:
        ConfigError: it cannot.
    """
    if limit > most:
        raise ConfigError(f"{exchange} sends at most {most} {what}, not {limit}")
    return limit


def backfill_of(exchange: str, requests: PublicRequests, channel: type[Any]) -> BackfillOffer:
    """How missed trades of a kind of channel are fetched.

    Raises:
        ConfigError: they cannot be fetched; the message lists the channels for which it works.
    """
    offer = requests.backfill.get(channel)
    if offer is None:
        there = ", ".join(each.__name__ for each in requests.backfill) or "no channel"
        reason = _reason(requests, channel)
        raise ConfigError(
            f"{exchange} cannot send {channel.__name__} that were missed{reason}; leave out "
            f"backfill=True, it is offered for {there}"
        )
    return offer


def _reason(requests: PublicRequests, what: Any) -> str:
    reason = requests.reasons.get(what)
    return "" if reason is None else f": {reason}"


def check_interval(exchange: str, offer: CandlesOffer, interval: str) -> int:
    """The length of `interval` in milliseconds.

    Raises:
        ConfigError: the exchange has no such candles; the message lists those it has.
    """
    if interval not in offer.intervals:
        there = ", ".join(offer.intervals)
        raise ConfigError(f"{exchange} has no candles of {interval!r}; interval can be {there}")
    return offer.intervals[interval]


__all__ = [
    "DAY_MS",
    "HOUR_MS",
    "MINUTE_MS",
    "MONTH_MS",
    "NOTHING",
    "BackfillOffer",
    "BackfillWay",
    "CandlesOffer",
    "DepthOffer",
    "FundingOffer",
    "PublicRequests",
    "Span",
    "TradesOffer",
    "following_ms",
]
