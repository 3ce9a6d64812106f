"""Requests: what was asked, as JSON, never longer than assumed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.channels import PartialBook, RawStream, Trades
from connector.errors import ConfigError
from connector.exchanges import binance
from connector.exchanges.binance.frames import LONGEST_REQUEST_BYTES
from connector.exchanges.binance.names import LONGEST_NAME_BYTES

EXCHANGES = [binance.Spot(), binance.UsdMFutures()]
BOTH = pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda each: each.name)


@BOTH
@given(
    symbols=st.lists(st.sampled_from(["ETHUSDC", "测试USDT", "这是测试币456", "BTCUSDT_260925"])),
    request_id=st.integers(0, 2**63 - 1),
)
def test_a_request_says_what_was_asked(
    exchange: binance.Spot | binance.UsdMFutures, symbols: list[str], request_id: int
) -> None:
    streams = [exchange.stream(PartialBook(symbol)) for symbol in symbols]
    for method, text in (
        ("SUBSCRIBE", exchange.subscribe(request_id, streams)),
        ("UNSUBSCRIBE", exchange.unsubscribe(request_id, streams)),
    ):
        names = [f"{symbol.lower()}@depth5@100ms" for symbol in symbols]
        assert json.loads(text) == {"method": method, "params": names, "id": request_id}


def test_names_that_are_not_ascii_travel_as_utf8() -> None:
    exchange = binance.Spot()
    text = exchange.subscribe(1, [exchange.stream(Trades("测试USDT"))])
    assert text == '{"method":"SUBSCRIBE","params":["测试usdt@trade"],"id":1}'


@BOTH
def test_the_longest_request_fits(exchange: binance.Spot | binance.UsdMFutures) -> None:
    longest = exchange.stream(RawStream("x@" + "y" * (LONGEST_NAME_BYTES - 2)))
    streams = [longest] * exchange.limits.streams_per_request
    assert len(exchange.unsubscribe(2**63 - 1, streams).encode()) <= LONGEST_REQUEST_BYTES
    with pytest.raises(ConfigError):
        exchange.stream(RawStream("x@" + "y" * (LONGEST_NAME_BYTES - 1)))


@pytest.mark.parametrize(
    "name",
    [
        "1000000mogusdt_260925@depth20@100ms",
        "abcdefghijklmnopqrst_current_quarter@continuousKline_15m",
        "币" * 20 + "@depth20@100ms",
    ],
)
def test_no_real_name_is_too_long(name: str) -> None:
    assert binance.UsdMFutures().stream(RawStream(name)).name == name
