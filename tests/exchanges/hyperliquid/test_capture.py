"""A program that knows only the documentation receives every frame of a capture once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import OrderBook, PartialBook, Trades
from connector.events import BookSnapshot, BookView, Gap, Trade
from connector.exchanges import hyperliquid
from connector.testing import MemoryNetwork
from connector.testing.conformance import serve_texts

MS = 10**6


@attrs.define
class Player:
    """Sends the frames, a few at a time, when everything is subscribed."""

    frames: list[str]
    wanted: int
    asked: list[Any] = attrs.Factory(list)

    def hear(self, text: str) -> list[str]:
        said = json.loads(text)
        if said["method"] == "ping":
            return ['{"channel":"pong"}']
        self.asked.append(said["subscription"])
        more = {"nSigFigs": None, "mantissa": None} if "l2Book" in text else {}
        said["subscription"] |= more
        return [json.dumps({"channel": "subscriptionResponse", "data": said})]

    def tick(self) -> list[str]:
        if len(self.asked) < self.wanted:
            return []
        sent, self.frames[:3] = self.frames[:3], []
        return sent


async def test_every_frame_of_a_capture_comes_once(
    autojump_clock: MockClock, received_frames: Callable[[str], Iterator[bytes]]
) -> None:
    name = "hyperliquid/btc_l2book_trades_20250126.jsonl.gz"
    frames = [frame.decode() for frame in received_frames(name)]
    said = [json.loads(frame) for frame in frames]
    player = Player(list(frames), 2)
    network = MemoryNetwork()
    trades: list[Any] = []
    books: list[Any] = []
    views: list[Any] = []
    async with serve_texts(network, lambda: player) as url:
        there = hyperliquid.Endpoints.at(stream=url, rest="http://127.0.0.1:1")
        exchange = hyperliquid.Hyperliquid(endpoints=there, numbers=Decimal)
        async with open_adapter(exchange, dialer=network) as adapter:
            channels = Trades("BTC"), PartialBook("BTC", 20), OrderBook("BTC")
            async with adapter.subscribe(*channels, gaps=True) as feed:
                with trio.move_on_after(20):
                    async for event in feed:
                        assert not isinstance(event, Gap)
                        if isinstance(event, Trade):
                            trades.append((event.exchange_time_ns, event.trade_id, event.side))
                        elif isinstance(event, BookSnapshot):
                            books.append(event)
                        elif isinstance(event, BookView):
                            views.append([level.price for level in event.bids])
            assert adapter.statistics().unknown_messages == 0

    told = [row for each in said if each["channel"] == "trades" for row in each["data"]]
    sides = {"A": "sell", "B": "buy"}
    assert trades == [(row["time"] * MS, row["tid"], sides[row["side"]]) for row in told]
    sent = [each["data"] for each in said if each["channel"] == "l2Book"]
    assert [book.exchange_time_ns for book in books] == [each["time"] * MS for each in sent]
    assert [[level.price for level in book.bids] for book in books] == [
        [Decimal(row["px"]) for row in each["levels"][0]] for each in sent
    ]
    assert views[-1] == [level.price for level in books[-1].bids]
