"""What one read may keep the loop with is bounded, whatever the server sends."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.transport import Ended, open_connection

CONTINUATION, TEXT, BINARY = 0, 1, 2
RSV1 = 4
READ_BYTES = 65_536
MOST_MESSAGES = 512
MOST_BYTES = 262_144
LIMIT = 1 << 20


@attrs.define(eq=False)
class Turns(trio.abc.Instrument):
    """A sink that notes how much comes in one turn of a task."""

    turn: int = 0
    messages: Counter[int] = attrs.Factory(Counter)
    payload_bytes: Counter[int] = attrs.Factory(Counter)
    leisurely: bool = False

    def deliver(self, payloads: Sequence[bytes], first: int) -> int:
        self.messages[self.turn] += len(payloads) - first
        self.payload_bytes[self.turn] += sum(map(len, payloads[first:]))
        return len(payloads)

    async def wait_for_room(self) -> None:
        raise AssertionError

    async def rest(self) -> None:
        raise AssertionError

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.turn += 1


def hear(far: Any, said: bytes, *, compression: bool = False) -> tuple[Turns, Ended]:
    """Listen to a server that says all of `said` at once."""
    sink = Turns()

    def answer(request: bytes) -> bytes:
        headers = [b"Sec-WebSocket-Extensions: permessage-deflate"] if compression else []
        head: bytes = far.switching_protocols(request, *headers)
        return head + said

    async def listen() -> Ended:
        async with open_connection(
            "ws://far/",
            sink,
            dialer=far.Dialer(lambda: far.End(answer)),
            compression=compression,
            max_message_bytes=LIMIT,
            sockets=set(),
        ) as connection:
            return await connection.run()
        raise AssertionError

    return sink, trio.run(listen, clock=MockClock(autojump_threshold=0), instruments=[sink])


def deflated(payload: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return (stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("compression", [False, True], ids=["plain", "compressed"])
def test_a_read_of_empty_messages(far: Any, compression: bool) -> None:
    frame = far.frame(TEXT, deflated(b""), reserved=RSV1) if compression else far.frame(TEXT, b"")
    count = READ_BYTES // len(frame)

    sink, ended = hear(far, frame * count, compression=compression)

    assert ended == Ended("eof", 1006)
    assert sink.messages.total() == count
    assert max(sink.messages.values()) <= MOST_MESSAGES


@pytest.mark.parametrize("bytes_each", [1_000, 100_000, LIMIT])
@pytest.mark.parametrize("pieces", [1, 2])
def test_a_read_that_inflates_to_a_thousand_times_its_size(
    far: Any, bytes_each: int, pieces: int
) -> None:
    data = deflated(b"a" * bytes_each)
    half = len(data) // pieces
    frame = far.frame(TEXT, data[:half], fin=pieces == 1, reserved=RSV1)
    if pieces == 2:
        frame += far.frame(CONTINUATION, data[half:])
    count = max(READ_BYTES // len(frame), 2)

    sink, ended = hear(far, frame * count, compression=True)

    assert ended == Ended("eof", 1006)
    assert sink.payload_bytes.total() == count * bytes_each
    assert max(sink.payload_bytes.values()) < MOST_BYTES + bytes_each


def test_final_blocks_without_end(far: Any) -> None:
    # An empty final block with fixed codes is 10 bits: what follows begins at a byte.
    blocks = b"\x03\x00" * 20_000

    sink, ended = hear(far, far.frame(TEXT, blocks, reserved=RSV1), compression=True)

    assert not sink.messages
    assert (ended.reason, ended.code) == ("protocol error", 1002)
    assert "final blocks" in ended.text


def test_a_few_final_blocks_are_a_message(far: Any) -> None:
    stream = zlib.compressobj(wbits=-15)
    hello = stream.compress(b"Hello") + stream.flush(zlib.Z_FINISH)

    # The count begins anew with each message.
    sink, ended = hear(far, far.frame(TEXT, hello * 10, reserved=RSV1) * 3, compression=True)

    assert sink.payload_bytes.total() == 3 * len("Hello" * 10)
    assert ended == Ended("eof", 1006)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("compression", [False, True], ids=["plain", "compressed"])
def test_a_message_that_goes_on_for_ever_with_nothing(
    far: Any, opcode: int, compression: bool
) -> None:
    first = far.frame(opcode, b"", fin=False, reserved=RSV1 if compression else 0)
    rest = far.frame(CONTINUATION, b"", fin=False) * 20_000

    sink, ended = hear(far, first + rest, compression=compression)

    assert not sink.messages
    assert (ended.reason, ended.code) == ("too big", 1009)
    assert "fragments" in ended.text


@pytest.mark.parametrize("compression", [False, True], ids=["plain", "compressed"])
def test_a_message_of_the_largest_size_in_small_pieces(far: Any, compression: bool) -> None:
    payload = b"a" * LIMIT
    # Stored, not compressed: as many pieces.
    stream = zlib.compressobj(0, wbits=-15)
    stored = (stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]
    data = stored if compression else payload
    parts = [data[begin : begin + 66] for begin in range(0, len(data), 66)]
    said = b"".join(
        far.frame(
            TEXT if index == 0 else CONTINUATION,
            part,
            fin=index == len(parts) - 1,
            reserved=RSV1 if compression and index == 0 else 0,
        )
        for index, part in enumerate(parts)
    )

    sink, ended = hear(far, said * 2, compression=compression)

    assert sink.payload_bytes.total() == 2 * LIMIT
    assert ended == Ended("eof", 1006)
