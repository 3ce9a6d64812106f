"""The faults that the demo applies to a connection, as a table."""

from __future__ import annotations

import random
from collections.abc import Iterator

import attrs
import msgspec

from connector.testing import Fault, SimulatedExchange


@attrs.frozen
class Break:
    """One way: what strikes the connections that live, and what meets the attempts after it."""

    title: str
    live: Fault
    next_handshakes: Fault | None = None


BREAKS = (
    Break("the exchange closes, 1001", Fault("close", code=1001)),
    Break("TCP reset", Fault("reset")),
    Break("half-open: the peer is gone without a FIN or RST", Fault("half_open")),
    Break("closed without a close frame", Fault("fin")),
    Break("HTTP 503 at the next attempt", Fault("reset"), Fault("http_status", status=503)),
    Break("an invalid frame: reserved bits", Fault("bad_reserved_bits")),
    Break("mute, but it answers pings", Fault("mute")),
    Break("a close frame, and TCP held open", Fault("close_and_hold", code=1000)),
    Break("accepted and closed at the next attempt", Fault("fin"), Fault("accept_close")),
    Break("text that is not UTF-8", Fault("bad_utf8")),
    Break("internal error, 1011", Fault("close", code=1011)),
    Break("accepted and reset at the next attempt", Fault("reset"), Fault("accept_reset")),
    Break("a masked frame", Fault("bad_mask")),
)


def endless(seed: int) -> Iterator[Break]:
    """All of them in an order that depends on `seed`, again and again."""
    order = list(BREAKS)
    random.Random(seed).shuffle(order)
    while True:
        yield from order


def strike(exchange: SimulatedExchange, trouble: Break, *, links: int) -> None:
    """Break every live connection, and let each link's next attempt meet what is planned."""
    if trouble.next_handshakes is not None:
        exchange.inject(msgspec.structs.replace(trouble.next_handshakes, times=links))
    exchange.break_connections(trouble.live)
