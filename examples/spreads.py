"""Watch the spreads of thirty symbols, and print the widest once a second."""

from __future__ import annotations

import trio

from connector import Adapter, Overflow, open_adapter
from connector.channels import BestQuote
from connector.events import Gap, Quote
from connector.exchanges import binance
from connector.testing import OrderFlow, open_exchange

SYMBOLS = tuple(f"COIN{number}USDC" for number in range(1, 31))
"""Made up, for the simulated exchange."""


class Spreads:
    """The newest spread of each symbol, in basis points."""

    def __init__(self) -> None:
        self.by_symbol: dict[str, float] = {}
        self.gaps = 0

    def take(self, event: Quote | Gap) -> None:
        """Take a quote, or forget the symbols of a gap: their quotes are old."""
        match event:
            case Quote():
                spread = event.ask_price - event.bid_price
                self.by_symbol[event.symbol] = spread / event.bid_price * 10_000
            case Gap():
                self.gaps += 1
                for channel in event.channels:
                    self.by_symbol.pop(channel.symbol or "", None)

    def widest(self, count: int) -> list[tuple[str, float]]:
        """The symbols with the widest spreads, widest first."""
        return sorted(self.by_symbol.items(), key=lambda each: each[1], reverse=True)[:count]


async def watch(adapter: Adapter, symbols: tuple[str, ...], spreads: Spreads) -> None:
    """Read the best quotes. `CONFLATE` keeps the newest of each symbol if this task is slow."""
    channels = [BestQuote(symbol) for symbol in symbols]
    async with adapter.subscribe(*channels, gaps=True, overflow=Overflow.CONFLATE) as feed:
        async for event in feed:
            spreads.take(event)


async def show(spreads: Spreads) -> None:
    """Print the widest spreads, once a second."""
    while True:
        await trio.sleep(1)
        print(f"{len(spreads.by_symbol)} symbols, {spreads.gaps} gaps")
        for symbol, basis_points in spreads.widest(3):
            print(f"  {symbol:<12} {basis_points:6.2f} bp")


async def main() -> None:
    """Watch a simulated exchange that breaks its connections after three seconds."""
    flow = OrderFlow(symbols=SYMBOLS)
    async with (
        open_exchange("binance_usdm", source=flow) as exchange,
        open_adapter(binance.UsdMFutures(endpoints=exchange.endpoints)) as adapter,
        trio.open_nursery() as nursery,
    ):
        spreads = Spreads()
        nursery.start_soon(watch, adapter, SYMBOLS, spreads)
        nursery.start_soon(show, spreads)
        await trio.sleep(3)
        exchange.break_connections("reset")
        await trio.sleep(3)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
