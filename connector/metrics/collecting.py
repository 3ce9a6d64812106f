"""The collector for a Prometheus registry: it reads the metrics of adapters at each scrape."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

import trio

from connector.adapter.adapter import Adapter
from connector.adapter.statistics import AdapterStatistics
from connector.errors import ConfigError
from connector.feeds.delivery_delay import BOUNDS_SECONDS
from connector.metrics.account_families import ACCOUNT_FAMILIES
from connector.metrics.adapter_families import ADAPTER_FAMILIES
from connector.metrics.family import Family

if TYPE_CHECKING:
    from prometheus_client.core import CollectorRegistry, Metric

DELIVERY = "connector_delivery_seconds"
_DELIVERY_TEXT = "From the read to the consumer, of the first event of each batch."

FAMILIES: tuple[Family, ...] = (*ADAPTER_FAMILIES, *ACCOUNT_FAMILIES)
"""Every metric but `DELIVERY`, which is a histogram."""


@contextmanager
def instrument(
    adapter: Adapter, registry: CollectorRegistry | None = None, *, name: str | None = None
) -> Iterator[None]:
    """Show `adapter` in `registry` for as long as the block lasts.

    Scrape in the thread of `trio.run`: ``prometheus_client.generate_latest(registry)`` in a task
    that serves HTTP. ``prometheus_client.start_http_server`` reads from a thread of its own, which
    is refused.

    Args:
        adapter: whose statistics are shown.
        registry: None is the registry of prometheus_client.
        name: the label ``adapter``; the exchange's name, if there is none. Of two adapters in one
            registry each needs its own.

    Raises:
        ConfigError: prometheus_client is not installed, or the name is taken.
    """
    try:
        from prometheus_client import REGISTRY  # noqa: PLC0415 - the extra may be missing
    except ModuleNotFoundError as missing:
        raise ConfigError(
            "metrics need prometheus-client; install it with: "
            'python -m pip install "trio-connector[metrics]"'
        ) from missing
    registry = REGISTRY if registry is None else registry
    collectors = _collectors()
    collector = collectors.get(registry)
    if collector is None:
        collector = collectors[registry] = _Collector()
        registry.register(collector)
    name = adapter.exchange.name if name is None else name
    if name in collector.adapters:
        raise ConfigError(f"another adapter is shown as {name!r}; write instrument(…, name='…')")
    collector.adapters[name] = adapter
    try:
        yield
    finally:
        del collector.adapters[name]
        if not collector.adapters:
            registry.unregister(collector)
            del collectors[registry]


_CollectorsOfRun: TypeAlias = "WeakKeyDictionary[CollectorRegistry, _Collector]"
_of_run: trio.lowlevel.RunVar[_CollectorsOfRun] = trio.lowlevel.RunVar("connector_collectors")
"""A registry shows each metric once, with all adapters in it: so one collector for each."""


def _collectors() -> _CollectorsOfRun:
    try:
        return _of_run.get()
    except LookupError:
        collectors: _CollectorsOfRun = WeakKeyDictionary()
        _of_run.set(collectors)
        return collectors


class _Collector:
    """What a registry asks: the metrics of some adapters."""

    def __init__(self) -> None:
        self.adapters: dict[str, Adapter] = {}

    def describe(self) -> Iterable[Metric]:
        """The names that must be free in the registry."""
        return _metrics_of({})

    def collect(self) -> Iterable[Metric]:
        """Every metric, as it is now.

        Raises:
            RuntimeError: this is not the thread of `trio.run`.
        """
        try:
            trio.lowlevel.current_trio_token()
        except RuntimeError:
            raise RuntimeError(
                "the metrics of an adapter were asked for outside of its trio.run; serve them from "
                "a task, not with prometheus_client.start_http_server, which uses a thread"
            ) from None
        return _metrics_of({name: each.statistics() for name, each in self.adapters.items()})


def _metrics_of(statistics: dict[str, AdapterStatistics]) -> Iterator[Metric]:
    """Every metric, with the values of all `statistics`."""
    from prometheus_client.core import (  # noqa: PLC0415 - as above
        CounterMetricFamily,
        GaugeMetricFamily,
    )

    kinds = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}
    for family in FAMILIES:
        metric = kinds[family.kind](family.name, family.text, labels=("adapter", *family.labels))
        for labels, value in sums_of(family, statistics).items():
            metric.add_metric(labels, value)
        yield metric
    yield delivery_of(statistics)


def sums_of(
    family: Family, statistics: Mapping[str, AdapterStatistics]
) -> Mapping[tuple[str, ...], float]:
    """The values of one metric by its labels, of which the first is the adapter's name."""
    sums: defaultdict[tuple[str, ...], float] = defaultdict(int)
    for name, now in statistics.items():
        for labels, value in family.read(now):
            sums[name, *labels] += value
    return sums


def delivery_of(statistics: Mapping[str, AdapterStatistics]) -> Metric:
    """The histogram `DELIVERY`."""
    from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415 - as above

    histogram = HistogramMetricFamily(DELIVERY, _DELIVERY_TEXT, labels=("adapter",))
    bounds = [*map(str, BOUNDS_SECONDS), "+Inf"]
    for name, now in statistics.items():
        buckets = list(zip(bounds, accumulate(now.delivery.counts), strict=True))
        histogram.add_metric((name,), buckets, now.delivery.sum_seconds)
    return histogram
