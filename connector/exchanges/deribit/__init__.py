"""Deribit (JSON-RPC v2): `Deribit`, public data of perpetuals, futures, options and spot.

.. code-block:: python

    from connector.exchanges import deribit

    deribit.Deribit()
    deribit.Deribit(endpoints=deribit.TESTNET, numbers=Decimal)
    deribit.Deribit(endpoints=deribit.Endpoints.at(stream="ws://127.0.0.1:8080",
                                                   rest="http://127.0.0.1:8080"))
"""

from connector.exchanges.deribit.exchange import PRODUCTION, STREAMS, TESTNET, Deribit
from connector.exchanges.endpoints import Endpoints

__all__ = ["PRODUCTION", "STREAMS", "TESTNET", "Deribit", "Endpoints"]
