"""A request of order entry, and those that wait for its end."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from connector.account.order_requests import CANCEL, Job, JobState
from connector.exchanges import binance

TRADING = binance.UsdMFutures().trading


@pytest.mark.parametrize("state", ["answered", "lost", "unsent"])
async def test_the_end_wakes_all_who_wait(
    state: JobState, autojump_clock: trio.testing.MockClock
) -> None:
    job, woken = Job(TRADING.cancel("ETHUSDC", "a"), CANCEL), list[float]()

    async def wait() -> None:
        await job.wait()
        woken.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await trio.sleep(1)
        job.state = "sent"
        nursery.start_soon(wait)
        await trio.sleep(1)
        assert woken == []
        job.end(state)
        await trio.sleep(1)
        nursery.start_soon(wait)

    assert woken == [2.0, 2.0, 2.0, 3.0]
