"""The registry of a run: its adapters, its sinks, and the process, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from connector import Adapter
from connector.app.running.exposition import exposition
from connector.app.running.market_board import MarketBoard
from connector.app.running.service import Service
from connector.app.running.service_metrics import ServiceCollector
from connector.app.running.showing import Registry


class PrometheusRegistry(Registry):
    """A registry of its own: nothing global, so that two runs in one process do not meet.

    Args:
        streams: whether each stream has a series of its own.
    """

    def __init__(self, *, streams: bool = True) -> None:
        self._board = MarketBoard()
        self._streams = streams
        self._adapters: dict[str, Adapter] = {}
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)

    @property
    def board(self) -> MarketBoard:
        """The observer of the events of the run."""
        return self._board

    @contextmanager
    def show(self, adapter: Adapter, name: str) -> Iterator[None]:
        """Show `adapter` for as long as the block lasts."""
        self._adapters[name] = adapter
        try:
            yield
        finally:
            del self._adapters[name]

    def show_service(self, service: Service) -> None:
        """Show the run itself: its sinks, what has failed, the build."""
        self._registry.register(ServiceCollector(service))

    def text(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        adapters = {name: each.statistics() for name, each in self._adapters.items()}
        return exposition(adapters, streams=self._streams) + generate_latest(self._registry)
