"""An order that a query does not find is taken for not placed; queries lag (binance_trading §7)."""

from __future__ import annotations

import trio

from connector.account import Account, running
from connector.account.account_state import Office
from connector.account.asking import Refused
from connector.account.resolving import _conclude
from connector.testing.explore import OrderJudge, Stage
from connector.trading.order_record import OrderRecord
from tests.order_specimens.parts import Mistake, OrderSpecimen, bid, place


async def resolve(office: Office, record: OrderRecord) -> None:
    await trio.sleep(4.0)  # the window, and a little
    try:
        await office.asking.ask(office.trading.order(record.symbol, record.client_id))
    except Refused:
        if record.state == "unknown":
            _conclude(office, record)


async def work(stage: Stage, account: Account, judge: OrderJudge) -> None:
    """The exchange has accepted the order; reply and events are lost, and its lists lag."""
    stage.exchange.trading.unknown_503(effect=True)
    stage.exchange.trading.lose_event(times=2)
    stage.exchange.trading.lag_queries(30.0)
    await place(account, judge, bid())
    await trio.sleep(10)
    await judge.rest(120)


SPECIMEN = OrderSpecimen(
    work=work,
    mistakes=(Mistake(of=running, name="resolve", instead=resolve),),
    breaks="I13",
    says="is called absent, and is open",
)
SCENARIO = SPECIMEN.scenario(__name__)
