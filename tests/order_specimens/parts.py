"""What the specimens are made of: a program that trades, and a patch that takes something away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import attrs
import trio

from connector.account import Account
from connector.account.account_state import Office
from connector.account.order_requests import Job
from connector.errors import OrderNotPlaced, OrderUnknown
from connector.orders import Limit
from connector.testing.explore import OrderJudge, Scenario, Stage
from connector.testing.explore.scenarios import SCENARIOS
from connector.testing.explore.trading_programs import SYMBOL, on_account

Work = Callable[[Stage, Account, OrderJudge], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Mistake:
    """A precaution that is taken away: an attribute, and what stands there instead."""

    of: Any
    name: str
    instead: Any


@attrs.frozen(kw_only=True)
class OrderSpecimen:
    """An account with a mistake, and what the judge is to say about it."""

    work: Work
    mistakes: tuple[Mistake, ...]
    breaks: str
    """The invariant."""
    says: str
    """A part of what is found."""
    faults: tuple[str, ...] = ()
    """Those that show it; none: it shows without."""
    stride: int = 1

    def scenario(self, module: str, *, mistaken: bool = True) -> Scenario:
        async def program(stage: Stage) -> None:
            patches = [patch.object(each.of, each.name, each.instead) for each in self.mistakes]
            for each in patches if mistaken else ():
                each.start()
            try:
                await on_account(stage, work=self.work)
            finally:
                for each in patches if mistaken else ():
                    each.stop()

        trade = SCENARIOS["trade"]
        return attrs.evolve(
            trade, name=f"{module}:SCENARIO", program=program, stride=self.stride, limit_seconds=300
        )


def bid(price: str = "2980", quantity: str = "0.5") -> Limit:
    return Limit(SYMBOL, "buy", quantity=quantity, price=price)


def taking(quantity: str = "0.5") -> Limit:
    """One that is filled at once, so that its client id may be used again."""
    return Limit(SYMBOL, "buy", quantity=quantity, price="3100", time_in_force="IOC")


async def place(account: Account, judge: OrderJudge, intent: Limit) -> None:
    """Place it once, whatever becomes of it."""
    judge.intends(intent)
    with suppress(OrderNotPlaced, OrderUnknown):
        await account.place(intent)


async def place_and_rest(stage: Stage, account: Account, judge: OrderJudge) -> None:
    """One order that is taken at once."""
    await place(account, judge, taking())
    await trio.sleep(15)
    await judge.rest(60)


def put_in_line_again(office: Office, job: Job) -> None:
    """What no code may do with a place that was sent."""
    assert office.link is not None
    job.state = "queued"
    office.link.put(job)
