"""A service converges to its configuration, in virtual time: unchanged things stay as they are."""

from __future__ import annotations

import errno
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector import Overflow, SlowConsumer
from connector.app.running.configuration import read_configuration
from connector.app.running.readiness import unready
from connector.app.running.service import Service, open_service
from connector.app.running.sink_slot import SinkFailed
from connector.app.running.sinks.jsonl import JsonLinesSink
from connector.app.running.venues import SimulatedWorld, open_simulated_world
from connector.testing import Fault
from connector.transport.error_groups import leaves

TEMPLATE = """
[run]
shutdown_timeout = 5

[adapters.futures]
exchange = "binance_usdm"

[groups.ticks]
adapter = "futures"
channels = ["trades", "best_quote"]
symbols = ["ETHUSDC"]

[[sinks]]
kind = "jsonl"
path = "{path}"
"""

SPOT = """
[adapters.spot]
exchange = "binance_spot"

[groups.spot]
adapter = "spot"
channels = ["trades:BTCUSDC"]
"""


@asynccontextmanager
async def running(text: str) -> AsyncIterator[tuple[Service, SimulatedWorld]]:
    configuration = read_configuration(text)
    async with open_simulated_world(configuration) as world:
        async with open_service(configuration, world) as service:
            yield service, world


async def ready(service: Service) -> None:
    with trio.fail_after(60):
        while unready(service):
            await trio.sleep(0.05)


def sessions(service: Service, adapter: str = "futures") -> dict[str, int]:
    return {link.name: link.session for link in service.adapters[adapter].statistics().links}


def streams(service: Service, adapter: str = "futures") -> set[str]:
    return {*service.adapters[adapter].statistics().streams}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@pytest.fixture
def text(path: Path) -> str:
    return TEMPLATE.format(path=path)


async def test_events_go_into_the_sink(autojump_clock: MockClock, text: str, path: Path) -> None:
    async with running(text) as (service, _):
        await ready(service)
        await trio.sleep(5)

    written = lines(path)
    assert {line["type"] for line in written} == {"Trade", "Quote"}
    summary = service.summary()
    assert summary.events == {"jsonl": len(written)}
    assert summary.sessions == 2 and summary.gaps == 0 and summary.drops == 0
    # What was read was written, what was in the buffers, too.
    assert summary.messages == len(written)


async def test_channels_converge_and_what_stays_is_not_touched(
    autojump_clock: MockClock, text: str, path: Path
) -> None:
    async with running(text) as (service, world):
        await ready(service)
        before = sessions(service)
        other = text.replace('["ETHUSDC"]', '["ETHUSDC", "BTCUSDC"]').replace(', "best_quote"', "")

        await service.apply(read_configuration(other))
        await ready(service)
        await trio.sleep(5)

        assert streams(service) == {"ethusdc@trade", "btcusdc@trade"}
        assert sessions(service) == before
        assert world.exchanges["binance_usdm"].max_concurrent == 2
    assert service.summary().gaps == 0
    ids = [line["trade_id"] for line in lines(path) if line["symbol"] == "ETHUSDC"
           and line["type"] == "Trade"]  # fmt: skip
    assert ids == list(range(ids[0], ids[0] + len(ids)))


async def test_adapters_and_sinks_come_and_go(
    autojump_clock: MockClock, text: str, path: Path
) -> None:
    async with running(text) as (service, world):
        await ready(service)
        before = sessions(service)

        await service.apply(read_configuration(text + '[[sinks]]\nkind = "log"\n' + SPOT))
        await ready(service)
        await trio.sleep(2)

        assert set(service.adapters) == {"futures", "spot"}
        assert set(service.slots) == {"jsonl", "log"}
        assert sessions(service) == before

        await service.apply(read_configuration(text))
        await ready(service)

        assert set(service.adapters) == {"futures"} and set(service.slots) == {"jsonl"}
        assert set(service.pumps) == {("ticks", "jsonl")}
        assert sessions(service) == before
        await trio.sleep(1)
        assert world.exchanges["binance_spot"].connections == ()
    assert service.summary().sessions == 3
    assert set(service.summary().events) == {"jsonl", "log"}


async def test_an_adapter_that_changes_is_opened_anew(autojump_clock: MockClock, text: str) -> None:
    async with running(text) as (service, _):
        await ready(service)
        first = service.adapters["futures"]

        changed = text.replace('"binance_usdm"', '"binance_usdm"\nnumbers = "decimal"')
        await service.apply(read_configuration(changed))
        await ready(service)

        assert service.adapters["futures"] is not first
        with pytest.raises(trio.ClosedResourceError):
            first.lifecycle()


async def test_a_sink_that_changes_keeps_its_feeds(
    autojump_clock: MockClock, text: str, path: Path
) -> None:
    async with running(text) as (service, _):
        await ready(service)
        pump = service.pumps["ticks", "jsonl"]
        await trio.sleep(2)

        other = path.with_name("other.jsonl")
        await service.apply(read_configuration(text.replace(str(path), str(other))))
        await trio.sleep(2)

        assert service.pumps["ticks", "jsonl"] is pump
    trades = [each["trade_id"] for file in (path, other) for each in lines(file)
              if each["type"] == "Trade"]  # fmt: skip
    assert lines(path) and lines(other)
    assert trades == list(range(trades[0], trades[0] + len(trades)))


async def test_a_sink_that_cannot_be_opened_changes_nothing(
    autojump_clock: MockClock, text: str, path: Path, tmp_path: Path
) -> None:
    async with running(text) as (service, _):
        await ready(service)
        before = service.configuration
        wrong = text.replace(str(path), str(tmp_path / "no" / "where")).replace('"trades", ', "")

        with pytest.raises(SinkFailed, match=r"sink jsonl: .*No such file or directory"):
            await service.apply(read_configuration(wrong))
        await trio.sleep(2)

        assert service.configuration is before
        assert streams(service) == {"ethusdc@trade", "ethusdc@bookTicker"}
    assert len(lines(path)) > 10


async def test_a_channel_that_is_refused_does_not_stop_the_others(
    autojump_clock: MockClock, text: str
) -> None:
    configuration = read_configuration(text)
    async with open_simulated_world(configuration) as world:
        world.exchanges["binance_usdm"].inject(Fault("reject_subscription", stream="btcusdc@trade"))
        both = read_configuration(text.replace('["ETHUSDC"]', '["ETHUSDC", "BTCUSDC"]'))
        async with open_service(both, world) as service:
            await ready(service)

            assert "btcusdc@trade" not in streams(service)
            assert "ethusdc@trade" in streams(service)
            assert len(service.pumps["ticks", "jsonl"].refused) == 1


async def test_leaving_is_bounded_whatever_a_sink_does(
    autojump_clock: MockClock, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = 0.0
    async with running(text) as (service, _):
        await ready(service)

        async def hang(*_: object) -> None:
            await trio.sleep_forever()

        monkeypatch.setattr(JsonLinesSink, "write", hang)
        await trio.sleep(2)
        began = trio.current_time()

    assert trio.current_time() - began <= 5 + 0.1
    assert not service.ended_clean
    assert service.summary().sessions == 2


async def test_readiness_says_what_is_missing(autojump_clock: MockClock, text: str) -> None:
    async with running(text) as (service, world):
        await ready(service)
        world.exchanges["binance_usdm"].break_connections("reset")
        await trio.sleep(0.001)

        reasons = unready(service)

        assert any(each.startswith("binance_usdm/") for each in reasons)
        await ready(service)
        service.stopping = True
        assert unready(service) == ["stopping"]


async def test_a_sink_that_fails_ends_the_run_with_its_name_if_that_is_wanted(
    autojump_clock: MockClock, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def write(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ExceptionGroup) as raised:
        async with running(text + 'on_failure = "stop"\n') as (service, _):
            await ready(service)
            monkeypatch.setattr(JsonLinesSink, "_write", write)
            await trio.sleep(60)

    (error,) = leaves(raised.value)
    assert isinstance(error, SinkFailed)
    assert str(error) == "sink jsonl: [Errno 28] No space left on device"


async def test_a_consumer_that_may_not_be_slow_ends_the_run(
    autojump_clock: MockClock, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = text.replace("symbols", 'overflow = "fail"\nbuffer = 8\nsymbols')

    async def crawl(*_: object) -> None:
        await trio.sleep(5)

    monkeypatch.setattr(JsonLinesSink, "_write", crawl)
    with pytest.raises(ExceptionGroup) as raised:
        async with running(strict):
            await trio.sleep(60)

    (error,) = leaves(raised.value)
    assert isinstance(error, SlowConsumer)


async def test_a_changed_policy_is_a_new_feed(autojump_clock: MockClock, text: str) -> None:
    async with running(text) as (service, _):
        await ready(service)
        before = sessions(service)

        await service.apply(
            read_configuration(text.replace("symbols", 'overflow = "conflate"\nsymbols'))
        )
        await ready(service)

        (feed,) = service.adapters["futures"].statistics().feeds
        assert feed.overflow is Overflow.CONFLATE
        assert sessions(service) == before
