"""The tap changes nothing: with it and without it the same messages, answers and endings."""

from __future__ import annotations

import re
import zlib
from contextlib import suppress
from itertools import pairwise
from typing import Any

import attrs
import trio
import trio_websocket
import wsproto.utilities
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from connector.transport import Ended, open_connection
from connector.transport.tap import Tap

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
HEADROOM = 70_000


@attrs.frozen
class Seen:
    """All that can be seen of a connection from outside."""

    messages: list[bytes]
    sent: list[tuple[int, bytes]]
    code: int | None
    text: str


# --- what a server may say, and must not


def texts() -> st.SearchStrategy[bytes]:
    edges = st.sampled_from([0, 1, 2, 124, 125, 126, 127, 299, 300, 301, 1_000])
    rare = st.sampled_from([65_535, 65_536, HEADROOM, HEADROOM + 1])
    sizes = st.one_of(edges, edges, st.integers(0, 300), rare)
    ascii_ = sizes.map(lambda n: b"a" * n)
    other = st.text(max_size=40).map(str.encode)
    return st.one_of(ascii_, other, st.builds(lambda a, b: a + b, ascii_, other))


BAD_UTF8 = st.sampled_from([b"\xff", b"ab\xc3", b"\xed\xa0\x80", b"a" * 130 + b"\x80", b"\xf8"])


def pieces(far: Any, opcode: int, payload: bytes, cuts: list[int], between: list[bytes]) -> bytes:
    """A fragmented message with control frames between its fragments."""
    places = sorted(cut % (len(payload) + 1) for cut in cuts)
    parts = [payload[a:b] for a, b in zip([0, *places], [*places, len(payload)], strict=True)]
    said = b""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        said += far.frame(opcode if index == 0 else CONTINUATION, part, fin=last)
        if not last:
            said += between[index % len(between)] if between else b""
    return said


def server_frames(far: Any) -> st.SearchStrategy[bytes]:
    frame = far.frame
    body = st.binary(max_size=125)
    masks = st.binary(min_size=4, max_size=4)
    wide = st.sampled_from([2, 8])
    controls = st.one_of(
        st.builds(frame, st.just(PING), body),
        st.builds(frame, st.just(PONG), body),
    )
    fragmented = st.builds(
        pieces,
        st.just(far),
        st.sampled_from([TEXT, TEXT, BINARY]),
        texts(),
        st.lists(st.integers(0, 100_000), min_size=1, max_size=4),
        st.lists(controls, max_size=3),
    )
    good = st.one_of(
        st.builds(frame, st.just(TEXT), texts()),
        st.builds(frame, st.just(TEXT), texts()),
        st.builds(frame, st.just(BINARY), texts()),
        controls,
        fragmented,
    )
    codes = st.one_of(
        st.sampled_from([1000, 1001, 1002, 1005, 1006, 1007, 1009, 1011, 1012, 1015, 2999]),
        st.integers(0, 65_535),
    )
    reasons = st.one_of(st.just(b"bye"), st.text(max_size=20).map(str.encode), BAD_UTF8)
    closes = st.one_of(
        st.builds(lambda c, r: frame(CLOSE, c.to_bytes(2) + r[:123]), codes, reasons),
        st.sampled_from([frame(CLOSE), frame(CLOSE, b"\x03"), frame(CLOSE, b"x", fin=False)]),
    )
    bad = st.one_of(
        st.builds(frame, st.just(TEXT), BAD_UTF8),
        BAD_UTF8.map(lambda b: frame(TEXT, b, fin=False) + frame(CONTINUATION, b"tail")),
        st.builds(frame, st.sampled_from([TEXT, BINARY, PING]), body, mask=masks),
        st.builds(frame, st.integers(0, 15), body, reserved=st.integers(1, 7)),
        st.builds(frame, st.integers(0, 15), body, fin=st.booleans()),
        st.builds(frame, st.sampled_from([TEXT, BINARY, PING]), body, width=wide),
        st.just(frame(TEXT, b"a" * 200, width=8)),
        st.just(frame(PING, b"a" * 126)),
        st.just(b"\x81\x7f\xff" + b"\x00" * 7),
        st.just(frame(CONTINUATION, b"stray")),
        st.binary(min_size=1, max_size=20),
        closes,
    )
    return st.lists(st.one_of(good, good, good, good, bad), max_size=8).map(b"".join)


def cutting(draw: st.DataObject, length: int) -> Any:
    """A way to cut what the server says into what each read returns."""
    how = draw.draw(st.sampled_from(["whole", "bytes", "places"]), label="cut")
    if how == "bytes" and length < 3_000:
        return lambda data: [data[i : i + 1] for i in range(len(data))]
    if how == "places":
        places = draw.draw(st.lists(st.integers(0, length + 200), max_size=12), label="places")

        def cut(data: bytes) -> list[bytes]:
            edges = sorted({0, len(data), *(p for p in places if p < len(data))})
            return [data[a:b] for a, b in pairwise(edges)]

        return cut
    return lambda data: [data]


# --- the two ways to listen


async def through_tap(far: Any, end: Any, limit: int, room: float, leisurely: bool) -> Seen:
    sink = far.Bucket(room, leisurely=leisurely)
    ended = Ended("error", None)
    async with open_connection(
        "ws://far/", sink, dialer=far.Dialer(lambda: end), max_message_bytes=limit, sockets=set()
    ) as connection:
        with trio.move_on_after(10):
            ended = await connection.run()
        await trio.sleep(1)
        return Seen(sink.messages, end.frames, ended.code, without_place(ended.text))
    raise AssertionError


def without_place(text: str) -> str:
    """UTF-8 is decoded in other portions with and without the tap."""
    return re.sub(r"bytes? (0x\w\w )?in position [0-9-]+: .*", "", text)


async def plainly(far: Any, end: Any, limit: int) -> Seen:
    messages: list[bytes] = []
    websocket: trio_websocket.WebSocketConnection | None = None
    try:
        async with trio.open_nursery() as nursery:
            websocket = await trio_websocket.wrap_client_stream(
                nursery, end, "far", "/", max_message_size=limit
            )
            with trio.move_on_after(10), suppress(trio_websocket.ConnectionClosed):
                while True:
                    message = await websocket.get_message()
                    messages.append(message.encode() if isinstance(message, str) else message)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
    except* wsproto.utilities.LocalProtocolError:  # its reader breaks: see the tap's docstring
        pass
    await trio.lowlevel.checkpoint()
    assert websocket is not None
    closed = websocket.closed
    if closed is None:
        return Seen(messages, end.frames, None, "")
    return Seen(messages, end.frames, int(closed.code), without_place(closed.reason or ""))


def run(way: Any, far: Any, end: Any, limit: int, *sink: object) -> Seen:
    seen: Seen = trio.run(way, far, end, limit, *sink, clock=MockClock(autojump_threshold=0))
    return seen


@settings(max_examples=120)
@given(
    data=st.data(),
    limit=st.sampled_from([HEADROOM, 300]),
    ending=st.sampled_from(["eof", "reset", "silence"]),
    room=st.sampled_from([float("inf"), 1, 3]),
    leisurely=st.booleans(),
)
def test_tap_is_not_noticed(  # noqa: PLR0917 - hypothesis names them
    far: Any, data: st.DataObject, limit: int, ending: Any, room: float, leisurely: bool
) -> None:
    said = data.draw(server_frames(far), label="said")
    cut = cutting(data, len(said))

    def end() -> Any:
        return far.End(lambda request: far.switching_protocols(request) + said, cut, ending)

    tapped = run(through_tap, far, end(), limit, room, leisurely)
    plain = run(plainly, far, end(), limit)

    if tapped.text.startswith("Exceeded maximum message size"):
        # Without the tap, what follows in the same chunk is still looked at, and a message that
        # has not been taken yet is lost.
        assert tapped.messages[: len(plain.messages)] == plain.messages
        assert len(tapped.messages) <= len(plain.messages) + 1
        assert tapped.sent == plain.sent[: len(tapped.sent)]
    elif ending == "silence" and (tapped.code, plain.code) == (None, 1007):
        # Bad UTF-8 in a frame whose end never comes.
        assert (tapped.messages, tapped.sent) == (plain.messages, plain.sent)
    else:
        assert tapped == plain


class Asked:
    """A stream that notes how much it was asked for."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks
        self.sizes: list[int | None] = []

    async def receive_some(self, max_bytes: int | None = None) -> bytearray:
        await trio.lowlevel.checkpoint()
        self.sizes.append(max_bytes)
        return bytearray(self.chunks.pop(0) if self.chunks else b"")


async def test_what_is_compressed_is_read_in_pieces_that_inflate_to_as_much(far: Any) -> None:
    deflate = zlib.compressobj(wbits=-15)

    def compressed(text: bytes) -> bytes:
        data = deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH)
        return bytes(far.frame(TEXT, data[:-4], reserved=4))

    stream = Asked([
        b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        compressed(b"0123456789" * 100),
        compressed(b"0123456789" * 100_000),
    ])  # fmt: skip
    sink = far.Bucket()
    tap = Tap(stream, sink, limit=1 << 20, compression=True)  # type: ignore[arg-type]
    tap.go_live()

    while await tap.receive_some():
        pass

    assert [len(message) for message in sink.messages] == [1_000, 1_000_000]
    first, second, third, fourth = (size or 0 for size in stream.sizes)
    assert first == second == 65_536
    assert 4_096 < third < 65_536
    assert fourth == 4_096
