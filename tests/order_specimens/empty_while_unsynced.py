"""While the account does not know what it has, it shows nothing: which reads as flat."""

from __future__ import annotations

from collections.abc import Mapping

import trio

from connector.account import Account
from connector.accounts import Position
from connector.testing.explore import OrderJudge, Stage
from tests.order_specimens.parts import Mistake, OrderSpecimen, place, taking

careful = Account.positions


def positions(account: Account) -> Mapping[str, Position]:
    if account.synced:
        return careful.fget(account)  # type: ignore[no-any-return, misc]
    return {symbol: Position(symbol=symbol) for symbol in account._office.instruments}


async def work(stage: Stage, account: Account, judge: OrderJudge) -> None:
    """A position, and a disconnect a minute later."""
    await place(account, judge, taking())
    await trio.sleep(60)
    stage.exchange.break_connections("reset")
    await judge.rest(60)


SPECIMEN = OrderSpecimen(
    work=work,
    mistakes=(Mistake(of=Account, name="positions", instead=property(positions)),),
    breaks="I14",
    says="shows 0 ETHUSDC",
)
SCENARIO = SPECIMEN.scenario(__name__)
