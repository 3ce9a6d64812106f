"""Delays at the exchange, drawn from a seed for each request and event.

No documentation gives a bound (binance_trading §7 (4), §11.2, §14). A client therefore waits for
an assumed time, and a test draws delays up to that time, or beyond it on purpose.
"""

from __future__ import annotations

import random

import attrs


@attrs.frozen(kw_only=True)
class Delays:
    """The largest delay of each step, in seconds. Pass it to `open_exchange(delays=…)`.

    Args:
        gateway: from a request's arrival to the engine, whose door checks the window again.
        engine: within the engine.
        events: from an execution to its events; they stay in order for each account.
        queries: how far behind the engine a query is.
        seed: decides every draw.
    """

    gateway: float = 0.0
    engine: float = 0.0
    events: float = 0.0
    queries: float = 0.0
    seed: int = 0


@attrs.define(eq=False)
class DrawnDelays:
    """Draws delays, each uniform between zero and its maximum."""

    most: Delays
    _rng: random.Random = attrs.field(
        default=attrs.Factory(lambda self: random.Random(self.most.seed), takes_self=True)
    )

    @property
    def longest_seconds(self) -> float:
        """Longest time until a request is carried out, if the engine has no other work."""
        return self.most.gateway + self.most.engine

    def gateway(self) -> float:
        return self._draw(self.most.gateway)

    def engine(self) -> float:
        return self._draw(self.most.engine)

    def event(self) -> float:
        return self._draw(self.most.events)

    def query_ms(self) -> int:
        return round(self._draw(self.most.queries) * 1000)

    def _draw(self, most: float) -> float:
        return self._rng.uniform(0.0, most) if most else 0.0
