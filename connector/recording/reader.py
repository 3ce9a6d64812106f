"""Read a recording block by block, up to where it was cut off, and past damaged blocks."""

from __future__ import annotations

import itertools
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import attrs

from connector.errors import ConfigError
from connector.link.raw_frames import RawFrame
from connector.recording.format import (
    HEAD_BYTES,
    MAGIC,
    MAX_BLOCK_BYTES,
    PREFIX,
    SIGNATURE,
    AnyMark,
    Block,
    Head,
    RecordingDamaged,
    Start,
)
from connector.recording.zstd import decompress

_SEARCH_BYTES = 1024 * 1024
_LOOKED_AT = 16
"""Number of blocks, of a second or two each, that show which link carries each stream."""


@attrs.frozen
class Damage:
    """A damaged place in a file."""

    offset: int
    """The position in the file, in bytes."""
    what: str
    """A description of the damage."""
    torn: bool
    """Whether the file was cut off in its last block, as after a kill."""


@attrs.frozen
class Span:
    """A span of arrival times, nanoseconds since the epoch. It excludes the end."""

    since_ns: int | None = None
    """Begin of the span; None for the beginning of the recording."""
    until_ns: int | None = None
    """End of the span; None for the end of the recording."""

    def __contains__(self, time_ns: int) -> bool:
        if self.since_ns is not None and time_ns < self.since_ns:
            return False
        return self.until_ns is None or time_ns < self.until_ns

    def __bool__(self) -> bool:
        return self.since_ns is not None or self.until_ns is not None

    def files(self, paths: Iterable[Path]) -> tuple[Path, ...]:
        """Those of `paths` that hold a frame of the span, or none at all.

        Raises:
            OSError, ConfigError: as `span_of`.
        """
        return tuple(path for path in paths if not self or self._meets(*span_of([path])))

    def _meets(self, first_ns: int, last_ns: int) -> bool:
        early = self.since_ns is not None and last_ns < self.since_ns
        late = self.until_ns is not None and first_ns >= self.until_ns
        return not last_ns or not (early or late)


ALWAYS = Span()


def read_blocks(path: str | Path) -> Iterator[Block | Damage]:
    """Yield the blocks of a file, and a `Damage` for each damaged place.

    Raises:
        OSError: the file cannot be read.
        ConfigError: it is no recording, or one of a later version.
    """
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        offset = 0
        if not size:
            raise ConfigError(f"{path} is not a recording: it is empty")
        while offset < size:
            file.seek(offset)
            try:
                head, block = _read_block(file, size - offset)
            except _Torn as torn:
                yield Damage(offset, str(torn), torn=True)
                return
            except RecordingDamaged as damage:
                found = _find_block(file, offset + 1, size)
                if offset == 0 and found == size:
                    raise ConfigError(f"{path} is not a recording: {damage}") from damage
                yield Damage(offset, str(damage), torn=False)
                offset = found
                continue
            yield block
            offset += HEAD_BYTES + head.compressed_bytes


def read_frames(path: str | Path) -> Iterator[RawFrame | AnyMark]:
    """Yield the frames and marks of a file in order, up to the place where it was cut off.

    Raises:
        OSError, ConfigError: as `read_blocks`.
        RecordingDamaged: a block in the middle is not what was written.
    """
    for block in whole_blocks(path):
        yield from items_of(block)


def whole_blocks(path: str | Path) -> Iterator[Block]:
    """Yield the blocks of a file, up to the place where it was cut off.

    Raises:
        OSError, ConfigError: as `read_blocks`.
        RecordingDamaged: a block in the middle is not what was written.
    """
    for block in read_blocks(path):
        if isinstance(block, Block):
            yield block
        elif not block.torn:
            raise RecordingDamaged(
                f"{path} is damaged at byte {block.offset}: {block.what}; connector verify shows "
                "which part of it can be read"
            )


def items_of(block: Block) -> Iterator[RawFrame | AnyMark]:
    """The frames and marks of a block in their order."""
    marks = block.table.marks
    sources = block.table.sources
    begin = 0
    for position, mark in [*marks, (len(block.times), None)]:
        for index in range(begin, position):
            link, session, stream = sources[block.sources[index]]
            yield RawFrame(link, session, block.times[index], stream, block.payloads[index])
        begin = max(begin, position)
        if mark is not None:
            yield mark


def start_of(path: str | Path) -> Start:
    """Read the `Start` of a file.

    Raises:
        OSError: the file cannot be read.
        ConfigError: it is no recording, or one of a later version, or its first block is damaged.
    """
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise ConfigError(f"{path} is not a recording: it is empty")
        try:
            _, block = _read_block(file, size)
        except RecordingDamaged as damage:
            raise ConfigError(f"{path} is not a recording: {damage}") from damage
        except ConfigError as later:
            raise ConfigError(f"cannot read {path}: {later}") from later
    if block.table.marks and isinstance(start := block.table.marks[0][1], Start):
        return start
    raise ConfigError(f"{path} does not begin like a recording")


def links_of(paths: Sequence[Path]) -> dict[str, str]:
    """The link of each stream, as far as the beginning of a recording shows it.

    Raises:
        OSError, ConfigError: as `read_blocks`.
    """
    links: dict[str, str] = {}
    blocks = itertools.chain.from_iterable(map(read_blocks, paths))
    for block in itertools.islice(blocks, _LOOKED_AT):
        if isinstance(block, Block):
            links.update((stream, link) for link, _, stream in block.table.sources if stream)
    return links


def span_of(paths: Sequence[Path]) -> tuple[int, int]:
    """The earliest and the latest time of receipt, from the heads of the blocks alone.

    Up to the first damage of each file; (0, 0) if there is no frame.

    Raises:
        OSError: a file cannot be read.
        ConfigError: one is of a later version.
    """
    heads = [head for path in paths for head in _heads(path) if head.frames]
    if not heads:
        return 0, 0
    return min(head.first_ns for head in heads), max(head.last_ns for head in heads)


def _heads(path: Path) -> Iterator[Head]:
    """The heads of the blocks that are whole, without a look at what is in them."""
    with path.open("rb") as file:
        left = os.fstat(file.fileno()).st_size
        while left >= HEAD_BYTES:
            try:
                head = Head.decode(file.read(HEAD_BYTES))
            except RecordingDamaged:
                return
            left -= HEAD_BYTES + head.compressed_bytes
            if left >= 0:
                yield head
            file.seek(head.compressed_bytes, os.SEEK_CUR)


class _Torn(RecordingDamaged):
    """The file ends before the block does."""


def _read_block(file: BinaryIO, left: int) -> tuple[Head, Block]:
    """The block at the position of `file`, which has `left` more bytes."""
    data = file.read(HEAD_BYTES)
    if len(data) < HEAD_BYTES:
        beginning = PREFIX.pack(*PREFIX.unpack(MAGIC + data[4:8].ljust(4, b"\0")))
        if data[:4] == beginning[: len(data)][:4]:
            raise _Torn("the file ends within the head of a block")
        raise RecordingDamaged("no block begins there")
    head = Head.decode(data)
    if head.raw_bytes > MAX_BLOCK_BYTES:
        raise RecordingDamaged(f"a block of {head.raw_bytes} bytes is none of ours")
    if HEAD_BYTES + head.compressed_bytes > left:
        raise _Torn("the file ends within a block")
    compressed = file.read(head.compressed_bytes)
    if zlib.crc32(compressed) != head.crc:
        raise RecordingDamaged("the checksum of a block does not match")
    raw = decompress(compressed, head.raw_bytes)
    if len(raw) != head.raw_bytes:
        raise RecordingDamaged("the size of a block does not match")
    return head, Block.decode(raw, head.frames)


def _find_block(file: BinaryIO, offset: int, size: int) -> int:
    """The position of the next block from `offset` on; `size` if there is none."""
    wanted = MAGIC
    while offset < size:
        file.seek(offset)
        data = file.read(_SEARCH_BYTES)
        found = data.find(wanted)
        while found >= 0:
            if data[found + PREFIX.size : found + PREFIX.size + 4] == SIGNATURE:
                return offset + found
            if found + PREFIX.size + 4 > len(data):
                break
            found = data.find(wanted, found + 1)
        if len(data) < _SEARCH_BYTES:
            return size
        offset += len(data) - PREFIX.size - 4
    return size
