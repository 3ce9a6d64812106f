"""The exchange says that it does not know, and the same request is sent again.

Its id protects it only while the first order is open; this one was filled (binance_trading §0).
"""

from __future__ import annotations

from connector.account.account_state import Office
from connector.account.order_requests import PLACE, Job
from connector.trading.order_record import OrderRecord
from tests.order_specimens.parts import Mistake, OrderSpecimen, place_and_rest, put_in_line_again


def lose(office: Office, record: OrderRecord) -> None:
    request = office.trading.place(record.intent, record.client_id)
    put_in_line_again(office, Job(request, PLACE, record))


SPECIMEN = OrderSpecimen(
    work=place_and_rest,
    mistakes=(Mistake(of=Office, name="lose", instead=lose),),
    breaks="I13",
    says="2 orders have the client id",
    faults=("unknown_done",),
    stride=10,
)
SCENARIO = SPECIMEN.scenario(__name__)
