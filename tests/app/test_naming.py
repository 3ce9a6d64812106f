"""Names of channels and exchanges: what is written is read, and mistakes are explained."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import ConfigError
from connector.app.naming import (
    CHANNELS,
    EXCHANGES,
    environments,
    find_exchange,
    make_channel,
    parse_channel,
    parse_channels,
    write_channel,
)
from connector.channels import (
    AnyChannel,
    BookDeltas,
    Candles,
    Liquidations,
    OrderBook,
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        ("trades:ETHUSDC", Trades("ETHUSDC")),
        ("partial_book:ETHUSDC,levels=10", PartialBook("ETHUSDC", levels=10)),
        ("book_deltas:symbol=ethusdc,interval_ms=0", BookDeltas("ethusdc", interval_ms=0)),
        ("candles:BTCUSDT,interval=5m", Candles("BTCUSDT", "5m")),
        ("order_book:BTCUSDT,synced_only=true", OrderBook("BTCUSDT", synced_only=True)),
        ("liquidations", Liquidations()),
        ("tickers:测试USDT", Tickers("测试USDT")),
        ("raw_stream:!ticker@arr", RawStream("!ticker@arr")),
        ("trades:1000000", Trades("1000000")),
    ],
)
def test_a_channel_is_its_class_in_snake_case_with_arguments(
    text: str, channel: AnyChannel
) -> None:
    assert parse_channel(text) == channel
    assert parse_channel(write_channel(channel)) == channel


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("trade:ETHUSDC", "unknown channel 'trade'; did you mean 'trades'?"),
        ("xyz", "unknown channel 'xyz'; there are aggregate_trades, "),
        ("trades", "trades needs symbol, such as trades:ETHUSDC"),
        ("raw_stream", "raw_stream needs name, such as raw_stream:ethusdc@depth"),
        ("partial_book:ETHUSDC,level=5", "did you mean 'levels'?"),
        ("partial_book:ETHUSDC,5", "write '5' with its name"),
        ("trades:ETH USDC", "'ETH USDC' is not a symbol"),
    ],
)
def test_a_mistake_is_explained(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_channel(text)

    assert says in str(raised.value)


def test_a_channel_without_a_symbol_is_one_for_each_of_the_symbols() -> None:
    symbols = ["ETHUSDC", "BTCUSDC"]

    assert parse_channels("partial_book:levels=10", symbols) == (
        PartialBook("ETHUSDC", levels=10), PartialBook("BTCUSDC", levels=10),
    )  # fmt: skip
    assert parse_channels("trades:SOLUSDC", symbols) == (Trades("SOLUSDC"),)
    assert parse_channels("trades:SOLUSDC,ETHUSDC", symbols) == (
        Trades("SOLUSDC"), Trades("ETHUSDC"),
    )  # fmt: skip
    assert parse_channels("partial_book:A,B,levels=10", []) == (
        PartialBook("A", levels=10), PartialBook("B", levels=10),
    )  # fmt: skip
    assert parse_channels("liquidations", []) == (Liquidations(),)
    assert parse_channels("liquidations", ["X"]) == (Liquidations("X"),)
    assert parse_channels("raw_stream:!x", symbols) == (RawStream("!x"),)


def test_an_exchange_goes_by_its_own_name() -> None:
    for name, kind in EXCHANGES.items():
        assert find_exchange(name) is kind
        assert kind().name == name
    with pytest.raises(ConfigError, match="did you mean 'binance_usdm'"):
        find_exchange("binance_usd")


@given(st.sampled_from(sorted(CHANNELS)), st.from_regex(r"[A-Z0-9]{2,12}", fullmatch=True))
def test_what_is_written_is_read(kind: str, first: str) -> None:
    name = "name" if kind == "raw_stream" else "symbol"
    channel = make_channel(kind, {name: first})

    assert parse_channel(write_channel(channel)) == channel


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_every_exchange_has_its_installations(exchange: str) -> None:
    found = environments(exchange)

    assert next(iter(found)) == "production"
    for endpoints in found.values():
        made = EXCHANGES[exchange](endpoints=endpoints)
        assert made.url(made.default_route).startswith("wss://")
    production = EXCHANGES[exchange](endpoints=found["production"])
    assert production.url(production.default_route) == EXCHANGES[exchange]().url(
        production.default_route
    )


def test_installations_that_few_have() -> None:
    assert set(environments("okx")) == {"production", "demo", "eea", "us", "demo_eea", "demo_us"}
    assert set(environments("deribit")) == {"production", "testnet", "streams"}
    assert set(environments("kraken_futures")) == {"production"}
    assert set(environments("kraken_unified")) == {"production"}
