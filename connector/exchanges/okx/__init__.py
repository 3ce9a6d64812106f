"""OKX (v5): `Okx`, public market data of spot, swaps and futures, in one space of symbols.

.. code-block:: python

    from connector.exchanges import okx

    okx.Okx()
    okx.Okx(endpoints=okx.DEMO, numbers=Decimal)
    okx.Okx(endpoints=okx.Endpoints.at(stream="ws://127.0.0.1:8080", rest="http://127.0.0.1:8080"))
"""

from connector.exchanges.endpoints import Endpoints
from connector.exchanges.okx.exchange import (
    DEMO,
    DEMO_EEA,
    DEMO_US,
    EEA,
    PRODUCTION,
    US,
    Okx,
)

__all__ = ["DEMO", "DEMO_EEA", "DEMO_US", "EEA", "PRODUCTION", "US", "Endpoints", "Okx"]
