"""What a simulated exchange has counted: connections and messages."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class ExchangeStatistics:
    """What the exchange has counted since it was opened."""

    handshakes: int
    """Connections that reached it, whatever became of them."""
    upgrades: int
    """Requests to upgrade, rejected ones too."""
    accepted: int
    """WebSocket connections that came to be."""
    live: int
    max_concurrent: int
    messages_published: int
