"""The format of a recording: blocks of columns, each compressed, checked, and readable alone.

A file is a sequence of blocks. A block is a zstd *skippable frame* that describes what follows, and
a zstd frame: ``zstd -dc`` reads the file, too, and gives the blocks one after another.

.. code-block:: text

    file   = block*
    block  = head frame
    head   = magic 0x184D2A5C u32, size of the rest u32, then as `HEAD`:
             "crec", version u16, flags u16, bytes of the frame u32, bytes of the block u32,
             CRC-32 of the frame u32, frames u32, first and last receive time i64, CRC-32 of all
             that u32
    frame  = zstd(size of the table u32, table, times i64[n], sources u32[n], sizes u32[n],
             payloads), all little-endian
    table  = MessagePack of `Table`: what the numbers in `sources` mean, and the marks

Each block can be read alone, so a file that was cut off or damaged can be read before and after the
damage. Columns make reading fast, because frames do not have to be parsed one by one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

import attrs
import msgspec

from connector.errors import ConfigError, ConnectorError

VERSION = 1
SUFFIX = ".rec.zst"
MAGIC = struct.pack("<I", 0x184D2A5C)
SIGNATURE = b"crec"
HEAD = struct.Struct("<4sHHIIIIqqI")
PREFIX = struct.Struct("<4sI")
HEAD_BYTES = PREFIX.size + HEAD.size
_CHECKED = HEAD.size - 4
"""Bytes of the head under its own CRC."""
_SIZE = struct.Struct("<I")
MAX_BLOCK_BYTES = 256 * 1024 * 1024
"""A block of more is no block: a small file must not become a large memory."""


Plain: TypeAlias = str | int | float | bool | None


class RecordingDamaged(ConnectorError):
    """A recording is damaged. The message has the file, the position and the reason."""


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Describes a file. It is the first mark of each file."""

    exchange: str
    """The name of the exchange."""
    channels: list[str]
    """The channels, written as on the command line."""
    streams: list[str]
    """The exchange's names of the recorded streams."""
    started_ns: int
    """Time at which the file begins, nanoseconds since the epoch."""
    number: int = 1
    """The number of the file in its recording: 1, 2, 3 …"""
    software: str = ""
    """The version that wrote the file."""
    python: str = ""
    """The version of Python that wrote the file."""
    routes: dict[str, str] = {}
    """The route of each stream; empty in older files."""
    present: list[tuple[str, int, bool]] = []
    """The open sessions when the file begins: link, number, whether all is acknowledged."""
    recording: str = ""
    """The id of the recording, the same in all its files; empty in older files."""
    run: int = 0
    """The number of the recording in its folder; 0 if unknown."""


class Mark(msgspec.Struct, frozen=True, tag="mark"):
    """A connection event (`connector.lifecycle`)."""

    kind: str
    """The class of the event, such as ``Disconnected``."""
    link: str
    """The link that the event belongs to."""
    session: int
    """The number of its session."""
    time_ns: int
    """Time of the event, nanoseconds since the epoch."""
    what: dict[str, Plain] = {}
    """The other fields of the event."""


CLOCK_SET = "ClockSet"
"""Kind of the mark where the wall clock was set: what follows is later by its ``by_ns`` than the
times say. A restarted machine, a step of NTP, or a process that did not run."""


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The answer to a REST request."""

    target: str
    """Path and query of the request."""
    received_ns: int
    """Time of arrival, nanoseconds since the epoch."""
    body: bytes
    """The body of the answer."""


class Hole(msgspec.Struct, frozen=True, tag="hole"):
    """The recorder was too slow, and its overflow policy dropped frames here."""

    time_ns: int
    """Time of the loss, nanoseconds since the epoch."""
    dropped: int
    """The number of lost frames."""


class End(msgspec.Struct, frozen=True, tag="end"):
    """The last mark of a complete file. Without it, the file was cut off or is not finished."""

    time_ns: int
    """Time at which the file ends, nanoseconds since the epoch."""
    frames: int
    """The number of frames in the file."""
    reason: str
    """The reason, such as ``rotated`` if another file follows."""


AnyMark: TypeAlias = Start | Mark | Answer | Hole | End


class Table(msgspec.Struct, frozen=True):
    """The table of a block: its sources and marks."""

    sources: list[tuple[str, int, str | None]]
    """Link, session and stream of each source; `Block.sources` has the index."""
    marks: list[tuple[int, AnyMark]]
    """The marks, each with the number of frames before it."""


_encode_table = msgspec.msgpack.Encoder().encode
_decode_table = msgspec.msgpack.Decoder(Table).decode


@attrs.frozen
class Head:
    """What is known of a block before it is decompressed."""

    compressed_bytes: int
    raw_bytes: int
    crc: int
    frames: int
    first_ns: int
    """Receive times of the first and the last frame; 0 without frames."""
    last_ns: int

    def encode(self) -> bytes:
        """The skippable frame."""
        body = HEAD.pack(
            SIGNATURE,
            VERSION,
            0,
            self.compressed_bytes,
            self.raw_bytes,
            self.crc,
            self.frames,
            self.first_ns,
            self.last_ns,
            0,
        )[:_CHECKED]
        return PREFIX.pack(MAGIC, HEAD.size) + body + _SIZE.pack(zlib.crc32(body))

    @staticmethod
    def decode(data: bytes) -> Head:
        """Read it.

        Raises:
            RecordingDamaged: it is none.
            ConfigError: it is one of a later version.
        """
        magic, size = PREFIX.unpack_from(data)
        if magic != MAGIC or size != HEAD.size:
            raise RecordingDamaged("no block begins there")
        signature, version, _, *numbers, crc = HEAD.unpack_from(data, PREFIX.size)
        if signature != SIGNATURE:
            raise RecordingDamaged("no block begins there")
        if zlib.crc32(data[PREFIX.size : PREFIX.size + _CHECKED]) != crc:
            raise RecordingDamaged("the head of a block is damaged")
        if version > VERSION:
            raise ConfigError(f"the recording has format {version}; this version reads {VERSION}")
        return Head(*numbers)


@attrs.frozen
class Block:
    """A block: frames as columns of equal length, and the marks between them."""

    table: Table
    """Sources and marks of the block."""
    times: Sequence[int]
    """The arrival time of each frame, nanoseconds since the epoch."""
    sources: Sequence[int]
    """The source of each frame, as an index into `Table.sources`."""
    payloads: Sequence[bytes]
    """The frames, as they arrived."""

    def rows(self) -> Iterator[tuple[int, str | None, bytes]]:
        """Iterate over arrival time, stream and payload of every frame: the fast way to read."""
        streams = [stream for _, _, stream in self.table.sources]
        return zip(self.times, map(streams.__getitem__, self.sources), self.payloads, strict=True)

    def encode(self) -> bytes:
        """The bytes that are compressed."""
        count = len(self.times)
        table = _encode_table(self.table)
        return b"".join(
            (
                _SIZE.pack(len(table)),
                table,
                struct.pack(f"<{count}q", *self.times),
                struct.pack(f"<{count}I", *self.sources),
                struct.pack(f"<{count}I", *map(len, self.payloads)),
                *self.payloads,
            )
        )

    @staticmethod
    def decode(data: bytes, count: int) -> Block:
        """Read a block of `count` frames.

        Raises:
            RecordingDamaged: it is none.
        """
        try:
            (size,) = _SIZE.unpack_from(data)
            begin = _SIZE.size + size
            table = _decode_table(data[_SIZE.size : begin])
            times = struct.unpack_from(f"<{count}q", data, begin)
            begin += 8 * count
            sources = struct.unpack_from(f"<{count}I", data, begin)
            sizes = struct.unpack_from(f"<{count}I", data, begin + 4 * count)
        except (struct.error, msgspec.MsgspecError) as error:
            raise RecordingDamaged(f"a block does not decode: {error}") from error
        ends = accumulate(sizes, initial=begin + 8 * count)
        payloads = [data[a:b] for a, b in pairwise(ends)]
        if sources and max(sources) >= len(table.sources):
            raise RecordingDamaged("a block names a source that it does not have")
        return Block(table, times, sources, payloads)


def fields_of(event: Any) -> dict[str, Plain]:
    """The fields of a lifecycle event that are plain values, without link, session and time."""
    common = {"link", "session", "time_ns"}
    return {
        field.name: value
        for field in attrs.fields(type(event))
        if field.name not in common
        and isinstance(value := getattr(event, field.name), str | int | float | bool | None)
    }
