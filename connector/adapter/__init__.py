"""An open adapter: one nursery that owns every link, request and local book of an exchange.

`opening` has the nursery. Inside it, `adapter` is what a program uses, `wanted_streams` keeps the
set of streams that somebody wants, `runners` starts a loop per link, `local_book` keeps an order
book from deltas, and `accounts` are those that are open. It may import every room below: accounts,
links, feeds, exchanges, books, transport.

.. code-block:: text

    subscribe(channel) → wanted_streams → runners → link        (a stream is wanted)
    link → feed → ``async for``                                 (an event arrives)
"""

from connector.adapter.adapter import Adapter
from connector.adapter.opening import open_adapter

__all__ = ["Adapter", "open_adapter"]
