"""An application: which side of a market is heavier, from its best quotes, a line per change.

python examples/imbalance.py ETHUSDC
"""

from __future__ import annotations

import sys
from typing import TextIO

import attrs
import trio

from connector import Adapter, open_adapter
from connector.channels import BestQuote
from connector.events import Gap, Quote
from connector.exchanges import binance

WEIGHT = 0.1
THRESHOLD = 0.3


@attrs.frozen
class Signal:
    """A side has become the heavier one."""

    symbol: str
    side: str
    imbalance: float


@attrs.define
class Imbalance:
    """The moving average of how much heavier the bid is: between -1 and 1."""

    value: float | None = None

    def update(self, quote: Quote) -> float:
        """Take one more quote."""
        bid, ask = float(quote.bid_quantity), float(quote.ask_quantity)
        now = (bid - ask) / (bid + ask)
        self.value = now if self.value is None else self.value + WEIGHT * (now - self.value)
        return self.value


def side_of(imbalance: float) -> str:
    """What to do about it."""
    return "" if abs(imbalance) < THRESHOLD else "buy" if imbalance > 0 else "sell"


async def watch(adapter: Adapter, symbol: str, signals: trio.MemorySendChannel[Signal]) -> None:
    """Send a signal whenever the heavier side is another one."""
    imbalance, side = Imbalance(), ""
    with signals:
        async with adapter.subscribe(BestQuote(symbol), gaps=True) as quotes:
            async for event in quotes:
                if isinstance(event, Gap):
                    # What was before it says nothing about now.
                    imbalance, side = Imbalance(), ""
                    continue
                before, side = side, side_of(imbalance.update(event))
                if side not in (before, ""):
                    await signals.send(Signal(event.symbol, side, imbalance.value or 0.0))


async def run(adapter: Adapter, symbol: str, out: TextIO) -> None:
    """Write signals, for ever."""
    send, receive = trio.open_memory_channel[Signal](16)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch, adapter, symbol, send)
        with receive:
            async for signal in receive:
                print(f"{signal.symbol} {signal.side} {signal.imbalance:+.2f}", file=out)


async def main(symbol: str) -> None:
    """The program."""
    async with open_adapter(binance.UsdMFutures()) as adapter:
        await run(adapter, symbol, sys.stdout)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
