"""A market of a venue with a kit: nothing is withheld from whoever listens."""

from __future__ import annotations

import json
from typing import Any

import attrs
from trio.testing import MockClock, wait_all_tasks_blocked

from connector.testing import MemoryNetwork, OrderFlow, open_exchange

STREAM = "l2_data:BTC-USD"


@attrs.define(eq=False)
class Listener:
    """Applies what it is sent to a book."""

    sides: dict[str, dict[str, str]] = attrs.Factory(lambda: {"bid": {}, "offer": {}})
    combined: bool = False

    def deliver(self, stream: str, data: bytes, frame: bytes | None = None) -> bool:
        (event,) = json.loads(data)["events"]
        for row in event["updates"]:
            side, price = self.sides[row["side"]], row["price_level"]
            side.pop(price, None)
            if row["new_quantity"] != "0":
                side[price] = row["new_quantity"]
        return True

    async def wait_room(self, most_bytes: int) -> None:
        raise AssertionError


async def test_what_happens_before_the_market_looks_up_is_sent_to_a_newcomer(
    mock_clock: MockClock,
) -> None:
    flow = OrderFlow(symbols=("BTC-USD",), rate_per_second=400)
    async with open_exchange("coinbase", source=flow, network=MemoryNetwork()) as exchange:
        market: Any = exchange._player
        await wait_all_tasks_blocked()
        mock_clock.jump(1.01)  # nobody listens yet
        listener = Listener()
        for data in market.first(STREAM):
            listener.deliver(STREAM, data)
        exchange._audience.add(STREAM, listener)
        mock_clock.jump(0.2)  # on a busy machine it takes so long until the market has its turn
        await wait_all_tasks_blocked()

        bids, asks = market.desks["BTC-USD"]._book.whole()
        assert len(listener.sides["bid"]) == len(bids)
        assert {round(float(price) * 100) for price in listener.sides["bid"]} == set(bids)
        assert {round(float(price) * 100) for price in listener.sides["offer"]} == set(asks)
