"""Continuity of ids: go on, drop, or flag a hole."""

from __future__ import annotations

import json
from itertools import groupby
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.channels import (
    AggregateTrades,
    AnyChannel,
    BestQuote,
    BookDeltas,
    Candles,
    Liquidations,
    MarkPrices,
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import DecodeError
from connector.events import Event, Gap, Trade
from connector.exchanges import binance
from connector.exchanges.protocol import Inbound
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Buffer, Overflow
from connector.feeds.delivery import Delivery
from connector.feeds.lossy_buffers import make_buffer
from connector.feeds.subscription import Subscription
from connector.merging.arbitration import Arbiter

SPOT = binance.Spot()
USDM = binance.UsdMFutures()


class Nobody:
    """Nothing but data comes."""

    def read_message(self, message: Inbound) -> None:
        raise AssertionError(message)

    def read_undecodable(self, error: DecodeError) -> None:
        raise error


def trade(number: int) -> dict[str, Any]:
    return {"s": "X", "t": number, "a": number, "p": "1", "q": "1", "T": 1, "m": True}


def quote(number: int) -> dict[str, Any]:
    return {"s": "X", "u": number, "b": "1", "B": "1", "a": "2", "A": "1", "T": 1, "E": 1}


def book(number: int) -> dict[str, Any]:
    return {
        "s": "X", "E": 1, "u": number, "b": [], "a": [],
        "lastUpdateId": number, "bids": [], "asks": [],
    }  # fmt: skip


def delta(first: int, last: int, previous: int = 0) -> dict[str, Any]:
    return {"s": "X", "E": 1, "U": first, "u": last, "pu": previous, "b": [], "a": []}


@pytest.mark.parametrize(
    ("exchange", "channel", "last_id", "payload", "verdict"),
    [
        *[
            (exchange, channel, *case)
            for exchange in (SPOT, USDM)
            for channel in (Trades("X"), AggregateTrades("X"))
            for case in (
                (0, trade(500), 500),
                (7, trade(8), 8),
                (7, trade(7), 0),
                (7, trade(3), 0),
                (7, trade(9), -9),
            )
        ],
        *[
            (exchange, BestQuote("X"), *case)
            for exchange in (SPOT, USDM)
            for case in (
                (0, quote(500), 500),
                (7, quote(8), 8),
                (7, quote(900), 900),
                (7, quote(7), 7),
                (7, quote(6), 0),
            )
        ],
        *[
            (exchange, PartialBook("X"), *case)
            for exchange in (SPOT, USDM)
            for case in (
                (0, book(500), 500),
                (7, book(8), 8),
                (7, book(900), 900),
                # the same book again is harmless, an older one is not
                (7, book(7), 7),
                (7, book(6), 0),
            )
        ],
        # binance_spot §6: dense ids
        (SPOT, BookDeltas("X"), 0, delta(90, 95), 95),
        (SPOT, BookDeltas("X"), 7, delta(8, 9), 9),
        (SPOT, BookDeltas("X"), 7, delta(8, 8), 8),
        (SPOT, BookDeltas("X"), 7, delta(9, 9), -9),
        (SPOT, BookDeltas("X"), 7, delta(5, 7), 0),
        (SPOT, BookDeltas("X"), 7, delta(2, 3), 0),
        (SPOT, BookDeltas("X"), 7, delta(6, 9), 9),
        # binance_usdm §5: a chain of pu, ids not dense
        (USDM, BookDeltas("X"), 0, delta(90, 95, 80), 95),
        (USDM, BookDeltas("X"), 7, delta(20, 30, 7), 30),
        (USDM, BookDeltas("X"), 7, delta(8, 30, 8), -30),
        (USDM, BookDeltas("X"), 7, delta(5, 7, 4), 0),
        (USDM, BookDeltas("X"), 7, delta(2, 3, 1), 0),
    ],
)
def test_rule(
    exchange: binance.Spot | binance.UsdMFutures,
    channel: AnyChannel,
    last_id: int,
    payload: dict[str, Any],
    verdict: int,
) -> None:
    stream = exchange.stream(channel)
    event = stream.decode(json.dumps(payload).encode())
    assert isinstance(event, Event)
    assert stream.sequence is not None
    assert stream.sequence(last_id, event) == verdict


@pytest.mark.parametrize(
    "channel",
    [
        Candles("X"), Tickers("X"), Tickers(), MarkPrices("X"), MarkPrices(), Liquidations("X"),
        Liquidations(), RawStream("x@trade"),
    ],
)  # fmt: skip
def test_streams_without_ids_have_no_rule(channel: AnyChannel) -> None:
    assert USDM.stream(channel).sequence is None


# --- trades of futures, between which some ids are of nothing


BLANK = {"p": "0", "q": "0", "X": "NA"}


@given(
    kinds=st.lists(st.sampled_from(["trade", "blank", "lost trade", "lost blank", "again"])),
    cut=st.integers(1, 7),
)
async def test_what_stands_for_nothing_is_not_delivered_and_not_missed(
    kinds: list[str], cut: int
) -> None:
    stream = USDM.stream(Trades("ETHUSDC"))
    full = Full()
    subscription = Subscription(stream, full)
    buffer: Buffer[Any] = make_buffer(10_000, Overflow.BLOCK, gaps=True)
    subscription.attach(buffer)
    delivery = Delivery(USDM, 1, {b"ethusdc@trade": subscription}, full, Nobody())
    sent: list[bytes] = []
    wanted: list[int | str] = []
    missing = False
    for number, kind in enumerate(["trade", *kinds], 1):
        blank = BLANK if "blank" in kind else {}
        frame = json.dumps({"e": "trade", "E": 1, **trade(number), **blank}, separators=(",", ":"))
        if kind == "again":
            # The id that was used up is missing, too.
            frame = sent[-1].decode()[len('{"stream":"ethusdc@trade","data":') : -1]
        missing |= "lost" in kind or kind == "again"
        if "lost" in kind:
            continue
        sent.append(b'{"stream":"ethusdc@trade","data":%b}' % frame.encode())
        if kind in ("trade", "blank") and missing:
            wanted.append("gap")
            missing = False
        if kind == "trade":
            wanted.append(number)

    for begin in range(0, len(sent), cut):
        batch = sent[begin : begin + cut]
        assert delivery.deliver(batch, 0) == len(batch)

    got = buffer.take_all()
    joined = [key for key, _ in groupby(wanted, key=lambda each: each)]
    assert ["gap" if isinstance(each, Gap) else each.trade_id for each in got] == joined
    assert subscription.messages == len(sent)


def delivered(kinds: list[tuple[int, bool]], session: int = 1) -> list[Any]:
    """What a feed yields of trades with these ids, some of which are of nothing."""
    full = Full()
    subscription = Subscription(USDM.stream(Trades("ETHUSDC")), full)
    buffer: Buffer[Any] = make_buffer(10_000, Overflow.BLOCK, gaps=True)
    subscription.attach(buffer)
    delivery = Delivery(USDM, session, {b"ethusdc@trade": subscription}, full, Nobody())
    frames = [
        json.dumps({"e": "trade", "E": 1, **trade(number), **({} if real else BLANK)})
        for number, real in kinds
    ]
    delivery.deliver([b'{"stream":"ethusdc@trade","data":%b}' % f.encode() for f in frames], 0)
    return buffer.take_all()


@pytest.mark.parametrize("known", [True, False])
async def test_nothing_is_not_delivered_when_ids_begin_anew_either(known: bool) -> None:
    ids = [(900, known), *((number, number % 3 > 0) for number in range(1, 60))]

    got = delivered(ids)

    lost, *rest = [each for each in got if not isinstance(each, Trade) or each.trade_id < 900]
    assert isinstance(lost, Gap)
    assert [each.trade_id for each in rest] == [n for n, real in ids if real and 23 < n < 900]


@given(
    st.lists(st.booleans(), min_size=1).map(lambda kinds: [True, *kinds]),
    st.data(),
)
async def test_what_one_side_lost_with_nothing_before_it_is_no_gap(
    kinds: list[bool], data: st.DataObject
) -> None:
    ids = list(enumerate(kinds, 1))
    end = data.draw(st.sampled_from([number for number, real in ids if real]))
    stream = USDM.stream(Trades("ETHUSDC"))
    arbiter = Arbiter([[stream], [stream]], patience=1, window=100)

    for side, part in enumerate([ids[:end], ids[end:]]):
        for event in delivered(part):
            arbiter.take(side, event, 0.0)

    assert [each.trade_id for each in arbiter.ready] == [number for number, real in ids if real]


@given(
    st.lists(st.booleans(), min_size=1).map(lambda kinds: [True, *kinds]),
    st.randoms(use_true_random=False),
)
async def test_two_feeds_of_them_are_merged_without_a_gap(kinds: list[bool], order: Random) -> None:
    stream = USDM.stream(Trades("ETHUSDC"))
    sides = [delivered(list(enumerate(kinds, 1)), session) for session in (1, 2)]
    arbiter = Arbiter([[stream], [stream]], patience=1, window=100)
    while any(sides):
        side = order.choice([number for number, events in enumerate(sides) if events])
        arbiter.take(side, sides[side].pop(0), 0.0)

    numbers = [number for number, real in enumerate(kinds, 1) if real]
    assert [getattr(each, "trade_id", each) for each in arbiter.ready] == numbers


@pytest.mark.parametrize(
    ("kind", "off_book"),
    [("MARKET", False), ("INSURANCE_FUND", True), ("ADL", True), ("NEW", False)],
)
def test_a_trade_says_whether_it_was_matched_in_the_book(kind: str, off_book: bool) -> None:
    event = USDM.stream(Trades("X")).decode(json.dumps({**trade(1), "X": kind}).encode())
    assert isinstance(event, Trade)
    assert event.off_book is off_book
    assert SPOT.stream(Trades("X")).decode(json.dumps(trade(1)).encode()).off_book is False
