"""Reading a recording beside reading JSON lines of the same data, in one run.

``python -m benchmarks.recordings RECORDING`` writes what it holds as lines of JSON (time, stream,
text), plain and as gzip, and reads all three to time, stream and payload of every frame; JSON by
`json` and by `msgspec`. Then it says what a frame costs to decode, to verify and to replay through
an adapter, side by side: the median of some rounds that take turns. The time is that of the
processor.
"""

from __future__ import annotations

import gzip
import json
import math
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import msgspec
import trio

from connector import open_adapter
from connector.app.naming import find_exchange
from connector.app.recordings.decoding import channel_of, streams_of
from connector.exchanges.envelope import find_name
from connector.exchanges.protocol import AnyStream, Exchange
from connector.link.raw_frames import RawFrame
from connector.recording import read_frames, replay, start_of
from connector.recording.reader import whole_blocks
from connector.recording.verification import verify

Row = tuple[int, str | None, bytes]
ROUNDS = 5


class Line(msgspec.Struct):
    t: int
    s: str | None
    m: str


def of_recording(path: Path) -> Iterator[Row]:
    return chain.from_iterable(block.rows() for block in whole_blocks(path))


def of_json(lines: Iterable[bytes]) -> Iterator[Row]:
    for line in lines:
        row = json.loads(line)
        yield row["t"], row["s"], row["m"].encode()


def of_msgspec(lines: Iterable[bytes]) -> Iterator[Row]:
    decode = msgspec.json.Decoder(Line).decode
    for line in lines:
        row = decode(line)
        yield row.t, row.s, row.m.encode()


def seconds(read: Callable[[], Iterator[Row]]) -> float:
    """The best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        deque(read(), maxlen=0)  # nothing but reading
        best = min(best, time.process_time() - began)
    return best


def decode(path: Path, streams: dict[str, AnyStream], exchange: Exchange) -> None:
    """Nothing but decoding, of frames that have been read and cut before."""
    envelope = exchange.envelope
    assert envelope is not None
    parts, _, tail = envelope.shape
    begins: dict[str, int] = {}
    for block in whole_blocks(path):
        for _, name, payload in block.rows():
            if name is None:
                continue
            if name not in begins:
                _, begins[name] = find_name(parts, payload)
            streams[name].decode(payload[begins[name] : -tail])


async def play(path: Path, exchange: Exchange) -> None:
    channels = [channel_of(exchange, name) for name in streams_of(exchange, [path])]
    async with (
        open_adapter(replay(exchange, path, speed=math.inf)) as adapter,
        adapter.subscribe(*channels) as feed,
    ):
        async for _ in feed:
            pass


def compare_work(path: Path) -> None:
    """What a frame costs, by what is done with it."""
    exchange = find_exchange(start_of(path).exchange)()
    streams = streams_of(exchange, [path])
    frames = sum(1 for _ in of_recording(path))
    work: dict[str, Callable[[], object]] = {
        "read": lambda: deque(of_recording(path), maxlen=0),
        "read and decode": lambda: decode(path, streams, exchange),
        "verify": lambda: verify([path], exchange, streams.values()),
        "replay": lambda: trio.run(play, path, exchange),
    }
    took: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, do in work.items():
            began = time.process_time()
            do()
            took[name].append((time.process_time() - began) / frames * 1e6)
    print(f"\n{'':22}{'µs per frame':>14}")
    for name, rounds in took.items():
        print(f"{name:22}{statistics.median(rounds):14.2f}")


def main(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = Path(folder) / "lines.jsonl", Path(folder) / "lines.jsonl.gz"
        rows = [
            msgspec.json.encode(Line(each.received_ns, each.stream, each.payload.decode()))
            for each in read_frames(path)
            if isinstance(each, RawFrame)
        ]
        plain.write_bytes(b"\n".join(rows) + b"\n")
        with gzip.open(packed, "wb") as file:
            file.write(plain.read_bytes())
        readers: dict[str, tuple[Path, Callable[[], Iterator[Row]]]] = {
            "recording": (path, lambda: of_recording(path)),
            "json lines, gzip": (packed, lambda: of_json(gzip.open(packed, "rb"))),  # noqa: SIM115
            "json lines": (plain, lambda: of_json(plain.open("rb"))),
            "json lines, msgspec": (plain, lambda: of_msgspec(plain.open("rb"))),
        }
        first = 0.0
        frames = sum(1 for _ in of_recording(path))
        print(f"{'':22}{'MB':>8}{'µs per frame':>14}{'frames/s':>12}{'times':>8}")
        for name, (file_, read) in readers.items():
            assert list(read()) == list(of_recording(path)), name
            took = seconds(read)
            first = first or took
            print(
                f"{name:22}{file_.stat().st_size / 1e6:8.1f}{took / frames * 1e6:14.2f}"
                f"{frames / took:12,.0f}{took / first:8.1f}"
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    compare_work(Path(sys.argv[1]))
