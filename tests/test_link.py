"""The tripwires of a link: what its loop cannot do, a specimen does, and is stopped in time.

Each specimen is the seed bug in one line: something else than the loop makes an attempt.
"""

from __future__ import annotations

import gc

import pytest
import trio
from trio.testing import MockClock
from wsproto.handshake import H11Handshake

from connector import Adapter, open_adapter
from connector.errors import InvariantViolated
from connector.exchanges import binance
from connector.link import Link
from connector.testing import MemoryNetwork, open_exchange
from tests.faults.test_leaving import LeakyNetwork
from tests.faults.world import BOOK, QUICK, Pulse, open_world, take


def only_link(adapter: Adapter) -> Link:
    (link,) = adapter._loops
    return link


async def test_a_second_attempt_while_one_is_under_way_is_refused(
    autojump_clock: MockClock,
) -> None:
    network = MemoryNetwork()
    network.fail_dials("hang", times=1)
    async with open_exchange("usdm", network=network) as exchange:
        venue = binance.UsdMFutures(endpoints=exchange.endpoints)
        with pytest.raises(InvariantViolated, match="connecting cannot become connecting"):
            async with open_adapter(venue, dialer=network) as adapter:
                with trio.move_on_after(1):
                    await adapter.wait_connected()
                assert network.ledger.open_now() == 1
                await only_link(adapter)._attempt(2)

    assert len(network.ledger) == 1


async def test_an_attempt_while_a_session_streams_is_refused(autojump_clock: MockClock) -> None:
    with pytest.raises(InvariantViolated, match="the socket of the last session is still open"):
        async with open_world() as world, world.adapter.subscribe(BOOK) as feed:
            await take(feed, 1)
            await only_link(world.adapter)._attempt(2)

    assert len(world.network.ledger) == 1


async def test_a_socket_that_survives_its_session_stops_the_loop(
    autojump_clock: MockClock,
) -> None:
    """A dialer that does not close: no second socket beside the one that it left open."""
    network = LeakyNetwork()
    async with open_exchange("usdm", network=network, source=Pulse()) as exchange:
        venue = binance.UsdMFutures(endpoints=exchange.endpoints)
        with pytest.raises(InvariantViolated, match="the socket of the last session is still open"):
            async with open_adapter(venue, dialer=network, reconnect=QUICK) as adapter:
                async with adapter.subscribe(BOOK) as feed:
                    await take(feed, 1)
                    exchange.break_connections("reset")
                    await trio.sleep(60)

    assert len(network.ledger) == 1


async def test_a_link_at_rest_holds_three_tasks_and_no_handshake(
    autojump_clock: MockClock,
) -> None:
    """Its loop, the reader, and who takes what the reader passes up: each is a KiB or two."""
    async with open_world() as world, world.adapter.subscribe(BOOK) as feed:
        await take(feed, 1)
        await trio.sleep(90)  # pings included

        (link,) = world.adapter.statistics().links
        assert link.tasks == 3
        held = [each for each in gc.get_objects() if isinstance(each, H11Handshake) and each.client]
        assert held == []
