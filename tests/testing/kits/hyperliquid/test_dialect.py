"""What the simulated Hyperliquid answers, in the words of the notes (hyperliquid §2, §3)."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.testing import Fault
from connector.testing.kits.hyperliquid.dialect import HyperliquidDialect
from connector.testing.kits.hyperliquid.kit import HyperliquidKit
from tests.testing.kits.ears import Ears, ears_of


@attrs.define
class Desk:
    ears: Ears
    dialect: HyperliquidDialect

    def ask(self, said: object) -> Any:
        text = said if isinstance(said, str) else json.dumps(said)
        (reply,) = self.dialect.hear(text.encode())
        return json.loads(reply)


def open_desk() -> Desk:
    ears = ears_of(HyperliquidKit())
    return Desk(ears, HyperliquidKit().converse(ears))


def request(method: str = "subscribe", **subscription: object) -> dict[str, Any]:
    return {"method": method, "subscription": subscription}


async def test_the_reply_repeats_the_subscription_with_more_keys() -> None:
    desk = open_desk()
    said = desk.ask(request(type="l2Book", coin="BTC"))
    assert said == {
        "channel": "subscriptionResponse",
        "data": {
            "method": "subscribe",
            "subscription": {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None},
        },
    }
    said = desk.ask(request(type="l2Book", coin="BTC", fast=True))
    assert said["data"]["subscription"]["fast"] is True
    said = desk.ask(request(type="candle", coin="BTC", interval="1m"))
    assert said["data"]["subscription"] == {"type": "candle", "coin": "BTC", "interval": "1m"}
    assert desk.ears.held == ["l2Book.slow:BTC", "l2Book:BTC", "candle:BTC:1m"]
    said = desk.ask(request("unsubscribe", type="l2Book", coin="BTC"))
    assert said["data"]["method"] == "unsubscribe"
    assert desk.ears.held == ["l2Book:BTC", "candle:BTC:1m"]


@pytest.mark.parametrize(
    "subscription",
    [
        {"type": "trades", "coin": "NOPE"}, {"type": "trade", "coin": "BTC"}, {"type": "trades"},
        {"type": "candle", "coin": "BTC", "interval": "2m"}, {"type": "trades", "coin": "B TC"},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 6},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 4, "mantissa": 2},
        {"type": "l2Book", "coin": "BTC", "mantissa": 5},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 3},
        {"type": "l2Book", "coin": "BTC", "fast": "yes"},
    ],
)  # fmt: skip
async def test_a_refusal_has_the_request_in_its_text(subscription: dict[str, Any]) -> None:
    desk = open_desk()
    said = desk.ask(request(**subscription))
    assert said["channel"] == "error"
    assert said["data"].startswith("Invalid subscription")
    _, _, written = said["data"].partition(": ")
    assert json.loads(written)["subscription"] == subscription
    assert desk.ears.held == []


async def test_a_second_subscription_is_an_error() -> None:
    desk = open_desk()
    asked = request(type="trades", coin="BTC")
    desk.ask(asked)
    assert desk.ask(asked)["data"].startswith("Already subscribed")
    assert desk.ears.held == ["trades:BTC"]
    asked["method"] = "unsubscribe"
    desk.ask(asked)
    assert desk.ask(asked)["data"].startswith("Already unsubscribed")


async def test_what_is_no_request() -> None:
    desk = open_desk()
    for text in ("{", "[]", '{"method":"dance"}', '{"method":"subscribe","subscription":[]}'):
        assert desk.ask(text)["channel"] == "error"


async def test_a_fault_refuses_in_its_own_words() -> None:
    desk = open_desk()
    desk.ears.fault = Fault("reject_subscription", message="not today")
    assert desk.ask(request(type="trades", coin="BTC"))["data"].startswith("not today: {")


async def test_a_connection_to_which_nothing_is_sent_ends(autojump_clock: MockClock) -> None:
    desk = open_desk()
    assert desk.dialect.due_at - trio.current_time() == pytest.approx(60)
    await trio.sleep(50)
    assert desk.ask({"method": "ping"}) == {"channel": "pong"}
    assert desk.dialect.due_at - trio.current_time() == pytest.approx(60)
    await trio.sleep(60)
    assert list(desk.dialect.speak()) == []
    assert len(desk.ears.closed) == 1
