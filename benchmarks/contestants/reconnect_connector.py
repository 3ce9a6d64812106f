"""connector: from the loss of a connection with 1,000 streams to the last acknowledgement."""

from __future__ import annotations

import argparse
import json
import sys
import time

import trio

from benchmarks import workloads
from benchmarks.contestants.idle import exchange
from connector import open_adapter
from connector.channels import Trades
from connector.exchanges import binance
from connector.lifecycle import Connected

STREAMS = 1_000


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    venue = exchange(binance.UsdMFutures, parser.parse_args().port)
    channels = [Trades(symbol) for symbol in workloads.symbols(STREAMS)]
    async with (
        open_adapter(venue, close_timeout=0) as adapter,
        adapter.subscribe(*channels),
    ):
        await adapter.wait_connected()
        with adapter.lifecycle() as events:
            begin, cpu = time.perf_counter(), time.process_time()
            adapter.reconnect()
            async for event in events:
                if isinstance(event, Connected):
                    break
            connected = time.perf_counter() - begin
            await adapter.wait_connected()
        figures = {
            "connected_ms": 1e3 * connected,
            "subscribed_ms": 1e3 * (time.perf_counter() - begin),
            "cpu_ms": 1e3 * (time.process_time() - cpu),
        }
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    trio.run(main)
