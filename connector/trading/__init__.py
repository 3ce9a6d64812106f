"""The logic of orders and accounts without I/O: their state, permitted requests, and outcomes.

Nothing here imports trio or opens a socket; `connector.account` runs it.

.. code-block:: text

    intent ──▶ filters, exposure ──▶ client id ──▶ order_record ──▶ Trading.place ──▶ the wire
                (refused here:         (remembered                    (venue: data and
                 OrderInvalid,          before it is                   pure functions)
                 LimitExceeded)         signed)                             │
                                                                           ▼
    events ◀── account_book ◀── order_record ◀── reports ◀── Trading.read ◀── reply or event
                    │                 │
                 joined,           unknown ──▶ resolution: window, fence, fills
                 audited
    quotes: wanted + known ──▶ quoting.plan ──▶ cancels, then places, within budgets
"""

from connector.trading.account_like import AccountLike, OrderLike

__all__ = ["AccountLike", "OrderLike"]
