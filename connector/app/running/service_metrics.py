"""The metrics of a run itself: its sinks, failures, reloads, and the build."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import attrs
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from connector.app.build import build
from connector.app.running.readiness import unready
from connector.app.running.service import Service
from connector.app.running.sink_slot import AnySlot

_Samples: TypeAlias = Iterable[tuple[tuple[str, ...], float]]


@attrs.frozen
class ServiceFamily:
    """One metric: its name, and how to read it from the running service."""

    name: str
    kind: Literal["gauge", "counter"]
    text: str
    labels: tuple[str, ...]
    read: Callable[[Service], _Samples]


def _of_sinks(read: Callable[[AnySlot], float]) -> Callable[[Service], _Samples]:
    return lambda now: [((name,), read(slot)) for name, slot in now.slots.items()]


def _of_redis(name: str) -> Callable[[Service], _Samples]:
    """A number of `PublisherStatistics`, of the sinks that have such."""
    return lambda now: [
        ((sink,), float(getattr(found, name)))
        for sink, slot in now.slots.items()
        if (found := _publisher_statistics(slot)) is not None
    ]


def _publisher_statistics(slot: AnySlot) -> Any:
    read = getattr(slot.sink, "statistics", None)
    return None if read is None else read()


def _disks(now: Service, which: Literal["total", "free"]) -> _Samples:
    for name, slot in now.slots.items():
        path = getattr(slot.plan.settings, "path", "-")
        if path == "-":
            continue
        place = Path(path).expanduser()
        try:
            usage = shutil.disk_usage(place if place.is_dir() else place.parent)
        except OSError:
            continue
        yield (name,), getattr(usage, which)


SERVICE_FAMILIES = (
    ServiceFamily(
        "connector_build_info", "gauge", "What runs; always 1.", tuple(build()),
        lambda now: [(tuple(build().values()), 1)],
    ),
    ServiceFamily(
        "connector_ready", "gauge", "1 while everything that is configured is there: as /readyz.",
        (),
        lambda now: [((), not unready(now))],
    ),
    ServiceFamily(
        "connector_last_reload_success", "gauge",
        "1 if the configuration that was read last is the one that runs.", (),
        lambda now: [((), now.last_reload.success)],
    ),
    ServiceFamily(
        "connector_last_reload_timestamp_seconds", "gauge",
        "When a configuration was applied last.", (),
        lambda now: [((), now.last_reload.applied_at)],
    ),
    ServiceFamily(
        "connector_adapter_failed", "gauge",
        "1 while the adapter has failed and is tried again.", ("adapter",),
        lambda now: [
            ((name,), bool(each.trouble.reason)) for name, each in now.adapter_slots.items()
        ],
    ),
    ServiceFamily(
        "connector_adapter_failures_total", "counter", "Times that the adapter has failed.",
        ("adapter",),
        lambda now: [((name,), each.trouble.failures) for name, each in now.adapter_slots.items()],
    ),
    ServiceFamily(
        "connector_account_failed", "gauge",
        "1 while the account has failed and is tried again.", ("account",),
        lambda now: [
            ((name,), bool(each.trouble.reason)) for name, each in now.accounts.slots.items()
        ],
    ),
    ServiceFamily(
        "connector_account_failures_total", "counter", "Times that the account has failed.",
        ("account",),
        lambda now: [
            ((name,), each.trouble.failures) for name, each in now.accounts.slots.items()
        ],
    ),
    ServiceFamily(
        "connector_sink_events_total", "counter", "Events that the sink has taken.", ("sink",),
        _of_sinks(lambda slot: slot.events),
    ),
    ServiceFamily(
        "connector_sink_failed", "gauge", "1 while the sink has failed and is tried again.",
        ("sink",),
        _of_sinks(lambda slot: bool(slot.trouble.reason)),
    ),
    ServiceFamily(
        "connector_sink_failures_total", "counter", "Attempts to write that have failed.",
        ("sink",),
        _of_sinks(lambda slot: slot.trouble.failures),
    ),
    ServiceFamily(
        "connector_sink_lost_total", "counter",
        "Events that the sink never got because it had failed.", ("sink",),
        _of_sinks(lambda slot: slot.lost),
    ),
    ServiceFamily(
        "connector_sink_busy_seconds", "gauge", "How long the present write has been going on.",
        ("sink",),
        _of_sinks(lambda slot: slot.stuck_seconds),
    ),
    ServiceFamily(
        "connector_sink_disk_bytes", "gauge", "Size of the disk that the sink writes to.",
        ("sink",),
        lambda now: _disks(now, "total"),
    ),
    ServiceFamily(
        "connector_sink_disk_free_bytes", "gauge", "What is free of it.", ("sink",),
        lambda now: _disks(now, "free"),
    ),
    ServiceFamily(
        "connector_redis_away", "gauge", "1 while Redis is away.", ("sink",), _of_redis("away"),
    ),
    ServiceFamily(
        "connector_redis_outages_total", "counter", "Times that Redis was away.", ("sink",),
        _of_redis("outages"),
    ),
    ServiceFamily(
        "connector_redis_entries_total", "counter", "Entries for Redis.", ("sink",),
        _of_redis("entries"),
    ),
    ServiceFamily(
        "connector_redis_resent_total", "counter",
        "Entries that were sent again, because Redis had lost them or may have.", ("sink",),
        _of_redis("resent"),
    ),
    ServiceFamily(
        "connector_redis_losses_total", "counter",
        "Losses that were reported to readers, per stream; of sinks of frames.", ("sink",),
        _of_redis("losses"),
    ),
)  # fmt: skip


class ServiceCollector:
    """The metrics of a service, for a registry."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """The current value of every metric."""
        kinds = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}
        for family in SERVICE_FAMILIES:
            metric = kinds[family.kind](family.name, family.text, labels=family.labels)
            for labels, value in family.read(self._service):
                metric.add_metric(labels, value)
            yield metric
