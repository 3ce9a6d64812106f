"""Kraken: `Spot`, and for derivatives `Unified` or, until 2027-03-01, `Futures`.

.. code-block:: python

    from connector.exchanges import kraken

    kraken.Spot()
    kraken.Spot(numbers=Decimal, book_levels=1000)
    kraken.Unified(endpoints=kraken.Endpoints.at(stream="ws://127.0.0.1:8080",
                                                 rest="http://127.0.0.1:8080"))

`Spot` speaks WebSocket v2. `Unified` speaks the unified WebSocket, which has the same frames and
serves derivatives. `Futures` speaks the futures' own WebSocket v1, which Kraken switches off on
2027-03-01.
"""

from connector.exchanges.endpoints import Endpoints
from connector.exchanges.kraken.futures import Futures
from connector.exchanges.kraken.spot import Spot
from connector.exchanges.kraken.unified import Unified

__all__ = ["Endpoints", "Futures", "Spot", "Unified"]
