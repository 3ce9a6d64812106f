"""Whatever goes wrong, a certain answer is right: accepted means an order, refused means none.

A client sends each order once, under faults and delays that hypothesis draws, and reconnects.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock
from trio_websocket import ConnectionClosed

from connector.testing.exchange.trading.delays import Delays
from connector.testing.exchange.trading.readings import Readings
from connector.testing.faults.trading import TradingFault
from connector.testing.strategies import delays, readings, trading_faults
from tests.testing.exchange.trading.client import World, world

prices = st.sampled_from(["2990", "3000.02", "2990.001", "9000"])
UNCERTAIN = (408, 500, 503)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["spot", "usdm"]),
    st.lists(prices, min_size=1, max_size=8),
    st.lists(trading_faults(("order.place", "order.*")), max_size=4),
    readings(),
    st.none() | delays(6.0),
)
def test_certain_answers_are_right(
    venue: str,
    wanted: list[str],
    faults: list[TradingFault],
    reading: Readings,
    delay: Delays | None,
) -> None:
    trio.run(play, venue, wanted, faults, reading, delay, clock=MockClock(autojump_threshold=0))


async def play(
    venue: str,
    wanted: list[str],
    faults: list[TradingFault],
    reading: Readings,
    delay: Delays | None,
) -> None:
    async with world(venue, readings=reading, delays=delay) as here:
        for fault in faults:
            here.exchange.trading.inject(fault)
        left = [(f"id-{number}", price) for number, price in enumerate(wanted)]
        answers: dict[str, list[Any]] = {}
        while left:
            async with here.dial() as client:
                while left and client.closed is None:
                    client_id, price = left.pop(0)
                    answers[client_id] = []
                    params = {"newClientOrderId": client_id, "price": price, "quantity": "0.01"}
                    with trio.move_on_after(30):
                        try:
                            reply = await client.place(**params, recvWindow=5000)
                        except ConnectionClosed:
                            continue
                        if reply is not None:
                            answers[client_id] = client.replies[reply["id"]]
        await trio.sleep(60)
        judge(here, answers)


def judge(here: World, answers: dict[str, list[Any]]) -> None:
    accepted = Counter(here.exchange.accounts["mm1"].client_ids)
    assert all(count == 1 for count in accepted.values())
    for client_id, replies in answers.items():
        for reply in replies:
            if reply["status"] == 200:
                assert accepted[client_id] == 1
            elif reply["status"] not in UNCERTAIN:
                assert accepted[client_id] == 0, reply
            elif reply["error"]["msg"] == "Service Unavailable.":
                assert accepted[client_id] == 0
