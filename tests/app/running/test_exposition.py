"""What is written directly is what prometheus_client writes, byte for byte."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import attrs
import trio
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock

from connector import open_adapter
from connector.adapter.statistics import AdapterStatistics, summed
from connector.app.running.exposition import exposition
from connector.channels import BestQuote, Trades
from connector.exchanges import binance
from connector.feeds.delivery_delay import Delays
from connector.feeds.subscription import StreamStatistics
from connector.metrics import FAMILIES, instrument
from connector.testing import MemoryNetwork, OrderFlow, open_exchange


@attrs.frozen
class Shown:
    """An adapter of which only the statistics are asked."""

    now: AdapterStatistics

    def statistics(self) -> AdapterStatistics:
        return self.now


def nothing() -> AdapterStatistics:
    return summed(
        tasks=0,
        sockets_open=0,
        links=(),
        feeds=(),
        streams={},
        delivery=Delays().statistics(),
        books={},
        rest=None,
        accounts=(),
        past_gaps=0,
        past_drops=0,
        past_replaced=0,
    )


async def statistics() -> AdapterStatistics:
    network = MemoryNetwork()
    source = OrderFlow(symbols=("ETHUSDC",))
    async with open_exchange("usdm", source=source, network=network) as exchange:
        description = binance.UsdMFutures(endpoints=exchange.endpoints)
        async with open_adapter(description, dialer=network) as adapter:
            async with adapter.subscribe(Trades("ETHUSDC"), BestQuote("ETHUSDC")) as feed:
                for _ in range(40):
                    await feed.receive()
                return adapter.statistics()


def brought(messages: int, payload_bytes: int) -> StreamStatistics:
    return StreamStatistics(messages, payload_bytes, 0, 0, 0, live=True)


def as_prometheus_writes(statistics: dict[str, AdapterStatistics]) -> str:
    registry = CollectorRegistry()
    with ExitStack() as stack:
        for name, each in statistics.items():
            shown: Any = Shown(each)
            stack.enter_context(instrument(shown, registry, name=name))
        return generate_latest(registry).decode()


async def test_it_is_what_prometheus_client_writes(autojump_clock: MockClock) -> None:
    now = await statistics()
    odd = attrs.evolve(
        now,
        gaps=12_345_678,
        tasks=1_000_000,
        drops=10**18,
        streams={
            'a "b" \\ c\nd': brought(999_999, 1_000_001),
            "ß@∞": brought(10**7, 123_456_789),
            "": brought(0, 0),
        },
    )
    for each in ({"futures": now}, {"futures": now, "other one": odd}, {"odd": odd}):
        assert exposition(each).decode() == as_prometheus_writes(each)


@given(name=st.text(max_size=8), count=st.integers(0, 10**15))
def test_whatever_the_names_and_numbers(name: str, count: int) -> None:
    async def compare() -> None:
        await trio.lowlevel.checkpoint()
        now = attrs.evolve(nothing(), streams={name: brought(count, count)}, gaps=count)
        assert exposition({name: now}).decode() == as_prometheus_writes({name: now})

    trio.run(compare)


async def test_without_a_series_per_stream_there_are_sums(autojump_clock: MockClock) -> None:
    now = await statistics()

    text = exposition({"futures": now}, streams=False).decode()

    samples = {family.name: family.samples for family in text_string_to_metric_families(text)}
    (messages,) = samples["connector_messages"]
    assert messages.labels == {"adapter": "futures"}
    assert messages.value == sum(each.messages for each in now.streams.values()) > 0
    assert "stream=" not in text
    counters = [each.name for each in FAMILIES if each.kind == "counter"]
    assert [name for name in counters if f"# TYPE {name} " not in text] == []
