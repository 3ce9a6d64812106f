"""Metrics: what the statistics say, flat while connections break, gone with the adapter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock

from connector import Adapter, ConfigError, Overflow, open_adapter
from connector.channels import BestQuote, OrderBook, Trades
from connector.exchanges import binance
from connector.metrics import DELIVERY, FAMILIES, instrument
from connector.testing import (
    Fault,
    MemoryNetwork,
    OrderFlow,
    SimulatedExchange,
    When,
    open_exchange,
)

DESIGN = {
    "connector_tasks", "connector_sockets_open", "connector_sessions_open",
    "connector_sessions_total", "connector_wire_bytes_total", "connector_payload_bytes_total",
    "connector_messages_total", "connector_gaps_total", "connector_feed_buffered",
    "connector_delivery_seconds", "connector_exchange_lag_seconds",
}  # fmt: skip


@asynccontextmanager
async def adapters(*, count: int = 1) -> AsyncIterator[tuple[SimulatedExchange, list[Adapter]]]:
    network = MemoryNetwork()
    source = OrderFlow(symbols=("ETHUSDC",))
    async with open_exchange("usdm", source=source, network=network) as exchange:
        description = binance.UsdMFutures(endpoints=exchange.endpoints)
        async with (
            open_adapter(description, dialer=network) as one,
            open_adapter(description, dialer=network) as two,
        ):
            yield exchange, [one, two][:count]


def values(registry: CollectorRegistry, name: str) -> dict[tuple[str, ...], float]:
    """By labels; read back from the text that a scraper gets."""
    text = generate_latest(registry).decode()
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_every_metric_of_the_design_is_there() -> None:
    assert {family.name for family in FAMILIES} | {DELIVERY} >= DESIGN


async def test_the_values_are_those_of_the_statistics(autojump_clock: MockClock) -> None:
    registry = CollectorRegistry()
    async with adapters() as (_, (adapter,)):
        with instrument(adapter, registry):
            async with adapter.subscribe(Trades("ETHUSDC"), BestQuote("ETHUSDC")) as feed:
                for _ in range(40):
                    await feed.receive()
                now = adapter.statistics()
                stream = "ethusdc@trade"

                assert values(registry, "connector_tasks") == {("binance_usdm",): now.tasks}
                assert values(registry, "connector_sockets_open") == {("binance_usdm",): 2}
                assert set(values(registry, "connector_sessions_open").values()) == {1}
                messages = values(registry, "connector_messages_total")
                assert messages["binance_usdm", stream] == now.streams[stream].messages > 0
                payload = values(registry, "connector_payload_bytes_total")
                assert payload["binance_usdm", stream] == now.streams[stream].payload_bytes
                wire = sum(values(registry, "connector_wire_bytes_total").values())
                assert wire == now.wire_bytes > now.payload_bytes
                buffered = values(registry, "connector_feed_buffered")
                assert buffered == {("binance_usdm", "Trades ETHUSDC +1"): now.feeds[0].buffered}
                samples = values(registry, "connector_delivery_seconds_count")
                assert samples["binance_usdm",] > 0
                assert len(values(registry, "connector_exchange_lag_seconds")) == 2


async def test_tasks_and_sockets_are_flat_while_connections_break(
    autojump_clock: MockClock,
) -> None:
    registry = CollectorRegistry()
    async with adapters() as (exchange, (adapter,)):
        with instrument(adapter, registry):
            async with adapter.subscribe(Trades("ETHUSDC"), gaps=True) as feed:
                flat = set()
                for ended in range(1, 21):
                    await adapter.wait_connected()
                    await feed.receive()
                    flat.add(
                        (
                            *values(registry, "connector_tasks").values(),
                            *values(registry, "connector_sockets_open").values(),
                            *values(registry, "connector_sessions_open").values(),
                        )
                    )
                    exchange.break_connections("reset")
                    # Not by its state: the pause before the next session may be no time at all.
                    while sum(adapter.statistics().reconnects.values()) < ended:
                        await trio.sleep(0.01)

                assert len(flat) == 1
                ends = values(registry, "connector_sessions_total")
                assert sum(ends.values()) >= 19
                assert values(registry, "connector_gaps_total")["binance_usdm",] >= 19


async def test_a_consumer_that_does_not_keep_up_is_seen(autojump_clock: MockClock) -> None:
    registry = CollectorRegistry()
    async with adapters() as (_, (adapter,)):
        with instrument(adapter, registry):
            channel = Trades("ETHUSDC")
            async with adapter.subscribe(channel, buffer=4, overflow=Overflow.DROP_OLDEST) as feed:
                await trio.sleep(60)

                assert (
                    values(registry, "connector_feed_buffered")["binance_usdm", "Trades ETHUSDC"]
                    == 4
                )
                waiting = values(registry, "connector_feed_waiting_seconds")
                assert waiting["binance_usdm", "Trades ETHUSDC"] > 0
                assert values(registry, "connector_drops_total")["binance_usdm",] > 0
                await feed.receive()


async def test_an_adapter_is_shown_as_long_as_its_block_lasts(autojump_clock: MockClock) -> None:
    # As prometheus_client's own: it asks for the names of everything that is registered.
    registry = CollectorRegistry(auto_describe=True)
    async with adapters(count=2) as (_, (one, two)):
        with instrument(one, registry, name="one"):
            with instrument(two, registry, name="two"):
                assert set(values(registry, "connector_tasks")) == {("one",), ("two",)}
                with pytest.raises(ConfigError, match="another adapter is shown as 'two'"):
                    with instrument(one, registry, name="two"):
                        pass
            assert set(values(registry, "connector_tasks")) == {("one",)}
        assert generate_latest(registry) == b""
        with instrument(one, registry):
            assert set(values(registry, "connector_tasks")) == {("binance_usdm",)}


async def test_the_registry_of_prometheus_client_is_the_default(autojump_clock: MockClock) -> None:
    async with adapters() as (_, (adapter,)):
        with instrument(adapter):
            assert b"connector_tasks{" in generate_latest()
        assert b"connector_tasks" not in generate_latest()


async def test_books_and_their_deltas_are_both_shown(autojump_clock: MockClock) -> None:
    registry = CollectorRegistry()
    async with adapters() as (_, (adapter,)):
        with instrument(adapter, registry):
            async with adapter.subscribe(OrderBook("ETHUSDC")) as books:
                while not (await books.receive()).synced:
                    pass
                assert set(values(registry, "connector_feed_buffered")) == {
                    ("binance_usdm", "OrderBook ETHUSDC")
                }


def test_another_thread_is_told_why_it_gets_nothing() -> None:
    registry = CollectorRegistry()
    kept = []

    async def main() -> None:
        async with adapters() as (_, (adapter,)):
            with instrument(adapter, registry):
                kept.extend(registry._collector_to_names)

    trio.run(main, clock=MockClock(autojump_threshold=0))

    with pytest.raises(RuntimeError, match=r"outside of its trio\.run"):
        kept[0].collect()


def test_without_the_extra_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "import connector.metrics as m\n"
        "with m.instrument(None): pass"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert 'pip install "trio-connector[metrics]"' in ended.stderr.splitlines()[-1]


async def test_books_and_requests_are_shown(autojump_clock: MockClock) -> None:
    registry = CollectorRegistry()
    async with adapters() as (exchange, (adapter,)):
        with instrument(adapter, registry):
            assert values(registry, "connector_rest_failing") == {}
            exchange.inject(Fault("http_status", When(first=2, last=4), status=503, body="<busy>"))
            async with adapter.subscribe(OrderBook("ETHUSDC", depth=20)) as feed:
                await trio.sleep(0.3)
                name = ("binance_usdm",)
                assert values(registry, "connector_books") == {name: 1}
                assert values(registry, "connector_books_synced") == {name: 0}
                assert set(values(registry, "connector_book_synced").values()) == {0}
                assert values(registry, "connector_rest_failing") == {name: 1}
                assert values(registry, "connector_rest_waiting") == {name: 1}

                await feed.receive()
                assert values(registry, "connector_books_synced") == {name: 1}
                assert set(values(registry, "connector_book_synced").values()) == {1}
                assert values(registry, "connector_rest_failing") == {name: 0}
                failures = values(registry, "connector_rest_failures_total")
                assert failures == {(*name, "unavailable"): 3}
                assert values(registry, "connector_rest_requests_total") == {name: 4}
                assert values(registry, "connector_rest_last_success_seconds")[name] < 1
                assert values(registry, "connector_rest_weight_used")[name] > 0
                assert values(registry, "connector_rest_weight_limit") == {name: 2400}
                assert values(registry, "connector_rest_gate_seconds") == {name: 0}
                assert values(registry, "connector_streams_silent") == {name: 0}
