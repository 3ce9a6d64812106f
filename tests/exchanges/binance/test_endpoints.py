"""Endpoints and the parameters of an exchange: values that work, or an error that says how."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from connector.channels import AggregateTrades, RawStream, Trades
from connector.errors import ConfigError
from connector.exchanges import binance

BOTH = pytest.mark.parametrize("kind", [binance.Spot, binance.UsdMFutures])


@BOTH
@pytest.mark.parametrize("where", [binance.PRODUCTION, binance.TESTNET, binance.DEMO])
def test_each_exchange_knows_its_own_urls(kind: Any, where: binance.Environment) -> None:
    exchange = kind(endpoints=where)
    assert exchange.endpoints.stream.startswith("wss://")
    assert exchange.endpoints.rest.startswith("https://")
    assert exchange.url(exchange.default_route).startswith(exchange.endpoints.stream)


def test_no_two_installations_share_a_stream_host() -> None:
    hosts = [
        kind(endpoints=where).endpoints.stream
        for kind in (binance.Spot, binance.UsdMFutures)
        for where in binance.Environment
    ]
    assert len(set(hosts)) == 6


@BOTH
@pytest.mark.parametrize("stream", ["ws://127.0.0.1:8080", "ws://127.0.0.1:8080/", "ws://[::1]:1"])
def test_ones_own_server(kind: Any, stream: str) -> None:
    exchange = kind(endpoints=binance.Endpoints(stream=stream, rest="http://127.0.0.1:8080/"))
    assert "//stream" not in exchange.url(exchange.default_route)
    assert exchange.url(exchange.default_route).endswith("/stream")
    assert exchange.endpoints.rest == "http://127.0.0.1:8080"


@pytest.mark.parametrize("where", list(binance.Environment))
def test_binance_carries_trades_of_futures_where_it_was_measured(
    where: binance.Environment,
) -> None:
    exchange = binance.UsdMFutures(endpoints=where)
    for channel in (Trades("ETHUSDC"), RawStream("ethusdc@trade")):
        assert exchange.stream(channel).route == "public"
    assert exchange.stream(AggregateTrades("ETHUSDC")).route == "market"


@pytest.mark.parametrize(("trades", "route"), [({}, "market"), ({"trades": "public"}, "public")])
def test_ones_own_server_may_carry_trades_elsewhere(trades: Any, route: str) -> None:
    endpoints = binance.Endpoints(stream="ws://h", rest="http://h", **trades)
    exchange = binance.UsdMFutures(endpoints=endpoints)
    assert exchange.stream(Trades("ETHUSDC")).route == route
    assert binance.Spot(endpoints=endpoints).stream(Trades("ETHUSDC")).route == "stream"


@pytest.mark.parametrize("trades", ["private", "/public", "", None, 1])
def test_a_route_that_does_not_exist(trades: Any) -> None:
    with pytest.raises(ConfigError, match="is not a route; write 'public' or 'market'"):
        binance.Endpoints(stream="ws://h", rest="http://h", trades=trades)


@pytest.mark.parametrize(
    ("stream", "rest", "said"),
    [
        ("http://h", "http://h", "stream does not begin with ws:// or wss://; write .*ws://127"),
        ("h:80", "http://h", "stream does not begin"),
        ("", "http://h", "stream does not begin"),
        (None, "http://h", "stream does not begin"),
        ("ws://", "http://h", "stream names no host"),
        ("ws://h:0", "http://h", "stream names port 0"),
        ("ws://h:99999", "http://h", "stream is not a URL"),
        ("ws://h/stream", "http://h", "stream ends in /stream"),
        ("ws://h/ws/", "http://h", "stream ends in /ws"),
        ("ws://h/public", "http://h", "stream ends in /public"),
        ("ws://h?a=1", "http://h", "stream holds a query"),
        ("ws://h h", "http://h", "stream holds a space"),
        ("ws://h", "ws://h", "rest does not begin with http:// or https://"),
        ("ws://h", "http://h/api/v3", "rest ends in /v3"),
        ("ws://me:secret@h", "http://h", "stream holds a user name or password"),
    ],
)
def test_a_wrong_url_says_what_to_write(stream: Any, rest: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        binance.Endpoints(stream=stream, rest=rest)
    assert "secret" not in str(caught.value)


@BOTH
@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"numbers": int}, "numbers is .*int.*float or decimal.Decimal"),
        ({"numbers": "Decimal"}, "numbers is 'Decimal'"),
        (
            {"endpoints": "wss://stream.binance.com"},
            "endpoints='wss://stream.binance.com' is not of Binance; write binance.TESTNET",
        ),
        ({"endpoints": None}, "endpoints=None is not of Binance"),
        ({"compression": 1}, "compression is 1; it can be True or False"),
    ],
)
def test_a_wrong_parameter_says_what_is_possible(
    kind: Any, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        kind(**parameters)


@BOTH
def test_an_exchange_is_a_frozen_value(kind: Any) -> None:
    assert kind() == kind(endpoints=binance.PRODUCTION, numbers=float)
    assert len({kind(), kind(), kind(numbers=Decimal), kind(compression=True)}) == 3
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        kind().numbers = Decimal


def test_limits_stay_below_what_binance_allows() -> None:
    assert binance.Spot().limits.requests_per_second < 5
    assert binance.UsdMFutures().limits.requests_per_second < 10
    for exchange in (binance.Spot(), binance.UsdMFutures()):
        assert exchange.limits.streams_per_connection == 1024
        assert exchange.limits.streams_per_request <= 100
        assert exchange.limits.connections_per_window == exchange.limits.window_seconds == 300
        assert exchange.limits.lifetime_seconds == 86_400
        assert exchange.limits.max_message_bytes == 4 * 1024 * 1024
