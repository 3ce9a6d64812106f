"""Reading a recording beside reading JSON lines of the same data, in one run.

``python -m benchmarks.recordings RECORDING`` writes what it holds as lines of JSON (time, stream,
text), plain and as gzip, and reads all three to time, stream and payload of every frame; JSON by
`json` and by `msgspec`. The time is that of the processor.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO

import msgspec

from connector.link.raw_frames import RawFrame
from connector.recording import read_frames
from connector.recording.reader import whole_blocks

Row = tuple[int, str | None, bytes]
ROUNDS = 5


class Line(msgspec.Struct):
    t: int
    s: str | None
    m: str


def of_recording(path: Path) -> Iterator[Row]:
    return chain.from_iterable(block.rows() for block in whole_blocks(path))


def of_json(lines: IO[bytes]) -> Iterator[Row]:
    for line in lines:
        row = json.loads(line)
        yield row["t"], row["s"], row["m"].encode()


def of_msgspec(lines: IO[bytes]) -> Iterator[Row]:
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
