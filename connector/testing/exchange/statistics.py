"""What a simulated exchange has counted: connections and messages."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class ExchangeStatistics:
    """Totals of the simulated exchange since it was opened."""

    handshakes: int
    """The number of connections that reached it."""
    upgrades: int
    """The number of upgrade requests, including rejected ones."""
    accepted: int
    """The number of accepted WebSocket connections."""
    live: int
    """The number of open connections."""
    max_concurrent: int
    """The largest number of connections open at once."""
    messages_published: int
    """The number of published messages."""
