"""A configuration: what can be written is read, and every mistake is told with line and key."""

from __future__ import annotations

import importlib.util
import sys
from decimal import Decimal
from typing import Any

import pytest

from connector import Overflow, Reconnect
from connector.app.running.configuration import (
    Configuration,
    Misconfigured,
    read_configuration,
    split_address,
)
from connector.app.running.sinks import JsonLines, LogLines
from connector.app.running.venues import RealWorld
from connector.app.secret import Secret
from connector.channels import BestQuote, Liquidations, PartialBook, Trades
from connector.exchanges import binance
from connector.transport import TcpDialer, way_to

WHOLE = """\
[run]
shutdown_timeout = 5

[log]
level = "debug"
format = "json"

[metrics]
bind = "0.0.0.0:9100"
token = { env = "METRICS_TOKEN" }

[adapters.futures]
exchange = "binance_usdm"
endpoints = "testnet"
numbers = "decimal"
compression = true
stale_after = 8
reconnect = { initial = 0.5, cap = 30 }

[adapters.spot]
exchange = "binance_spot"
endpoints = { stream = "ws://127.0.0.1:8080", rest = "http://127.0.0.1:8080" }
close_timeout = 0

[groups.ticks]
adapter = "futures"
channels = ["trades", "best_quote", "partial_book:levels=10"]
symbols = ["ETHUSDC", "BTCUSDC"]
buffer = 4096
overflow = "drop_oldest"

[groups.all]
adapter = "futures"
channels = ["liquidations"]
gaps = false

[groups.spot]
adapter = "spot"
channels = ["trades:BTCUSDT"]

[[sinks]]
kind = "jsonl"
path = "events.jsonl"
groups = ["ticks", "spot"]

[[sinks]]
kind = "log"
name = "counts"
every = 60
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(Misconfigured) as raised:
        read_configuration(text)
    return [str(each) for each in raised.value.mistakes]


def read(monkeypatch: pytest.MonkeyPatch) -> Configuration:
    monkeypatch.setenv("METRICS_TOKEN", "hunter2")
    return read_configuration(WHOLE)


def test_everything_that_can_be_written_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch)

    futures, spot = found.adapters["futures"], found.adapters["spot"]
    assert futures.exchange == binance.UsdMFutures(
        endpoints=binance.TESTNET, numbers=Decimal, compression=True
    )
    assert (futures.stale_after, futures.close_timeout) == (8.0, 2.0)
    assert futures.reconnect == Reconnect(initial=0.5, cap=30)
    assert spot.exchange.url("stream").startswith("ws://127.0.0.1:8080")
    ticks = found.groups["ticks"]
    assert ticks.channels == (
        Trades("ETHUSDC"), Trades("BTCUSDC"), BestQuote("ETHUSDC"), BestQuote("BTCUSDC"),
        PartialBook("ETHUSDC", levels=10), PartialBook("BTCUSDC", levels=10),
    )  # fmt: skip
    assert (ticks.buffer, ticks.overflow, ticks.gaps) == (4096, Overflow.DROP_OLDEST, True)
    assert found.groups["all"].channels == (Liquidations(),)
    assert found.sinks["jsonl"].settings == JsonLines(path="events.jsonl")
    assert found.sinks["jsonl"].groups == ("ticks", "spot")
    assert found.sinks["counts"].settings == LogLines(every=60.0)
    assert found.sinks["counts"].groups == ("ticks", "all", "spot")
    assert found.metrics is not None and found.metrics.token == Secret(env="METRICS_TOKEN")
    assert (found.log.level, found.log.format, found.run.shutdown_timeout) == ("debug", "json", 5.0)


def test_gaps_may_be_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", "hunter2")

    found = read_configuration(WHOLE.replace("gaps = false", 'gaps = "all"'))

    assert found.groups["all"].gaps == "all"


def test_no_secret_is_in_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hunter2" not in repr(read(monkeypatch))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[run]", "[runs]", "line 1: runs: unknown table 'runs'; did you mean 'run'?"),
        ("= 5\n", "= 0\n", "line 2: run.shutdown_timeout: 0: expected a number > 0.0; write, for"),
        ('"debug"', '"loud"', "line 5: log.level: unknown choice 'loud'; there are debug, info, "),
        ('"0.0.0.0:9100"', '"localhost"', "line 9: metrics.bind: 'localhost' is not an address"),
        ('"0.0.0.0:9100"', "9100", "metrics.bind: 9100: expected a string, got a whole number"),
        ('{ env = "METRICS_TOKEN" }', '"hunter2"', "line 10: metrics.token: the file must not "),
        ('"METRICS_TOKEN"', '"NO_SUCH_NAME"', "line 10: metrics.token: the environment variable "),
        (
            '"binance_usdm"',
            '"binance_usd"',
            "line 13: adapters.futures.exchange: unknown exchange 'bi",
        ),
        ('exchange = "binance_usdm"', "", "line 12: adapters.futures: exchange is missing; write"),
        ('"testnet"', '"tesnet"', "line 14: adapters.futures.endpoints: unknown environment 'te"),
        ("compression", "compresion", "did you mean 'compression'?"),
        ("= true\n", "= 1\n", "line 16: adapters.futures.compression: 1: expected true or false"),
        ("cap = 30", "cap = -1", "line 18: adapters.futures.reconnect.cap: -1: expected a number"),
        ('"ws://127.0.0.1:8080"', '"http://x"', "line 22: adapters.spot.endpoints.stream: stream"),
        (
            'adapter = "futures"',
            'adapter = "future"',
            "line 26: groups.ticks.adapter: unknown adapter 'future'",
        ),
        (
            '"trades", ',
            '"trade", ',
            "line 27: groups.ticks.channels[0]: unknown channel 'trade'; did",
        ),
        ("levels=10", "levels=7", "line 27: groups.ticks.channels[2]: "),
        (
            '"trades", ',
            '"trades", "trades:ETHUSDC", ',
            "channels[1]: trades:ETHUSDC is listed tw",
        ),
        ('"trades", ', '"trades", "raw_stream:ethusdc@trade", ', "is the same stream"),
        (
            '["trades:BTCUSDT"]',
            '["liquidations"]',
            "line 39: groups.spot.channels[0]: binance_spot",
        ),
        (
            '["trades:BTCUSDT"]',
            "[]",
            "line 39: groups.spot.channels: there is none; write, for example,",
        ),
        ('["trades:BTCUSDT"]', '"trades"', "channels: 'trades': expected an array, got a string"),
        ("buffer = 4096", "buffer = 0", "line 29: groups.ticks.buffer: 0: expected a whole number"),
        (
            "drop_oldest",
            "drop",
            "line 30: groups.ticks.overflow: unknown choice 'drop'; there are ",
        ),
        ('"jsonl"', '"json"', "line 42: sinks[0].kind: unknown kind of sink 'json'; did you mean "),
        (
            '"jsonl"',
            '"parquet"',
            'line 42: sinks[0].kind: there is no sink of kind "parquet"; write "recording", and ',
        ),
        ('name = "counts"', 'name = "jsonl"', "line 46: sinks[1]: another sink is called 'jsonl'"),
        (
            '["ticks", "spot"]',
            '["tick"]',
            "line 44: sinks[0].groups[0]: unknown group 'tick'; did ",
        ),
        (
            "every = 60",
            "evry = 60",
            "line 49: sinks[1].evry: unknown key 'evry'; did you mean 'every'",
        ),
        (
            "every = 60",
            'groups = ["spot"]',
            "line 32: groups.all: no sink takes it; name it in a s",
        ),
        ("[[sinks]]", "[sinks]", "not TOML"),
        ("= 8\n", "= inf\n", "line 17: adapters.futures.stale_after: inf: expected a finite num"),
        (
            "{ initial = 0.5, cap = 30 }",
            '"fast"',
            'write, for example, reconnect = {"initial" = 0.25',
        ),
        ('"events.jsonl"', '""', "line 43: sinks[0].path: '': expected a string of l"),
        (
            'kind = "log"\n',
            'kind = "redis"\nurl = "redis://:hunter2@127.0.0.1"\n',
            "line 48: sinks[1].url: the URL must not contain a password: write url = { env",
        ),
        (
            "= 8\n",
            '= 8\nproxy = "http://me:hunter2@10.0.0.1"\n',
            "line 18: adapters.futures.proxy: the URL must not contain a user or password: write",
        ),
        (
            "= 8\n",
            '= 8\nproxy = "ftp://10.0.0.1/hunter2"\n',
            "line 18: adapters.futures.proxy: this is not a proxy URL; write, for example, socks5",
        ),
        (
            "= 8\n",
            '= 8\nproxy = { env = "METRICS_TOKEN", file = "x" }\n',
            "line 18: adapters.futures.proxy: a secret is either { env",
        ),
        (
            "= 8\n",
            '= 8\nsource_address = "home"\n',
            "line 18: adapters.futures.source_address: source_address: 'home' is not an address",
        ),
        (
            "= 8\n",
            '= 8\naddresses = { "x" = [] }\n',
            "line 18: adapters.futures.addresses: addresses: 'x' has none",
        ),
        (
            "= 8\n",
            '= 8\nca_file = "missing.pem"\n',
            "line 18: adapters.futures.ca_file: ca_file 'missing.pem': No such file",
        ),
    ],
)
def test_a_mistake_is_told_with_line_and_key(
    old: str, new: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_TOKEN", "hunter2")
    assert old in WHOLE

    told = mistakes(WHOLE.replace(old, new, 1))

    assert any(says in each for each in told), told
    assert "hunter2" not in "\n".join(told)


def test_the_way_to_an_exchange_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", "hunter2")
    monkeypatch.setenv("PROXY_URL", "socks5://me:hunter2@10.0.0.1")
    monkeypatch.setenv("https_proxy", "http://10.0.0.2:3128")
    written = 'source_address = "127.0.0.1"\naddresses = { "x" = ["127.0.0.2"] }\n'
    ways = {
        'proxy = { env = "PROXY_URL" }\n': "through SOCKS5 proxy 10.0.0.1:1080 from 127.0.0.1",
        'proxy = "environment"\n': "through HTTP proxy 10.0.0.2:3128 from 127.0.0.1",
        "": "at 127.0.0.2 from 127.0.0.1",
    }
    for proxy, way in ways.items():
        found = read_configuration(WHOLE.replace("= 8\n", f"= 8\n{proxy}{written}", 1))
        plan = found.adapters["futures"]
        exchange, dialer = RealWorld().place(plan)
        assert exchange == plan.exchange
        assert way_to(dialer, "wss://x") == way
        assert "hunter2" not in repr(found)
    assert isinstance(RealWorld().place(found.adapters["spot"])[1], TcpDialer)
    assert way_to(RealWorld().place(found.adapters["spot"])[1], "wss://x") == ""


def test_all_mistakes_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", "hunter2")
    text = WHOLE
    for old, new in {
        "[run]": "[runs]", '"binance_usdm"': '"binance_usd"', "= 8\n": "= -8\n",
        "compression": "compresion", '"trades", ': '"trade", ', "4096": "0",
        '["trades:BTCUSDT"]': '["liquidations"]', "every = 60": "evry = 60",
    }.items():  # fmt: skip
        text = text.replace(old, new, 1)

    lines = [int(each.split(":")[0].removeprefix("line ")) for each in mistakes(text)]

    assert lines == [1, 13, 16, 17, 27, 29, 39, 49]


@pytest.mark.parametrize("text", ["", "adapters = 1", "adapters = []\ngroups = 1\nsinks = [1]"])
def test_missing_tables_are_mistakes(text: str) -> None:
    told = "\n".join(mistakes(text))

    assert "write [adapters.NAME] with exchange" in told
    assert "write [groups.NAME]" in told
    assert "write [[sinks]]" in told


def test_a_value_in_place_of_a_table_is_a_mistake() -> None:
    assert "a string is in the place of a table" in "\n".join(mistakes('adapters.a = "x"'))


def test_what_is_not_toml_is_told_with_its_line() -> None:
    assert mistakes("[run]\nshutdown_timeout 5\n")[0].startswith("line 2: not TOML: Expected '='")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", "hunter2")

    def find(name: str) -> Any:
        return None if name == "hypercorn" else object()

    monkeypatch.setattr(importlib.util, "find_spec", find)

    (told,) = mistakes(WHOLE)

    assert 'pip install "trio-connector[metrics]"' in told


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ("127.0.0.1:9090", ("127.0.0.1", 9090)),
        (":9090", ("", 9090)),
        ("[::1]:0", ("::1", 0)),
        ("metrics.example:80", ("metrics.example", 80)),
    ],
)
def test_an_address_is_host_and_port(bind: str, address: tuple[str, int]) -> None:
    assert split_address(bind) == address


def calls_to_read(channels: int) -> int:
    """How many calls of Python functions it takes to read so many channels of as many symbols."""
    written = ", ".join(f'"trades:SYM{number}USDT"' for number in range(channels // 2))
    symbols = ", ".join(f'"SYM{number}USDC"' for number in range(channels // 2))
    text = (
        '[adapters.a]\nexchange = "binance_usdm"\n[[sinks]]\nkind = "log"\n'
        f'[groups.one]\nadapter = "a"\nchannels = [{written}]\n'
        f'[groups.two]\nadapter = "a"\nchannels = ["trades"]\nsymbols = [{symbols}]\n'
    )
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        read_configuration(text)
    finally:
        sys.setprofile(None)
    return calls


def test_twice_as_many_channels_are_twice_the_work() -> None:
    calls_to_read(100)  # whatever is done only once

    assert calls_to_read(800) < 2.2 * calls_to_read(400)
