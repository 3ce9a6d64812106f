"""Fetch a long history in several requests, and detect its holes.

The module does no I/O: `next_request` returns the next request, and `take` stores its reply. Both
classes are plain state machines that the adapter drives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import attrs

from connector.channels import Candles
from connector.events import Candle, FundingRate, Gap
from connector.exchanges.requests import (
    MONTH_MS,
    SHORTEST_MONTH_MS,
    CandlesOffer,
    FundingOffer,
    FundingRates,
    Span,
    following_ms,
)
from connector.exchanges.rest_service import RestRequest

NS_PER_MS = 1_000_000


class CandlePages:
    """The candles of a span, oldest first, each once, with a gap for each hole.

    Args:
        offer: of the exchange.
        channel: symbol and interval as the program wrote them.
        begin_ms: candles that open then or later.
        end_ms: candles that open before then.
    """

    def __init__(
        self, offer: CandlesOffer, channel: Candles, *, begin_ms: int, end_ms: int
    ) -> None:
        self._offer = offer
        self._channel = channel
        self._length_ms = offer.intervals[channel.interval]
        self._begin_ms = begin_ms
        self._end_ms = end_ms
        self._cursor_ms = begin_ms
        self._span = Span(begin_ms=begin_ms, end_ms=begin_ms, limit=0, now_ms=0)
        self._expected_ms: int | None = None
        self._finished = begin_ms >= end_ms

    @property
    def finished(self) -> bool:
        """Whether no further request is needed."""
        return self._finished

    @property
    def through_ms(self) -> int:
        """The end of the span requested so far."""
        return min(self._cursor_ms, self._end_ms)

    def next_request(self, now_ms: int) -> RestRequest[tuple[Candle[Any], ...]]:
        """Return the next request; call it only while not `finished`."""
        offer, begin_ms = self._offer, self._cursor_ms
        shortest_ms = self._length_ms or SHORTEST_MONTH_MS
        end_ms = self._end_ms if offer.oldest_first else begin_ms + offer.most * shortest_ms
        if offer.most_ms is not None:
            end_ms = min(end_ms, begin_ms + offer.most_ms)
        # Candles of the future are not requested; the clock may lag the exchange's a little.
        end_ms = min(end_ms, self._end_ms, max(now_ms + shortest_ms, begin_ms + 1))
        limit = min(offer.most, -(-(end_ms - begin_ms) // shortest_ms))
        self._span = Span(begin_ms=begin_ms, end_ms=end_ms, limit=limit, now_ms=now_ms)
        return offer.request(self._channel.symbol, self._channel.interval, self._span)

    def take(self, reply: Iterable[Candle[Any]], now_ms: int) -> list[Candle[Any] | Gap]:
        """Return the candles in the reply to the last request, with gaps where some are missing."""
        span, length_ms = self._span, self._length_ms
        least_ms = max(span.begin_ms, self._expected_ms or 0)
        rows = {each.open_time_ns // NS_PER_MS: each for each in reply}
        opened = sorted(each for each in rows if least_ms <= each < span.end_ms)
        found: list[Candle[Any] | Gap] = []
        for open_ms in opened:
            following = following_ms(open_ms, length_ms)
            expected_ms = self._expected_ms
            if expected_ms is None and open_ms >= following_ms(self._begin_ms, length_ms):
                expected_ms = self._begin_ms
            if expected_ms is not None and open_ms > expected_ms:
                found.append(self._gap(expected_ms, open_ms))
            candle = rows[open_ms]
            candle.closed = candle.closed and following <= now_ms
            found.append(candle)
            self._expected_ms = following
        more = self._offer.oldest_first and opened and len(rows) >= span.limit
        self._cursor_ms = following_ms(opened[-1], length_ms) if more else span.end_ms
        if self._cursor_ms >= self._end_ms or self._cursor_ms > now_ms:
            self._finished = True
            found += self._missing_at_end(now_ms)
        return found

    def _missing_at_end(self, now_ms: int) -> list[Candle[Any] | Gap]:
        """Return a gap if the exchange lacks whole candles at the end."""
        expected_ms = self._begin_ms if self._expected_ms is None else self._expected_ms
        end_ms = min(self._end_ms, now_ms)
        if expected_ms >= end_ms or following_ms(expected_ms, self._length_ms) > now_ms:
            return []
        if self._expected_ms is None and following_ms(expected_ms, self._length_ms) > self._end_ms:
            return []  # the span is shorter than a candle, and none opens in it
        return [self._gap(expected_ms, end_ms)]

    def _gap(self, begin_ms: int, end_ms: int) -> Gap:
        length_ms = self._length_ms
        return Gap(
            symbol=self._channel.symbol.upper(),
            channels=(self._channel,),
            reason="missing",
            dropped=None if length_ms == MONTH_MS else max((end_ms - begin_ms) // length_ms, 1),
            begin_ns=begin_ms * NS_PER_MS,
            end_ns=end_ms * NS_PER_MS,
        )


@attrs.define
class FundingPages:
    """The funding rates of a span.

    Args:
        offer: of the exchange.
        symbol: as the program wrote it.
        begin_ms: rates of then or later.
        end_ms: rates of before then.
    """

    offer: FundingOffer
    symbol: str
    begin_ms: int
    end_ms: int
    finished: bool = attrs.field(init=False, default=False)
    """Whether no further request is needed."""
    _found: dict[int, FundingRate[Any]] = attrs.field(init=False, factory=dict)
    _page: int = attrs.field(init=False, default=1)
    _reached_ms: float = attrs.field(init=False, default=math.inf)
    """The oldest rate of the pages so far."""

    def __attrs_post_init__(self) -> None:
        self.finished = self.begin_ms >= self.end_ms

    def next_request(self, now_ms: int) -> RestRequest[FundingRates]:
        """Return the next request; call it only while not `finished`."""
        span = Span(
            begin_ms=self.begin_ms,
            end_ms=self.end_ms,
            limit=self.offer.most,
            now_ms=now_ms,
            page=self._page,
        )
        return self.offer.request(self.symbol, span)

    def take(self, reply: Iterable[FundingRate[Any]]) -> None:
        """Store the rates in the reply to the last request."""
        times = {(each.exchange_time_ns or 0) // NS_PER_MS: each for each in reply}
        inside = {ms: each for ms, each in times.items() if self.begin_ms <= ms < self.end_ms}
        self._found |= inside
        if self.offer.paged:
            self._turn(min(times, default=math.inf))
        elif not inside or len(times) < self.offer.most:
            self.finished = True
        elif self.offer.oldest_first:
            self.begin_ms = max(inside) + 1
        else:
            self.end_ms = min(inside)
        self.finished = self.finished or self.begin_ms >= self.end_ms

    def _turn(self, oldest_ms: float) -> None:
        """Go on to the next page, unless this one has no older rates, or reaches the begin.

        New rates shift the pages, so the next page may repeat some.
        """
        self.finished = oldest_ms >= self._reached_ms or oldest_ms <= self.begin_ms
        self._reached_ms = oldest_ms
        self._page += 1

    def result(self) -> FundingRates:
        """All rates, oldest first."""
        return tuple(self._found[ms] for ms in sorted(self._found))
