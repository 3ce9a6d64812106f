"""A fixed replay in one process: prepared reads through tap, delivery and feed into a consumer.

Nothing here waits for a socket or another process, so that what it costs can be counted in
instructions (`benchmarks.instructions`), which a busy machine does not change, or timed as the
least of many rounds. What the kernel and TLS cost is not in it.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import trio

from benchmarks import workloads
from connector.backpressure import Full
from connector.buffer import Buffer, Overflow, make_buffer
from connector.channels import AggregateTrades, BestQuote, BookDeltas, Channel, PartialBook, Trades
from connector.delivery import Delivery
from connector.errors import DecodeError
from connector.exchanges import binance
from connector.feed import Feed
from connector.protocol import Inbound
from connector.subscription import Subscription
from connector.transport.tap import Tap
from connector.transport.upgrade import ResponseHead

READ_BYTES = 65_536

CHANNELS: dict[str, Any] = {
    "depth5": lambda symbol: PartialBook(symbol, levels=5, interval_ms=100),
    "trade": Trades,
    "aggTrade": AggregateTrades,
    "bookTicker": BestQuote,
    "depth": lambda symbol: BookDeltas(symbol, interval_ms=100),
}


class Reads(trio.abc.ReceiveStream):
    """A stream that has everything already, `READ_BYTES` at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        begin = self._position
        self._position = begin + READ_BYTES
        return self._data[begin : self._position]

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


class Silent:
    """Takes what is not data of a stream, of which there is none."""

    def read_message(self, message: Inbound) -> None:
        raise AssertionError(message)

    def read_undecodable(self, error: DecodeError) -> None:
        raise error


class Replay:
    """A link's way from read to consumer, without the link.

    Args:
        workload: which frames.
        symbols: how many symbols take turns.
        overflow: of the feed.
        feeds: one for all symbols, or one for each.
    """

    def __init__(
        self, workload: str, symbols: int = 1, overflow: Overflow = Overflow.BLOCK
    ) -> None:
        exchange = binance.UsdMFutures()
        full = Full()
        self.buffer: Buffer[Any] = make_buffer(1024, overflow, gaps=False)
        channels: list[Channel[Any]] = [
            CHANNELS[workload](symbol) for symbol in workloads.symbols(symbols)
        ]
        subscriptions = [Subscription(exchange.stream(each), full) for each in channels]
        for subscription in subscriptions:
            subscription.attach(self.buffer)
        streams = {each.name.encode(): each for each in subscriptions}
        self.delivery = Delivery(exchange, 1, streams, full, Silent())

    async def run(self, data: bytes, last: int) -> int:
        """Replay `data`; how many events came until the one with the id `last`."""
        tap = Tap(Reads(data), self.delivery, limit=1 << 24)  # type: ignore[arg-type]
        tap.head = ResponseHead(101, (), b"")
        tap.go_live()
        feed: Feed[Any] = Feed(None, self.buffer)  # type: ignore[arg-type]
        count = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tap.receive_some)
            async for _ in feed:
                count += 1
                if count == last:
                    break
        return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", choices=CHANNELS)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--symbols", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    texts = workloads.texts(options.workload, options.messages, options.symbols)
    data = b"".join(map(workloads.frame, texts))
    least = float("inf")
    for _ in range(options.rounds):
        replay = Replay(options.workload, options.symbols)
        begin = time.process_time()
        count = trio.run(replay.run, data, options.messages)
        least = min(least, time.process_time() - begin)
        assert count == options.messages
    print(f"{1e6 * least / options.messages:.3f} µs per message, least of {options.rounds}")


if __name__ == "__main__":
    main()
