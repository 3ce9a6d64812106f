"""Continuity of ids: go on, drop, or flag a hole."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
from connector.events import Event
from connector.exchanges import binance

SPOT = binance.Spot()
USDM = binance.UsdMFutures()


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
