"""Hyperliquid: `Hyperliquid`, public market data of perpetuals and spot, in one space of symbols.

.. code-block:: python

    from connector.exchanges import hyperliquid

    hyperliquid.Hyperliquid()
    hyperliquid.Hyperliquid(endpoints=hyperliquid.TESTNET, numbers=Decimal)
    hyperliquid.Hyperliquid(
        endpoints=hyperliquid.Endpoints.at(
            stream="ws://127.0.0.1:8080", rest="http://127.0.0.1:8080"
        )
    )
"""

from connector.exchanges.endpoints import Endpoints
from connector.exchanges.hyperliquid.exchange import PRODUCTION, TESTNET, Hyperliquid

__all__ = ["PRODUCTION", "TESTNET", "Endpoints", "Hyperliquid"]
