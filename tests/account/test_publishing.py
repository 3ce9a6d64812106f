"""Feeds of account events: what they refuse, and who loses when one is not read."""

from __future__ import annotations

from typing import Any, cast

import pytest

from connector.account.publishing import Publishing
from connector.errors import ConfigError, SlowConsumer
from tests.account.trader import bid, listening, open_world


async def test_a_feed_of_account_events_takes_no_channels() -> None:
    publishing = Publishing()

    with pytest.raises(ConfigError, match="no channels"):
        await publishing.add_channels(cast("Any", None), ())
    with pytest.raises(ConfigError, match="no channels"):
        publishing.remove_channels(cast("Any", None), ())


async def test_a_slow_reader_loses_its_feed_and_nothing_else(autojump_clock: Any) -> None:
    async with open_world("usdm") as world, world.account() as account:
        async with account.events(buffer=2) as slow, listening(account) as told:
            for price in ("2980", "2981", "2982"):
                order = await account.place(bid(price))
                assert order.state == "open"
            with pytest.raises(SlowConsumer):
                while True:
                    await slow.receive()
            assert account.synced
            world.judge(account, told)
