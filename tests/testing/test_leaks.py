"""The leak check finds what is left behind, says what it is, and nothing else."""

from __future__ import annotations

import gc
import os
import socket
from pathlib import Path

import pytest
import trio
import trio.testing

from connector import open_adapter
from connector.channels import Trades
from connector.exchanges import binance
from connector.testing import MemoryNetwork, OrderFlow, open_exchange
from connector.testing.leaks import Leaked, descriptors, no_leaks

SKIP = pytest.mark.skipif(not descriptors(), reason="the system does not list descriptors")


async def test_nothing_is_found_where_nothing_is_left() -> None:
    async with no_leaks():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 0)
        left, right = socket.socketpair()
        left.close()
        right.close()


async def test_a_task_in_any_nursery_is_found(nursery: trio.Nursery) -> None:
    async def forgotten() -> None:
        await trio.sleep_forever()

    with pytest.raises(Leaked, match=r"task forgotten  test_leaks.py:\d+ forgotten"):
        async with no_leaks(grace_seconds=0.0):
            nursery.start_soon(forgotten)


async def test_a_system_task_is_found() -> None:
    scope = trio.CancelScope()

    async def unowned() -> None:
        with scope:
            await trio.sleep_forever()

    with pytest.raises(Leaked, match="unowned"):
        async with no_leaks(grace_seconds=0.0):
            trio.lowlevel.spawn_system_task(unowned)
    scope.cancel()


@SKIP
async def test_a_socket_is_found_with_its_addresses() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]

    with pytest.raises(Leaked) as caught:
        async with no_leaks(grace_seconds=0.0):
            stream = await trio.open_tcp_stream("127.0.0.1", port)

    assert f"→ 127.0.0.1:{port}" in str(caught.value)
    await stream.aclose()
    await listener.aclose()


@SKIP
def test_a_file_is_found_outside_of_trio(tmp_path: Path) -> None:
    path = tmp_path / "log"

    with pytest.raises(Leaked) as caught, no_leaks():
        file = path.open("w")

    assert f"descriptor {file.fileno()}: {path.resolve()}" in str(caught.value)
    file.close()


@SKIP
def test_a_number_that_is_used_again_is_another_descriptor() -> None:
    before, after = socket.socket(), socket.socket()
    number = before.fileno()

    with pytest.raises(Leaked, match=f"descriptor {number}: socket"), no_leaks():
        os.dup2(after.fileno(), number)

    before.close()
    after.close()


@SKIP
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_what_only_the_collector_would_close_is_found() -> None:
    class Owner:
        def __init__(self) -> None:
            self.socket = socket.socket()
            self.myself = self

    with pytest.raises(Leaked, match="descriptor"):
        async with no_leaks(grace_seconds=0.0):
            Owner()

    gc.collect()


async def test_a_connection_in_memory_is_found(
    autojump_clock: trio.testing.MockClock,
) -> None:
    network = MemoryNetwork()
    listener = network.listen(port=80)

    with pytest.raises(Leaked, match=r"connection 1 to 127.0.0.1:80, dialled at 0.000 s, is open"):
        async with no_leaks(network):
            stream = await network.open_stream("127.0.0.1", 80)

    stream.close()
    listener.close()


@pytest.mark.parametrize("in_memory", [True, False])
async def test_an_adapter_leaves_nothing_and_the_exchange_may_take_a_moment(
    in_memory: bool,
) -> None:
    network = MemoryNetwork() if in_memory else None
    async with open_exchange("usdm", source=OrderFlow(), network=network) as exchange:
        options = {} if network is None else {"dialer": network}
        async with no_leaks(*filter(None, [network])):
            async with open_adapter(
                binance.UsdMFutures(endpoints=exchange.endpoints), **options
            ) as adapter:
                async with adapter.subscribe(Trades("ETHUSDC")) as trades:
                    await trades.receive()


async def test_a_clock_that_stands_still_is_not_waited_for(
    mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    with pytest.raises(Leaked, match="sleep_forever"):
        async with no_leaks(grace_seconds=0.1):
            nursery.start_soon(trio.sleep_forever)

    assert trio.current_time() == 0


async def test_an_exception_of_the_block_is_kept_and_noted(nursery: trio.Nursery) -> None:
    error = ValueError("mine")

    with pytest.raises(ValueError, match="mine") as caught:
        async with no_leaks():
            nursery.start_soon(trio.sleep_forever)
            raise error

    assert caught.value is error
    assert "1 left behind:\n  task sleep_forever" in error.__notes__[0]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_off_inside_and_afterwards_as_before(enabled: bool) -> None:
    was_enabled = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with no_leaks():
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
