"""Exchange connections for trio that cannot leak: one adapter, one nursery.

>>> async with open_adapter(binance.UsdMFutures()) as adapter:
...     async with adapter.subscribe(Trades("ETHUSDC")) as trades:
...         async for trade in trades:
...             print(trade.price, trade.side)

A name is imported when it is first used. ``connector --help``, or a program that needs
`connector.events` alone, starts without the rest.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from connector._version import __version__

if TYPE_CHECKING:
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

_HOMES = (
    *("errors", "events", "feeds.buffer", "feeds.feed", "link.pacing", "merging.merge"),
    *("adapter.adapter", "adapter.opening"),
)
"""The modules that define these names, those that import little first."""

if not TYPE_CHECKING:  # a type checker would believe that every name exists

    def __getattr__(name: str) -> object:
        """Import a public name, or a module of this package, when it is first used."""
        if name in __all__:
            homes = (import_module(f"{__name__}.{home}") for home in _HOMES)
            found = next(vars(home)[name] for home in homes if name in vars(home))
            return globals().setdefault(name, found)
        module = f"{__name__}.{name}"
        if name.startswith("_") or find_spec(module) is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(module)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
