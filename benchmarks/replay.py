"""A fixed replay in one process: prepared reads through tap, delivery and feed into a consumer.

Nothing here waits for a socket or another process, so that what it costs can be counted in
instructions (`benchmarks.instructions`), which a busy machine does not change, or timed as the
least of many rounds. What the kernel and TLS cost is not in it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import trio

from benchmarks import workloads
from benchmarks.contestants.connector_feed import MAKERS
from connector.channels import Channel
from connector.errors import DecodeError
from connector.exchanges import binance
from connector.exchanges.protocol import Inbound
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Buffer, Overflow
from connector.feeds.delivery import Delivery
from connector.feeds.feed import Feed
from connector.feeds.lossy_buffers import make_buffer
from connector.feeds.subscription import Subscription
from connector.transport.tap import Tap
from connector.transport.upgrade import ResponseHead

READ_BYTES = 65_536
CAPACITY = 1024


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
    """An adapter's way from read to consumer, without the adapter.

    Args:
        workload: which frames.
        symbols: how many of them take turns in each link.
        subscribers: how many feeds read all of it.
        links: how many connections bring it.
    """

    def __init__(
        self,
        workload: str,
        symbols: int = 1,
        *,
        subscribers: int = 1,
        links: int = 1,
        overflow: Overflow = Overflow.BLOCK,
    ) -> None:
        exchange = binance.UsdMFutures()
        self.buffers: list[Buffer[Any]] = [
            make_buffer(CAPACITY, overflow, gaps=False) for _ in range(subscribers)
        ]
        self.deliveries: list[Delivery] = []
        for _ in range(links):
            full = Full()
            channels: list[Channel[Any]] = [
                MAKERS[workload](symbol) for symbol in workloads.symbols(symbols)
            ]
            subscriptions = [Subscription(exchange.stream(each), full) for each in channels]
            for subscription in subscriptions:
                for buffer in self.buffers:
                    subscription.attach(buffer)
            streams = {each.name.encode(): each for each in subscriptions}
            self.deliveries.append(Delivery(exchange, 1, streams, full, Silent()))

    async def run(self, data: bytes, messages: int) -> None:
        """Let every link read `data`, which holds so many messages, and every feed all of it."""

        async def consume(buffer: Buffer[Any], left: int) -> None:
            feed: Feed[Any] = Feed(None, buffer)  # type: ignore[arg-type]
            async for _ in feed:
                left -= 1
                if not left:
                    break

        async with trio.open_nursery() as links:
            for delivery in self.deliveries:
                tap = Tap(Reads(data), delivery, limit=1 << 24)  # type: ignore[arg-type]
                tap.head = ResponseHead(101, (), b"")
                tap.go_live()
                links.start_soon(tap.receive_some)
            async with trio.open_nursery() as consumers:
                for buffer in self.buffers:
                    consumers.start_soon(consume, buffer, messages * len(self.deliveries))


def frames(workload: str, messages: int, symbols: int = 1) -> bytes:
    """What a link reads."""
    return b"".join(map(workloads.frame, workloads.texts(workload, messages, symbols)))


def cost(workload: str, messages: int, rounds: int, symbols: int = 1, **options: int) -> float:
    """CPU µs per message that comes in: the least of `rounds`."""
    data = frames(workload, messages, symbols)
    least = float("inf")
    for _ in range(rounds):
        replay = Replay(workload, symbols, **options)  # type: ignore[arg-type]
        begin = time.process_time()
        trio.run(replay.run, data, messages)
        least = min(least, time.process_time() - begin)
    return 1e6 * least / (messages * options.get("links", 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", choices=MAKERS)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--symbols", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--data", type=Path, help="a file with what to read, made before")
    options = parser.parse_args()
    if options.data:
        replay = Replay(options.workload, options.symbols)
        trio.run(replay.run, options.data.read_bytes(), options.messages)
        return
    found = cost(options.workload, options.messages, options.rounds, options.symbols)
    print(f"{found:.3f} µs per message, least of {options.rounds}")


if __name__ == "__main__":
    main()
