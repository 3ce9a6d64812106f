"""Bybit (v5): `Spot`, `Linear` and `Inverse`, public market data.

.. code-block:: python

    from connector.exchanges import bybit

    bybit.Linear()
    bybit.Spot(endpoints=bybit.TESTNET, numbers=Decimal)
    bybit.Inverse(endpoints=bybit.Endpoints.at(stream="ws://127.0.0.1:8080",
                                               rest="http://127.0.0.1:8080"))
"""

from connector.exchanges.bybit.exchange import (
    DEMO,
    PRODUCTION,
    TESTNET,
    Inverse,
    Linear,
    Spot,
)
from connector.exchanges.endpoints import Endpoints

__all__ = ["DEMO", "PRODUCTION", "TESTNET", "Endpoints", "Inverse", "Linear", "Spot"]
