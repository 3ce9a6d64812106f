"""Reading a socket our way: the same bytes and the same errors as trio's way."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import assert_checkpoints, memory_stream_pair, wait_all_tasks_blocked

from connector.transport.tcp_reading import reader_of, receive_of


@pytest.fixture
async def pair() -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    near = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
    far = await listener.accept()
    yield near, far
    for each in (near, far, listener):
        await trio.aclose_forcefully(each)


Pair = tuple[trio.SocketStream, trio.SocketStream]


async def test_it_returns_what_is_there_and_no_more_than_asked_for(pair: Pair) -> None:
    near, far = pair
    receive = receive_of(near)

    await far.send_all(b"abcdef")

    assert [await receive(4), await receive(4)] == [b"abcd", b"ef"]


async def test_it_waits_for_data_also_behind_a_full_read(pair: Pair) -> None:
    near, far = pair
    receive = receive_of(near)
    got: list[bytes | bytearray] = []

    async def read_on() -> None:
        while data := await receive(3):
            got.append(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_on)
        for part in (b"abc", b"de", b"fgh"):
            await wait_all_tasks_blocked()
            await far.send_all(part)
        await far.send_eof()

    assert b"".join(got) == b"abcdefgh"


async def test_each_read_executes_a_checkpoint(pair: Pair) -> None:
    near, far = pair
    receive = receive_of(near)
    await far.send_all(b"x" * 7)

    for size in (2, 2, 2, 2):  # the second one follows a full one
        with assert_checkpoints():
            await receive(size)


async def test_a_reset_is_a_broken_resource(pair: Pair) -> None:
    near, far = pair
    far.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.socket.close()

    with pytest.raises(trio.BrokenResourceError) as caught:
        await receive_of(near)(10)

    assert isinstance(caught.value.__cause__, ConnectionResetError)


async def test_a_closed_socket_is_a_closed_resource(pair: Pair) -> None:
    near, _ = pair
    receive = receive_of(near)

    async def close() -> None:
        await wait_all_tasks_blocked()
        await near.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(close)
        with pytest.raises(trio.ClosedResourceError):
            await receive(10)
    with pytest.raises(trio.ClosedResourceError):
        await receive(10)


async def test_cancelling_loses_nothing(pair: Pair) -> None:
    near, far = pair
    receive = receive_of(near)

    with trio.CancelScope() as scope:
        scope.cancel()
        await receive(10)
    await far.send_all(b"abc")

    assert scope.cancelled_caught
    assert await receive(10) == b"abc"


async def test_a_stream_without_a_socket_is_read_by_its_own_method() -> None:
    near, far = memory_stream_pair()

    await far.send_all(b"abc")

    assert await receive_of(near)(10) == b"abc"


async def test_a_socket_closed_between_waiting_and_reading_is_not_read(pair: Pair) -> None:
    near, far = pair
    reader = reader_of(near)
    assert reader is not None
    await far.send_all(b"abc")
    await reader.readable()
    near.socket.close()

    # Its number may be another's by now.
    with pytest.raises(trio.ClosedResourceError):
        reader.read(10)


async def test_a_readable_socket_without_data_reads_none(pair: Pair) -> None:
    near, _ = pair
    reader = reader_of(near)
    assert reader is not None

    assert reader.read(10) is None
