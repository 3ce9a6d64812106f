"""Binance: `Spot`, `UsdMFutures` and `CoinMFutures`.

.. code-block:: python

    from connector.exchanges import binance

    binance.UsdMFutures()
    binance.Spot(endpoints=binance.TESTNET, numbers=Decimal)
    binance.Spot(endpoints=binance.Endpoints(stream="ws://127.0.0.1:8080",
                                             rest="http://127.0.0.1:8080"))
"""

from connector.exchanges.binance.coinm import CoinMFutures
from connector.exchanges.binance.endpoints import Endpoints, Environment
from connector.exchanges.binance.spot import Spot
from connector.exchanges.binance.usdm import UsdMFutures

PRODUCTION = Environment.PRODUCTION
TESTNET = Environment.TESTNET
DEMO = Environment.DEMO

__all__ = [
    "DEMO",
    "PRODUCTION",
    "TESTNET",
    "CoinMFutures",
    "Endpoints",
    "Environment",
    "Spot",
    "UsdMFutures",
]
