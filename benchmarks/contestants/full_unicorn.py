"""unicorn-binance-websocket-api: dictionaries from its queue in the user's task."""

from __future__ import annotations

import asyncio
import os

from unicorn_binance_websocket_api import BinanceWebSocketApiManager

from benchmarks.measure import STREAMS, Measure


async def main() -> None:
    measure = Measure()
    manager = BinanceWebSocketApiManager(
        exchange="binance.com-futures",
        websocket_base_uri=f"{measure.url}/",
        output_default="dict",
        disable_colorama=True,
        enable_stream_signal_buffer=False,
    )
    done = asyncio.Event()

    async def read(stream_id: str | None = None) -> None:
        while not done.is_set():
            await manager.get_stream_data_from_asyncio_queue(stream_id)
            manager.asyncio_queue_task_done(stream_id)
            if measure.take():
                measure.report()
                os._exit(0)  # it has threads

    channel = STREAMS[measure.workload]
    manager.create_stream(
        channels=[channel], markets=[each.lower() for each in measure.symbols],
        process_asyncio_queue=read,
    )  # fmt: skip
    await done.wait()


if __name__ == "__main__":
    asyncio.run(main())
