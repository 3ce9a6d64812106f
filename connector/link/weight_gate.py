"""Track the request weight that a host still allows, for all adapters of a `trio.run`.

An exchange counts requests per address, so the budget belongs to the host.
"""

from __future__ import annotations

from collections import deque

import trio

from connector.exchanges.protocol import RestService
from connector.link.pacing import Ban

_SHARE = 0.8
"""Our share of the exchange's weight; the rest is for other programs at this address."""

_gates: trio.lowlevel.RunVar[dict[str, WeightGate]] = trio.lowlevel.RunVar("connector_weight_gates")


class WeightGate:
    """The weight that may still be used at one host, shared by every adapter of a `trio.run`."""

    def __init__(self) -> None:
        self.ban = Ban()
        self._used: deque[tuple[float, int]] = deque()
        self._sum = 0

    @staticmethod
    def of(host: str) -> WeightGate:
        """The gate of `host`."""
        try:
            gates = _gates.get()
        except LookupError:
            gates = {}
            _gates.set(gates)
        return gates.setdefault(host, WeightGate())

    def wait_seconds(self, weight: int, service: RestService) -> float:
        """Seconds that a request of `weight` must wait; 0 if none."""
        now = trio.current_time()
        self._forget_before(now - service.window_seconds)
        wait = self.ban.until - now
        excess = self._sum + weight - int(service.weight_per_window * _SHARE)
        for moment, used in self._used:
            if excess <= 0:
                break
            excess -= used
            wait = max(wait, moment + service.window_seconds - now)
        return max(wait, 0.0)

    def used(self, service: RestService) -> int:
        """Known weight used in the current window."""
        self._forget_before(trio.current_time() - service.window_seconds)
        return self._sum

    def take(self, weight: int) -> None:
        """Count a request that is about to be sent."""
        self._used.append((trio.current_time(), weight))
        self._sum += weight

    def observe(self, used: int) -> None:
        """Take the used weight that the host reports, which includes other programs' requests."""
        if used > self._sum:
            self.take(used - self._sum)

    def _forget_before(self, moment: float) -> None:
        while self._used and self._used[0][0] <= moment:
            self._sum -= self._used.popleft()[1]
