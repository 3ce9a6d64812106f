"""The sink log: one line per group and interval, and one at the end."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock

from connector.app.running.sinks import Batch, LogLines
from connector.events import Event


def batch(group: str, count: int) -> Batch:
    return Batch("futures", "binance_usdm", group, [Event(symbol="ETHUSDC")] * count)


async def test_a_line_per_group_and_interval(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "connector.sink")

    async with LogLines(every=10.0).open() as sink:
        await sink.write(batch("ticks", 3))
        await sink.write(batch("ticks", 4))
        await sink.write(batch("books", 1))
        await trio.sleep(25)
        await sink.write(batch("ticks", 2))

    told = [(line.fields["group"], line.fields["events"]) for line in caplog.records]  # type: ignore[attr-defined]
    assert told == [
        ("ticks", 7), ("books", 1), ("ticks", 0), ("books", 0), ("ticks", 2), ("books", 0),
    ]  # fmt: skip
    assert "adapter=futures group=ticks events=7 seconds=10" in caplog.records[0].message
