"""Quantities of one swap of each exchange, converted to the base, agree with each other.

Exchanges count in the base asset, in USD or in contracts, and some say a volume both ways: the
conversion of the one is the other. And what is quoted and traded of BTC at one time is about as
much on one exchange as on another; a unit that is taken for another is off by a thousand.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from connector.channels import BestQuote, Tickers, Trades
from connector.exchanges import binance, bybit, okx
from connector.exchanges.protocol import Data
from connector.instruments import Instrument, find

Frames = Callable[[str], Iterator[bytes]]

COIN_MARGINED = b"""{"symbols": [{"symbol": "BTCUSD_PERP", "pair": "BTCUSD",
 "contractType": "PERPETUAL", "deliveryDate": 4133404800000, "contractStatus": "TRADING",
 "contractSize": 100, "marginAsset": "BTC", "baseAsset": "BTC", "quoteAsset": "USD",
 "filters": [{"filterType": "LOT_SIZE", "stepSize": "1"}]}]}"""
"""In the words of the notes (binance_coinm §2): no reply is stored."""


def bybit_instruments(folder: Path, exchange: Any, category: str) -> list[Instrument]:
    stored = f"bybit/frames/nautilus/http_get_instruments_{category}.json"
    items: tuple[Instrument, ...] = (
        exchange.instruments().decode((folder / stored).read_bytes()).items
    )
    return list(items)


def bybit_ticker(folder: Path, exchange: Any, symbol: str) -> Any:
    stream = exchange.stream(Tickers(symbol))
    lines = (folder / "bybit/frames/tardis_node/bybit__messagesV5.jsonl").read_bytes().splitlines()
    frame = next(
        line for line in lines if b'"tickers.%s"' % symbol.encode() in line and b"snapshot" in line
    )
    (ticker,) = stream.fold(None, stream.decode(frame))
    return ticker


def okx_instruments(folder: Path) -> list[Instrument]:
    found: dict[str, Instrument] = {}
    with gzip.open(folder / "okx/rest_instruments_2022.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            if row["k"] == "http" and row["u"].endswith("instType=SWAP"):
                page: Any = okx.Okx().instruments().decode(row["m"].encode())
                found |= {each.symbol: each for each in page.items}
    return list(found.values())


def test_volumes_that_bybit_says_both_ways(data_folder: Path) -> None:
    inverse = bybit.Inverse(numbers=Decimal)
    swap = find(
        bybit_instruments(data_folder, inverse, "inverse"), base="BTC", quote="USD",
        kind="perpetual",
    )  # fmt: skip
    dollars = bybit_ticker(data_folder, inverse, swap.symbol)
    low, high = (swap.base_quantity(dollars.volume, at) for at in (dollars.high, dollars.low))
    assert low < dollars.quote_volume < high, "its turnover is in the base"

    linear = bybit.Linear(numbers=Decimal)
    other = find(
        bybit_instruments(data_folder, linear, "linear"), base="BTC", quote="USDT",
        kind="perpetual",
    )  # fmt: skip
    coins = bybit_ticker(data_folder, linear, other.symbol)
    assert other.base_quantity(coins.volume) == coins.volume
    # What a bitcoin cost on the average of the same day, on either.
    average = coins.quote_volume / other.base_quantity(coins.volume)
    assert average == pytest.approx(dollars.volume / dollars.quote_volume, rel=Decimal("0.01"))
    assert swap.base_quantity(dollars.volume, average) == pytest.approx(
        dollars.quote_volume, rel=Decimal("0.01")
    )


def test_volumes_that_okx_says_both_ways(data_folder: Path, received_frames: Frames) -> None:
    known = okx_instruments(data_folder)
    exchange = okx.Okx(numbers=Decimal)
    swap = find(known, base="UNI", quote="USD", kind="perpetual")
    assert swap.inverse
    compared = 0
    for frame in received_frames("okx/v5_public_20220513.jsonl.gz"):
        message = exchange.parse(frame)
        if isinstance(message, Data) and message.stream == f"tickers:{swap.symbol}":
            (ticker,) = exchange.stream(Tickers(swap.symbol)).decode(message.payload)  # type: ignore[misc]
            low, high = (swap.base_quantity(ticker.volume, at) for at in (ticker.high, ticker.low))
            assert low < ticker.quote_volume < high
            compared += 1
    assert compared >= 1, "it was hardly traded"

    stored = data_folder / "okx/frames/nautilus/http_get_candlesticks_full.json"
    linear = find(known, base="BTC", quote="USDT", kind="perpetual")
    for row in json.loads(stored.read_text())["data"]:
        contracts, coins = Decimal(row[5]), Decimal(row[6])
        assert linear.base_quantity(contracts) == coins


def quotes_and_trades(
    exchange: Any, swap: Instrument, frames: Iterator[bytes], most: int
) -> tuple[float, float]:
    """The median of what is bid best, and of what is traded, in the base."""
    streams = {
        stream.name: stream
        for stream in map(exchange.stream, (BestQuote(swap.symbol), Trades(swap.symbol)))
    }
    bid: list[float] = []
    traded: list[float] = []
    for frame in frames:
        message = exchange.parse(frame)
        if not isinstance(message, Data) or message.stream not in streams:
            continue
        event = streams[message.stream].decode(message.payload)
        if hasattr(event, "bid_quantity"):
            bid.append(swap.base_quantity(event.bid_quantity, event.bid_price))
        elif event.quantity:
            traded.append(swap.base_quantity(event.quantity, event.price))
        if len(bid) > most and len(traded) > most // 10:
            break
    return median(bid), median(traded)


def test_what_binance_counts_in_contracts_and_in_coins(
    data_folder: Path, received_frames: Frames
) -> None:
    coin_margined = binance.CoinMFutures()
    (swap,) = coin_margined.instruments().decode(COIN_MARGINED)
    assert (swap.quantity_unit, swap.inverse, swap.contract_size) == ("contracts", True, 100)
    with gzip.open(data_folder / "binance_usdm/rest_exchangeInfo_2021.jsonl.gz", "rt") as lines:
        bodies = [json.loads(line) for line in lines]
    body = next(row["m"] for row in bodies if row["k"] == "http" and "BTCUSDT" in row["m"])
    linear = binance.UsdMFutures()
    coins = find(linear.instruments().decode(body.encode()), base="BTC", quote="USDT",
                 kind="perpetual")  # fmt: skip
    assert coins.quantity_unit == "base"

    ours = quotes_and_trades(
        coin_margined, swap, received_frames("binance_coinm/btcusd_perp_20240808.jsonl.gz"), 2000
    )
    theirs = quotes_and_trades(
        linear, coins, received_frames("binance_usdm/btcusdt_20240808.jsonl.gz"), 2000
    )
    for one, other in zip(ours, theirs, strict=True):
        assert 0.1 < one / other < 10, "contracts would be off by more than 600"


def test_what_bybit_quotes_in_dollars_and_in_coins(data_folder: Path) -> None:
    lines = (data_folder / "bybit/frames/tardis_node/bybit__messagesV5.jsonl").read_bytes()
    sizes = {}
    for exchange, category, symbol in (
        (bybit.Inverse(), "inverse", "BTCUSD"),
        (bybit.Linear(), "linear", "BTCUSDT"),
    ):
        known = {each.symbol: each for each in bybit_instruments(data_folder, exchange, category)}
        frame = next(
            json.loads(line)["data"]
            for line in lines.splitlines()
            if b'"tickers.%s"' % symbol.encode() in line and b"openInterestValue" in line
        )
        open_interest = float(frame["openInterest"])
        sizes[category] = known[symbol].base_quantity(open_interest, float(frame["markPrice"]))
        # In the coin of an inverse contract, in the dollars of a linear one.
        value = float(frame["openInterestValue"])
        coins = value if category == "inverse" else value / float(frame["markPrice"])
        assert sizes[category] == pytest.approx(coins, rel=0.01)
    assert 0.1 < sizes["inverse"] / sizes["linear"] < 10
