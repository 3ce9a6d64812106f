"""What was sent and not answered when the connection broke is sent over the next one."""

from __future__ import annotations

from connector.account.account_state import Office
from connector.account.order_link import OrderLink
from tests.order_specimens.parts import Mistake, OrderSpecimen, place_and_rest, put_in_line_again


def session_over(link: OrderLink) -> None:
    link.connected = False
    pending, link._pending = link._pending, {}
    for job in pending.values():
        assert isinstance(link._owner, Office)
        put_in_line_again(link._owner, job)


SPECIMEN = OrderSpecimen(
    work=place_and_rest,
    mistakes=(Mistake(of=OrderLink, name="_session_over", instead=session_over),),
    breaks="I13",
    says="2 orders have the client id",
    faults=("cut_reply",),
    stride=10,
)
SCENARIO = SPECIMEN.scenario(__name__)
