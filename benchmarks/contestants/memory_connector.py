"""Many idle adapters in one process: memory for each beyond the first, and their end."""

from __future__ import annotations

import gc
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import trio

from benchmarks.contestants.connector_feed import channels
from benchmarks.measure import Measure
from connector import open_adapter
from connector.exchanges import binance

ADAPTERS = 200


def resident_kib() -> int:
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


async def main() -> None:
    measure = Measure()
    endpoints = binance.Endpoints(stream=measure.url, rest=f"http://localhost:{measure.port}")
    exchange = binance.UsdMFutures(endpoints=endpoints)
    first = last = 0
    async with AsyncExitStack() as stack:
        for number in range(ADAPTERS + 1):
            adapter = await stack.enter_async_context(open_adapter(exchange, close_timeout=0))
            feed = await stack.enter_async_context(adapter.subscribe(*channels(measure)))
            await feed.receive()
            if number == 0:
                first = resident_kib()
        last = resident_kib()
        json.dump({"kib_per_adapter": (last - first) / ADAPTERS}, sys.stdout)
        sys.stdout.flush()


if __name__ == "__main__":
    trio.run(main)
