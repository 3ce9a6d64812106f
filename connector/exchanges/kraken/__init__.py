"""Kraken: `Spot` (WebSocket v2) and `Futures` (WebSocket v1), public market data.

.. code-block:: python

    from connector.exchanges import kraken

    kraken.Spot()
    kraken.Spot(numbers=Decimal, book_levels=1000)
    kraken.Futures(endpoints=kraken.Endpoints.at(stream="ws://127.0.0.1:8080",
                                                 rest="http://127.0.0.1:8080"))
"""

from connector.exchanges.endpoints import Endpoints
from connector.exchanges.kraken.futures import Futures
from connector.exchanges.kraken.spot import Spot

__all__ = ["Endpoints", "Futures", "Spot"]
