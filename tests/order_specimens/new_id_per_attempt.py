"""The exchange says that it does not know, and the order is placed anew, with an id of its own."""

from __future__ import annotations

from connector.account.account_state import Office
from connector.trading.order_record import OrderRecord
from tests.order_specimens.parts import Mistake, OrderSpecimen, place_and_rest


def lose(office: Office, record: OrderRecord) -> None:
    record.move("refused", "not answered", None)
    office.submit(record.intent)


SPECIMEN = OrderSpecimen(
    work=place_and_rest,
    mistakes=(Mistake(of=Office, name="lose", instead=lose),),
    breaks="I13",
    says="2 orders of one intent",
    faults=("unknown_done",),
    stride=10,
)
SCENARIO = SPECIMEN.scenario(__name__)
