"""A capture of the older API, in the words of the present one, comes once, and makes its books.

The older API has ``buy`` and ``sell`` and pairs of price and size where the present one has rows
with names, no number on its messages, and a type in place of a channel. Values are spelled alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import BookDeltas, OrderBook, Trades
from connector.events import BookDelta, BookSnapshot, BookView, Gap, Trade
from connector.exchanges import coinbase
from connector.testing import MemoryNetwork
from connector.testing.conformance import serve_texts

PRODUCTS = ("BAND-GBP", "NU-GBP", "SKL-BTC", "SKL-USD", "YFI-BTC")
WORDS = {"buy": "bid", "sell": "offer"}


def translated(said: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Channel and event of a message; None of one that the present API has not."""
    product = said.get("product_id")
    if said["type"] in ("match", "last_match"):
        trade = {
            "trade_id": str(said["trade_id"]), "product_id": product, "price": said["price"],
            "size": said["size"], "side": said["side"].upper(), "time": said["time"],
        }  # fmt: skip
        return "market_trades", {"type": "update", "trades": [trade]}
    if said["type"] == "snapshot":
        rows = [("bid", *each) for each in said["bids"]]
        rows += [("offer", *each) for each in said["asks"]]
    elif said["type"] == "l2update":
        rows = [(WORDS[side], *each) for side, *each in said["changes"]]
    else:
        return None
    updates = [
        {"side": side, "event_time": said.get("time", ""), "price_level": price,
         "new_quantity": quantity}
        for side, price, quantity in rows
    ]  # fmt: skip
    kind = "snapshot" if said["type"] == "snapshot" else "update"
    return "l2_data", {"type": kind, "product_id": product, "updates": updates}


@attrs.define
class Player:
    """Sends everything, some of it at a time, when both channels are subscribed."""

    messages: list[tuple[str, dict[str, Any]]]
    subscribed: dict[str, list[str]] = attrs.Factory(dict)
    number: int = -1

    def write(self, channel: str, event: dict[str, Any]) -> str:
        self.number += 1
        said = {"channel": channel, "timestamp": "2026-09-07T23:37:22Z"}
        return json.dumps(
            {**said, "sequence_num": self.number, "events": [event]}, separators=(",", ":")
        )

    def hear(self, text: str) -> list[str]:
        said = json.loads(text)
        wanted = self.subscribed.setdefault(said["channel"], [])
        wanted += said.get("product_ids", ["heartbeats"])
        return [self.write("subscriptions", {"subscriptions": self.subscribed})]

    def tick(self) -> list[str]:
        if sum(map(len, self.subscribed.values())) < 1 + 2 * len(PRODUCTS):
            return []
        sent, self.messages[:200] = self.messages[:200], []
        return [self.write(*each) for each in sent]


async def test_a_capture_comes_once(
    autojump_clock: MockClock, received_frames: Callable[[str], Iterator[bytes]]
) -> None:
    capture = map(json.loads, received_frames("coinbase_exchange/exchange_l2_20210417.jsonl.gz"))
    messages = [each for each in map(translated, capture) if each is not None]
    truth: dict[str, dict[str, dict[Decimal, Decimal]]] = {
        product: {"bid": {}, "offer": {}} for product in PRODUCTS
    }
    for channel, event in messages:
        for row in event["updates"] if channel == "l2_data" else ():
            levels = truth[event["product_id"]][row["side"]]
            levels[Decimal(row["price_level"])] = Decimal(row["new_quantity"])

    player, network = Player(list(messages)), MemoryNetwork()
    changes: list[str] = []
    trades: list[int] = []
    views: dict[str, BookView[Any]] = {}
    async with serve_texts(network, lambda: player) as url:
        there = coinbase.Endpoints.at(stream=url, rest="http://127.0.0.1:1")
        exchange = coinbase.AdvancedTrade(endpoints=there, numbers=Decimal)
        channels: list[Any] = [
            make(each) for each in PRODUCTS for make in (BookDeltas, Trades, OrderBook)
        ]
        async with open_adapter(exchange, dialer=network) as adapter:
            async with adapter.subscribe(*channels, gaps=True) as feed:
                with trio.move_on_after(8):
                    async for event in feed:
                        assert not isinstance(event, Gap)
                        if isinstance(event, BookDelta | BookSnapshot):
                            changes.append(event.symbol)
                        elif isinstance(event, Trade):
                            trades.append(event.trade_id)
                        elif isinstance(event, BookView):
                            views[event.symbol] = event
                for product, sides in truth.items():
                    for side, shown in (
                        ("bid", views[product].bids), ("offer", views[product].asks),
                    ):  # fmt: skip
                        there_now = {price: lots for price, lots in sides[side].items() if lots}
                        assert {level.price: level.quantity for level in shown} == there_now

    assert changes == [each["product_id"] for channel, each in messages if channel == "l2_data"]
    assert len(changes) == 5 + 5165
    assert trades == [
        int(row["trade_id"]) for _, each in messages for row in each.get("trades", ())
    ]
