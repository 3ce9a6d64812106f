"""Quotes are replaced before the cancel of the old ones is confirmed."""

from __future__ import annotations

from decimal import Decimal

import trio

from connector.account import Account, Quotes
from connector.testing.explore import OrderJudge, Stage
from connector.trading.quoting import Quote
from tests.order_specimens.parts import SYMBOL, Mistake, OrderSpecimen

careful = Quotes._quotes


def quotes_without_cancelled(quotes: Quotes) -> list[Quote]:
    return [each for each in careful(quotes) if not each.cancelling]


async def work(stage: Stage, account: Account, judge: OrderJudge) -> None:
    """The price moves, and the cancel of what was there does not arrive."""
    size, most = Decimal("0.1"), Decimal(60)
    async with account.quotes(SYMBOL, max_long=most, max_short=most, max_age=30) as quotes:
        for price in (2980, 2981, 2982):
            judge.wants(bids=size, asks=Decimal(0), max_long=most, max_short=most)
            quotes.want(bids=[(price, size)])
            await trio.sleep(0.05)


SPECIMEN = OrderSpecimen(
    work=work,
    mistakes=(Mistake(of=Quotes, name="_quotes", instead=quotes_without_cancelled),),
    breaks="I17",
    says="bids: 0.2",
    faults=("lose_request",),
    stride=10,
)
SCENARIO = SPECIMEN.scenario(__name__)
