"""Typical mistakes of a first hour: each raises an error that says what to write instead."""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from trio.testing import MockClock

from connector import Adapter, ExchangeUnavailable, Reconnect, merge, open_adapter
from connector.channels import Candles, PartialBook, Trades
from connector.errors import ConfigError, HandshakeRejected
from connector.exchanges import binance, kraken
from connector.keys import ApiKey
from connector.orders import Limit, Limits
from connector.testing import MemoryNetwork, OrderFlow, TradingAccount, open_exchange

Mistake = Callable[[Any], Awaitable[Any]]
"""What a program does wrong with an open adapter, whose type does not stop it."""


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Any]:
    network = MemoryNetwork()
    async with (
        open_exchange("binance_usdm", source=OrderFlow(), network=network) as exchange,
        open_adapter(binance.UsdMFutures(endpoints=exchange.endpoints), dialer=network) as adapter,
    ):
        yield adapter


async def subscribe(adapter: Any, *channels: Any, **options: Any) -> None:
    async with adapter.subscribe(*channels, **options):
        pass


async def read_after_leaving(adapter: Adapter) -> None:
    async with adapter.subscribe(Trades("ETHUSDC")) as feed:
        pass
    await feed.receive()


async def iterate(adapter: Any) -> None:
    async with adapter.subscribe(Trades("ETHUSDC")) as feed:
        for _ in feed:
            pass


def read_candles(start: int) -> Mistake:
    async def read(adapter: Adapter) -> None:
        async for _ in adapter.candles("ETHUSDC", start=start):
            pass

    return read


async def merge_a_list(adapter: Adapter) -> None:
    async with adapter.subscribe(Trades("ETHUSDC")) as feed:
        merge([feed, feed])  # type: ignore[arg-type]  # that is the mistake


async def open_account(adapter: Any, key: Any, **options: Any) -> None:
    async with adapter.open_account(key, **options):
        pass


WITH_AN_ADAPTER: list[tuple[str, Mistake, str]] = [
    ("a class for a channel", lambda a: subscribe(a, Trades), "such as Trades"),
    ("a string for a channel", lambda a: subscribe(a, "ETHUSDC"), "such as Trades"),
    ("a list of channels", lambda a: subscribe(a, [Trades("ETHUSDC")]), r"subscribe\(\*channels\)"),
    ("no channel", subscribe, "at least one channel"),
    ("a slash", lambda a: subscribe(a, Trades("ETH/USDC")), "such as 'ETHUSDC'"),
    ("levels", lambda a: subscribe(a, PartialBook("ETHUSDC", levels=7)), "can be 5, 10, 20"),
    ("interval", lambda a: subscribe(a, Candles("ETHUSDC", "1 minute")), "can be 1m, 3m"),
    (
        "overflow as text",
        lambda a: subscribe(a, Trades("ETHUSDC"), overflow="conflate"),
        "Overflow.CONFLATE",
    ),
    ("no buffer", lambda a: subscribe(a, Trades("ETHUSDC"), buffer=0), "whole number >= 1"),
    ("gaps", lambda a: subscribe(a, Trades("ETHUSDC"), gaps="yes"), 'True, False or "all"'),
    ("a feed after its block", read_after_leaving, "only inside its `async with`"),
    ("a list to merge", merge_a_list, r"merge\(\*feeds\)"),
    ("`for` without async", iterate, "write `async for"),
    ("await before candles", lambda a: a.candles("ETHUSDC", start=0), "write `async for"),
    ("seconds for nanoseconds", read_candles(1_796_066_998), "multiply seconds by"),
    ("milliseconds for nanoseconds", read_candles(1_796_066_998_000), "milliseconds by"),
    ("depth of nothing", lambda a: a.depth(None), "such as 'ETHUSDC'"),
    ("a limit as text", lambda a: a.depth("ETHUSDC", limit="5"), "whole number >= 1"),
    ("a timeout as text", lambda a: a.depth("ETHUSDC", timeout="5"), "number of seconds"),
    (
        "a name with a space",
        lambda a: open_account(a, ApiKey("k", "s"), name="my bot", limits=Limits.none()),
        "such as 'mm1'",
    ),
    (
        "no limits",
        lambda a: open_account(a, ApiKey("k", "s"), name="mm1", limits=None),
        "Limits.none",
    ),
    (
        "a tuple for a key",
        lambda a: open_account(a, ("k", "s"), name="mm1", limits=Limits.none()),
        "ApiKey.from_environment",
    ),
]


@pytest.mark.parametrize(
    ("mistake", "advice"),
    [pytest.param(mistake, advice, id=name) for name, mistake, advice in WITH_AN_ADAPTER],
)
async def test_a_mistake_with_an_adapter(
    mistake: Mistake, advice: str, autojump_clock: MockClock
) -> None:
    async with opened() as adapter:
        with pytest.raises(Exception, match=advice):
            await mistake(adapter)


def test_no_limit_is_a_timeout_as_well() -> None:
    from connector.inputs.validation import check_timeout

    check_timeout(math.inf)
    check_timeout(0)


ARGUMENTS: list[tuple[str, Callable[[], Any], str]] = [
    ("the exchange's class", lambda: open_adapter(binance.Spot), r"binance.Spot\(\)"),  # type: ignore[arg-type]
    ("the exchange's name", lambda: open_adapter("binance_spot"), r"binance.Spot\(\)"),  # type: ignore[arg-type]
    (
        "the network's class as a dialer",
        lambda: open_adapter(binance.Spot(), dialer=MemoryNetwork),  # type: ignore[arg-type]
        "write a Dialer",
    ),
    (
        "a number for reconnect",
        lambda: open_adapter(binance.Spot(), reconnect=5),  # type: ignore[arg-type]
        r"Reconnect\(cap=30\)",
    ),
    (
        "the network's class",
        lambda: open_exchange("binance_usdm", network=MemoryNetwork),  # type: ignore[arg-type]
        r"network = MemoryNetwork\(\)",
    ),
    (
        "the source's class",
        lambda: open_exchange("binance_usdm", source=OrderFlow),  # type: ignore[arg-type]
        r"OrderFlow\(\)",
    ),
    (
        "one account without a list",
        lambda: open_exchange("binance_usdm", accounts=TradingAccount("me", {"USDC": "1"})),  # type: ignore[arg-type]
        "write a list",
    ),
    (
        "a venue without its underscore",
        lambda: open_exchange("binanceusdm"),  # type: ignore[arg-type]
        "did you mean 'binance_usdm'",
    ),
]


@pytest.mark.parametrize(
    ("open_block", "advice"),
    [pytest.param(open_block, advice, id=name) for name, open_block, advice in ARGUMENTS],
)
async def test_a_mistake_in_an_argument(open_block: Callable[[], Any], advice: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=advice):
        async with open_block():
            pass


VALUES: list[tuple[str, Callable[[], Any], str]] = [
    ("a list for a symbol", lambda: Trades(["ETHUSDC"]), 'such as "ETHUSDC"'),  # type: ignore[arg-type]
    ("no scheme", lambda: binance.Endpoints(stream="localhost:1", rest="localhost"), "ws://"),
    ("a URL for endpoints", lambda: binance.Spot(endpoints="ws://x"), "binance.Endpoints"),  # type: ignore[arg-type]
    ("another exchange's endpoints", lambda: kraken.Spot(endpoints=binance.TESTNET), "kraken.End"),  # type: ignore[arg-type]
    ("an empty key", lambda: ApiKey("", "s"), "key is empty"),
    ("a PEM for HMAC", lambda: ApiKey("k", "-----BEGIN PRIVATE KEY-----\n"), "kind='ed25519'"),
    ("a float", lambda: Limit("ETHUSDC", "buy", quantity=0.1, price="3"), "quantity='0.1'"),
    ("a side in capitals", lambda: Limit("E", "BUY", quantity="1", price="3"), "'buy' or 'sell'"),  # type: ignore[arg-type]
    ("empty limits", Limits, r"Limits.none\(\)"),
    ("no key", lambda: ApiKey.from_environment("NOWHERE"), "set NOWHERE_KEY"),
    ("one feed", merge, "at least two feeds"),
]


@pytest.mark.parametrize(
    ("make", "advice"), [pytest.param(make, advice, id=name) for name, make, advice in VALUES]
)
def test_a_mistake_in_a_value(make: Callable[[], Any], advice: str) -> None:
    with pytest.raises((ConfigError, TypeError), match=advice):
        make()


async def test_an_exchange_without_accounts_is_named(autojump_clock: MockClock) -> None:
    async with opened() as adapter:
        with pytest.raises(HandshakeRejected, match="404") as caught:
            await open_account(adapter, ApiKey("k", "s"), name="mm1", limits=Limits.none())

    assert "open_exchange(…, accounts=" in caught.value.__notes__[0]


async def test_a_forgotten_dialer_is_named() -> None:
    network = MemoryNetwork()
    with pytest.raises(ExchangeUnavailable, match=r"dialer=network"):
        async with (
            open_exchange("binance_usdm", source=OrderFlow(), network=network) as exchange,
            open_adapter(
                binance.UsdMFutures(endpoints=exchange.endpoints),
                reconnect=Reconnect(max_attempts=1),
            ) as adapter,
        ):
            await subscribe(adapter, Trades("ETHUSDC"))


async def test_a_port_in_use_says_how_to_do_without() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError) as caught:
            async with open_exchange("binance_usdm", port=taken.getsockname()[1]):
                pass
    assert "leave out `port`" in caught.value.__notes__[0]
