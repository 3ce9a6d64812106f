"""Channels are values; one that cannot be is refused where it is written."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import pytest

from connector import channels
from connector.channels import (
    Candles,
    Channel,
    Liquidations,
    MarkPrices,
    OrderBook,
    Tickers,
    Trades,
)
from connector.errors import ConfigError

KINDS: list[Any] = [
    kind
    for kind in vars(channels).values()
    if isinstance(kind, type) and issubclass(kind, Channel) and kind is not Channel
]
OF_ALL_SYMBOLS = {Tickers, MarkPrices, Liquidations}

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@kinds
def test_a_channel_is_a_value(kind: Any) -> None:
    channel = kind("ETHUSDC")

    for other in (kind("ETHUSDC"), copy.deepcopy(channel), pickle.loads(pickle.dumps(channel))):
        assert other == channel
        assert hash(other) == hash(channel)
    assert channel != kind("BTCUSDC")
    assert len({each("ETHUSDC") for each in KINDS}) == len(KINDS)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        channel.symbol = "BTCUSDC"


@kinds
def test_every_channel_is_exported_and_documented(kind: Any) -> None:
    assert kind.__name__ in channels.__all__
    assert kind.__doc__


@kinds
@pytest.mark.parametrize(
    "symbol", ["ETHUSDC", "ethusdc", "币安人生USDT", "BTCUSDT_240927", "1000PEPE"]
)
def test_symbols_are_written_in_any_case_and_script(kind: Any, symbol: str) -> None:
    assert symbol in attrs.astuple(kind(symbol))


@kinds
@pytest.mark.parametrize("symbol", ["", " ", "ETH USDC", "ETH\n", "\x00", 1, b"ETHUSDC", ["ETH"]])
def test_what_is_no_symbol_is_refused_with_an_example(kind: Any, symbol: object) -> None:
    with pytest.raises(ConfigError, match=rf"{kind.__name__}.*ETHUSDC"):
        kind(symbol)


@kinds
def test_all_symbols_are_wanted_only_where_there_is_such_a_channel(kind: Any) -> None:
    if kind in OF_ALL_SYMBOLS:
        assert kind().symbol is None
    else:
        with pytest.raises(ConfigError, match="None is not a symbol"):
            kind(None)


@pytest.mark.parametrize("depth", [0, -1, 2.5, "20", True])
def test_the_depth_of_a_book_is_a_number_of_levels(depth: Any) -> None:
    with pytest.raises(ConfigError, match="depth"):
        OrderBook("ETHUSDC", depth=depth)


def test_defaults_are_what_most_want() -> None:
    assert Candles("ETHUSDC").interval == "1m"
    assert OrderBook("ETHUSDC").depth is None
    assert repr(Trades("ETHUSDC")) == "Trades(symbol='ETHUSDC')"
