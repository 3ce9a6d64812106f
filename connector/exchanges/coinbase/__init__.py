"""Coinbase Advanced Trade: `AdvancedTrade`, public market data of spot and futures.

.. code-block:: python

    from connector.exchanges import coinbase

    coinbase.AdvancedTrade()
    coinbase.AdvancedTrade(numbers=Decimal)
    coinbase.AdvancedTrade(
        endpoints=coinbase.Endpoints.at(stream="ws://127.0.0.1:8080", rest="http://127.0.0.1:8080")
    )
"""

from connector.exchanges.coinbase.exchange import PRODUCTION, AdvancedTrade
from connector.exchanges.endpoints import Endpoints

__all__ = ["PRODUCTION", "AdvancedTrade", "Endpoints"]
