"""Open orders of others on the account: another program's, an earlier run's, or made by hand.

They are read from events and from lists. A list is older than the events that came while it was
read, and may lag behind them, so what is told of an order counts by its time.
"""

from __future__ import annotations

from typing import TypeAlias

from connector.trading.reports import OrderReport
from connector.trading.venue import AccountReading

OrderKey: TypeAlias = tuple[str, str]
"""An instrument, and the exchange's id of an order: exchanges number the orders of each."""

_REMEMBERED = 2_000
"""Number of remembered orders that have ended."""


def key_of(report: OrderReport) -> OrderKey:
    """Of an order without an id of the exchange, its client id."""
    return report.symbol, report.exchange_id or report.client_id


class OtherOrders:
    """The open orders that are not of this run."""

    def __init__(self) -> None:
        self.open: dict[OrderKey, OrderReport] = {}
        self._ended_ns: dict[OrderKey, int] = {}

    def read(self, report: OrderReport) -> bool:
        """Take a report, and return whether it tells of an open order that was not known."""
        key = key_of(report)
        shown, time_ns = self.open.get(key), report.time_ns
        known_ns = self._ended_ns.get(key) if shown is None else shown.time_ns
        if report.state != "open":
            self.open.pop(key, None)
            if time_ns is not None:
                self._note_end(key, time_ns)
            return False
        # One that ended can only be open later where a conditional order becomes an ordinary one.
        if time_ns is not None and known_ns is not None and time_ns < known_ns:
            return False
        self.open[key] = report
        return shown is None

    def join(self, reading: AccountReading, lag_ns: int = 0) -> None:
        """Drop those that a reading does not list, but for those that were told of since.

        Args:
            reading: of the account.
            lag_ns: how long its list may lag.
        """
        listed = {key_of(each) for each in reading.orders}
        read_ns = None if reading.time_ns is None else reading.time_ns - lag_ns
        for key, each in tuple(self.open.items()):
            is_newer = None not in (each.time_ns, read_ns) and (each.time_ns or 0) > (read_ns or 0)
            if key not in listed and not is_newer:
                del self.open[key]

    def _note_end(self, key: OrderKey, time_ns: int) -> None:
        self._ended_ns[key] = time_ns
        if len(self._ended_ns) > _REMEMBERED:
            del self._ended_ns[next(iter(self._ended_ns))]
