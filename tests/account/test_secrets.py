"""No key, secret, signature or listen key in a log, an error, a repr or an event (I18)."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
import trio

from connector.errors import ConnectorError, OrdersLeft
from tests.account.trader import VENUES, bid, listening, open_world


@pytest.mark.parametrize("venue", VENUES)
async def test_nothing_secret_is_shown(
    venue: str, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # Every logger: those of libraries too.
    caplog.set_level(logging.DEBUG)
    shown: list[object] = []
    async with open_world(venue) as world:
        truth = world.truth
        with pytest.raises(OrdersLeft) as left:
            async with world.account() as account, listening(account) as told:
                with world.adapter.frames() as frames:
                    order = await account.place(bid())
                    world.exchange.trading.time_out(effect=False)
                    with pytest.raises(ConnectorError) as unknown:
                        await account.place(bid("2980"))
                    world.exchange.trading.time_out("order.cancel", effect=False)
                    world.cut_streams()
                    await trio.sleep(30)
                    shown += [account, order, account.orders, account.bookmark, unknown.value]
                    shown += [account.other_orders, account.last_known, *told.take()]
                    shown += [world.adapter.statistics(), world.adapter, world.adapter.exchange]
                    while True:
                        try:
                            shown.append(frames.receive_nowait())
                        except trio.WouldBlock:
                            break
                    world.exchange.inject("refuse")
                    world.cut_streams()
        shown += [left.value, left.value.__notes__ if hasattr(left.value, "__notes__") else ""]

    everything = "\n".join(map(repr, shown)) + "\n".join(map(str, shown)) + caplog.text

    assert "order open" in caplog.text
    assert truth.secret not in everything
    assert truth.key not in everything
    assert "listenKey" not in everything
    assert "signature" not in everything
    # Client ids have 32 of them; a signature has 64, a listen key as many letters and digits.
    assert not re.search(r"[0-9A-Za-z]{60,}", everything)
