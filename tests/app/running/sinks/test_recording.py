"""The sink ``recording``: what ``connector run`` receives, as it came, in files that are sound."""

from __future__ import annotations

import errno
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner
from trio.testing import MockClock

from connector import open_adapter
from connector.app.commands import group
from connector.app.naming import EXCHANGES
from connector.app.running.configuration import Misconfigured, read_configuration
from connector.app.running.readiness import unready
from connector.app.running.service import Service, open_service
from connector.app.running.sink_slot import SinkFailed
from connector.app.running.sinks import FRAME_KINDS, RecordedFrames
from connector.app.running.venues import SimulatedWorld, open_simulated_world
from connector.channels import OrderBook, Trades
from connector.events import Event, Trade
from connector.link.raw_frames import RawFrame
from connector.recording import (
    End,
    Mark,
    RecordingFailed,
    Start,
    Writer,
    files_of,
    read_frames,
    replay,
)
from connector.transport.error_groups import leaves

TEMPLATE = """
[adapters.futures]
exchange = "binance_usdm"

[groups.ticks]
adapter = "futures"
channels = ["trades"]
symbols = ["ETHUSDC"]

[[sinks]]
kind = "recording"
path = "{path}"
"""
LOG = '[[sinks]]\nkind = "log"\n'
SPOT = """
[adapters.spot]
exchange = "binance_spot"

[groups.spot]
adapter = "spot"
channels = ["trades:BTCUSDC"]
"""
QUOTES = '[groups.quotes]\nadapter = "futures"\nchannels = ["best_quote:ETHUSDC"]\n'
MISTAKES = (
    (0, ': path is missing; write, for example, path = "recordings"'),
    (2, ".fsync: 1: expected true or false, got a whole number"),
    (4, ".rotate_minute: unknown key 'rotate_minute'; did you mean 'rotate_minutes'?"),
    (5, ".overflow: unknown choice 'conflate'; there are block, drop_oldest, fail"),
    (6, ".rotate_mib: -1: expected a number > 0.0; write, for example, rotate_mib = 256.0"),
)


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(time, "monotonic", trio.current_time)
    return TEMPLATE.format(path=tmp_path / "rec")


@asynccontextmanager
async def running(text: str) -> AsyncIterator[tuple[Service, SimulatedWorld]]:
    configuration = read_configuration(text)
    async with open_simulated_world(configuration) as world:
        async with open_service(configuration, world) as service:
            await ready(service)
            yield service, world


async def ready(service: Service) -> None:
    with trio.fail_after(60):
        while unready(service):
            await trio.sleep(0.05)


def sessions(service: Service) -> dict[str, int]:
    return {link.name: link.session for link in service.adapters["futures"].statistics().links}


def verify(*paths: Path) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(group, ["verify", "--json", *map(str, paths)])
    assert result.output.startswith("{"), (result.output, result.exception)
    return result.exit_code, json.loads(result.output)


def items(folder: Path) -> list[list[Any]]:
    return [list(read_frames(path)) for path in files_of(folder)]


def trade_ids(folder: Path, symbol: str = "ethusdc") -> list[int]:
    """As they stand in the files of `folder`, one file after the other."""
    return [
        json.loads(item.payload)["data"]["t"]
        for file in items(folder)
        for item in file
        if isinstance(item, RawFrame) and item.stream == f"{symbol}@trade"
    ]


def check_complete(folder: Path) -> list[int]:
    ids = trade_ids(folder)
    assert len(ids) > 10
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    return ids


async def test_frames_and_marks_are_recorded_and_files_are_ended(
    autojump_clock: MockClock, text: str, tmp_path: Path
) -> None:
    async with running(text) as (service, world):
        await trio.sleep(5)
        world.exchanges["binance_usdm"].break_connections("reset")
        await trio.sleep(5)

    (file,) = items(tmp_path / "rec" / "futures")
    kinds = [item.kind for item in file if isinstance(item, Mark)]
    assert kinds.count("Connected") == kinds.count("Subscribed") == 2
    assert kinds.count("Disconnected") == 1
    assert isinstance(file[0], Start) and file[0].channels == ["trades:ETHUSDC"]
    assert isinstance(file[-1], End) and file[-1].reason == "stopped"
    frames = sum(isinstance(item, RawFrame) for item in file)
    assert service.summary().events == {"recording": frames}
    assert service.summary().drops == 0
    code, report = verify(tmp_path / "rec" / "futures")
    assert code == 0 and report["torn"] == [] and report["frames"] == frames
    assert report["disconnects"] == {"reset": 1}


async def test_a_recording_yields_the_same_events(
    autojump_clock: MockClock, text: str, tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    book = text.replace('"trades"', '"trades", "order_book:depth=5"')
    async with running(book + f'[[sinks]]\nkind = "jsonl"\npath = "{events}"\n'):
        await trio.sleep(5)

    written = [json.loads(line) for line in events.read_text().splitlines()]
    recording = replay(EXCHANGES["binance_usdm"](), tmp_path / "rec" / "futures")
    async with open_adapter(recording) as adapter:
        async with adapter.subscribe(Trades("ETHUSDC"), OrderBook("ETHUSDC", depth=5)) as feed:
            found: list[Event] = [event async for event in feed]
    trades = [each.trade_id for each in found if isinstance(each, Trade)]
    assert trades == [each["trade_id"] for each in written if each["type"] == "Trade"]
    assert len(trades) > 10
    assert any(type(each).__name__ == "BookView" for each in found)


async def test_recording_sinks_come_change_and_go_and_connections_stay(
    autojump_clock: MockClock, text: str, tmp_path: Path
) -> None:
    without = text.partition("[[sinks]]")[0] + LOG
    other = (text + LOG).replace(str(tmp_path / "rec"), str(tmp_path / "other"))
    async with running(without) as (service, world):
        before = sessions(service)
        for each in (text + LOG, other, without):
            await service.apply(read_configuration(each))
            await trio.sleep(3)

        assert sessions(service) == before
        assert service.frame_pumps == {} and set(service.slots) == {"log"}
        assert world.exchanges["binance_usdm"].max_concurrent == 1

    first, second = tmp_path / "rec" / "futures", tmp_path / "other" / "futures"
    # From one folder into the other nothing is missing, and nothing is in both.
    ids = check_complete(first) + check_complete(second)
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    # The second begins in the middle of a session, and says so.
    (start, *_), *_ = items(second)
    assert isinstance(start, Start)
    assert start.present == [("binance_usdm/market", before["binance_usdm/market"], True)]


async def test_a_sink_that_changes_to_the_other_kind_keeps_the_connections(
    autojump_clock: MockClock, text: str, tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    head = text.partition("[[sinks]]")[0]
    lines = f'{head}[[sinks]]\nkind = "jsonl"\nname = "out"\npath = "{events}"\n'
    frames = text + 'name = "out"\n'
    async with running(lines + LOG) as (service, _):
        before = sessions(service)
        for each in (frames, lines, frames):
            await service.apply(read_configuration(each + LOG))
            await ready(service)
            await trio.sleep(3)
        assert sessions(service) == before

    assert len(files_of(tmp_path / "rec" / "futures")) == 2
    assert events.stat().st_size > 0
    assert verify(tmp_path / "rec" / "futures")[1]["torn"] == []
    recorded = sum(isinstance(each, RawFrame) for file in items(tmp_path / "rec" / "futures")
                   for each in file)  # fmt: skip
    assert service.summary().events["out"] == recorded + len(events.read_text().splitlines())


async def test_other_channels_are_another_file_and_none_is_missed(
    autojump_clock: MockClock, text: str, tmp_path: Path
) -> None:
    async with running(text) as (service, _):
        before = sessions(service)
        await trio.sleep(3)
        other = text.replace('["trades"]', '["trades", "best_quote"]')
        await service.apply(read_configuration(other))
        await ready(service)
        await trio.sleep(3)
        assert sessions(service)["binance_usdm/market"] == before["binance_usdm/market"]

    check_complete(tmp_path / "rec" / "futures")
    first, second = items(tmp_path / "rec" / "futures")
    assert isinstance(first[-1], End) and first[-1].reason == "rotated"
    assert second[0].channels == ["trades:ETHUSDC", "best_quote:ETHUSDC"]
    streams = [{each.stream for each in file if isinstance(each, RawFrame) and each.stream}
               for file in (first, second)]  # fmt: skip
    assert streams == [{"ethusdc@trade"}, {"ethusdc@trade", "ethusdc@bookTicker"}]


async def test_another_policy_loses_nothing(
    autojump_clock: MockClock, text: str, tmp_path: Path
) -> None:
    async with running(text) as (service, _):
        for buffer in (100, 200, 300):
            await trio.sleep(1.01)
            changed = f'{text}buffer = {buffer}\noverflow = "drop_oldest"\n'
            await service.apply(read_configuration(changed))
        await trio.sleep(2)

    check_complete(tmp_path / "rec" / "futures")


async def test_only_what_the_groups_name_is_recorded_for_each_adapter_by_itself(
    autojump_clock: MockClock, text: str, tmp_path: Path
) -> None:
    taken = text.replace("[[sinks]]", SPOT + QUOTES + "[[sinks]]") + 'groups = ["ticks", "spot"]\n'
    async with running(taken + LOG) as (service, _):
        await trio.sleep(3)
        assert "ethusdc@bookTicker" in service.adapters["futures"].statistics().streams

    _, futures = verify(tmp_path / "rec" / "futures")
    _, spot = verify(tmp_path / "rec" / "spot")
    assert set(futures["streams"]) == {"ethusdc@trade"}
    assert set(spot["streams"]) == {"btcusdc@trade"}


async def test_an_adapter_that_is_opened_anew_has_a_file_of_its_own(
    autojump_clock: MockClock, text: str, tmp_path: Path
) -> None:
    async with running(text) as (service, _):
        await trio.sleep(3)
        await service.apply(read_configuration(text.replace('usdm"', 'usdm"\nstale_after = 60')))
        await ready(service)
        await trio.sleep(3)

    first, second = items(tmp_path / "rec" / "futures")
    assert [file[0].number for file in (first, second)] == [1, 1]
    assert second[0].present == []
    assert verify(tmp_path / "rec" / "futures")[1]["torn"] == []


async def test_files_are_rotated_by_age(
    autojump_clock: MockClock, text: str, tmp_path: Path
) -> None:
    async with running(text + "rotate_minutes = 0.05\n"):
        await trio.sleep(10)

    assert len(files_of(tmp_path / "rec" / "futures")) == 4
    check_complete(tmp_path / "rec" / "futures")


async def test_a_disk_that_refuses_ends_the_run_if_that_is_wanted(
    autojump_clock: MockClock, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RecordingFailed("a block of 10 bytes cannot be written: no room")

    with pytest.raises(ExceptionGroup) as raised:
        async with running(text + 'on_failure = "stop"\n'):
            await trio.sleep(3)
            monkeypatch.setattr("connector.recording.Writer._write", refuse)
            await trio.sleep(30)

    (reason,) = leaves(raised.value)
    assert isinstance(reason, SinkFailed)
    assert str(reason) == "sink recording: a block of 10 bytes cannot be written: no room"
    monkeypatch.undo()
    check_complete(tmp_path / "rec" / "futures")


async def test_a_folder_that_cannot_be_made_changes_nothing(
    autojump_clock: MockClock, text: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    bad = text.replace(str(tmp_path / "rec"), str(tmp_path / "file" / "folder"))
    async with running(text) as (service, _):
        before = sessions(service)
        await trio.sleep(2)
        with pytest.raises(SinkFailed, match=r"sink recording: .* choose another path"):
            await service.apply(read_configuration(bad))
        await trio.sleep(2)
        assert sessions(service) == before

    assert verify(tmp_path / "rec" / "futures")[1]["torn"] == []
    check_complete(tmp_path / "rec" / "futures")


async def test_a_change_to_the_other_kind_that_fails_changes_nothing(
    autojump_clock: MockClock, text: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    bad = text.partition("[[sinks]]")[0] + (
        f'[[sinks]]\nkind = "jsonl"\nname = "recording"\npath = "{tmp_path / "file" / "x"}"\n'
    )
    async with running(text) as (service, _):
        await trio.sleep(2)
        with pytest.raises(SinkFailed, match="sink recording"):
            await service.apply(read_configuration(bad))
        await trio.sleep(2)

    check_complete(tmp_path / "rec" / "futures")


async def test_a_folder_that_may_not_be_written_is_told_before_anything_is_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(RecordingFailed, match=r"no permission to write to .*; choose another path"):
        async with RecordedFrames(path=str(tmp_path)).open():
            pass


def test_check_explains_what_is_wrong_with_it() -> None:
    text = TEMPLATE.replace('path = "{path}"', "") + (
        'rotate_minute = 5\noverflow = "conflate"\nrotate_mib = -1\n'
    )
    with pytest.raises(Misconfigured) as raised:
        read_configuration(text.replace('kind = "recording"', 'kind = "recording"\nfsync = 1'))

    at = text.splitlines().index("[[sinks]]") + 1
    assert [str(each) for each in raised.value.mistakes] == [
        f"line {at + number}: sinks[0]{message}" for number, message in MISTAKES
    ]


def test_a_kind_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(Misconfigured, match="did you mean 'recording'") as raised:
        read_configuration(TEMPLATE.replace('"recording"', '"record"'))
    assert len(raised.value.mistakes) == 1
    assert FRAME_KINDS["recording"] is RecordedFrames


def test_a_run_that_is_killed_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text(TEMPLATE.format(path=tmp_path / "rec"))
    command = [sys.executable, "-m", "connector.app", "run", str(config), "--simulate"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            path = wait_for_blocks(tmp_path / "rec" / "futures", 1_500, process)
        finally:
            process.kill()

    code, report = verify(path)
    assert process.returncode == -signal.SIGKILL
    assert code == 0
    assert report["torn"] == [f"{path.name}: the file was not ended"]
    assert report["streams"]["ethusdc@trade"]["frames"] > 5
    assert report["streams"]["ethusdc@trade"]["gaps"] == 0


def wait_for_blocks(folder: Path, size: int, process: subprocess.Popen[bytes]) -> Path:
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and process.poll() is None:
        for path in folder.glob("*.rec.zst"):
            if path.stat().st_size > size:
                return path
        trio.run(trio.sleep, 0.05)
    raise AssertionError(f"nothing was recorded: {process.poll()}")


# --- disks and folders that go wrong


def names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


class Disk:
    """A disk that is full now and then."""

    def __init__(self) -> None:
        self.full = self.takes_no_new_file = False

    def write(self, writer: Any, data: bytes) -> None:
        """As `Writer._write`: half of a block is written before it is noticed."""
        if self.full or (self.takes_no_new_file and not writer.bytes):
            file = writer._file
            writer._file = HalfWritten(file)
            try:
                _write(writer, data)
            finally:
                writer._file = file
        else:
            _write(writer, data)


class HalfWritten:
    def __init__(self, file: Any) -> None:
        self._file = file
        self._wrote = False

    def write(self, data: bytes) -> int:
        if self._wrote:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._wrote = True
        written: int = self._file.write(data[: len(data) // 2])
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


_write = Writer._write


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()

    def write(writer: Any, data: bytes) -> None:
        disk.write(writer, data)

    monkeypatch.setattr(Writer, "_write", write)
    return disk


async def test_a_disk_that_was_full_for_a_while_loses_nothing(
    autojump_clock: MockClock, text: str, tmp_path: Path, disk: Disk
) -> None:
    async with running(text) as (service, _):
        await trio.sleep(5)
        disk.full = True
        await trio.sleep(20)
        (reason,) = unready(service)
        assert reason.startswith("sink recording has failed: a block of ")
        assert "No space left on device" in reason
        disk.full = False
        await trio.sleep(40)
        assert unready(service) == []

    assert service.ended_clean and service.summary().lost == {}
    assert len(files_of(tmp_path / "rec" / "futures")) == 1
    assert service.summary().sessions == 1
    check_complete(tmp_path / "rec" / "futures")


async def test_a_disk_that_is_full_at_the_start_leaves_no_empty_file(
    autojump_clock: MockClock, text: str, tmp_path: Path, disk: Disk
) -> None:
    folder = tmp_path / "rec" / "futures"
    disk.full = True
    configuration = read_configuration(text)
    async with (
        open_simulated_world(configuration) as world,
        open_service(configuration, world) as service,
    ):
        await trio.sleep(20)
        assert names(folder) == []
        disk.full = False
        await trio.sleep(40)
        assert unready(service) == []

    assert len(files_of(folder)) == 1
    check_complete(folder)


async def test_a_disk_that_is_full_when_the_next_file_is_due(
    autojump_clock: MockClock, text: str, tmp_path: Path, disk: Disk
) -> None:
    folder = tmp_path / "rec" / "futures"
    async with running(text + "rotate_minutes = 0.5\n") as (service, _):
        disk.takes_no_new_file = True
        await trio.sleep(50)
        assert [each.startswith("sink recording has failed: ") for each in unready(service)] == [
            True
        ]
        # The first was ended in order, and what should be the second is not there.
        assert len(files_of(folder)) == len(names(folder)) == 1
        assert isinstance(items(folder)[0][-1], End)
        disk.takes_no_new_file = False
        await trio.sleep(40)
        assert unready(service) == []

    assert len(files_of(folder)) >= 2
    assert service.ended_clean and service.summary().lost == {}
    check_complete(folder)


async def test_an_end_with_a_full_disk_is_told_and_no_traceback(
    autojump_clock: MockClock,
    text: str,
    tmp_path: Path,
    disk: Disk,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(text) as (service, _):
        await trio.sleep(5)
        disk.full = True
        await trio.sleep(1)

    assert not service.summary(clean=service.ended_clean).flawless
    assert any("No space left on device" in each.getMessage() for each in caplog.records)
    assert not any(each.exc_info for each in caplog.records)
    assert verify(tmp_path / "rec" / "futures")[0] == 0


async def test_a_folder_that_is_removed_is_made_again_and_told(
    autojump_clock: MockClock, text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "rec" / "futures"
    async with running(text):
        await trio.sleep(5)
        shutil.rmtree(tmp_path / "rec")
        await trio.sleep(5)
        assert len(files_of(folder)) == 1
        await trio.sleep(5)

    told = [each.getMessage() for each in caplog.records if "removed" in each.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("a recording file was removed while it was being written path=")
    assert "lost_frames=" in told[0]
    code, report = verify(folder)
    assert code == 0 and report["torn"] == []
    ids = trade_ids(folder)
    # What had not been written when the folder was removed is in the next file.
    assert ids == list(range(ids[0], ids[0] + len(ids))) and len(ids) > 10
