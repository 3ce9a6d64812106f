"""connector, CONFLATE, a consumer that takes 1 ms per event: what an offered message costs."""

from __future__ import annotations

import trio

from benchmarks.contestants.connector_feed import channels
from benchmarks.measure import Measure
from connector import Overflow, open_adapter
from connector.exchanges import binance


async def main() -> None:
    measure = Measure()
    endpoints = binance.Endpoints(stream=measure.url, rest=f"http://localhost:{measure.port}")
    async with (
        open_adapter(binance.UsdMFutures(endpoints=endpoints), close_timeout=0) as adapter,
        adapter.subscribe(*channels(measure), overflow=Overflow.CONFLATE) as feed,
    ):
        measure.begin()
        async for event in feed:
            if event.update_id == measure.messages:
                break
            await trio.sleep(0.001)
        measure.report()


if __name__ == "__main__":
    trio.run(main)
