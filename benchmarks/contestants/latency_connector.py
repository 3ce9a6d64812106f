"""connector, paced: from the moment of sending to the event in the user's task."""

from __future__ import annotations

import trio

from benchmarks.contestants.connector_feed import channels
from benchmarks.measure import Latency
from connector import open_adapter
from connector.exchanges import binance


async def main() -> None:
    measure = Latency()
    endpoints = binance.Endpoints(stream=measure.url, rest=f"http://localhost:{measure.port}")
    async with (
        open_adapter(binance.UsdMFutures(endpoints=endpoints), close_timeout=0) as adapter,
        adapter.subscribe(*channels(measure)) as feed,
    ):
        measure.begin()
        async for event in feed:
            if measure.note((event.exchange_time_ns or 0) // 1_000_000):
                break
        measure.report()


if __name__ == "__main__":
    trio.run(main)
