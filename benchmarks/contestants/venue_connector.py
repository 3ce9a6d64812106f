"""connector, frames of any venue: from the socket through tap, delivery and feed to a consumer.

The connection is opened by hand: the server sends nothing but the frames, no replies to requests.
"""

from __future__ import annotations

from typing import Any

import trio

from benchmarks.replay import CAPACITY, Silent
from benchmarks.venue_task import Task, report, tasks
from benchmarks.venues import VENUES
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Buffer, Overflow
from connector.feeds.delivery import Delivery
from connector.feeds.delivery_delay import Delays
from connector.feeds.feed import Feed
from connector.feeds.lossy_buffers import make_buffer
from connector.feeds.subscription import Subscription
from connector.transport.tap import Tap
from connector.transport.upgrade import ResponseHead

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def consume(feed: Feed[Any], task: Task) -> None:
    """Take every event, or every batch."""
    left = task.events
    if task.batches:
        async for batch in feed.batches():
            left -= len(batch)
            if left <= 0:
                return
    async for _ in feed:
        left -= 1
        if not left:
            return


async def one_pass(task: Task) -> None:
    venue = VENUES[task.venue]
    exchange: Any = venue.exchange()
    full = Full()
    buffer: Buffer[Any] = make_buffer(CAPACITY, Overflow.BLOCK, gaps=False)
    subscription = Subscription(exchange.stream(venue.channel(task.kind)), full)
    subscription.attach(buffer)
    streams = {subscription.name.encode(): subscription}
    delivery = Delivery(exchange, 1, streams, full, Silent())
    feed: Feed[Any] = Feed(None, buffer, Delays())  # type: ignore[arg-type]
    async with await trio.open_tcp_stream("localhost", task.port) as stream:
        await stream.send_all(REQUEST)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await stream.receive_some(1)
        tap = Tap(stream, delivery, limit=1 << 24)
        tap.head = ResponseHead(101, (), b"")
        tap.go_live()
        task.begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tap.receive_some)
            await consume(feed, task)
            task.end()
            nursery.cancel_scope.cancel()


async def main() -> None:
    done = tasks()
    for task in done:
        for _ in range(task.passes):
            await one_pass(task)
    report(done)


if __name__ == "__main__":
    trio.run(main)
