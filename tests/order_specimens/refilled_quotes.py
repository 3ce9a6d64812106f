"""What fills of a quote is put back on the book at once."""

from __future__ import annotations

from decimal import Decimal

import trio

from connector.account import Account, Quotes
from connector.testing.explore import OrderJudge, Stage
from tests.order_specimens.parts import SYMBOL, Mistake, OrderSpecimen


def absorb_nothing(quotes: Quotes) -> None:
    for client_id, order in quotes._mine.items():
        quotes._seen[client_id] = order.filled


async def work(stage: Stage, account: Account, judge: OrderJudge) -> None:
    """One `want`, and its bid is taken."""
    size, most = Decimal("0.1"), Decimal(60)
    async with account.quotes(SYMBOL, max_long=most, max_short=most, max_age=30) as quotes:
        judge.wants(bids=size, asks=size, max_long=most, max_short=most)
        quotes.want(bids=[(2980, size)], asks=[(3020, size)])
        await quotes.settled()
        stage.exchange.trading.fill(judge.truth.open_orders[0])
        await trio.sleep(1)


SPECIMEN = OrderSpecimen(
    work=work,
    mistakes=(Mistake(of=Quotes, name="_absorb_fills", instead=absorb_nothing),),
    breaks="I17",
    says="bids: 0.2",
)
SCENARIO = SPECIMEN.scenario(__name__)
