"""Conformance checks for an exchange value: what must hold for every venue, run against one.

.. code-block:: python

    VENUE = conformance.Venue(name="bazaar", serve=serve, symbols=("APPLES",), unknown="PEARS")

    @pytest.mark.parametrize("check", conformance.checks(VENUE), ids=str)
    def test_conformance(check: conformance.Check) -> None:
        check()

`serve` opens a server with the venue's protocol on a network in memory (`serve_texts` helps). For a
venue that `open_exchange` simulates, `simulated` makes the whole `Venue`. Checks run in virtual
time. A failed check raises `NotConforming` with the observed behaviour.

The package may import everything below it in testing, and the public modules of the library.

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
