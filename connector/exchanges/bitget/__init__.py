"""Bitget (v3, and v2 where v3 has no channel): `Spot` and `Futures`, public market data.

.. code-block:: python

    from connector.exchanges import bitget

    bitget.Futures()
    bitget.Spot(endpoints=bitget.DEMO, numbers=Decimal)
    bitget.Spot(endpoints=bitget.Endpoints.at(stream="ws://127.0.0.1:8080",
                                              rest="http://127.0.0.1:8080"))
"""

from connector.exchanges.bitget.exchange import DEMO, PRODUCTION, Futures, Spot
from connector.exchanges.endpoints import Endpoints

__all__ = ["DEMO", "PRODUCTION", "Endpoints", "Futures", "Spot"]
