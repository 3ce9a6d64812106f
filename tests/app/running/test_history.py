"""Ten minutes of a run in samples: rates that fit, and curves that survive a new adapter."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from connector.app.running.configuration import read_configuration
from connector.app.running.history import SAMPLE_SECONDS, SAMPLES, AdapterSample, History, Sample
from connector.app.running.service import open_service
from connector.app.running.venues import open_simulated_world

TEXT = """
[adapters.futures]
exchange = "binance_usdm"
[groups.ticks]
adapter = "futures"
channels = ["trades:ETHUSDC"]
[[sinks]]
kind = "log"
"""


async def test_rates_and_curves_of_a_run(autojump_clock: MockClock) -> None:
    configuration = read_configuration(TEXT)
    async with (
        open_simulated_world(configuration) as world,
        open_service(configuration, world) as service,
        trio.open_nursery() as nursery,
    ):
        history = History(service)
        nursery.start_soon(history.keep)
        await trio.sleep(2.5 * SAMPLE_SECONDS)
        world.exchanges["binance_usdm"].break_connections("reset")
        await trio.sleep(3 * SAMPLE_SECONDS)
        curves = history.curves("futures")
        (link,) = service.adapters["futures"].statistics().links
        rate = history.rate(link.messages, "messages", "futures", link.name)
        nursery.cancel_scope.cancel()

    assert [*curves.reconnects] == [0, 0, 1, 0, 0]
    assert all(each and each > 5 for each in curves.messages_per_second)
    assert rate == pytest.approx(20, rel=0.5)
    assert history.curves("nobody").messages_per_second == (None,) * 5
    assert history.rate(5, "messages", "nobody") == 0


async def test_a_counter_that_begins_anew_is_no_negative_rate() -> None:
    history = History(None)  # type: ignore[arg-type]  # nothing is asked of it
    for seconds, messages in enumerate((100, 200, 10)):
        sample = AdapterSample(messages, messages, None)
        history._samples.append(
            Sample(float(seconds), {"a": sample}, {("messages", "a"): messages})
        )

    assert history.curves("a").messages_per_second == (100.0, 0)
    assert history.curves("a").reconnects == (100, 0)


def test_it_is_ten_minutes() -> None:
    assert (SAMPLES - 1) * SAMPLE_SECONDS == 600
