"""Exchange connections for trio applications that cannot leak: one adapter, one nursery.

>>> async with open_adapter(binance.UsdMFutures()) as adapter:
...     async with adapter.subscribe(Trades("ETHUSDC")) as trades:
...         async for trade in trades:
...             print(trade.price, trade.side)
"""

from connector._version import __version__
from connector.adapter import Adapter, open_adapter
from connector.buffer import Overflow
from connector.errors import (
    ConfigError,
    ConnectorError,
    DecodeError,
    ExchangeUnavailable,
    HandshakeRejected,
    InvariantViolated,
    RequestRejected,
    SlowConsumer,
    SubscriptionRejected,
)
from connector.events import Gap
from connector.feed import Feed
from connector.merge import merge
from connector.pacing import Reconnect

__all__ = [
    "Adapter",
    "ConfigError",
    "ConnectorError",
    "DecodeError",
    "ExchangeUnavailable",
    "Feed",
    "Gap",
    "HandshakeRejected",
    "InvariantViolated",
    "Overflow",
    "Reconnect",
    "RequestRejected",
    "SlowConsumer",
    "SubscriptionRejected",
    "__version__",
    "merge",
    "open_adapter",
]
