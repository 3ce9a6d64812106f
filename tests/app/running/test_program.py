"""The program as an operator sees it: a real process, real signals, an exchange over loopback."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner
from trio.testing import MockClock

from connector import ConfigError
from connector.app.commands import group
from connector.app.running.configuration import read_configuration
from connector.app.running.program import Options, Requests, run_program
from connector.testing import OrderFlow, SimulatedExchange, open_exchange
from connector.transport.error_groups import leaves

COMMAND = [sys.executable, "-c", "from connector.app.cli import main; main()"]
CONFIG = """
[log]
format = "json"
[adapters.futures]
exchange = "binance_usdm"
endpoints = {{ stream = "{stream}", rest = "{rest}" }}
[groups.ticks]
adapter = "futures"
channels = ["trades"]
symbols = ["ETHUSDC"]
[[sinks]]
kind = "jsonl"
path = "{path}"
"""
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")


class Run:
    """A running process, and what it has logged."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.log: list[dict[str, Any]] = []

    async def read(self) -> None:
        assert self.process.stderr is not None
        rest = b""
        async for chunk in self.process.stderr:
            *lines, rest = (rest + chunk).split(b"\n")
            self.log += map(json.loads, lines)

    async def wait_for(self, event: str, count: int = 1) -> dict[str, Any]:
        while True:
            found = [line for line in self.log if line["event"] == event]
            if len(found) >= count:
                return found[count - 1]
            await trio.sleep(0.01)


@asynccontextmanager
async def running(
    tmp_path: Path,
) -> AsyncIterator[tuple[Run, SimulatedExchange, Path, Callable[[], str]]]:
    source = OrderFlow(symbols=("BTCUSDC", "ETHUSDC"))
    config, out = tmp_path / "run.toml", tmp_path / "events.jsonl"
    with trio.fail_after(60):
        async with open_exchange("usdm", source=source) as exchange:
            endpoints = exchange.endpoints

            def text() -> str:
                return CONFIG.format(stream=endpoints.stream, rest=endpoints.rest, path=out)

            await trio.Path(config).write_text(text())
            async with trio.open_nursery() as nursery:
                process = await nursery.start(
                    partial(
                        trio.run_process,
                        [*COMMAND, "run", str(config)],
                        stderr=subprocess.PIPE,
                        check=False,
                    )
                )
                run = Run(process)
                nursery.start_soon(run.read)
                await run.wait_for("subscribed")
                yield run, exchange, config, text
                await process.wait()


async def test_a_hangup_converges_and_keeps_the_connection(tmp_path: Path) -> None:
    async with running(tmp_path) as (run, exchange, config, text):
        other = text().replace('["ETHUSDC"]', '["ETHUSDC", "BTCUSDC"]')
        await trio.Path(config).write_text(other)
        run.process.send_signal(signal.SIGHUP)
        changed = await run.wait_for("channels changed", 1)
        await run.wait_for("configuration reloaded")

        await trio.Path(config).write_text(other.replace('["trades"]', '["trade"]'))
        run.process.send_signal(signal.SIGHUP)
        while not any("not reloaded" in line["event"] for line in run.log):
            await trio.sleep(0.01)

        run.process.send_signal(signal.SIGTERM)
        stopped = await run.wait_for("stopped")
        accepted = exchange.statistics().accepted

    assert changed["added"] == ["trades:BTCUSDC"] and changed["removed"] == []
    (mistake,) = [line for line in run.log if "not reloaded" in line["event"]]
    assert (mistake["level"], mistake["key"]) == ("error", "groups.ticks.channels[0]")
    assert run.process.returncode == 0
    # One connection, from beginning to end, by the exchange's own count.
    assert accepted == 1
    assert stopped["sessions"] == 1 and stopped["gaps"] == 0 and stopped["clean"] is True
    written = (tmp_path / "events.jsonl").read_text().splitlines()
    assert stopped["events"] == {"jsonl": len(written)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    async with running(tmp_path) as (run, exchange, _, _):
        run.process.send_signal(number)
        stopped = await run.wait_for("stopped")

    assert run.process.returncode == 0
    assert stopped["clean"] is True
    assert [line["event"] for line in run.log[-1:]] == ["stopped"]
    assert exchange.connections == ()


def test_an_adapter_that_gives_up_ends_it_with_the_reason(tmp_path: Path) -> None:
    nowhere, out = "127.0.0.1:1", tmp_path / "events.jsonl"
    text = CONFIG.format(stream=f"ws://{nowhere}", rest=f"http://{nowhere}", path=out)
    config = tmp_path / "run.toml"
    strict = 'reconnect = { max_attempts = 1 }\non_failure = "stop"'
    config.write_text(text.replace('"binance_usdm"', f'"binance_usdm"\n{strict}'))

    ended = CliRunner().invoke(group, ["run", str(config)])

    assert ended.exit_code == 1
    last = json.loads(ended.stderr.splitlines()[-1])
    assert last["event"].startswith("failed: binance_usdm/market: gave up after 1 failed attempts")


async def test_an_address_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        text = CONFIG.format(stream="ws://x", rest="http://x", path=tmp_path / "out.jsonl")
        configuration = read_configuration(text + f'[metrics]\nbind = "{bind}"\n')

        with pytest.raises(ExceptionGroup) as raised:
            await run_program(Options(path=tmp_path, simulate=True), configuration, Requests())

    (error,) = leaves(raised.value)
    assert isinstance(error, ConfigError)
    assert bind in str(error) and "bind of [metrics]" in str(error)


async def test_reloading_in_virtual_time_keeps_sessions(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    config = tmp_path / "run.toml"
    text = CONFIG.format(stream="ws://x", rest="http://x", path=tmp_path / "out.jsonl")
    config.write_text(text)
    requests = Requests()
    summaries = []

    async def run() -> None:
        options = Options(path=config, simulate=True)
        summaries.append(await run_program(options, read_configuration(text), requests))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        for symbols in ('["BTCUSDC"]', '["ETHUSDC", "BTCUSDC"]', '["ETHUSDC"]'):
            await trio.sleep(10)
            config.write_text(text.replace('["ETHUSDC"]', symbols))
            requests.reload.set()
        await trio.sleep(10)
        requests.stop.set()

    (summary,) = summaries
    assert summary.sessions == 1 and summary.gaps == 0 and summary.clean
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    symbols = [line["symbol"] for line in lines]
    assert len(symbols) == summary.events["jsonl"]
    assert symbols[0] == symbols[-1] == "ETHUSDC" and "BTCUSDC" in symbols
