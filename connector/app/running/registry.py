"""The registry of a run: its adapters, its sinks, and the process, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric

from connector import Adapter
from connector.app.running.service import Registry, Service
from connector.metrics import instrument


class PrometheusRegistry(Registry):
    """A registry of its own: nothing global, so that two runs in one process do not meet."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)

    def show(self, adapter: Adapter, name: str) -> AbstractContextManager[None]:
        """Show `adapter` for as long as the block lasts."""
        return instrument(adapter, self._registry, name=name)

    def show_sinks(self, service: Service) -> None:
        """Show what was written, by sink."""
        self._registry.register(SinkCollector(service))

    def text(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        return generate_latest(self._registry)


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
