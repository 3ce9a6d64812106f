"""Channels become streams: names, routes, and refusals that say what is offered."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.channels import (
    AggregateTrades,
    AnyChannel,
    BestQuote,
    BookDeltas,
    Candles,
    Channel,
    Liquidations,
    MarkPrices,
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import ConfigError
from connector.events import Event
from connector.exchanges import binance
from connector.exchanges.binance.names import LONGEST_NAME_BYTES
from connector.testing.venues import rules

SPOT = binance.Spot()
USDM = binance.UsdMFutures()

SPOT_STREAMS: list[tuple[AnyChannel, str, float | None]] = [
    (Trades("ETHUSDC"), "ethusdc@trade", None),
    (AggregateTrades("ETHUSDC"), "ethusdc@aggTrade", None),
    (BestQuote("ETHUSDC"), "ethusdc@bookTicker", None),
    (PartialBook("ETHUSDC"), "ethusdc@depth5@100ms", 10),
    (PartialBook("ETHUSDC", levels=10, interval_ms=1000), "ethusdc@depth10", 30),
    (PartialBook("ETHUSDC", levels=20), "ethusdc@depth20@100ms", 10),
    (BookDeltas("ETHUSDC"), "ethusdc@depth@100ms", 10),
    (BookDeltas("ETHUSDC", interval_ms=1000), "ethusdc@depth", 30),
    (Candles("ETHUSDC", interval="1s"), "ethusdc@kline_1s", None),
    (Candles("ETHUSDC", interval="1M"), "ethusdc@kline_1M", None),
    (Tickers("ETHUSDC"), "ethusdc@ticker", None),
    (Trades("测试usdt"), "测试usdt@trade", None),
    (BestQuote("这是测试币456"), "这是测试币456@bookTicker", None),
    (RawStream("ETHUSDC@kline_1m@+08:00"), "ethusdc@kline_1m@+08:00", None),
    (RawStream("!miniTicker@arr"), "!miniTicker@arr", None),
]

USDM_STREAMS: list[tuple[AnyChannel, str, str, float | None]] = [
    (BestQuote("EthUsdc"), "ethusdc@bookTicker", "public", None),
    (PartialBook("ETHUSDC"), "ethusdc@depth5@100ms", "public", 10),
    (PartialBook("ETHUSDC", levels=20, interval_ms=250), "ethusdc@depth20", "public", 15),
    (PartialBook("ETHUSDC", levels=10, interval_ms=500), "ethusdc@depth10@500ms", "public", 15),
    (BookDeltas("ETHUSDC", interval_ms=0), "ethusdc@depth@0ms", "public", 10),
    (BookDeltas("ETHUSDC"), "ethusdc@depth@100ms", "public", 10),
    (BookDeltas("ETHUSDC", interval_ms=250), "ethusdc@depth", "public", 15),
    (BookDeltas("ETHUSDC", interval_ms=500), "ethusdc@depth@500ms", "public", 15),
    (Trades("BTCUSDT_260925"), "btcusdt_260925@trade", "public", None),
    (AggregateTrades("ETHUSDC"), "ethusdc@aggTrade", "market", None),
    (Candles("ETHUSDC", interval="4h"), "ethusdc@kline_4h", "market", None),
    (Tickers("测试USDT"), "测试usdt@ticker", "market", None),
    (Tickers(), "!ticker@arr", "market", 30),
    (MarkPrices("ETHUSDC"), "ethusdc@markPrice@1s", "market", 10),
    (MarkPrices("ETHUSDC", interval_ms=3000), "ethusdc@markPrice", "market", 15),
    (MarkPrices(), "!markPrice@arr@1s", "market", 10),
    (MarkPrices(interval_ms=3000), "!markPrice@arr", "market", 15),
    (Liquidations("ETHUSDC"), "ethusdc@forceOrder", "market", None),
    (Liquidations(), "!forceOrder@arr", "market", None),
]

# binance_usdm §2, name by name; trade as it was measured
RAW_ROUTES = {
    "public": [
        "btcusdt@bookTicker", "!bookTicker", "btcusdt@depth", "btcusdt@depth@0ms",
        "btcusdt@depth@100ms", "btcusdt@depth@500ms", "btcusdt@depth5", "btcusdt@depth10@100ms",
        "btcusdt@depth20@500ms", "btcusdt@rpiDepth@500ms", "测试usdt@depth", "btcusdt@trade",
    ],
    "market": [
        "btcusdt@aggTrade", "btcusdt@markPrice", "btcusdt@markPrice@1s",
        "!markPrice@arr", "!markPrice@arr@1s", "btcusdt@kline_1m",
        "btcusdt_current_quarter@continuousKline_15m", "btcusdt@miniTicker", "!miniTicker@arr",
        "btcusdt@ticker", "!ticker@arr", "btcusdt@forceOrder", "!forceOrder@arr",
        "defiusdt@compositeIndex", "!contractInfo", "!assetIndex@arr", "btcusd@assetIndex",
        "tradingSession", "btcusdt@somethingNew",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("channel", "name", "silence"), SPOT_STREAMS)
def test_spot_names(channel: AnyChannel, name: str, silence: float | None) -> None:
    stream = SPOT.stream(channel)
    assert (stream.name, stream.silence_seconds) == (name, silence)
    assert SPOT.url(stream.route) == "wss://stream.binance.com:9443/stream"
    assert stream.channel is channel
    assert not stream.many


@pytest.mark.parametrize(("channel", "name", "route", "silence"), USDM_STREAMS)
def test_usdm_names_and_routes(
    channel: AnyChannel, name: str, route: str, silence: float | None
) -> None:
    stream = USDM.stream(channel)
    assert (stream.name, stream.route, stream.silence_seconds) == (name, route, silence)
    assert USDM.url(stream.route) == f"wss://fstream.binance.com/{route}/stream"
    assert stream.many == (channel.symbol is None)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("route", "name"), [(route, name) for route, names in RAW_ROUTES.items() for name in names]
)
def test_raw_streams_take_the_route_of_their_name(route: str, name: str) -> None:
    stream = USDM.stream(RawStream(name))
    assert (stream.name, stream.route) == (name, route)


def test_the_simulated_exchange_knows_the_same_streams_on_the_same_routes() -> None:
    def route_there(table: tuple[tuple[str, str], ...], name: str) -> str | None:
        return next((route for names, route in table if re.fullmatch(names, name)), None)

    ours = {name: route for _, name, route, _ in USDM_STREAMS}
    ours |= {name: route for route, names in RAW_ROUTES.items() for name in names}
    del ours["btcusdt@somethingNew"]
    as_binance = rules.routed(rules.USDM, "public").streams
    there = {name: route_there(as_binance, name) for name in ours}
    assert there == {name: f"/{route}" for name, route in ours.items()}
    assert [
        name for _, name, _ in SPOT_STREAMS if route_there(rules.SPOT_STREAMS, name) is None
    ] == []


# The interval of a market that nobody chose: 100 and 1000 ms exist on both sides.
OPTIONS = {
    SPOT: {"levels": [5, 10, 20], "interval_ms": [100, 1000]},
    USDM: {"levels": [5, 10, 20], "interval_ms": [100, 250, 500]},
}


@pytest.mark.parametrize("exchange", [SPOT, USDM], ids=lambda each: each.name)
@given(data=st.data())
def test_partial_book_is_offered_exactly_as_listed(
    exchange: binance.Spot | binance.UsdMFutures, data: st.DataObject
) -> None:
    options = OPTIONS[exchange]
    wanted = {
        key: data.draw(st.one_of(st.sampled_from(values), st.integers(-1, 3000)), label=key)
        for key, values in options.items()
    }
    channel = PartialBook("ETHUSDC", **wanted)
    wrong = [key for key, value in wanted.items() if value not in options[key]]
    if not wrong:
        assert exchange.stream(channel).name.startswith(f"ethusdc@depth{channel.levels}")
        return
    with pytest.raises(ConfigError) as caught:
        exchange.stream(channel)
    assert all(str(value) in str(caught.value) for value in options[wrong[0]])


@attrs.frozen
class OrderBook(Channel[Event]):
    """A channel that neither exchange knows."""

    symbol: str


@pytest.mark.parametrize(
    ("exchange", "channel", "said"),
    [
        (SPOT, MarkPrices("ETHUSDC"), "does not offer MarkPrices.*it offers AggregateTrades, Best"),
        (SPOT, Liquidations(), "does not offer Liquidations.*Trades"),
        (SPOT, OrderBook("ETHUSDC"), "does not offer OrderBook.*RawStream"),
        (SPOT, Tickers(), r'write Tickers\("BTCUSDT"\).*offers no channel'),
        (SPOT, Candles("ETHUSDC", interval="7m"), "interval can be 1s, 1m, .*1M"),
        (SPOT, BookDeltas("ETHUSDC", interval_ms=0), "interval_ms can be 1000, 100"),
        (USDM, OrderBook("ETHUSDC"), "does not offer OrderBook.*MarkPrices"),
        (USDM, Candles("ETHUSDC", interval="1s"), "interval can be 1m, 3m"),
        (USDM, BookDeltas("ETHUSDC", interval_ms=1000), "interval_ms can be 0, 100, 250, 500"),
        (USDM, PartialBook("ETHUSDC", interval_ms=0), "interval_ms can be 100, 250, 500"),
        (USDM, MarkPrices(interval_ms=2000), "interval_ms can be 1000, 3000"),
        (USDM, Trades("ethusdc@depth5"), "not a symbol: it holds '@'"),
        (USDM, Trades("eth/usdc"), "holds '/'"),
        (USDM, Trades("E" * 80), "80 bytes|86 bytes"),
        (USDM, RawStream("listenKeyExpired"), "/private"),
        (USDM, RawStream('x"@y'), "not a stream name"),
        (USDM, RawStream("a@" + "b" * 80), "82 bytes"),
    ],
)
def test_what_is_not_offered_is_an_error_that_says_what_is(
    exchange: binance.Spot | binance.UsdMFutures, channel: AnyChannel, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        exchange.stream(channel)


@pytest.mark.parametrize("exchange", [SPOT, USDM], ids=lambda each: each.name)
def test_a_listen_key_is_refused_and_not_repeated(
    exchange: binance.Spot | binance.UsdMFutures,
) -> None:
    key = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
    with pytest.raises(ConfigError, match="listen key") as caught:
        exchange.stream(RawStream(key))
    assert key not in str(caught.value)


symbols = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd"]), min_size=1, max_size=12)


@pytest.mark.parametrize("exchange", [SPOT, USDM], ids=lambda each: each.name)
@given(symbol=symbols, data=st.data())
def test_case_of_a_symbol_does_not_matter(
    exchange: binance.Spot | binance.UsdMFutures, symbol: str, data: st.DataObject
) -> None:
    kind: Any = data.draw(st.sampled_from([Trades, BestQuote, PartialBook, BookDeltas, Tickers]))
    stream = exchange.stream(kind(symbol))
    again = exchange.stream(kind(symbol.lower()))
    assert (stream.name, stream.route) == (again.name, again.route)
    assert stream.name.startswith(symbol.lower() + "@")


@given(symbol=symbols, suffix=st.from_regex(re.compile(r"[A-Za-z0-9_@]{1,20}"), fullmatch=True))
def test_any_raw_name_keeps_its_suffix_and_has_a_url(symbol: str, suffix: str) -> None:
    name = f"{symbol.lower()}@{suffix}"
    for exchange in (SPOT, USDM):
        stream = exchange.stream(RawStream(name))
        assert stream.name == name
        assert exchange.url(stream.route).endswith("/stream")
        assert len(stream.name.encode()) <= LONGEST_NAME_BYTES


def test_routes_that_do_not_exist_are_refused() -> None:
    for exchange in (SPOT, USDM):
        assert exchange.url(exchange.default_route)
        with pytest.raises(ConfigError, match="has no route 'private'"):
            exchange.url("private")
