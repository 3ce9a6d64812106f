"""Fills come from the stream alone: those of a disconnect are never told."""

from __future__ import annotations

import trio

from connector.account import Account, synchronising
from connector.account.account_state import Office
from connector.account.asking import Conversation
from connector.testing.explore import OrderJudge, Stage
from connector.trading.reports import FillReport
from tests.order_specimens.parts import Mistake, OrderSpecimen, bid, place


async def read_fills(
    office: Office, conversation: Conversation, symbol: str
) -> tuple[FillReport, ...]:
    await trio.lowlevel.checkpoint()
    return ()


async def work(stage: Stage, account: Account, judge: OrderJudge) -> None:
    """A fill, while nobody is connected."""
    await place(account, judge, bid())
    stage.exchange.break_connections("reset")
    stage.exchange.trading.fill(judge.truth.open_orders[0], "0.2")
    await judge.rest(60)


SPECIMEN = OrderSpecimen(
    work=work,
    mistakes=(Mistake(of=synchronising, name="read_fills", instead=read_fills),),
    breaks="I15",
    says="was never reported",
)
SCENARIO = SPECIMEN.scenario(__name__)
