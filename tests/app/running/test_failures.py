"""What fails, or does not return, leaves everything else as it is; and it is told."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector import HandshakeRejected
from connector.app.running.configuration import read_configuration
from connector.app.running.readiness import unready
from connector.app.running.service import open_service
from connector.app.running.sinks.jsonl import JsonLinesSink
from connector.app.running.venues import open_simulated_world
from connector.testing import Fault, When
from connector.transport.error_groups import leaves
from tests.app.running.test_service import SPOT, TEMPLATE, lines, ready, running

SECOND = """
[[sinks]]
kind = "jsonl"
name = "other"
path = "{path}"
"""
Write = Callable[[JsonLinesSink, bytes], Any]


class Disk:
    """A disk under one of the sinks, which is full or hangs."""

    def __init__(self, original: Write) -> None:
        self.full = self.hangs = False
        self.victim: object = None
        self._original = original

    async def write(self, sink: JsonLinesSink, data: bytes) -> None:
        if sink is self.victim or self.victim is None:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            if self.hangs:
                await trio.sleep_forever()
        await self._original(sink, data)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(JsonLinesSink._write)

    async def write(sink: JsonLinesSink, data: bytes) -> None:
        await disk.write(sink, data)

    monkeypatch.setattr(JsonLinesSink, "_write", write)
    return disk


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "one.jsonl", tmp_path / "two.jsonl"


@pytest.fixture
def text(paths: tuple[Path, Path]) -> str:
    return TEMPLATE.format(path=paths[0]) + SECOND.format(path=paths[1])


def trades(path: Path) -> list[int]:
    return [line["trade_id"] for line in lines(path) if line["type"] == "Trade"]


async def test_a_full_disk_under_one_sink_loses_nothing_and_leaves_the_other(
    autojump_clock: MockClock, text: str, paths: tuple[Path, Path], disk: Disk
) -> None:
    async with running(text) as (service, _):
        await ready(service)
        disk.victim = service.slots["jsonl"].sink
        await trio.sleep(2)
        disk.full = True
        await trio.sleep(20)
        (reason,) = unready(service)
        assert reason == "sink jsonl has failed: [Errno 28] No space left on device"
        assert service.slots["other"].events > service.slots["jsonl"].events + 100
        disk.full = False
        await trio.sleep(40)
        assert unready(service) == []

    assert sorted(trades(paths[0])) == trades(paths[0]) == trades(paths[1])
    summary = service.summary(clean=service.ended_clean)
    assert summary.clean and summary.failed == () and summary.lost == {}
    assert summary.failures["jsonl"] > 3 and summary.gaps == 0


async def test_what_waits_too_long_for_a_sink_is_a_gap(
    autojump_clock: MockClock, text: str, paths: tuple[Path, Path], disk: Disk
) -> None:
    small = text.replace("symbols", "buffer = 16\nsymbols")
    async with running(small) as (service, _):
        await ready(service)
        disk.victim = service.slots["jsonl"].sink
        disk.full = True
        await trio.sleep(60)
        disk.full = False
        await trio.sleep(40)

    (gap,) = [line for line in lines(paths[0]) if line["type"] == "Gap"]
    assert gap["reason"] == "overflow"
    summary = service.summary()
    assert gap["dropped"] == summary.lost["jsonl"] > 100
    assert summary.events["jsonl"] + summary.lost["jsonl"] == summary.events["other"] + 1
    assert [line for line in lines(paths[1]) if line["type"] == "Gap"] == []
    assert summary.reconnects == {}


async def test_a_run_that_ends_while_a_sink_fails_says_so(
    autojump_clock: MockClock, text: str, disk: Disk
) -> None:
    async with running(text) as (service, _):
        await ready(service)
        disk.victim = service.slots["jsonl"].sink
        disk.full = True
        await trio.sleep(10)

    summary = service.summary(clean=service.ended_clean)
    assert summary.failed == ("jsonl",)
    assert summary.lost["jsonl"] > 10 and not summary.clean


@pytest.mark.parametrize("change", ["another path", "gone"])
async def test_a_reload_is_applied_while_a_sink_does_not_return(
    autojump_clock: MockClock, text: str, paths: tuple[Path, Path], disk: Disk, change: str
) -> None:
    third = paths[0].with_name("three.jsonl")
    lossy = text.replace("symbols", 'overflow = "drop_oldest"\nsymbols')
    async with running(lossy) as (service, _):
        await ready(service)
        await trio.sleep(2)
        disk.victim = service.slots["jsonl"].sink
        disk.hangs = True
        await trio.sleep(30)
        (reason,) = unready(service)
        assert reason.startswith("sink jsonl is stuck: it has been busy for ")

        new = lossy
        if change == "gone":
            new = TEMPLATE.format(path=paths[1]).replace('"jsonl"', '"jsonl"\nname = "other"')
            new = new.replace("symbols", 'overflow = "drop_oldest"\nsymbols')
        else:
            new = new.replace(str(paths[0]), str(third))
        began = trio.current_time()
        await service.apply(read_configuration(new))
        assert trio.current_time() - began < 5
        await ready(service)
        await trio.sleep(5)

    whole = trades(paths[1])
    assert whole == list(range(whole[0], whole[0] + len(whole)))
    if change == "another path":
        assert trades(paths[0]) + trades(third) == whole


async def test_a_sink_that_does_not_return_does_not_hold_up_the_end(
    autojump_clock: MockClock, text: str, paths: tuple[Path, Path], disk: Disk
) -> None:
    began = 0.0
    async with running(text) as (service, _):
        await ready(service)
        await trio.sleep(2)
        disk.victim = service.slots["jsonl"].sink
        disk.hangs = True
        await trio.sleep(2)
        began = trio.current_time()

    assert trio.current_time() - began < 5
    summary = service.summary(clean=service.ended_clean)
    assert not summary.clean
    # The other one has everything, and its connection was closed politely.
    whole = trades(paths[1])
    assert whole == list(range(whole[0], whole[0] + len(whole)))
    assert trades(paths[0]) == whole[: len(trades(paths[0]))]
    assert summary.lost["jsonl"] > 0


async def test_an_adapter_that_is_refused_leaves_the_others_and_is_tried_again(
    autojump_clock: MockClock, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    configuration = read_configuration(text + SPOT)
    async with open_simulated_world(configuration) as world:
        world.exchanges["binance_spot"].inject(
            Fault("http_status", When(last=4), status=404, body="no such page")
        )
        async with open_service(configuration, world) as service:
            await trio.sleep(2)
            (reason,) = [each for each in unready(service) if "spot has failed" in each]
            assert "HTTP status 404" in reason and "tried again in" in reason
            assert service.slots["jsonl"].events > 10
            assert set(service.adapters) == {"futures"}
            await service.apply(configuration)  # a reload changes nothing
            with trio.fail_after(200):
                while unready(service):
                    await trio.sleep(1)
            assert "btcusdc@trade" in service.adapters["spot"].statistics().streams

    summary = service.summary(clean=service.ended_clean)
    assert summary.clean and summary.failed == ()
    assert summary.failures == {"spot": 4}
    told = [each.getMessage() for each in caplog.records if "adapter" in each.getMessage()]
    failed = [each for each in told if each.startswith("adapter failed adapter=spot reason=")]
    assert len(failed) == 1
    assert any(each.startswith("adapter works again adapter=spot") for each in told)


async def test_an_adapter_ends_the_run_if_that_is_wanted(
    autojump_clock: MockClock, text: str
) -> None:
    strict = SPOT.replace('"binance_spot"', '"binance_spot"\non_failure = "stop"')
    configuration = read_configuration(text + strict)
    with pytest.raises(ExceptionGroup) as raised:
        async with open_simulated_world(configuration) as world:
            world.exchanges["binance_spot"].inject(Fault("http_status", status=451))
            async with open_service(configuration, world):
                await trio.sleep(60)

    (error,) = leaves(raised.value)
    assert isinstance(error, HandshakeRejected) and error.status == 451


async def test_an_adapter_that_has_failed_may_be_taken_out_of_the_configuration(
    autojump_clock: MockClock, text: str
) -> None:
    configuration = read_configuration(text + SPOT)
    async with open_simulated_world(configuration) as world:
        world.exchanges["binance_spot"].inject(Fault("http_status", status=403))
        async with open_service(configuration, world) as service:
            await trio.sleep(3)
            await service.apply(read_configuration(text))
            assert set(service.adapter_slots) == {"futures"}
            await trio.sleep(120)
            assert unready(service) == []

    assert json.dumps(service.summary().failures) == '{"spot": 1}'
