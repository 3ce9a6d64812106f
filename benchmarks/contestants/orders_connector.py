"""Orders over `connector`: checked, tracked, exposed to your limits, fills told in order."""

from __future__ import annotations

import logging

import msgspec
import trio

from benchmarks.order_workload import LARGE, PRICE, QUANTITY, SYMBOL, OrderMeasure
from connector import open_adapter
from connector.account.order_requests import CANCEL, Job
from connector.accounts import Fill
from connector.exchanges import binance
from connector.keys import ApiKey
from connector.orders import Limit, Limits

LIMITS = Limits(order_notional="1000000", open_notional="10000000", position={SYMBOL: "1000"})


async def main() -> None:
    logging.getLogger("connector").setLevel(logging.WARNING)
    measure = OrderMeasure()
    url, rest = f"ws://127.0.0.1:{measure.port}", f"http://127.0.0.1:{measure.port}"
    usdm = binance.UsdMFutures(endpoints=binance.Endpoints(stream=url, rest=rest, orders=url))
    async with (
        open_adapter(usdm) as adapter,
        adapter.open_account(ApiKey("key", "secret"), name="mm1", limits=LIMITS) as account,
        account.events() as feed,
    ):
        for chunk in measure.chunks():
            for _ in chunk:
                if measure.rate:
                    await trio.sleep(measure.wait())
                measure.sending()
                await account.place(Limit(SYMBOL, "buy", quantity=QUANTITY, price=PRICE))
                measure.accepted()
            measure.chunk_is_placed()
            if not measure.keep:
                await account.cancel_all()
            while True:
                try:
                    feed.receive_nowait()
                except trio.WouldBlock:
                    break
        if measure.fills:
            await account.place(Limit(SYMBOL, "buy", quantity=LARGE, price=PRICE))
            fills = 0
            ask = msgspec.structs.replace(
                account._office.trading.clock(),
                what="bench",
                over="orders",
                method="bench.fills",
                parameters={"number": measure.fills},
            )
            measure.fills_begin()
            account._running.link.put(Job(ask, CANCEL))
            async for event in feed:
                fills += isinstance(event, Fill)
                if fills == measure.fills:
                    break
            measure.fills_are_told()
        measure.report()


if __name__ == "__main__":
    trio.run(main)
