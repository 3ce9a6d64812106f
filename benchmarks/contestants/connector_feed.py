"""connector: the public API, typed events in the user's task, one by one or in batches."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import trio

from benchmarks.measure import Measure
from connector import open_adapter
from connector.channels import AggregateTrades, BestQuote, BookDeltas, Channel, PartialBook, Trades
from connector.exchanges import binance

MAKERS: dict[str, Any] = {
    "depth5": lambda symbol: PartialBook(symbol, levels=5, interval_ms=100),
    "trade": Trades,
    "aggTrade": AggregateTrades,
    "bookTicker": BestQuote,
    "depth": lambda symbol: BookDeltas(symbol, interval_ms=100),
}


def channels(measure: Measure) -> list[Channel[Any]]:
    if measure.workload == "mix":
        return [BookDeltas("BTCUSDT"), BestQuote("BTCUSDT"), Trades("BTCUSDT")]
    return [MAKERS[measure.workload](symbol) for symbol in measure.symbols]


async def main() -> None:
    measure = Measure()
    endpoints = binance.Endpoints(stream=measure.url, rest=f"http://localhost:{measure.port}")
    venue = binance.Spot if measure.workload == "mix" else binance.UsdMFutures
    numbers: Any = Decimal if measure.way == "decimal" else float
    exchange = venue(endpoints=endpoints, compression=measure.deflate, numbers=numbers)
    async with (
        open_adapter(exchange, close_timeout=0) as adapter,
        adapter.subscribe(*channels(measure)) as feed,
    ):
        measure.begin()
        count, last = 0, measure.messages
        if measure.way == "batches":
            async for batch in feed.batches():
                for _ in batch:
                    count += 1
                if count >= last:
                    break
        else:
            async for _ in feed:
                count += 1
                if count == last:
                    break
        measure.report()


if __name__ == "__main__":
    trio.run(main)
