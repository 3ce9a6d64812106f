"""A connection from its handshake to its end: order, back-pressure, pings, closing, endings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
import trio.lowlevel

from connector.errors import ExchangeUnavailable
from connector.transport import Connection, Ended, open_connection

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


@asynccontextmanager
async def connected(
    far: Any, said: bytes = b"", *, sink: Any = None, **how: Any
) -> AsyncIterator[tuple[Connection, Any, Any]]:
    """A connection to a far end that says `said` behind its handshake; end and sink with it."""
    limit = how.pop("limit", 1_000)
    how.setdefault("ending", "silence")
    end = far.End(lambda request: far.switching_protocols(request) + said, **how)
    sink = sink or far.Bucket()
    async with open_connection(
        "ws://far/",
        sink,
        dialer=far.Dialer(lambda: end),
        max_message_bytes=limit,
        sockets=set(),
    ) as connection:
        yield connection, end, sink


# --- how it ends


ENDINGS = [
    (lambda f: f.frame(CLOSE, b"\x03\xe9going"), "eof", Ended("closed", 1001, "going")),
    (lambda f: f.frame(CLOSE), "silence", Ended("closed", 1005, "")),
    (lambda f: f.frame(CLOSE, b"\x03\xeapeer"), "silence", Ended("closed", 1002, "peer")),
    (lambda f: f.frame(CLOSE, b"\x03\xf1"), "silence", Ended("closed", 1009, "")),
    (lambda f: f.frame(CLOSE, b"\x0f\xa0"), "silence", Ended("closed", 4000, "")),
    (lambda f: b"", "eof", Ended("eof", 1006)),
    (lambda f: f.frame(TEXT, b"cut off")[:-1], "eof", Ended("eof", 1006)),
    (lambda f: b"", "reset", Ended("reset", 1006)),
    (lambda f: f.frame(TEXT, b"cut off")[:-1], "reset", Ended("reset", 1006)),
    (lambda f: f.frame(3), "silence", Ended("protocol error", 1002, "Invalid opcode 0x3")),
    (lambda f: b"\x83", "eof", Ended("eof", 1006)),
    (
        lambda f: f.frame(TEXT, b"x", mask=b"mask"),
        "silence",
        Ended("protocol error", 1002, "client received unexpected masked frame"),
    ),
    (
        lambda f: f.frame(TEXT, b"x", reserved=4),
        "silence",
        Ended("protocol error", 1002, "Reserved bit set unexpectedly"),
    ),
    (
        lambda f: f.frame(CLOSE, b"\x03\xed"),
        "silence",
        Ended("protocol error", 1002, "remote CLOSE with local-only reason"),
    ),
    (
        lambda f: f.frame(TEXT, b"a" * 1_001),
        "silence",
        Ended("too big", 1009, "Exceeded maximum message size: 1000 bytes"),
    ),
]


@pytest.mark.parametrize(("said", "ending", "ended"), ENDINGS)
async def test_endings(far: Any, autojump_clock: Any, said: Any, ending: Any, ended: Ended) -> None:
    messages = far.frame(TEXT, b"one") + far.frame(BINARY, b"two") + far.frame(TEXT, b"three")
    for cut in (lambda data: [data], lambda data: [bytes([byte]) for byte in data]):
        async with connected(far, messages + said(far), ending=ending, cut=cut) as (c, end, sink):
            assert await c.run() == ended
            assert sink.messages == [b"one", b"two", b"three"]
            assert c.messages == 3
            assert c.payload_bytes == len(b"onetwothree")
            assert trio.current_time() == 0, "noticed at once"
        assert end.closed


async def test_the_side_that_closed_is_known_however_the_close_frame_is_split(
    far: Any, autojump_clock: Any
) -> None:
    said = far.frame(TEXT, b"x") + far.frame(CLOSE, b"\x03\xeapeer")
    for place in range(1, len(said)):

        def cut(data: bytes, place: int = place) -> list[bytes]:
            at = len(data) - len(said) + place
            return [data[:at], data[at:]]

        async with connected(far, said, cut=cut) as (connection, _, sink):
            assert await connection.run() == Ended("closed", 1002, "peer"), place
            assert sink.messages == [b"x"]


async def test_bad_utf8(far: Any, autojump_clock: Any) -> None:
    async with connected(far, far.frame(TEXT, b"caf\xe9")) as (connection, _, sink):
        ended = await connection.run()
        assert (ended.reason, ended.code, sink.messages) == ("protocol error", 1007, [])


async def test_a_sink_that_breaks_is_an_ending(far: Any, autojump_clock: Any) -> None:
    @attrs.frozen
    class Broken:
        leisurely = False

        def deliver(self, payloads: Sequence[bytes], first: int) -> int:
            raise ZeroDivisionError("oh")

        async def wait_for_room(self) -> None:
            raise AssertionError

    for opcode in (TEXT, BINARY):  # delivered by the tap, and by run
        async with connected(far, far.frame(opcode, b"x"), sink=Broken()) as (connection, _, _):
            ended = await connection.run()
            assert ended == Ended("error", None, "ZeroDivisionError('oh')")
            assert isinstance(ended.cause, ZeroDivisionError)


async def test_an_interrupt_in_the_reader_is_an_interrupt(far: Any, autojump_clock: Any) -> None:
    @attrs.frozen
    class Interrupted:
        leisurely = False

        def deliver(self, payloads: Sequence[bytes], first: int) -> int:
            raise KeyboardInterrupt

        async def wait_for_room(self) -> None:
            await trio.lowlevel.checkpoint()
            raise AssertionError

    for opcode in (TEXT, BINARY):
        with pytest.raises(KeyboardInterrupt):
            async with connected(far, far.frame(opcode, b"x"), sink=Interrupted()) as (c, end, _):
                await c.run()
        assert end.closed


# --- order, and back-pressure


async def test_fragmented_messages_keep_their_place(far: Any, autojump_clock: Any) -> None:
    said, messages = b"", []
    for i in range(40):
        messages.append(b"%d" % i)
        match i % 4:
            case 0 | 1:
                said += far.frame(TEXT, messages[-1])
            case 2:
                said += far.frame(TEXT, messages[-1][:1], fin=False) + far.frame(PING, b"p")
                said += far.frame(CONTINUATION, messages[-1][1:])
            case 3:
                said += far.frame(BINARY, messages[-1])
    for room in (1, 2, 3, float("inf")):
        async with connected(far, said, sink=far.Bucket(room), ending="eof") as (c, end, sink):
            await c.run()
            assert sink.messages == messages
            assert end.frames == [(PONG, b"p")] * 10


async def test_nothing_is_lost_when_there_is_no_room(far: Any, autojump_clock: Any) -> None:
    said = b"".join(far.frame(TEXT, b"%d" % i) for i in range(100))
    async with connected(far, said, sink=far.Bucket(room=7), ending="eof") as (c, _, sink):
        assert not c.blocked
        blocked = []
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def watch() -> None:
                await trio.sleep(0.005)
                blocked.append(c.blocked)

            await c.run()
        assert sink.messages == [b"%d" % i for i in range(100)]
        assert blocked == [True]
        assert not c.blocked


async def test_one_delivery_per_read(far: Any, autojump_clock: Any) -> None:
    said = b"".join(far.frame(TEXT, b"%d" % i) for i in range(100))
    async with connected(far, said, ending="eof") as (connection, _, sink):
        await connection.run()
        assert sink.batches == [100]


async def test_nothing_before_run_and_nothing_after(far: Any, autojump_clock: Any) -> None:
    said = far.frame(TEXT, b"early") + far.frame(PING, b"p")
    async with connected(far, said) as (connection, end, sink):
        await trio.sleep(1)
        assert sink.messages == []
        with trio.move_on_after(1):
            await connection.run()
        assert sink.messages == [b"early"]
        assert end.frames == [(PONG, b"p")]

        end.hear(far.frame(TEXT, b"late") + far.frame(BINARY, b"late") + far.frame(PING, b"q"))
        await trio.sleep(1)
        assert sink.messages == [b"early"]
        assert end.frames == [(PONG, b"p"), (PONG, b"q")], "pings are answered all the same"


async def test_a_flood_of_pongs_keeps_nobody_waiting(far: Any) -> None:
    # trio-websocket answers a pong with nothing, and so never gives others a turn by itself.
    turns = 0
    async with connected(far, far.frame(PONG) * 1_000, ending="eof") as (connection, _, _):
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def other() -> None:
                nonlocal turns
                while True:
                    await trio.lowlevel.checkpoint()
                    turns += 1

            await connection.run()
            nursery.cancel_scope.cancel()
    assert turns > 900


async def test_only_one_may_run(far: Any, autojump_clock: Any) -> None:
    async with connected(far) as (connection, _, _), trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        await trio.sleep(1)
        with pytest.raises(trio.BusyResourceError):
            await connection.run()
        nursery.cancel_scope.cancel()


async def test_counters(far: Any, autojump_clock: Any) -> None:
    async with connected(far) as (connection, end, _), trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        handshake = connection.wire_bytes
        assert handshake > 100
        await trio.sleep(5)
        end.hear(far.frame(TEXT, b"x" * 200))
        await trio.sleep(5)
        assert connection.wire_bytes - handshake == 204
        assert (connection.messages, connection.payload_bytes) == (1, 200)
        nursery.cancel_scope.cancel()


def test_a_frame_that_trickles_in_is_copied_once(far: Any) -> None:
    # Given a large frame in small chunks, when it is read, then the time is linear: joining at
    # every chunk would copy 4 GB here.
    size = 4_000_000
    said = far.frame(TEXT, b"x" * size)

    def cut(data: bytes) -> list[bytes]:
        return [data[i : i + 2_000] for i in range(0, len(data), 2_000)]

    async def main() -> None:
        async with connected(far, said, cut=cut, limit=size, ending="eof") as (c, _, sink):
            await c.run()
            assert sink.messages == [b"x" * size]

    trio.run(main)


# --- sending


async def test_send(far: Any, autojump_clock: Any) -> None:
    async with connected(far) as (connection, end, _):
        await connection.send('{"method":"SUBSCRIBE"}')
        await connection.send("币")
        assert end.frames == [(TEXT, b'{"method":"SUBSCRIBE"}'), (TEXT, "币".encode())]


async def test_ping_waits_for_its_pong(far: Any, autojump_clock: Any) -> None:
    async with connected(far) as (connection, end, _), trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)

        @nursery.start_soon
        async def answer() -> None:
            await trio.sleep(3)
            ((opcode, payload),) = end.frames
            assert opcode == PING
            end.hear(far.frame(PONG, b"another") + far.frame(PONG, payload))

        await connection.ping()
        assert trio.current_time() == 3
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("last", [b"", b"\x83\x00", b"\x88\x00"])
async def test_nothing_can_be_sent_over_a_dead_connection(
    far: Any, autojump_clock: Any, last: bytes
) -> None:
    async with connected(far, last, ending="eof") as (connection, _, _):
        await connection.run()
        for operation in (connection.send("x"), connection.ping()):
            with pytest.raises(ExchangeUnavailable):
                await operation
        with trio.fail_after(0):
            await connection.close(timeout=1)


async def test_every_waiting_task_learns_of_the_end(far: Any, autojump_clock: Any) -> None:
    async with connected(far) as (connection, end, _), trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)

        @nursery.start_soon
        async def end_it() -> None:
            await trio.sleep(3)
            end.ending = "reset"
            end.hear()

        with pytest.raises(ExchangeUnavailable):
            await connection.ping()
        assert trio.current_time() == 3


# --- closing


async def test_close_handshake(far: Any, autojump_clock: Any) -> None:
    async with connected(far) as (connection, end, sink), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def peer() -> None:
            await trio.sleep(1)
            # Behind our close frame messages are dropped and pings go unanswered.
            end.hear(far.frame(TEXT, b"x") + far.frame(BINARY, b"y") + 3 * far.frame(PING, b"p"))
            await trio.sleep(1)
            end.hear(far.frame(CLOSE, b"\x03\xe8"))

        ended = []

        @nursery.start_soon
        async def run() -> None:
            ended.append(await connection.run())

        await trio.lowlevel.checkpoint()
        await connection.close(1001, "done", timeout=10)
        assert trio.current_time() == 2
        assert end.frames == [(CLOSE, b"\x03\xe9done")]
        assert end.closed
        assert sink.messages == []
    assert ended[0].reason == "closed"


async def test_close_is_bounded(far: Any, autojump_clock: Any) -> None:
    async with connected(far) as (connection, end, _):
        await connection.close(timeout=2)
        assert trio.current_time() == 2
        assert end.closed


async def test_close_while_the_sink_is_full(far: Any, autojump_clock: Any) -> None:
    @attrs.frozen
    class Full:
        leisurely = False

        def deliver(self, payloads: Sequence[bytes], first: int) -> int:
            return first

        async def wait_for_room(self) -> None:
            await trio.sleep_forever()

    for opcode in (TEXT, BINARY):
        said = far.frame(opcode, b"x") * 3 + far.frame(CLOSE, b"\x03\xe8")
        async with connected(far, said, sink=Full()) as (c, end, _), trio.open_nursery() as nursery:
            nursery.start_soon(c.run)
            await trio.sleep(1)
            assert c.blocked
            began = trio.current_time()
            await c.close(timeout=5)
            assert trio.current_time() == began, "the server's close frame was read"
            assert [opcode for opcode, _ in end.frames] == [CLOSE]
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_close_before_run(far: Any, autojump_clock: Any, opcode: int) -> None:
    said = far.frame(opcode, b"x") + far.frame(CLOSE, b"\x03\xe8")
    async with connected(far, said) as (connection, end, sink):
        await trio.sleep(1)
        await connection.close(timeout=5)
        assert trio.current_time() == 1
        assert end.closed
        assert sink.messages == []


async def test_close_is_cut_short_by_a_cancellation(far: Any, autojump_clock: Any) -> None:
    async with connected(far) as (connection, end, _):
        with trio.move_on_after(1) as scope:
            await connection.close(timeout=5)
        assert scope.cancelled_caught
        assert trio.current_time() == 1
        assert end.closed


async def test_after_half_a_message_nothing_else_is_sent(far: Any, autojump_clock: Any) -> None:
    async with connected(far) as (connection, end, _):
        sent = len(end.sent)
        end.clogged = True
        with trio.move_on_after(1):
            await connection.send("x" * 100)
        end.clogged = False
        await connection.close(timeout=5)
        with pytest.raises(ExchangeUnavailable):
            await connection.send("x")
        assert trio.current_time() == 1
        assert len(end.sent) == sent


# --- the block


@pytest.mark.parametrize(
    "error", [ValueError("mine"), OSError("mine"), ExchangeUnavailable("mine"), KeyboardInterrupt()]
)
async def test_errors_of_the_body_keep_their_identity(
    far: Any, autojump_clock: Any, error: BaseException
) -> None:
    cause = RuntimeError("why")
    with pytest.raises(type(error)) as caught:
        async with connected(far) as (_, end, _):
            raise error from cause
    assert caught.value is error
    assert error.__cause__ is cause
    assert error.__context__ is None
    assert end.closed


async def test_a_group_of_the_body_keeps_its_identity(far: Any, autojump_clock: Any) -> None:
    group = BaseExceptionGroup("mine", [ValueError(), KeyboardInterrupt()])
    await trio.lowlevel.checkpoint()
    caught = None
    try:
        async with connected(far):
            raise group
    except BaseExceptionGroup as error:
        caught = error
    assert caught is group


async def test_an_error_of_the_body_survives_a_cancellation(far: Any, autojump_clock: Any) -> None:
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as caught, trio.CancelScope() as scope:
        async with connected(far):
            scope.cancel()
            raise error
    assert caught.value is error


async def test_cancelling_the_block(far: Any, autojump_clock: Any) -> None:
    with trio.move_on_after(1) as scope:
        async with connected(far) as (connection, end, _):
            await connection.run()
    assert scope.cancelled_caught
    assert end.closed
