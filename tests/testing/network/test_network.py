"""The in-memory network keeps trio's stream contract and its own promises."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.testing import MemoryNetwork, MemoryStream

HOST, PORT = "exchange.test", 443
LATENCY = 0.001


@asynccontextmanager
async def connected(
    network: MemoryNetwork,
) -> AsyncIterator[tuple[MemoryStream, MemoryStream]]:
    """A client's end and a server's end."""
    listener = network.listen(HOST, PORT)
    async with listener, AsyncExitStack() as stack:
        client = await stack.enter_async_context(network.connect(HOST, PORT))
        assert isinstance(client, MemoryStream)
        async with await listener.accept() as server:
            yield client, server


@pytest.mark.parametrize("latency", [0.0, LATENCY])
@pytest.mark.parametrize("capacity", [4096, 65_536])
async def test_ends_pass_trios_own_stream_checks(latency: float, capacity: int) -> None:
    async def pair() -> tuple[trio.abc.Stream, MemoryStream]:
        network = MemoryNetwork(latency_seconds=latency, capacity_bytes=capacity)
        return await stack.enter_async_context(connected(network))

    async def clogged() -> tuple[trio.abc.Stream, MemoryStream]:
        ends = await pair()
        for end in ends:
            await end.send_all(bytes(capacity))
        return ends

    async with AsyncExitStack() as stack:
        await trio.testing.check_half_closeable_stream(pair, clogged)


async def test_what_is_sent_arrives_after_the_latency(autojump_clock: Any) -> None:
    async with connected(MemoryNetwork(latency_seconds=0.25)) as (client, server):
        sent = trio.current_time()
        await client.send_all(b"tick")
        assert trio.current_time() == sent
        assert await server.receive_some() == b"tick"
        assert trio.current_time() == pytest.approx(sent + 0.25)


async def test_sending_blocks_while_the_capacity_is_unread(autojump_clock: Any) -> None:
    async with connected(MemoryNetwork(capacity_bytes=100)) as (client, server):
        await client.send_all(bytes(100))
        with trio.move_on_after(60) as scope:
            await client.send_all(b"x")
        assert scope.cancelled_caught
        await server.receive_some(1)
        await client.send_all(b"x")


async def test_what_was_sent_before_a_close_still_arrives(autojump_clock: Any) -> None:
    async with connected(MemoryNetwork()) as (client, server):
        await server.send_all(b"last words")
        server.close()
        assert await client.receive_some() == b"last words"
        assert await client.receive_some() == b""
        with pytest.raises(trio.BrokenResourceError):
            await client.send_all(b"anybody?")


async def test_a_reset_breaks_both_ends(autojump_clock: Any) -> None:
    async with connected(MemoryNetwork()) as (client, server):
        await client.send_all(b"lost")
        client.connection.reset()
        for end in (client, server):
            with pytest.raises(trio.BrokenResourceError):
                await end.receive_some()
            with pytest.raises(trio.BrokenResourceError):
                await end.send_all(b"x")


async def test_a_reset_wakes_who_is_waiting(autojump_clock: Any) -> None:
    async def wait_broken(end: MemoryStream) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await end.receive_some()

    async with connected(MemoryNetwork()) as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(wait_broken, client)
        nursery.start_soon(wait_broken, server)
        await trio.testing.wait_all_tasks_blocked()
        client.connection.reset()


async def test_half_open_tells_nobody_anything(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with connected(network) as (client, server):
        client.connection.half_open()
        await client.send_all(b"hello?")
        client.close()
        assert network.ledger.open_now() == 0
        with trio.move_on_after(86_400) as scope:
            await server.receive_some()
        assert scope.cancelled_caught
        await server.send_all(b"still here")


async def test_a_stall_keeps_what_was_sent_for_later(autojump_clock: Any) -> None:
    async with connected(MemoryNetwork()) as (client, server):
        client.connection.stall()
        await server.send_all(b"late")
        with trio.move_on_after(10) as scope:
            await client.receive_some()
        assert scope.cancelled_caught
        client.connection.resume()
        assert await client.receive_some() == b"late"


async def test_the_servers_fin_leaves_the_other_direction_open(autojump_clock: Any) -> None:
    async with connected(MemoryNetwork()) as (client, server):
        client.connection.eof()
        assert await client.receive_some() == b""
        await client.send_all(b"I see")
        assert await server.receive_some() == b"I see"


async def test_single_bytes_are_delivered_one_by_one(autojump_clock: Any) -> None:
    async with connected(MemoryNetwork()) as (client, server):
        client.connection.deliver_single_bytes()
        await server.send_all(b"abc")
        assert [await client.receive_some(100) for _ in range(3)] == [b"a", b"b", b"c"]


@given(
    pieces=st.lists(st.binary(max_size=40), max_size=12),
    reads=st.lists(st.integers(1, 30), min_size=1, max_size=12),
    capacity=st.integers(1, 50),
    latency=st.sampled_from([0.0, LATENCY, 0.3]),
)
@settings(max_examples=60, deadline=None)
def test_the_bytes_received_are_the_bytes_sent(
    pieces: list[bytes], reads: list[int], capacity: int, latency: float
) -> None:
    async def send(end: MemoryStream) -> None:
        for piece in pieces:
            await end.send_all(piece)
        await end.send_eof()

    async def main() -> bytes:
        network = MemoryNetwork(latency_seconds=latency, capacity_bytes=capacity)
        received = b""
        async with connected(network) as (client, server), trio.open_nursery() as nursery:
            nursery.start_soon(send, server)
            for turn in range(10_000):
                piece = await client.receive_some(reads[turn % len(reads)])
                if not piece:
                    break
                received += piece
        return received

    clock = trio.testing.MockClock(autojump_threshold=0)
    assert trio.run(main, clock=clock) == b"".join(pieces)


async def test_the_ledger_counts_a_dial_in_progress(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    ledger = network.ledger
    async with network.listen(HOST, PORT), trio.open_nursery() as nursery:

        async def hold() -> None:
            async with network.connect(HOST, PORT):
                await trio.sleep(1)

        nursery.start_soon(hold)
        await trio.testing.wait_all_tasks_blocked()
        assert [record.state for record in ledger] == ["dialing"]
        assert ledger.open_now(HOST, PORT) == 1
        await trio.sleep(0.5)
        assert [record.state for record in ledger] == ["open"]
        nursery.start_soon(hold)
        await trio.sleep(2)
    assert (ledger.open_now(), ledger.max_open(), ledger.max_open(HOST, PORT)) == (0, 2, 2)
    assert ledger.max_open("elsewhere.test", 1) == 0
    first, second = ledger
    assert first.ended_order is not None
    assert second.began_order < first.ended_order


async def test_a_cancelled_dial_leaves_nothing_open(autojump_clock: Any) -> None:
    network = MemoryNetwork(latency_seconds=1)
    async with network.listen(HOST, PORT) as listener:
        with trio.move_on_after(1.5):
            async with network.connect(HOST, PORT):
                pytest.fail("two seconds are needed")
        server = await listener.accept()
        assert await server.receive_some() == b""
    assert [record.state for record in network.ledger] == ["failed"]


async def test_dials_fail_as_they_are_told_to(autojump_clock: Any) -> None:
    network = MemoryNetwork()

    async def dial() -> str:
        try:
            with trio.fail_after(60):
                async with network.connect(HOST, PORT):
                    return "connected"
        except (OSError, trio.TooSlowError) as error:
            return type(error).__name__

    assert await dial() == "ConnectionRefusedError"
    async with network.listen(HOST, PORT):
        network.fail_dials("refuse", times=1)
        network.fail_dials("dns", times=1, host=HOST, port=PORT)
        network.fail_dials("hang", times=1)
        network.fail_dials("refuse", host="elsewhere.test")
        outcomes = [await dial() for _ in range(4)]
    assert outcomes == ["ConnectionRefusedError", "gaierror", "TooSlowError", "connected"]
    assert network.ledger.open_now() == 0
    assert issubclass(socket.gaierror, OSError)


async def test_an_address_is_listened_on_once_at_a_time() -> None:
    network = MemoryNetwork()
    async with network.listen(HOST, PORT):
        with pytest.raises(OSError, match="in use"):
            network.listen(HOST, PORT)
    async with network.listen(HOST, PORT), network.listen(HOST) as other:
        assert other.port != PORT


async def test_a_listener_that_closes_resets_who_was_not_accepted(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    listener = network.listen(HOST, PORT)
    async with network.connect(HOST, PORT) as client:
        await listener.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some(1)


@pytest.mark.parametrize("wrong", [{"latency_seconds": -1.0}, {"capacity_bytes": 0}])
def test_impossible_networks_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MemoryNetwork(**wrong)
