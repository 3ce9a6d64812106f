"""A recording on the command line: printed event by event, or served to any client."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner
from trio.testing import MockClock

from connector import open_adapter
from connector.app.commands import group
from connector.app.recordings import progress
from connector.app.recordings.playback import Playback
from connector.app.recordings.replay_command import print_events
from connector.channels import Trades
from connector.exchanges import binance
from connector.link.raw_frames import RawFrame
from connector.recording import Answer, Mark, Subject, look_for
from connector.testing import MemoryNetwork, open_exchange
from tests.app.recordings.test_progress import Terminal
from tests.faults.world import trade
from tests.recording.parts import write

STREAM = "ethusdc@trade"
SUBJECT = Subject("binance_usdm", ("trades:ETHUSDC",), (STREAM,))
LINK = "binance_usdm/market"
SECOND_NS = 1_000_000_000


def frame(number: int, session: int = 1) -> RawFrame:
    data = json.dumps(trade("ethusdc", number), separators=(",", ":"))
    text = f'{{"stream":"{STREAM}","data":{data}}}'
    return RawFrame(LINK, session, number * SECOND_NS, STREAM, text.encode())


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    ended = {"reason": "reset", "detail": "", "connected": True, "retry_seconds": 0.1}
    items = [
        *(Mark(kind, LINK, 1, 1) for kind in ("Connecting", "Connected", "Subscribed")),
        frame(1), frame(2),
        Mark("Disconnected", LINK, 1, 2 * SECOND_NS, ended),
        *(Mark(kind, LINK, 2, 3 * SECOND_NS) for kind in ("Connecting", "Connected", "Subscribed")),
        frame(5, 2),
        Answer("/fapi/v1/depth?symbol=ETHUSDC&limit=1000", 5, b'{"bids":[[1]],"asks":[[2],[3]]}'),
    ]  # fmt: skip
    return write(tmp_path / "a.rec.zst", items, subject=SUBJECT)


def test_every_event_is_printed_with_the_gaps_between(recording: Path) -> None:
    done = CliRunner().invoke(group, ["replay", str(recording), "--json"])

    assert done.exit_code == 0, done.output
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [each["type"] for each in events] == ["Trade", "Trade", "Gap", "Trade"]
    assert [each.get("trade_id") for each in events] == [1, 2, None, 5]
    assert [each["session"] for each in events] == [1, 1, 1, 2]
    assert "1 Gap, 3 Trades" in done.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--serve", "--json"), "not both: --serve prints no events"),
        (("--port", "8080"), "add --serve"),
    ],
    ids=["json", "port"],
)
def test_an_option_that_would_do_nothing_is_refused(
    recording: Path, options: tuple[str, ...], said: str
) -> None:
    done = CliRunner().invoke(group, ["replay", str(recording), *options])

    assert done.exit_code == 2
    assert said in done.output


def test_a_part_of_it_is_printed(recording: Path) -> None:
    command = ["replay", str(recording), "--json", "--from", "1970-01-01T00:00:02", "--to"]
    done = CliRunner().invoke(group, [*command, "1970-01-01T00:00:05Z"])

    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [(each["type"], each.get("trade_id")) for each in events] == [
        ("Trade", 2), ("Gap", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "yesterday"), "'yesterday' is not a time; write 2026-11-25"),
        (("--from", "2026-11-25", "--to", "2026-11-25T00:00:00Z"), "--from must be before --to"),
    ],
)
def test_a_part_that_is_none_is_refused(
    recording: Path, options: tuple[str, ...], said: str
) -> None:
    done = CliRunner().invoke(group, ["replay", str(recording), *options])

    assert done.exit_code == 2
    assert said in done.output


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """Folders as ``kind = "recording"`` makes them: one for each adapter."""
    for name, numbers in (("futures", (1, 4, 5)), ("spot", (2, 3, 6))):
        (tmp_path / "rec" / name).mkdir(parents=True)
        frames = [frame(number) for number in numbers]
        write(tmp_path / "rec" / name / "a.rec.zst", frames, subject=SUBJECT)
    (tmp_path / "rec" / "spot" / "b.rec.zst").write_bytes(b"")
    return tmp_path / "rec"


def test_recordings_of_several_adapters_are_printed_in_the_order_of_their_times(
    several: Path,
) -> None:
    done = CliRunner().invoke(group, ["replay", str(several), "--json"])

    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    events = [each for each in lines if each["type"] == "Trade"]
    assert [each["trade_id"] for each in events] == [1, 2, 3, 4, 5, 6]
    assert [each["recording"].partition(":")[0] for each in events] == [
        "futures", "spot", "spot", "futures", "futures", "spot",
    ]  # fmt: skip
    assert "skipped: " in done.stderr
    assert "b.rec.zst: it is not a recording: it is empty" in done.stderr


async def test_recordings_of_several_adapters_are_played_by_one_clock(
    several: Path, autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    began = trio.current_time()

    counts = await print_events(look_for(several).recordings, 1.0, as_json=True)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    events = [each for each in lines if each["type"] == "Trade"]
    assert counts == {"Trade": 6, "Gap": 2}
    assert [each["trade_id"] for each in events] == [1, 2, 3, 4, 5, 6]
    assert trio.current_time() - began == pytest.approx(5.0)


def test_one_of_several_is_served(several: Path) -> None:
    done = CliRunner().invoke(group, ["replay", str(several), "--serve"])

    assert done.exit_code == 1
    assert "there are 2 recordings" in done.output
    assert f"{several / 'spot'} (binance_usdm); choose one of them" in done.output


def test_several_are_verified_each(several: Path) -> None:
    done = CliRunner().invoke(group, ["verify", str(several), "--json"])
    told = CliRunner().invoke(group, ["verify", str(several)])

    report = json.loads(done.output)
    assert done.exit_code == told.exit_code == 0
    assert report["sound"]
    names = [(each["name"], each["frames"]) for each in report["recordings"]]
    assert names == [("futures: binance_usdm", 3), ("spot: binance_usdm", 3)]
    assert "skipped: b.rec.zst: it is not a recording: it is empty" in told.output
    assert "== spot: binance_usdm" in told.output


def test_a_part_is_verified(several: Path) -> None:
    command = ["verify", str(several / "futures"), "--json", "--from", "1970-01-01T00:00:04"]
    done = CliRunner().invoke(group, command)

    assert json.loads(done.output)["frames"] == 2


def test_a_file_whose_beginning_is_damaged_is_damage(several: Path) -> None:
    path = several / "futures" / "b.rec.zst"
    data = bytearray((several / "futures" / "a.rec.zst").read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)

    done = CliRunner().invoke(group, ["verify", str(several / "futures"), "--json"])

    assert done.exit_code == 1
    assert [each.partition(":")[0] for each in json.loads(done.output)["damage"]] == ["b.rec.zst"]


def test_a_folder_without_a_recording_is_an_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(group, ["replay", str(tmp_path)])

    assert done.exit_code == 1
    assert "no recording at" in done.output


def test_a_reader_that_has_read_enough_is_no_error(tmp_path: Path) -> None:
    began = [Mark(kind, LINK, 1, 1) for kind in ("Connecting", "Connected", "Subscribed")]
    items = [*began, *map(frame, range(1, 5000))]
    path = write(tmp_path / "a.rec.zst", items, subject=SUBJECT)
    replaying = subprocess.Popen(
        [sys.executable, "-m", "connector.app", "replay", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with replaying:
        assert replaying.stdout is not None
        assert replaying.stderr is not None
        assert "trade_id=1" in replaying.stdout.readline()
        replaying.stdout.close()
        assert replaying.stderr.read() == ""


@pytest.mark.parametrize("speed", [1.0, math.inf])
async def test_another_program_is_served(
    recording: Path, autojump_clock: MockClock, speed: float
) -> None:
    network = MemoryNetwork()
    playback = Playback(binance.UsdMFutures(), (recording,), speed)
    async with open_exchange("usdm", source=playback, network=network) as served:
        exchange = binance.UsdMFutures(endpoints=served.endpoints)
        async with open_adapter(exchange, dialer=network) as adapter:
            async with adapter.subscribe(Trades("ETHUSDC")) as trades:
                came = [((await trades.receive()).trade_id, trio.current_time()) for _ in range(3)]
    assert [number for number, _ in came] == [1, 2, 5]
    took = came[-1][1] - came[0][1]
    assert took == pytest.approx(4.0 if speed == 1 else 0.0, abs=0.1)


async def test_serving_at_a_terminal_shows_progress(
    recording: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 1.5)
    out = Terminal()
    network = MemoryNetwork()
    playback = Playback(binance.UsdMFutures(), (recording,), 2.0, out)
    async with open_exchange("usdm", source=playback, network=network) as served:
        exchange = binance.UsdMFutures(endpoints=served.endpoints)
        async with open_adapter(exchange, dialer=network) as adapter:
            async with adapter.subscribe(Trades("ETHUSDC")) as trades:
                for _ in range(3):
                    await trades.receive()

    assert out.getvalue() == "    2.0 s  3 frames, 4.0 of 4.0 s (100%)\n"


async def test_the_snapshot_that_was_recorded_last_is_served(
    recording: Path, autojump_clock: MockClock
) -> None:
    network = MemoryNetwork()
    playback = Playback(binance.UsdMFutures(), (recording,), math.inf)
    async with open_exchange("usdm", source=playback, network=network) as served:
        player = served._player
        assert player.snapshot("ETHUSDC", 1) is None
        exchange = binance.UsdMFutures(endpoints=served.endpoints)
        async with open_adapter(exchange, dialer=network) as adapter:
            async with adapter.subscribe(Trades("ETHUSDC")) as trades:
                for _ in range(3):
                    await trades.receive()
        assert player.symbols == ("ETHUSDC",)
        assert json.loads(player.snapshot("ETHUSDC", 1) or b"") == {"bids": [[1]], "asks": [[2]]}
