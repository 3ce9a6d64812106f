"""What tests of exchange code need, and ours use: a network in memory and a simulated exchange.

Everything here is public and documented, as `trio.testing` is. Nothing reads the wall clock or a
random number that was not seeded, so a run under `trio.testing.MockClock` is a function of its
arguments.
"""

from __future__ import annotations

from connector.testing.audience import Audience
from connector.testing.capture import Capture, Frame, read_capture, streams_of
from connector.testing.connection import ServerConnection
from connector.testing.exchange import ExchangeStatistics, SimulatedExchange, open_exchange
from connector.testing.faults import Fault, FaultKind, FaultPlan, When
from connector.testing.ledger import DialRecord, Ledger
from connector.testing.log import Log, LogEntry
from connector.testing.network import (
    MemoryConnection,
    MemoryListener,
    MemoryNetwork,
    MemoryStream,
)
from connector.testing.orderflow import OrderFlow
from connector.testing.sources import Player, Silent, Source

__all__ = [
    "Audience",
    "Capture",
    "DialRecord",
    "ExchangeStatistics",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "Frame",
    "Ledger",
    "Log",
    "LogEntry",
    "MemoryConnection",
    "MemoryListener",
    "MemoryNetwork",
    "MemoryStream",
    "OrderFlow",
    "Player",
    "ServerConnection",
    "Silent",
    "SimulatedExchange",
    "Source",
    "When",
    "open_exchange",
    "read_capture",
    "streams_of",
]
