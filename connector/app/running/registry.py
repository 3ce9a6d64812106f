"""The registry of a run: its adapters, its sinks, and the process, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric

from connector import Adapter
from connector.app.running.exposition import exposition
from connector.app.running.service import Registry, Service


class PrometheusRegistry(Registry):
    """A registry of its own: nothing global, so that two runs in one process do not meet.

    Args:
        streams: whether each stream has a series of its own.
    """

    def __init__(self, *, streams: bool = True) -> None:
        self._streams = streams
        self._adapters: dict[str, Adapter] = {}
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)

    @contextmanager
    def show(self, adapter: Adapter, name: str) -> Iterator[None]:
        """Show `adapter` for as long as the block lasts."""
        self._adapters[name] = adapter
        try:
            yield
        finally:
            del self._adapters[name]

    def show_sinks(self, service: Service) -> None:
        """Show what was written, by sink."""
        self._registry.register(SinkCollector(service))

    def text(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        adapters = {name: each.statistics() for name, each in self._adapters.items()}
        return exposition(adapters, streams=self._streams) + generate_latest(self._registry)


class SinkCollector:
    """What the sinks of a service have taken."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """``connector_sink_events_total{sink}``."""
        metric = CounterMetricFamily(
            "connector_sink_events_total", "Events that the sink has taken.", labels=("sink",)
        )
        for name, slot in self._service.slots.items():
            metric.add_metric((name,), slot.events)
        yield metric
