"""Checks that an adapter leaves nothing behind, no matter when its block ends."""

from __future__ import annotations

from typing import Any

import trio

from connector.channels import AnyChannel, OrderBook
from connector.testing.conformance import offered
from connector.testing.conformance.stage import Stage, offer_of, open_stage, require
from connector.testing.conformance.venue import Venue
from connector.testing.leaks import no_leaks

MOMENTS = (
    *(number / 1000 for number in range(1, 16)),
    0.03, 0.05, 0.1, 0.2005, 0.201, 0.25, 0.301, 0.3025, 0.304, 0.306, 0.31, 0.35,
)  # fmt: skip
"""Times of cancellation in seconds: while dialling, subscribing, reading; from 0.2, after a
break."""
BREAKS_AT = 0.2
MOMENT_SECONDS = 0.1
"""Time for a server to notice that the client has disconnected."""


async def nothing_is_left_whenever_it_is_left(venue: Venue) -> None:
    """Cancelled at many moments, an adapter leaves no task, descriptor or connection behind."""
    offer = await offer_of(venue)
    (channels, *_) = offered.groups(offer.exchange, offer.channels)
    books = [each for each in channels if isinstance(each, OrderBook)]
    async with open_stage(venue, pace="steady") as stage:
        await trio.sleep(MOMENT_SECONDS)
        with no_leaks(stage.network.network) as left:
            for moment in MOMENTS:
                with trio.move_on_after(moment):
                    await _use(stage, [*channels[:3], *books[:1]])
                await trio.sleep(MOMENT_SECONDS)
                require(not left.leaks(), f"left after {moment} s, it leaves {left.leaks()}")


async def _use(stage: Stage, channels: list[AnyChannel]) -> None:
    async with stage.open_adapter() as adapter, trio.open_nursery() as nursery:
        for channel in channels:
            nursery.start_soon(_read, adapter, channel)
        await trio.sleep(BREAKS_AT)
        for connection in stage.network.live:
            connection.reset()
        await trio.sleep_forever()


async def _read(adapter: Any, channel: AnyChannel) -> None:
    async with adapter.subscribe(channel) as feed:
        async for _ in feed:
            pass
