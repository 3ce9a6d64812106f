"""Orders over `connector`: checked, tracked, exposed to your limits, fills told in order."""

from __future__ import annotations

import logging
import sys
import time

import attrs
import trio

from benchmarks.order_workload import CHUNK, FILLS, ORDERS, report
from connector import open_adapter
from connector.account.order_requests import CANCEL, Job
from connector.accounts import Fill
from connector.exchanges import binance
from connector.keys import ApiKey
from connector.orders import Limit, Limits

LIMITS = Limits(order_notional="1000000", open_notional="10000000", position={"ETHUSDC": "1000"})


async def main(url: str) -> None:
    logging.getLogger("connector").setLevel(logging.WARNING)
    rest = url.replace("ws://", "http://")
    usdm = binance.UsdMFutures(endpoints=binance.Endpoints(stream=url, rest=rest, orders=url))
    async with (
        open_adapter(usdm) as adapter,
        adapter.open_account(ApiKey("key", "secret"), name="mm1", limits=LIMITS) as account,
        account.events() as feed,
    ):
        spent, times = 0.0, []
        for _ in range(ORDERS // CHUNK):
            began = time.process_time()
            for _ in range(CHUNK):
                sent = time.perf_counter()
                await account.place(Limit("ETHUSDC", "buy", quantity="0.1", price="2500"))
                times.append(time.perf_counter() - sent)
            spent += time.process_time() - began
            await account.cancel_all()
            while True:
                try:
                    feed.receive_nowait()
                except trio.WouldBlock:
                    break
        await account.place(Limit("ETHUSDC", "buy", quantity="100", price="2500"))
        fills = 0
        ask = attrs.evolve(
            account._office.trading.clock(),
            what="bench",
            over="orders",
            method="bench.fills",
            parameters={"number": FILLS},
        )
        began = time.process_time()
        account._running.link.put(Job(ask, CANCEL))
        async for event in feed:
            fills += isinstance(event, Fill)
            if fills == FILLS:
                break
        report(spent, times, time.process_time() - began)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
