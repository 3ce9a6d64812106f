"""The tap changes nothing: with it and without it the same messages, answers and endings."""

from __future__ import annotations

import re
import zlib
from contextlib import suppress
from itertools import pairwise
from typing import Any

import attrs
import pytest
import trio
import trio_websocket
import wsproto.utilities
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from connector.errors import ExchangeUnavailable, HandshakeRejected
from connector.transport import Ended, open_connection
from connector.transport.tap import Tap
from connector.transport.upgrade import HEAD_LIMIT_BYTES

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


@settings(max_examples=60)
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


async def test_compressed_data_is_read_in_pieces_of_bounded_size(far: Any) -> None:
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


# --- by itself, from both sides: what trio-websocket gets of it, what the sink gets

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


@attrs.define(eq=False)
class Script:
    """A stream that gives one chunk per read, and then ends, or breaks, or waits for more."""

    chunks: list[bytes]
    ending: Exception | None = None
    silent: bool = False
    failure: BaseException | None = None
    sizes: list[int | None] = attrs.Factory(list)
    sent: list[bytes] = attrs.Factory(list)
    closed: bool = False
    reads_behind_the_end: int = 0
    _more: trio.Event = attrs.Factory(trio.Event)

    async def receive_some(self, max_bytes: int | None = None) -> bytearray:
        await trio.lowlevel.checkpoint()
        self.sizes.append(max_bytes)
        while not self.chunks and self.silent:
            await self._more.wait()
        if self.chunks:
            # As from TLS: what a sink keeps must not be a bytearray, which has no hash.
            return bytearray(self.chunks.pop(0))
        self.reads_behind_the_end += 1
        if self.ending is not None:
            raise self.ending
        return bytearray()

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure
        self.sent.append(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()
        raise trio.BusyResourceError("of the stream below")

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
        self.closed = True

    def say(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self._more.set()
        self._more = trio.Event()


def tap_over(script: Script, sink: Any, *, limit: int = 1_000, live: bool = True) -> Tap:
    tap = Tap(script, sink, limit=limit)  # type: ignore[arg-type]
    if live:
        tap.go_live()
    return tap


async def passed_up(tap: Tap) -> list[bytes]:
    """What trio-websocket gets behind the head, read by read, to the end of the stream."""
    assert await tap.receive_some() == HEAD
    got = []
    while True:
        data = await tap.receive_some()
        got.append(data)
        if not data:
            return got


async def test_a_new_tap_knows_of_nothing(far: Any, autojump_clock: MockClock) -> None:
    await trio.sleep(5)
    tap = tap_over(Script([]), far.Bucket(), live=False)

    assert (tap.wire_bytes, tap.payload_bytes, tap.messages) == (0, 0, 0)
    states = (tap.blocked, tap.torn, tap.reset, tap.compressed, tap.is_rejected, tap.closing)
    assert states == (False,) * 6
    assert (tap.head, tap.rejection, tap.close_frame, tap.limit) == (None, b"", None, 1_000)


async def test_everything_is_counted_once_though_there_is_no_room(
    far: Any, autojump_clock: MockClock
) -> None:
    said = b"".join(far.frame(TEXT, b"x" * size) for size in (1, 20, 300, 0, 5))
    sink = far.Bucket(room=2)
    tap = tap_over(Script([HEAD + said, far.frame(TEXT, b"end")]), sink)
    blocked = []

    async def watch() -> None:
        while True:
            blocked.append(tap.blocked)
            await trio.sleep(0.001)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        assert await passed_up(tap) == [b""]
        nursery.cancel_scope.cancel()

    assert [len(each) for each in sink.messages] == [1, 20, 300, 0, 5, 3]
    assert {type(each) for each in sink.messages} == {bytes}
    assert (tap.messages, tap.payload_bytes) == (6, 329)
    assert tap.wire_bytes == len(HEAD) + len(said) + 5
    assert True in blocked
    assert tap.blocked is False
    assert not tap.compressed


async def test_a_reader_that_is_cancelled_for_want_of_room_is_not_blocked_any_more(
    far: Any, autojump_clock: MockClock
) -> None:
    class Full(far.Bucket):  # type: ignore[misc]
        async def wait_for_room(self) -> None:
            await trio.sleep_forever()

    tap = tap_over(Script([HEAD, far.frame(TEXT, b"one")]), Full(room=0))
    await tap.receive_some()
    with trio.move_on_after(1):
        await tap.receive_some()

    assert tap.blocked is False


async def test_another_sink_takes_over_from_one_message_to_the_next(
    far: Any, autojump_clock: MockClock
) -> None:
    old, new = far.Bucket(room=1), far.Bucket()
    said = b"".join(far.frame(TEXT, b"%d" % number) for number in range(3))
    tap = tap_over(Script([HEAD + said, far.frame(TEXT, b"3")]), old)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(passed_up, tap)
        await wait_all_tasks_blocked()
        assert old.messages == [b"0"]
        tap.deliver_to(new)

    assert (old.messages, new.messages) == ([b"0"], [b"1", b"2", b"3"])
    assert tap.messages == 4


async def test_a_read_message_is_delivered_although_the_reader_is_cancelled(far: Any) -> None:
    scope = trio.CancelScope()

    class Cancelling(Script):
        async def receive_some(self, max_bytes: int | None = None) -> bytearray:
            data = await super().receive_some(max_bytes)
            if not self.chunks:
                scope.cancel()
            return data

    sink = far.Bucket()
    tap = tap_over(Cancelling([HEAD, far.frame(TEXT, b"one")]), sink)
    with scope:
        await passed_up(tap)

    assert scope.cancelled_caught
    assert sink.messages == [b"one"]


async def test_passed_frames_are_neither_read_twice_nor_cut(
    far: Any, autojump_clock: MockClock
) -> None:
    ping, pong = far.frame(PING, b"p" * 50), far.frame(PONG)
    text = far.frame(TEXT, b"t" * 30)
    first = far.frame(TEXT, b"f" * 200, fin=False)
    last = far.frame(CONTINUATION, b"l" * 9)
    close = far.frame(CLOSE, b"\x03\xe9going away")
    # A control frame is whole, though it comes in two reads behind a message; fragments may be
    # cut, and may have control frames in between.
    script = Script([
        HEAD + text + ping[:20],
        ping[20:] + pong + text + first[:100],
        first[100:] + ping + last[:3],
        last[3:] + text + close,
    ])  # fmt: skip
    sink = far.Bucket()
    tap = tap_over(script, sink)
    assert await tap.receive_some() == HEAD
    for expected in (ping, pong, first[:100], first[100:], ping, last[:3], last[3:]):
        # trio-websocket may answer without waiting: whoever else is there gets a turn.
        with assert_checkpoints():
            assert await tap.receive_some() == expected
    assert sink.messages == [b"t" * 30] * 2

    # What comes behind a message that was passed up waits until that one was taken.
    got = []
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def receive() -> None:
            got.append(await tap.receive_some())

        await wait_all_tasks_blocked()
        assert (len(sink.messages), got) == (2, [])
        await tap.hand_over("f" * 200 + "l" * 9)

    assert sink.messages == [b"t" * 30] * 2 + [b"f" * 200 + b"l" * 9, b"t" * 30]
    assert got == [close]
    assert tap.close_frame == (1001, "going away")
    assert (tap.messages, tap.payload_bytes) == (4, 299)
    assert await tap.receive_some() == b""


INVALID = {
    "text that is no UTF-8": lambda far: far.frame(TEXT, b"a" * 99 + b"\xff"),
    "longer text that is no UTF-8": lambda far: far.frame(TEXT, b"a" * 999 + b"\xff"),
    "masked": lambda far: far.frame(TEXT, b"x", mask=b"mask"),
    "compressed": lambda far: far.frame(TEXT, b"x", reserved=4),
    "stray": lambda far: far.frame(CONTINUATION, b"x"),
    "unknown": lambda far: far.frame(3, b"x"),
}


@pytest.mark.parametrize("invalid", INVALID.values(), ids=INVALID)
async def test_the_tap_reads_nothing_after_an_invalid_frame(
    far: Any, autojump_clock: MockClock, invalid: Any
) -> None:
    rest = invalid(far) + far.frame(PING, b"p") + far.frame(TEXT, b"two")
    more = far.frame(TEXT, b"three")
    sink = far.Bucket()
    tap = tap_over(Script([HEAD + far.frame(TEXT, b"one"), rest, more]), sink)

    assert await passed_up(tap) == [rest, more, b""]
    assert sink.messages == [b"one"]


@pytest.mark.parametrize(
    "ending", [None, trio.BrokenResourceError("gone"), trio.ClosedResourceError("shut")]
)
@pytest.mark.parametrize("cut", [True, False], ids=["within a message", "between messages"])
async def test_the_end_is_told_as_it_was_as_often_as_somebody_asks(
    far: Any, autojump_clock: MockClock, ending: Exception | None, cut: bool
) -> None:
    half = far.frame(TEXT, b"half of it")[:-3] if cut else b""
    script = Script([HEAD, far.frame(TEXT, b"one") + half], ending=ending)
    sink = far.Bucket()
    tap = tap_over(script, sink)
    assert await tap.receive_some() == HEAD
    if cut:
        assert await tap.receive_some() == half, "what is there comes first"
    for _ in range(3):
        if ending is None:
            assert await tap.receive_some() == b""
        else:
            with pytest.raises(type(ending)) as caught:
                await tap.receive_some()
            assert caught.value is ending

    assert tap.reset == isinstance(ending, trio.BrokenResourceError)
    assert script.reads_behind_the_end == 1
    assert set(script.sizes) == {65_536}
    assert sink.messages == [b"one"]


@pytest.mark.parametrize(
    ("said", "ending", "words"),
    [
        (b"", None, "closed the connection before answering"),
        (b"HTTP/1.1 101", None, "closed the connection in the middle of its answer"),
        (b"", trio.BrokenResourceError(), "broke off the connection before answering"),
        (b"HTTP/1.1 1", trio.BrokenResourceError(), "broke off the connection in the middle of "),
    ],
)
async def test_an_answer_that_does_not_come_is_an_error_that_says_how_far_it_came(
    far: Any, said: bytes, ending: Exception | None, words: str
) -> None:
    tap = tap_over(Script([bytes([each]) for each in said], ending=ending), far.Bucket())

    with pytest.raises(ExchangeUnavailable, match=f"^{words}") as caught:
        await tap.receive_some()
    assert caught.value.__cause__ is ending


async def test_of_a_rejection_the_body_is_kept_up_to_a_limit(far: Any) -> None:
    head = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n"
    chunks = [head + b"a", b"b" * (HEAD_LIMIT_BYTES - 1), b"c", b"d"]
    tap = tap_over(Script(list(chunks)), far.Bucket())
    for chunk in chunks[:3]:
        assert await tap.receive_some() == chunk
        assert tap.is_rejected
    with pytest.raises(HandshakeRejected) as caught:
        await tap.receive_some()

    error = caught.value
    assert (error.status, error.headers["retry-after"]) == (503, "7")
    assert error.body == b"".join(chunks[:3])[len(head) :]
    assert tap.rejected(b"parsed").body == b"parsed"


async def test_a_message_that_is_handed_over_waits_for_the_reader_and_comes_once(
    far: Any, autojump_clock: MockClock
) -> None:
    sink = far.Bucket(room=1)
    tap = tap_over(Script([]), sink, live=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tap.hand_over, "é")
        await trio.sleep(1)
        assert (sink.messages, tap.messages) == ([], 0)
        tap.go_live()
    await tap.hand_over(b"two")

    assert sink.messages == ["é".encode(), b"two"]
    assert (tap.messages, tap.payload_bytes) == (2, 5)

    tap.discard()
    tap.go_live()
    await tap.hand_over(b"three")
    assert (len(sink.messages), tap.messages) == (2, 2)


@pytest.mark.parametrize("closing", [False, True])
@pytest.mark.parametrize("full", [False, True], ids=["before it is live", "without room"])
async def test_a_discarded_message_holds_up_no_other(
    far: Any, autojump_clock: MockClock, closing: bool, full: bool
) -> None:
    class Full(far.Bucket):  # type: ignore[misc]
        async def wait_for_room(self) -> None:
            await trio.sleep_forever()

    close = far.frame(CLOSE, b"\x03\xe8")
    behind = far.frame(PING, b"p") + far.frame(TEXT, b"two") + far.frame(PONG) + close
    script = Script([HEAD + far.frame(TEXT, b"one"), behind])
    sink = Full(room=0)
    tap = tap_over(script, sink, live=full)
    got: list[bytes] = []
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def receive() -> None:
            got.extend(await passed_up(tap))

        await trio.sleep(1)
        assert got == []
        tap.begin_closing() if closing else tap.discard()

    assert sink.messages == []
    assert tap.close_frame == (1000, "")
    # Nothing may be sent behind our close frame: then pings are dropped as well.
    assert b"".join(got) == (close if closing else far.frame(PING, b"p") + far.frame(PONG) + close)


async def test_the_servers_close_frame_is_passed_up_though_nothing_came_before(far: Any) -> None:
    close = far.frame(CLOSE, b"\x03\xe8")
    tap = tap_over(Script([HEAD, close]), far.Bucket(), live=False)
    tap.begin_closing()

    assert await passed_up(tap) == [close, b""]


async def test_a_write_that_was_cut_short_is_the_last_one(far: Any, autojump_clock: Any) -> None:
    for failure in (trio.ClosedResourceError("shut"), ValueError("a bug")):
        script = Script([HEAD], failure=failure)
        tap = tap_over(script, far.Bucket())
        with pytest.raises(type(failure)) as caught:
            await tap.send_all(b"x")
        assert caught.value is failure
        assert (tap.torn, tap.reset) == (True, False)
        script.failure = None
        with pytest.raises(trio.BrokenResourceError, match="an earlier write was cut short"):
            await tap.send_all(b"x")
        assert script.sent == []


async def test_a_write_into_a_broken_connection_is_a_reset(far: Any, autojump_clock: Any) -> None:
    for asked in (True, False):
        script = Script([HEAD])
        tap = tap_over(script, far.Bucket())
        await tap.send_all(b"request")
        assert (script.sent, tap.torn) == ([b"request"], False)
        if asked:
            await tap.receive_some()
        script.failure = failure = trio.BrokenResourceError("gone")
        # During the handshake nobody else says that the exchange is not available.
        expected = trio.BrokenResourceError if asked else ExchangeUnavailable
        with pytest.raises(expected, match="gone" if asked else "^broke off the connection$") as c:
            await tap.send_all(b"x")
        assert failure in (c.value, c.value.__cause__)
        assert (tap.torn, tap.reset) == (True, True)


async def test_other_frames_pass_the_tap_to_the_stream(far: Any) -> None:
    script = Script([])
    tap = tap_over(script, far.Bucket())
    with pytest.raises(trio.BusyResourceError, match="below"):
        await tap.wait_send_all_might_not_block()
    await tap.aclose()
    assert script.closed


async def test_a_reader_at_leisure_rests_before_every_read(
    far: Any, autojump_clock: MockClock
) -> None:
    sink = far.Bucket(leisurely=True)
    tap = tap_over(Script([HEAD, far.frame(TEXT, b"1"), far.frame(TEXT, b"2")]), sink)

    await passed_up(tap)

    assert sink.messages == [b"1", b"2"]
    assert sink.rests == 3
