"""The view of a local order book: it reads when the book changed only if it is asked."""

from __future__ import annotations

from typing import Any

from connector import events
from connector.events import Event, N_co
from connector.exchanges.spelling import spelled


def _time_of_latest(view: Any) -> int | None:
    latest = view.wire_exchange_time_ns
    return None if latest is None else latest.exchange_time_ns


@spelled(exchange_time_ns=_time_of_latest)
class BookView(events.BookView[N_co], gc=False, kw_only=True):
    """A view that asks what was applied last when that happened.

    Exchanges write times in forms that cost more to read than all else of a view, and few programs
    look at each.
    """

    exchange_time_ns: Event | None = None  # type: ignore[assignment]
    """The last applied event."""
