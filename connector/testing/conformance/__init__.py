"""Whether an exchange value is right: what must hold for every venue, run against one of them.

.. code-block:: python

    VENUE = conformance.Venue(name="bazaar", serve=serve, symbols=("APPLES",), unknown="PEARS")

    @pytest.mark.parametrize("check", conformance.checks(VENUE), ids=str)
    def test_conformance(check: conformance.Check) -> None:
        check()

`serve` opens a server that speaks as the venue does, on a network in memory (`serve_texts` helps);
of a venue that `open_exchange` simulates, `simulated` makes the whole `Venue`. Everything runs in
virtual time. A check that fails raises `NotConforming` and says what was seen.

May import everything below in testing, and the library's front door.

.. code-block:: text

    suite → reception, interruptions, refusals, books, decoding, leaving → stage → watched_network
    (a check)                                                    (a run)  (what is on the wire)
"""

from connector.testing.conformance.suite import Check, checks
from connector.testing.conformance.text_server import Talk, serve_texts
from connector.testing.conformance.venue import (
    NotConforming,
    Pace,
    Serve,
    Served,
    Truth,
    Venue,
    simulated,
)

__all__ = [
    "Check",
    "NotConforming",
    "Pace",
    "Serve",
    "Served",
    "Talk",
    "Truth",
    "Venue",
    "checks",
    "serve_texts",
    "simulated",
]
