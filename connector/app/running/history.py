"""The last ten minutes of a run in samples: rates, lag and reconnects, for curves."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import pairwise

import attrs
import trio

from connector.app.running.service import Service

SAMPLE_SECONDS = 5.0
SAMPLES = 121
"""Ten minutes, and the sample before them."""
_RATE_SECONDS = 2.0
"""The shortest time over which a rate is computed."""


@attrs.frozen
class AdapterSample:
    """The counts of one adapter."""

    messages: int
    reconnects: int
    lag_seconds: float | None
    """Of the link that lags most."""


@attrs.frozen
class Sample:
    """The counts of a run at one moment of trio's clock."""

    seconds: float
    adapters: Mapping[str, AdapterSample]
    counts: Mapping[tuple[str, ...], int]
    """Messages and bytes by link, events by sink."""


@attrs.frozen
class Curves:
    """Values per sample, the oldest first; None where there is none."""

    messages_per_second: tuple[float | None, ...]
    lag_ms: tuple[float | None, ...]
    reconnects: tuple[float | None, ...]


class History:
    """Samples of a service.

    Args:
        service: what runs.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)

    async def keep(self) -> None:
        """Take a sample every `SAMPLE_SECONDS`, until cancelled."""
        while True:
            self.take()
            await trio.sleep(SAMPLE_SECONDS)

    def take(self) -> None:
        """Take a sample."""
        adapters: dict[str, AdapterSample] = {}
        counts: dict[tuple[str, ...], int] = {}
        for name, adapter in self._service.adapters.items():
            now = adapter.statistics()
            lags = [each.lag_seconds for each in now.links if each.lag_seconds is not None]
            reconnects = sum(now.reconnects.values())
            adapters[name] = AdapterSample(now.messages, reconnects, max(lags, default=None))
            for link in now.links:
                counts["messages", name, link.name] = link.messages
                counts["bytes", name, link.name] = link.wire_bytes
        for name, slot in self._service.slots.items():
            counts["events", name] = slot.events
        self._samples.append(Sample(trio.current_time(), adapters, counts))

    def rate(self, count: int, *key: str) -> float:
        """How much a count has grown per second.

        Args:
            count: what it is now.
            key: of the count in `Sample.counts`.
        """
        now = trio.current_time()
        for sample in reversed(self._samples):
            if now - sample.seconds >= _RATE_SECONDS and key in sample.counts:
                return max(count - sample.counts[key], 0) / (now - sample.seconds)
        return 0.0

    def curves(self, adapter: str) -> Curves:
        """The curves of an adapter; it counts from 0 after it was opened again."""
        rates: list[float | None] = []
        lags: list[float | None] = []
        reconnects: list[float | None] = []
        for before, after in pairwise(self._samples):
            old, new = before.adapters.get(adapter), after.adapters.get(adapter)
            if old is None or new is None:
                rates.append(None)
                reconnects.append(None)
            else:
                grown = max(new.messages - old.messages, 0)
                rates.append(grown / (after.seconds - before.seconds))
                reconnects.append(max(new.reconnects - old.reconnects, 0))
            lag = None if new is None else new.lag_seconds
            lags.append(None if lag is None else lag * 1000)
        return Curves(tuple(rates), tuple(lags), tuple(reconnects))
