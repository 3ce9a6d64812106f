"""Placing, cancelling and leaving, with something that happens after every step of a task.

A run counts the steps of all tasks, the exchange's among them; the fault strikes at one of them.
Then the judge asks the exchange: nothing is open, no intent has become two orders, each fill was
told once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.accounts import Timing
from connector.errors import ConnectorError, NotSynced, OrderNotPlaced, OrderUnknown
from tests.account.trader import VENUES, World, bid, listening, open_world

STRIDE = int(os.environ.get("CONNECTOR_STEP_STRIDE", "97"))
"""Every so many steps; 1 for all, which takes some minutes."""


@attrs.define(eq=False)
class Strike(trio.abc.Instrument):
    """Counts steps, and strikes at one."""

    at: int
    action: Callable[[], None] | None = None
    steps: int = 0
    struck: bool = False

    def after_task_step(self, _: trio.lowlevel.Task) -> None:
        if self.action is None or self.struck:
            return
        self.steps += 1
        if self.steps == self.at:
            self.struck = True
            self.action()


async def trade(world: World) -> None:
    """A program that orders in every way, and takes an exchange that is away as it comes."""
    async with world.account(timing=Timing(leave_timeout=60.0)) as account:
        async with listening(account) as told:
            first = await _place(account, bid("2980"))
            taken = await _place(account, bid("2985"))
            for each in world.truth.open_orders:
                if taken is not None and each.client_id == taken.client_id:
                    world.exchange.trading.fill(each, "0.1")
            if first is not None:
                await account.cancel(first)
            with suppress(OrderNotPlaced, OrderUnknown):
                async with account.working(bid("2970")):
                    await trio.sleep(0.01)
            await account.wait_synced()
            await world.settled(account, 200.0)
            world.judge(account, told)
            told.judge_complete(world.truth)


async def quote(world: World) -> None:
    """A market maker whose market moves, and whose quotes are taken."""
    async with world.account(timing=Timing(leave_timeout=60.0)) as account:
        async with listening(account) as told:
            async with account.quotes("ETHUSDC", max_long=51, max_short=1, max_age=10.0) as quotes:
                for number in range(3):
                    quotes.want(bids=[(2980 + number, "0.1")], asks=[(3020 + number, "0.1")])
                    await trio.sleep(0.05)
                    if number == 1:
                        for each in world.truth.open_orders[:1]:
                            world.exchange.trading.fill(each, "0.05")
            await account.wait_synced()
            assert not [each for each in account.orders.values() if not each.ended]
            await world.settled(account, 200.0)
            world.judge(account, told)
            told.judge_complete(world.truth)


PROGRAMS = {"trade": trade, "quote": quote}


async def _place(account: Any, intent: Any) -> Any:
    while True:
        try:
            return await account.place(intent)
        except NotSynced:
            await account.wait_synced()
        except OrderUnknown as unknown:
            return unknown.order
        except OrderNotPlaced:
            return None


def run(program: str, venue: str, fault: str, at: int) -> Strike:
    strike = Strike(at)

    async def main() -> None:
        async with open_world(venue) as world:
            with trio.CancelScope() as scope:
                actions = {"cancel": scope.cancel, "reset": world.cut_streams, "none": int}
                strike.action = actions[fault]
                await PROGRAMS[program](world)
            ids = world.truth.client_ids
            assert len(set(ids)) == len(ids)
            assert world.truth.open_orders == ()

    trio.run(main, clock=MockClock(autojump_threshold=0), instruments=[strike])
    return strike


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("fault", ["cancel", "reset"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_at_every_step(program: str, venue: str, fault: str) -> None:
    steps = run(program, venue, "none", 0).steps
    assert steps > 300
    failed = []
    struck = 0
    for at in range(1, steps, STRIDE):
        try:
            struck += run(program, venue, fault, at).struck
        except (AssertionError, ConnectorError, BaseExceptionGroup, trio.TooSlowError) as error:
            failed.append((at, repr(error)[:300]))
    assert not failed
    assert struck > steps // STRIDE // 2
