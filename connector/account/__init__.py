"""An open account: private stream, order entry and requests of one key, inside the adapter.

.. code-block:: text

    submit ─▶ Office.submit ─▶ (filters, own limits, id) ─▶ OrderLink ─▶ the wire
                   │                                            │
                 Order  ◀── told ── Office.read ◀── reply ──────┘
                   ▲                    ▲
                   │                    ├── PrivateStream (events; opened before anything is read)
                 events()               ├── synchronising (readings joined; audits)
                                        └── resolving, cancelling (until it is certain)

It may import what is below it, `connector.trading` above all, which decides. What is here waits:
for sockets, for time, for each other. Its tasks live in the nursery of `open_account`, shielded
from its cancellation until the block has cancelled and confirmed its orders, for
`Timing.leave_timeout` at most. What ends an account ends its block and nothing else; what ends the
adapter ends its accounts.
"""

from connector.account.account import Account
from connector.account.order import Order
from connector.account.quotes import Behind, Quotes
from connector.account.views import LastKnown

__all__ = [
    "Account",
    "Behind",
    "LastKnown",
    "Order",
    "Quotes",
]
