"""Captures are read as they are written, and played at their pace, faster, or frame by frame."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from connector.testing import (
    Audience,
    Capture,
    Frame,
    MemoryNetwork,
    open_exchange,
    read_capture,
    streams_of,
)
from connector.testing.venues.rules import VENUES, Venue

TRADE, QUOTE = "ethusdc@trade", "ethusdc@bookTicker"
START_NS = 1_723_161_253_937_085_768


def line(ns: int | None, kind: str, url: str | None, text: str | None) -> str:
    return json.dumps({"t": ns, "k": kind, "u": url, "m": text}, ensure_ascii=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Ten trades, one a second, with a quote half a second after each."""
    snapshot = json.dumps({"lastUpdateId": 1, "bids": [["1", "1"], ["0.5", "1"]], "asks": []})
    url = "https://x/api/v3/depth?symbol=ETHUSDC&limit=1000"
    lines = [
        line(START_NS, "open", "wss://stream.binance.com/stream", None),
        line(START_NS, "send", None, '{"method":"SUBSCRIBE"}'),
        line(START_NS, "recv", None, '{"result":null,"id":1}'),
        line(START_NS, "http", url, snapshot),
    ]
    for number in range(10):
        for half, stream in enumerate((TRADE, QUOTE)):
            ns = START_NS + number * 10**9 + half * 500_000_000
            text = f'{{"stream":"{stream}","data":{{"n": {number}, "s":"é"}}}}'
            lines.append(line(ns, "recv", None, text))
    target = tmp_path / "small.jsonl.gz"
    with gzip.open(target, "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))
    return target


class Listener:
    """What the audience takes for a connection; it can be full, or refuse to take anything."""

    combined = True
    live = True

    def __init__(self) -> None:
        self.heard: list[tuple[float, str]] = []
        self.takes = True

    def deliver(self, stream: str, data: bytes, frame: bytes | None = None) -> bool:
        if self.takes:
            text = json.dumps([stream, json.loads(data)["n"]])
            self.heard.append((round(trio.current_time(), 6), text))
        return self.takes

    async def wait_room(self, most_bytes: int) -> None:
        await trio.lowlevel.checkpoint()

    def numbers(self, stream: str = TRADE) -> list[int]:
        heard = (json.loads(text) for _, text in self.heard)
        return [number for name, number in heard if name == stream]


def begin(source: Capture, venue: Any = "spot") -> tuple[Audience, Any]:
    audience = Audience(Venue(VENUES[venue]), 0)
    return audience, source.begin(audience)


def test_frames_are_read_as_they_were_written(path: Path) -> None:
    frames = list(read_capture(path))
    assert len(frames) == 24
    assert frames[0] == Frame(START_NS, "open", "wss://stream.binance.com/stream", None)
    assert frames[2].stream is None
    assert frames[4].stream == TRADE
    assert frames[4].payload == '{"n": 0, "s":"é"}'.encode()
    assert streams_of(path) == (TRADE, QUOTE)


@pytest.mark.parametrize("text", ['{"t":1}', '{"t":1,"k":"told","u":null,"m":null}', "nonsense"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    with gzip.open(tmp_path / "x.gz", "wt") as file:
        file.write(text)
    with pytest.raises(msgspec.DecodeError):
        list(read_capture(tmp_path / "x.gz"))


@pytest.mark.parametrize("speed", [1.0, 4.0])
async def test_the_pace_is_the_captures_own_times_the_speed(
    path: Path, autojump_clock: Any, speed: float
) -> None:
    audience, player = begin(Capture(path, speed=speed))
    listener = Listener()
    audience.add(TRADE, listener)  # type: ignore[arg-type]
    await player.play()
    assert [moment for moment, _ in listener.heard] == [n / speed for n in range(10)]
    assert listener.numbers() == list(range(10))


async def test_who_comes_late_has_missed_what_was_before(path: Path, autojump_clock: Any) -> None:
    audience, player = begin(Capture(path))
    early, late = Listener(), Listener()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(player.play)
        await trio.sleep(100)
        audience.add(TRADE, early)  # type: ignore[arg-type]
        await trio.sleep(2.2)
        audience.remove(TRADE, early)  # type: ignore[arg-type]
        await trio.sleep(3)
        audience.add(TRADE, late)  # type: ignore[arg-type]
    assert early.numbers() == [0, 1, 2]
    assert late.numbers() == [6, 7, 8, 9]


async def test_resuming_sends_every_frame_exactly_once(path: Path, autojump_clock: Any) -> None:
    audience, player = begin(Capture(path, resume=True))
    first, second = Listener(), Listener()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(player.play)
        for name in (TRADE, QUOTE):
            audience.add(name, first)  # type: ignore[arg-type]
        await trio.sleep(2.2)
        for name in (TRADE, QUOTE):
            audience.remove(name, first)  # type: ignore[arg-type]
        await trio.sleep(100)
        audience.add(TRADE, second)  # type: ignore[arg-type]
        await trio.sleep(100)
        audience.add(QUOTE, second)  # type: ignore[arg-type]
    for name in (TRADE, QUOTE):
        assert first.numbers(name) + second.numbers(name) == list(range(10))
    moments = [moment for moment, _ in second.heard]
    assert moments[-1] - moments[1] == pytest.approx(6.5), "the pace stays its own"


async def test_a_frame_that_a_fault_keeps_back_is_not_lost(path: Path, autojump_clock: Any) -> None:
    audience, player = begin(Capture(path, resume=True, streams=(TRADE,), speed=math.inf))
    muted, live = Listener(), Listener()
    muted.takes = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(player.play)
        audience.add(TRADE, muted)  # type: ignore[arg-type]
        await trio.sleep(5)
        audience.add(TRADE, live)  # type: ignore[arg-type]
    assert live.numbers() == list(range(10))
    assert trio.current_time() == 5


async def test_a_loop_begins_again(path: Path, autojump_clock: Any) -> None:
    audience, player = begin(Capture(path, loop=True))
    listener = Listener()
    audience.add(TRADE, listener)  # type: ignore[arg-type]
    with trio.move_on_after(25):
        await player.play()
    assert listener.numbers() == (list(range(10)) * 3)[: len(listener.heard)]
    assert len(listener.heard) > 20


async def test_snapshots_are_the_recorded_ones(path: Path, autojump_clock: Any) -> None:
    audience, player = begin(Capture(path, speed=math.inf))
    assert player.snapshot("ETHUSDC", 1) is None
    audience.add(TRADE, Listener())  # type: ignore[arg-type]
    await player.play()
    assert player.symbols == ("ETHUSDC",)
    assert json.loads(player.snapshot("ETHUSDC", 1))["bids"] == [["1", "1"]]


async def test_a_capture_of_another_venue_is_refused(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "x.gz", "wt") as file:
        file.write(line(1, "recv", None, '{"stream":"ethusdc@forceOrder","data":{}}'))
    with pytest.raises(ValueError, match="no stream of spot"):
        begin(Capture(tmp_path / "x.gz"))


async def test_full_speed_waits_for_who_reads_slowly(
    data_folder: Path, autojump_clock: Any
) -> None:
    recorded = data_folder / "binance_usdm" / "multi4_20210722.jsonl.gz"
    sent = [frame.text for frame in read_capture(recorded) if frame.stream]
    route = Venue(VENUES["usdm"]).route_of
    public = tuple(name for name in streams_of(recorded) if route(name) == "/public")
    texts = [frame.text for frame in read_capture(recorded) if frame.stream in public]
    assert 0 < len(texts) < len(sent)
    network = MemoryNetwork(capacity_bytes=1000)
    source = Capture(recorded, speed=math.inf, resume=True, streams=public)
    async with open_exchange("usdm", network=network, source=source) as exchange:
        async with network.connect(exchange.host, exchange.port) as stream:
            path = "/public/stream?streams=" + "/".join(public)
            lines = (
                f"GET {path} HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade",
                "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
            )  # fmt: skip
            await stream.send_all("\r\n".join(lines).encode())
            received = bytearray()
            last = (texts[-1] or "").encode()
            while not received.endswith(last):
                received += await stream.receive_some()
                for connection in exchange.connections:
                    assert connection.unsent_bytes < 400_000
            await exchange.wait_played()
    assert list(text_frames(received.partition(b"\r\n\r\n")[2])) == texts


def text_frames(wire: bytes) -> Iterator[str]:
    """The texts of unmasked, unfragmented frames; the last may be cut off."""
    at = 0
    while at + 10 < len(wire):
        size, head = wire[at + 1], 2
        if size >= 126:
            head = 4 if size == 126 else 10
            size = int.from_bytes(wire[at + 2 : at + head], "big")
        if wire[at] == 0x81:
            yield wire[at + head : at + head + size].decode()
        at += head + size
