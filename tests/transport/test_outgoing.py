"""Messages that are written at once arrive whole and in order, whatever the stream has room for."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
import trustme

from connector.testing import MemoryNetwork
from connector.transport.outgoing import Outgoing
from connector.transport.websocket_frames import TEXT, masked_text, read_header


def is_writable(outgoing: Outgoing) -> bool:
    """A call, so that nobody takes it for the same as before."""
    return outgoing.writable


@asynccontextmanager
async def pair(kind: str) -> AsyncIterator[tuple[trio.abc.Stream, trio.abc.Stream]]:
    """The near and the far end of a connection that has little room."""
    near: trio.abc.Stream
    far: trio.abc.Stream
    if kind == "memory":
        network = MemoryNetwork(capacity_bytes=1000)
        listener = network.listen("host", 1)
        near = await network.open_stream("host", 1)
        far = await listener.accept()
    else:
        one, other = socket.socketpair()
        for each in (one, other):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.setblocking(False)
        near = trio.SocketStream(trio.socket.from_stdlib_socket(one))
        far = trio.SocketStream(trio.socket.from_stdlib_socket(other))
    if kind == "tls":
        authority = trustme.CA()
        client, server = (
            ssl.create_default_context(),
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        )
        authority.configure_trust(client)
        authority.issue_cert("host").configure_cert(server)
        near = trio.SSLStream(near, client, server_hostname="host")
        far = trio.SSLStream(far, server, server_side=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.do_handshake)
            nursery.start_soon(far.do_handshake)
            # What the server says behind the handshake is read by then.
            nursery.start_soon(far.send_all, b"!")
            assert await near.receive_some(1) == b"!"
    async with near, far:
        yield near, far


@pytest.mark.parametrize("kind", ["tcp", "tls", "memory"])
async def test_a_message_without_room_waits_and_is_not_overtaken(kind: str) -> None:
    async with pair(kind) as (near, far):
        outgoing = Outgoing(near)
        assert is_writable(outgoing)
        sent, room = bytearray(), True
        while room:
            message = bytes([len(sent) % 251]) * 700
            sent += message
            room = outgoing.write(message)
            assert is_writable(outgoing) == room
            assert len(sent) < 10_000_000
        received = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outgoing.send_all, b"pong")
            await trio.testing.wait_all_tasks_blocked()
            assert not is_writable(outgoing)
            nursery.start_soon(outgoing.flush)
            while len(received) < len(sent) + 4:
                received += await far.receive_some(65_536)

        assert received == sent + b"pong"
        assert is_writable(outgoing)
        assert outgoing.write(b"behind")
        assert await far.receive_some(100) == b"behind"


async def test_nothing_is_written_while_somebody_is_sending() -> None:
    async with pair("tcp") as (near, far):
        outgoing = Outgoing(near)
        large = bytes(1_000_000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outgoing.send_all, large)
            await trio.testing.wait_all_tasks_blocked()
            assert not is_writable(outgoing)
            received = 0
            while received < len(large):
                received += len(await far.receive_some(65_536))
        assert is_writable(outgoing)


@pytest.mark.parametrize("kind", ["tcp", "tls", "memory"])
async def test_after_a_write_that_failed_nothing_is_written(kind: str) -> None:
    async with pair(kind) as (near, _):
        outgoing = Outgoing(near)
        assert is_writable(outgoing)
        await trio.aclose_forcefully(near)
        with pytest.raises((trio.ClosedResourceError, trio.BrokenResourceError)):
            outgoing.write(b"x")
        assert outgoing.torn
        assert not is_writable(outgoing)


async def test_a_stream_that_is_not_known_is_never_writable() -> None:
    near, _ = trio.testing.memory_stream_pair()
    outgoing = Outgoing(near)
    assert not is_writable(outgoing)
    await outgoing.send_all(b"x")
    assert not outgoing.torn


@pytest.mark.parametrize("kind", ["tcp", "tls", "memory"])
async def test_a_partly_sent_message_is_not_sent_again(kind: str) -> None:
    async with pair(kind) as (near, far):
        outgoing = Outgoing(near)
        assert is_writable(outgoing)
        sent = 0
        while outgoing.write(bytes(50_000)):
            sent += 50_000
            assert sent < 20_000_000
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outgoing.flush)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert outgoing.torn

        with pytest.raises(trio.BrokenResourceError):
            await outgoing.flush()
        with pytest.raises(trio.BrokenResourceError):
            await outgoing.send_all(b"behind")
        await near.aclose() if kind == "memory" else await trio.aclose_forcefully(near)
        received = 0
        with contextlib.suppress(trio.BrokenResourceError):
            while data := await far.receive_some(65_536):
                received += len(data)
        assert received <= sent + 50_000


async def test_a_flush_of_a_stream_that_is_not_known_disturbs_no_one_who_sends() -> None:
    near, far = trio.testing.lockstep_stream_pair()
    outgoing = Outgoing(near)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outgoing.send_all, b"pong")
        await trio.testing.wait_all_tasks_blocked()
        await outgoing.flush()
        assert not outgoing.torn
        assert await far.receive_some(100) == b"pong"


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_text_is_masked_as_the_protocol_wants(size: int) -> None:
    payload, key = bytes(number % 256 for number in range(size)), b"\x01\x80\xff\x3c"
    frame = masked_text(payload, key)

    head = len(frame) - size - 4
    assert frame[0] == 0x80 | TEXT
    assert frame[head : head + 4] == key
    assert bytes(byte ^ key[i % 4] for i, byte in enumerate(frame[head + 4 :])) == payload
    unmasked = bytes([frame[0], frame[1] & 0x7F]) + frame[2:head] + payload
    assert frame[1] & 0x80
    header = read_header(unmasked, 0)
    assert header is not None
    assert not isinstance(header, int)
    assert (header.opcode, header.final, header.length, header.size) == (TEXT, True, size, head)
