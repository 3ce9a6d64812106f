"""Rows 4–8, 19 and 21 of the fault table over real sockets, the garbage collector off.

What trio cannot see is counted by the kernel: the file descriptors of the process.
"""

from __future__ import annotations

import gc
import itertools
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trustme

from connector import Gap, Reconnect, open_adapter
from connector.exchanges import binance
from connector.testing import Fault, FaultPlan, When, open_exchange
from connector.transport import TcpDialer
from tests.faults.world import BOOK, Pulse

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="counts descriptors in /proc/self/fd"
)

QUICK = Reconnect(initial=0.01, cap=0.05)


@pytest.fixture(autouse=True)
def without_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def descriptors_fall_to(count: int) -> None:
    """The simulated exchange closes its side in its own time."""
    with trio.fail_after(5):
        while open_descriptors() > count:  # the kernel has no event for it
            await trio.sleep(0.01)


FAULTS = [
    pytest.param(Fault("reset"), "reset", id="4 RST"),
    pytest.param(Fault("fin"), "eof", id="5 FIN"),
    pytest.param(Fault("close_and_hold"), "closed", id="6 close, TCP held open"),
    pytest.param(Fault("half_open"), "stale", id="7 half-open"),
    pytest.param(Fault("mute"), "stale", id="8 mute"),
    pytest.param(Fault("bad_reserved_bits"), "protocol error", id="21 reserved bits"),
    pytest.param(Fault("bad_mask"), "protocol error", id="21 masked"),
]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize(("fault", "reason"), FAULTS)
async def test_descriptors_and_tasks_are_what_they_were(
    fault: Fault, reason: str, tls: bool
) -> None:
    server_context = client_context = None
    if tls:
        authority = trustme.CA()
        server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(server_context)
        client_context = ssl.create_default_context()
        authority.configure_trust(client_context)
    async with open_exchange("usdm", source=Pulse(0.02), ssl_context=server_context) as exchange:
        at_rest = open_descriptors()
        async with open_adapter(
            binance.UsdMFutures(endpoints=exchange.endpoints),
            reconnect=QUICK,
            stale_after=0.3,
            dialer=TcpDialer(ssl_context=client_context),
        ) as adapter:
            async with adapter.subscribe(BOOK, gaps=True) as feed:
                await feed.receive()
                first, descriptors = adapter.statistics(), open_descriptors()
                for broken in range(1, 4):
                    exchange.break_connections(fault)
                    with trio.fail_after(10):
                        while not isinstance(await feed.receive(), Gap):
                            pass
                        while (await feed.receive()).session == broken:
                            pass
                last = adapter.statistics()

                assert last.reconnects == {reason: 3}
                assert last.tasks == first.tasks
                assert last.sockets_open == 1
                await descriptors_fall_to(descriptors)
        await descriptors_fall_to(at_rest)
        assert exchange.max_concurrent == 1


@pytest.mark.parametrize("kind", ["handshake_hang", "refuse", "accept_close", "accept_reset"])
async def test_19_and_20_leaving_a_connection_that_never_came_to_be(kind: str) -> None:
    plan = FaultPlan((Fault(kind),))  # type: ignore[arg-type]
    async with open_exchange("usdm", faults=plan) as exchange:
        at_rest = open_descriptors()
        async with open_adapter(
            binance.UsdMFutures(endpoints=exchange.endpoints), reconnect=QUICK
        ) as adapter:
            with trio.move_on_after(0.3):
                await adapter.wait_connected()
            assert adapter.statistics().sockets_open <= 1
        await descriptors_fall_to(at_rest)


async def test_a_server_that_alternates_every_fault_is_survived() -> None:
    kinds = ["accept_close", "accept_reset", "reset", "fin", "close", "bad_opcode", "bad_utf8"]
    plan = FaultPlan(
        tuple(
            Fault(kind, When(first=number, last=number))  # type: ignore[arg-type]
            for number, kind in zip(range(1, 22), itertools.cycle(kinds), strict=False)
        )
    )
    async with open_exchange("usdm", source=Pulse(0.01), faults=plan) as exchange:
        async with open_adapter(
            binance.UsdMFutures(endpoints=exchange.endpoints), reconnect=QUICK
        ) as adapter:
            with trio.fail_after(20):
                async with adapter.subscribe(BOOK) as feed:
                    while (await feed.receive()).session < 22:
                        pass
            assert adapter.statistics().sockets_open == 1
        assert exchange.max_concurrent == 1
