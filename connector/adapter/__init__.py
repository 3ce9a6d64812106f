"""An open adapter: one nursery that owns every link, request and local book of an exchange.

`opening` owns the nursery. `adapter` is the object that a program uses. `wanted_streams` keeps the
set of desired streams, `runners` starts a loop per link, `local_book` maintains an order book from
deltas, and `accounts` tracks the open accounts. This package may import every package below it:
accounts, links, feeds, exchanges, books, transport.

.. code-block:: text

    subscribe(channel) → wanted_streams → runners → link        (a stream is wanted)
    link → feed → ``async for``                                 (an event arrives)
"""

from connector.adapter.adapter import Adapter
from connector.adapter.opening import open_adapter

__all__ = ["Adapter", "open_adapter"]
