"""Build one-second bars from trades. A bar that may lack trades says so."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from connector import Adapter, open_adapter
from connector.channels import Trades
from connector.events import Gap, Trade
from connector.exchanges import binance
from connector.testing import OrderFlow, open_exchange

SECOND_NS = 1_000_000_000


@dataclass
class Bar:
    """The trades of one second, by the exchange's clock."""

    start_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    complete: bool = True


class BarBuilder:
    """Turns trades and gaps into bars. A second without a trade has no bar."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._gap = False

    def take(self, event: Trade | Gap) -> Bar | None:
        """Take an event, and return the bar that it has ended, if any."""
        if isinstance(event, Gap):
            # The lost trades belong to the present bar, or to the next one, or to both.
            self._gap = True
            if self._bar is not None:
                self._bar.complete = False
            return None
        if event.exchange_time_ns is None or event.off_book:
            return None
        start_ns = event.exchange_time_ns // SECOND_NS * SECOND_NS
        ended = None
        if self._bar is None or self._bar.start_ns != start_ns:
            ended, price = self._bar, event.price
            self._bar = Bar(start_ns, price, price, price, price)
        bar = self._bar
        bar.high = max(bar.high, event.price)
        bar.low = min(bar.low, event.price)
        bar.close = event.price
        bar.volume += event.quantity
        bar.complete = bar.complete and not self._gap
        self._gap = False
        return ended


async def build_bars(adapter: Adapter, symbol: str, count: int) -> list[Bar]:
    """Print and return the next `count` bars of `symbol`."""
    builder = BarBuilder()
    bars: list[Bar] = []
    async with adapter.subscribe(Trades(symbol), gaps=True) as feed:
        async for event in feed:
            bar = builder.take(event)
            if bar is not None:
                print(bar)
                bars.append(bar)
            if len(bars) == count:
                break
    return bars


async def main() -> None:
    """Build bars from a simulated exchange that breaks its connections after 1.5 seconds."""
    async with (
        open_exchange("binance_usdm", source=OrderFlow()) as exchange,
        open_adapter(binance.UsdMFutures(endpoints=exchange.endpoints)) as adapter,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(build_bars, adapter, "ETHUSDC", 4)
        await trio.sleep(1.5)
        exchange.break_connections("reset")


if __name__ == "__main__":
    trio.run(main)
