"""Tools to test exchange code: a network in memory, a simulated exchange, faults, an explorer.

Everything here is public and documented, as `trio.testing` is. The simulated exchange reads neither
the wall clock nor a random number that was not seeded. Under `trio.testing.MockClock`, what it
sends is a function of its arguments. Only the receive times of events (`Event.received_ns`) are
your machine's.
"""

from __future__ import annotations

from connector.testing.exchange.connection import ServerConnection
from connector.testing.exchange.event_log import Log, LogEntry
from connector.testing.exchange.exchange import SimulatedExchange, open_exchange
from connector.testing.exchange.statistics import ExchangeStatistics
from connector.testing.exchange.trading.accounts import (
    AccountView,
    Position,
    SimulatedAccount,
    TradingAccount,
)
from connector.testing.exchange.trading.algo import AlgoOrder
from connector.testing.exchange.trading.control import Trading
from connector.testing.exchange.trading.credentials import Credentials
from connector.testing.exchange.trading.delays import Delays
from connector.testing.exchange.trading.orders import Execution, Fill, Order
from connector.testing.exchange.trading.readings import Readings
from connector.testing.faults.faults import Fault, FaultKind, FaultPlan, When
from connector.testing.faults.trading import TradingFault
from connector.testing.market.audience import Audience
from connector.testing.market.capture import Capture
from connector.testing.market.capture_files import Frame, read_capture, streams_of
from connector.testing.market.order_flow import OrderFlow
from connector.testing.market.sources import Player, Silent, Source
from connector.testing.network.ledger import DialRecord, Ledger
from connector.testing.network.memory_connection import MemoryConnection, MemoryStream
from connector.testing.network.network import MemoryListener, MemoryNetwork

__all__ = [
    "AccountView",
    "AlgoOrder",
    "Audience",
    "Capture",
    "Credentials",
    "Delays",
    "DialRecord",
    "ExchangeStatistics",
    "Execution",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "Fill",
    "Frame",
    "Ledger",
    "Log",
    "LogEntry",
    "MemoryConnection",
    "MemoryListener",
    "MemoryNetwork",
    "MemoryStream",
    "Order",
    "OrderFlow",
    "Player",
    "Position",
    "Readings",
    "ServerConnection",
    "Silent",
    "SimulatedAccount",
    "SimulatedExchange",
    "Source",
    "Trading",
    "TradingAccount",
    "TradingFault",
    "When",
    "open_exchange",
    "read_capture",
    "streams_of",
]
