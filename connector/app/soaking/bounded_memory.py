"""Bound what the simulated side remembers, so that what grows in a soak is the adapter's."""

from __future__ import annotations

from connector.testing import MemoryNetwork, SimulatedExchange

KEPT = 300
"""Trades and candles, lines of the exchange's log, and ended connections of the network."""


def bound_memory(exchange: SimulatedExchange, network: MemoryNetwork | None) -> None:
    """Let an exchange and its network remember little.

    By default they remember 20,000 lines of the log and 100,000 connections, for a test to look
    at. That is some 3 KB per reconnect, for thousands of reconnects.
    """
    exchange.keep_history(KEPT)
    exchange.log.keep_last(KEPT)
    if network is not None:
        network.ledger.keep_last(KEPT)
