"""Recorded traffic on disk: captures of other programs, and recordings of ``connector record``.

A capture (``*.jsonl.gz``) is gzip of one JSON object per line, in the order of receipt:
``{"t": receive time in ns or null, "k": "open" | "recv" | "send" | "http", "u": URL or null,
"m": exact text or null}``. A recording (`connector.recording`) is a file or a folder of files.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from connector.link.raw_frames import RawFrame
from connector.recording import SUFFIX, Answer, files_of, read_frames

_HEAD, _MIDDLE, _TAIL = '{"stream":"', '","data":', "}"
NO_CAPTURE = (msgspec.DecodeError, EOFError, zlib.error)
"""The errors of reading a file that is not a capture, or is damaged."""


class Frame(msgspec.Struct, frozen=True, rename={"ns": "t", "kind": "k", "url": "u", "text": "m"}):
    """One line of a capture."""

    ns: int | None
    """Time of receipt, in nanoseconds since 1970; None if unknown."""
    kind: Literal["open", "recv", "send", "http"]
    url: str | None
    """The URL that was opened or fetched."""
    text: str | None
    """The exact text that was received, sent or fetched."""

    @property
    def stream(self) -> str | None:
        """The stream of a combined data frame of Binance; None for everything else."""
        if self.kind != "recv" or self.text is None or not self.text.startswith(_HEAD):
            return None
        name, middle, _ = self.text[len(_HEAD) :].partition(_MIDDLE)
        return name if middle else None

    @property
    def payload(self) -> bytes:
        """The data of a combined data frame, byte for byte."""
        assert self.text is not None
        return self.text.partition(_MIDDLE)[2].removesuffix(_TAIL).encode()


def read_capture(path: str | Path, exchange: str | None = None) -> Iterator[Frame]:
    """Yield the frames of a capture or a recording, in the order in which they were received.

    Args:
        path: a ``*.jsonl.gz`` file, a recording, or a folder with the files of a recording.
        exchange: whose recording, if the folder has those of several.

    Raises:
        OSError: the file cannot be read, or is not gzip.
        msgspec.DecodeError: a line is not such an object.
        EOFError, zlib.error: the gzip was cut off, or is damaged.
        ConfigError: there is no recording, or more than one, or `zstandard` is not installed.
        RecordingDamaged: the recording is damaged in the middle.
    """
    if is_recording(path):
        yield from _recorded(path, exchange)
        return
    decoder = msgspec.json.Decoder(Frame)
    with gzip.open(path, "rb") as lines:
        for line in lines:
            yield decoder.decode(line)


def is_recording(path: str | Path) -> bool:
    """Whether it is one of ``connector record``, by its name."""
    return Path(path).name.endswith(SUFFIX) or Path(path).is_dir()


def _recorded(path: str | Path, exchange: str | None) -> Iterator[Frame]:
    for file in files_of(path, exchange):
        for item in read_frames(file):
            if isinstance(item, RawFrame):
                yield Frame(item.received_ns, "recv", None, _text(item.payload))
            elif isinstance(item, Answer):
                yield Frame(item.received_ns, "http", item.target, _text(item.body))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def streams_of(path: str | Path) -> tuple[str, ...]:
    """The streams of Binance that a capture holds, in the order of their first frames."""
    names = dict.fromkeys(frame.stream for frame in read_capture(path))
    return tuple(name for name in names if name is not None)
