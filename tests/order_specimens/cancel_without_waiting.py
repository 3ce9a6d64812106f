"""Leaving sends the cancels, and does not wait for what becomes of them."""

from __future__ import annotations

import trio

from connector.account import Account, Order, opening
from connector.account.running import RunningAccount
from connector.testing.explore import OrderJudge, Stage
from tests.order_specimens.parts import Mistake, OrderSpecimen, bid, place


async def leave(
    running: RunningAccount, error: BaseException | None, *, cancel: bool
) -> tuple[tuple[Order, ...], KeyboardInterrupt | None]:
    running.office.leaving = True
    for record in running.office.book.records.values():
        running.cancel(record)
    with trio.move_on_after(0.01) as scope:
        scope.shield = True
        await trio.sleep(0.01)
    running.finish()
    return (), None


async def work(stage: Stage, account: Account, judge: OrderJudge) -> None:
    """One order, which is open when the block is left."""
    await place(account, judge, bid())


SPECIMEN = OrderSpecimen(
    work=work,
    mistakes=(Mistake(of=opening, name="leave", instead=leave),),
    breaks="I16",
    says="is open after its block, and not named",
    faults=("slow_gateway",),
    stride=10,
)
SCENARIO = SPECIMEN.scenario(__name__)
