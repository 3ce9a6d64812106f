"""An open account: private stream, order entry and requests of one key, inside the adapter.

.. code-block:: text

    submit ─▶ Office.submit ─▶ (filters, own limits, id) ─▶ OrderLink ─▶ the wire
                   │                                            │
                 Order  ◀─ event ── Office.read ◀── reply ──────┘
                   ▲                    ▲
                   │                    ├── PrivateStream (events; opened before anything is read)
                 events()               ├── synchronising (readings joined; audits)
                                        └── resolving, cancelling (until it is certain)

`connector.trading` makes the decisions, without I/O. The modules here wait for sockets, for time
and for each other. Their tasks live in the nursery of `open_account`. When its block is cancelled,
they are shielded until they have cancelled and confirmed the orders, for `Timing.leave_timeout` at
most. An error of an account ends only its own block. The end of the adapter ends all its accounts.
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
