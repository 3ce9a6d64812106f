"""Binance COIN-M: one route, contracts, books from captures, and a market kept apart from USD-M's.

Source: binance_coinm; data: binance_coinm/btcusd_perp_2024080*.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from connector.book import Book, Extent
from connector.book.machine import Outcome
from connector.channels import (
    BookDeltas,
    Liquidations,
    MarkPrices,
    OrderBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import ConfigError
from connector.events import BookDelta, BookSnapshot
from connector.exchanges import binance

CAPTURE = "binance_coinm/btcusd_perp_20240808.jsonl.gz"
COINM = binance.CoinMFutures()

INFO = {
    "symbols": [
        {
            "symbol": "BTCUSD_PERP",
            "pair": "BTCUSD",
            "contractType": "PERPETUAL",
            "contractStatus": "TRADING",
            "contractSize": 100,
            "baseAsset": "BTC",
            "quoteAsset": "USD",
            "marginAsset": "BTC",
            "deliveryDate": 4133404800000,
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.1", "minPrice": "1000"},
                {"filterType": "LOT_SIZE", "stepSize": "1", "minQty": "1", "maxQty": "1000000"},
            ],
        },
        {
            "symbol": "BTCUSD_260925",
            "pair": "BTCUSD",
            "contractType": "CURRENT_QUARTER",
            "contractStatus": "PRE_DELIVERING",
            "contractSize": 100,
            "baseAsset": "BTC",
            "quoteAsset": "USD",
            "marginAsset": "BTC",
            "deliveryDate": 1790323200000,
            "filters": [],
        },
    ]
}
"""binance_coinm §2."""


def ticker(symbol: str, market: int | None) -> dict[str, object]:
    told = {} if market is None else {"st": market}
    return {
        "e": "24hrTicker", "E": 1, "s": symbol, "ps": "BTCUSD", "p": "1", "P": "1", "w": "1",
        "c": "60000", "Q": "1", "o": "59999", "h": "60001", "l": "59000", "v": "10", "q": "0.02",
        "O": 1, "C": 2, "F": 1, "L": 2, "n": 2, **told,
    }  # fmt: skip


def test_there_is_one_route() -> None:
    assert COINM.url(COINM.default_route) == "wss://dstream.binance.com/stream"
    assert COINM.stream(Trades("BTCUSD_PERP")).route == COINM.default_route
    assert COINM.stream(RawStream("btcusd_perp@indexPrice")).route == COINM.default_route
    with pytest.raises(ConfigError, match="no route 'market'"):
        COINM.url("market")


@pytest.mark.parametrize("endpoints", [binance.PRODUCTION, binance.TESTNET, binance.DEMO])
def test_each_installation_is_its_own(endpoints: binance.Environment) -> None:
    exchange = binance.CoinMFutures(endpoints=endpoints)

    assert "dstream" in exchange.url(exchange.default_route)
    assert exchange.rest.url.startswith("https://")


def test_an_underscore_belongs_to_the_symbol() -> None:
    stream = COINM.stream(BookDeltas("BTCUSD_PERP", interval_ms=0))

    assert (stream.name, stream.symbol) == ("btcusd_perp@depth@0ms", "BTCUSD_PERP")


def test_mark_prices_are_of_one_symbol() -> None:
    assert COINM.stream(MarkPrices("BTCUSD_PERP")).name == "btcusd_perp@markPrice@1s"
    with pytest.raises(ConfigError, match="for one symbol at a time"):
        COINM.stream(MarkPrices())


@pytest.mark.parametrize("told", [True, False])
def test_streams_of_all_leave_the_other_market_out(told: bool) -> None:
    coin, dollar = (
        ticker("BTCUSD_PERP", 2 if told else None),
        ticker("BTCUSDT", 1 if told else None),
    )
    payload = json.dumps([dollar, coin]).encode()

    mine = COINM.stream(Tickers()).decode(payload)
    theirs = binance.UsdMFutures().stream(Tickers()).decode(payload)

    assert isinstance(mine, list) and isinstance(theirs, list)
    assert [event.symbol for event in mine] == ["BTCUSD_PERP"]
    assert [event.symbol for event in theirs] == ["BTCUSDT"]


def test_a_liquidation_of_the_other_market_is_left_out() -> None:
    order = {"S": "SELL", "o": "LIMIT", "f": "IOC", "q": "1", "p": "1", "ap": "1", "z": "1"}
    frames = [
        {"e": "forceOrder", "E": 1, "o": {"s": symbol, **order}, "st": market}
        for symbol, market in (("BTCUSDT", 1), ("BTCUSD_PERP", 2))
    ]

    decode = COINM.stream(Liquidations()).decode
    told = [event.symbol for each in frames for event in decode(json.dumps(each).encode())]

    assert told == ["BTCUSD_PERP"]


def test_instruments_count_in_contracts() -> None:
    request = COINM.instruments()
    perpetual, delivery = request.decode(json.dumps(INFO).encode())

    assert request.target == "/dapi/v1/exchangeInfo"
    assert (perpetual.kind, delivery.kind) == ("perpetual", "future")
    assert perpetual.quantity_unit == "contracts"
    assert perpetual.inverse
    assert perpetual.settle == "BTC"
    # Twelve contracts of 100 dollars at 60,000 are 0.02 bitcoin.
    assert perpetual.base_quantity(Decimal(12), Decimal(60000)) == Decimal("0.02")


def test_a_book_is_right_through_a_whole_capture(data_folder: Path) -> None:
    """The join rule of futures, and not one break of ``pu`` in 26,846 pairs."""
    stream = COINM.stream(BookDeltas("BTCUSD_PERP", interval_ms=0))
    source = COINM.stream(OrderBook("BTCUSD_PERP")).book
    assert source is not None
    assert source.snapshot is not None
    book = Book(source.rules, Extent())
    deltas = snapshots = 0
    outcomes: Counter[Outcome] = Counter()
    with gzip.open(data_folder / CAPTURE, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            text = record["m"]
            if record["k"] == "http":
                snapshot = source.snapshot.decode(text.encode())
                assert isinstance(snapshot, BookSnapshot)
                outcomes[book.fetched(snapshot)] += 1
                snapshots += 1
                continue
            if record["k"] != "recv" or "@depth" not in text[:60]:
                continue
            delta = stream.decode(text[text.index('"data":') + 7 : -1].encode())
            assert isinstance(delta, BookDelta)
            outcomes[book.delta(delta)] += 1
            deltas += 1
            if book.wants_snapshot and not snapshots:
                book.asked()

    assert (snapshots, deltas) == (1, 26847)
    assert book.synced
    assert outcomes[Outcome.LOST] == 0
    assert book.bids[0].price < book.asks[0].price
