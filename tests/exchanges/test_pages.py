"""A long history in pages: every candle once, in order, and every hole told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.channels import Candles
from connector.events import Candle, FundingRate, Gap
from connector.exchanges.pages import CandlePages, FundingPages
from connector.exchanges.requests import (
    DAY_MS,
    MONTH_MS,
    CandlesOffer,
    FundingOffer,
    Span,
    following_ms,
)
from connector.exchanges.rest_service import RestRequest

MS = 1_000_000
MINUTE = 60_000


def candle(open_ms: int) -> Candle:
    return Candle(
        symbol="X", interval="1m", open_time_ns=open_ms * MS, close_time_ns=0, open=1.0, high=1.0,
        low=1.0, close=1.0, volume=1.0, quote_volume=1.0, trades=1, closed=True,
    )  # fmt: skip


class Server:
    """Has candles, and answers as exchanges do: at most so many, from one end of the span."""

    def __init__(self, opens: list[int], most: int, *, oldest_first: bool, strict: bool) -> None:
        self.opens = opens
        self.spans: list[Span] = []
        self.oldest_first = oldest_first
        self.strict = strict
        self.most = most
        self.offer = CandlesOffer(
            intervals={"1m": MINUTE, "1M": MONTH_MS}, most=most, request=self.request,
            oldest_first=oldest_first, most_ms=7 * MINUTE if strict else None,
        )  # fmt: skip

    def request(self, symbol: str, interval: str, span: Span) -> RestRequest[Any]:
        assert 0 < span.limit <= self.most
        self.spans.append(span)
        if self.oldest_first:
            reply = [each for each in self.opens if span.begin_ms <= each < span.end_ms]
            reply = reply[: span.limit]
        else:  # only knows what is older than a moment
            reply = [each for each in self.opens if each < span.end_ms][-span.limit :][::-1]
        return RestRequest("", 1, lambda _: tuple(map(candle, reply)))

    def fetch(self, begin_ms: int, end_ms: int, now_ms: int, interval: str = "1m") -> list[Any]:
        pages = CandlePages(self.offer, Candles("X", interval), begin_ms=begin_ms, end_ms=end_ms)
        found: list[Any] = []
        while not pages.finished:
            request = pages.next_request(now_ms)
            found += pages.take(request.decode(b""), now_ms)
            assert len(self.spans) < 1000
        assert pages.through_ms <= end_ms
        return found


@settings(max_examples=150, deadline=None)
@given(
    minutes=st.sets(st.integers(0, 40)),
    begin_ms=st.integers(0, 45 * 60_000),
    length_ms=st.integers(0, 50 * 60_000),
    now_ms=st.integers(1, 60 * 60_000),
    most=st.integers(1, 9),
    oldest_first=st.booleans(),
    strict=st.booleans(),
)
def test_every_candle_of_the_span_comes_once_and_every_hole_is_told(
    *,
    minutes: set[int],
    begin_ms: int,
    length_ms: int,
    now_ms: int,
    most: int,
    oldest_first: bool,
    strict: bool,
) -> None:
    end_ms = begin_ms + length_ms
    opens = sorted(each * MINUTE for each in minutes if each * MINUTE <= now_ms)
    server = Server(opens, most, oldest_first=oldest_first, strict=strict)

    found = server.fetch(begin_ms, end_ms, now_ms)

    candles = [each.open_time_ns // MS for each in found if isinstance(each, Candle)]
    assert candles == [each for each in opens if begin_ms <= each < end_ms]
    # What should be there, on the grid of whole minutes.
    due = range(begin_ms + -begin_ms % MINUTE, min(end_ms, now_ms - MINUTE + 1), MINUTE)
    missing = [each for each in due if each not in opens]
    told = [
        each
        for gap in found
        if isinstance(gap, Gap)
        for each in due
        if (gap.begin_ns or 0) // MS <= each < (gap.end_ns or 0) // MS
    ]
    assert sorted(told) == sorted(set(told)), "no hole twice"
    assert set(told) >= set(missing) - {due[0] if due else None}, "no hole is hidden"
    assert not set(told) & set(candles)
    for each in found:
        if isinstance(each, Candle):
            assert each.closed == (each.open_time_ns // MS + MINUTE <= now_ms)


def test_a_hole_is_told_in_its_place_with_its_bounds() -> None:
    server = Server([0, MINUTE, 4 * MINUTE], 2, oldest_first=True, strict=False)
    found = server.fetch(0, 8 * MINUTE, 6 * MINUTE + 1)
    assert [type(each).__name__ for each in found] == ["Candle", "Candle", "Gap", "Candle", "Gap"]
    hole, end = found[2], found[4]
    assert (hole.begin_ns, hole.end_ns, hole.dropped) == (2 * MINUTE * MS, 4 * MINUTE * MS, 2)
    assert (end.begin_ns, end.end_ns) == (5 * MINUTE * MS, (6 * MINUTE + 1) * MS)
    assert hole.reason == "missing"
    assert hole.channels == (Candles("X", "1m"),)


@pytest.mark.parametrize("oldest_first", [True, False])
def test_a_page_that_the_exchange_can_fill_is_asked_for_once(oldest_first: bool) -> None:
    opens = [each * MINUTE for each in range(1000)]
    server = Server(opens, 100, oldest_first=oldest_first, strict=False)
    assert len(server.fetch(0, 1000 * MINUTE, 10_000 * MINUTE)) == 1000
    assert len(server.spans) == 10
    assert server.fetch(0, 3 * MINUTE, 10_000 * MINUTE)
    assert server.spans[-1].limit == 3


def test_months_follow_the_calendar() -> None:
    months = [datetime(2024, month, 1, tzinfo=UTC) for month in range(1, 13)]
    opens = [round(each.timestamp() * 1000) for each in months]
    assert [following_ms(each, MONTH_MS) for each in opens[:-1]] == opens[1:]
    december = datetime(2024, 12, 1, tzinfo=UTC).timestamp() * 1000
    assert following_ms(round(december), MONTH_MS) == round(
        datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000
    )
    for oldest_first in (True, False):
        server = Server(opens, 5, oldest_first=oldest_first, strict=False)
        found = server.fetch(opens[0], opens[-1] + 1, opens[-1] + 40 * DAY_MS, "1M")
        assert [each.open_time_ns // MS for each in found] == opens
        gone = Server(opens[:3] + opens[4:], 5, oldest_first=oldest_first, strict=False)
        holes = gone.fetch(opens[0], opens[-1] + 1, opens[-1] + 40 * DAY_MS, "1M")
        assert next(each for each in holes if isinstance(each, Gap)).begin_ns == opens[3] * MS


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.integers(0, 60)),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(1, 7),
    st.booleans(),
)
def test_funding_rates_come_once_and_in_order(
    moments: set[int], begin: int, end: int, most: int, oldest_first: bool
) -> None:
    def request(symbol: str, span: Span) -> RestRequest[Any]:
        inside = sorted(each for each in moments if span.begin_ms <= each < span.end_ms)
        reply = inside[: span.limit] if oldest_first else inside[-span.limit :][::-1]
        rates = [
            FundingRate(symbol="X", funding_rate=0.1, exchange_time_ns=each * MS) for each in reply
        ]
        return RestRequest("", 1, lambda _: tuple(rates))

    offer = FundingOffer(most=most, request=request, oldest_first=oldest_first)
    pages = FundingPages(offer, "X", begin, end)
    requests = 0
    while not pages.finished:
        pages.take(pages.next_request(100).decode(b""))
        requests += 1
        assert requests < 100
    times = [(each.exchange_time_ns or 0) // MS for each in pages.result()]
    assert times == sorted(each for each in moments if begin <= each < end)


@settings(max_examples=100, deadline=None)
@given(
    moments=st.sets(st.integers(0, 100), max_size=40),
    begin=st.integers(0, 100),
    end=st.integers(0, 110),
    most=st.integers(2, 10),
    new_every=st.integers(2, 5),
)
def test_pages_of_funding_rates_may_shift_meanwhile(
    moments: set[int], begin: int, end: int, most: int, new_every: int
) -> None:
    now, asked = 100, 0

    def request(symbol: str, span: Span) -> RestRequest[Any]:
        nonlocal now, asked
        asked += 1
        if asked % new_every == 0:  # the exchange has one more at its head
            now += 1
        there = sorted(moments | set(range(101, now + 1)), reverse=True)
        reply = there[(span.page - 1) * span.limit : span.page * span.limit]
        rates = [
            FundingRate(symbol="X", funding_rate=0.1, exchange_time_ns=each * MS) for each in reply
        ]
        return RestRequest("", 1, lambda _: tuple(rates))

    offer = FundingOffer(most=most, request=request, oldest_first=False, paged=True)
    pages = FundingPages(offer, "X", begin, end)
    while not pages.finished:
        pages.take(pages.next_request(100).decode(b""))
        assert asked <= 3 + len(moments)
    times = [(each.exchange_time_ns or 0) // MS for each in pages.result()]
    assert [each for each in times if each <= 100] == sorted(
        each for each in moments if begin <= each < end
    )
    assert all(begin <= each < end for each in times)


def test_an_exchange_that_heeds_no_page_is_asked_twice_and_no_more() -> None:
    asked: list[int] = []

    def request(symbol: str, span: Span) -> RestRequest[Any]:
        asked.append(span.page)
        rates = [
            FundingRate(symbol="X", funding_rate=0.1, exchange_time_ns=each * MS)
            for each in (50, 40, 30)
        ]
        return RestRequest("", 1, lambda _: tuple(rates))

    offer = FundingOffer(most=3, request=request, oldest_first=False, paged=True)
    pages = FundingPages(offer, "X", 0, 100)
    while not pages.finished:
        pages.take(pages.next_request(100).decode(b""))
    assert asked == [1, 2]
    assert [(each.exchange_time_ns or 0) // MS for each in pages.result()] == [30, 40, 50]
