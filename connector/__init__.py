"""Exchange connections for trio applications that cannot leak: one adapter, one nursery.

>>> async with open_adapter(binance.UsdMFutures()) as adapter:
...     async with adapter.subscribe(Trades("ETHUSDC")) as trades:
...         async for trade in trades:
...             print(trade.price, trade.side)
"""

from connector._version import __version__
from connector.adapter.adapter import Adapter
from connector.adapter.opening import open_adapter
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
from connector.feeds.buffer import Overflow
from connector.feeds.feed import Feed
from connector.link.pacing import Reconnect
from connector.merging.merge import merge

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
