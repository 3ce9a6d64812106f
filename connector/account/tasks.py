"""What an account's state asks of its running side: work that takes time."""

from __future__ import annotations

from typing import Protocol

from connector.errors import ConnectorError
from connector.trading.order_record import OrderRecord


class Tasks(Protocol):
    """The methods that start work that takes time."""

    def resolve(self, record: OrderRecord) -> None:
        """Find out the outcome of a place request."""

    def resolve_amend(self, record: OrderRecord) -> None:
        """Find out whether an order was amended."""

    def cancel(self, record: OrderRecord) -> None:
        """Cancel an order until it is certain how it ended."""

    def read_anew(self, reason: str, *, after: float = 0.0, stream_too: bool = False) -> None:
        """The account must be read again."""

    def fail(self, error: ConnectorError) -> None:
        """The account cannot go on."""

    def changed(self) -> None:
        """Wake tasks that wait for a change of the account."""
