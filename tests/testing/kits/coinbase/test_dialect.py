"""What the simulated Coinbase answers, in the words of the notes (coinbase A2, A3, A4)."""

from __future__ import annotations

import json
import re
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from connector.testing import Fault
from connector.testing.kits.coinbase.dialect import CoinbaseDialect
from connector.testing.kits.coinbase.kit import CoinbaseKit
from tests.testing.kits.ears import Ears, ears_of

HEARTBEATS = '{"type":"subscribe","channel":"heartbeats"}'


@attrs.define
class Desk:
    ears: Ears
    dialect: CoinbaseDialect

    def ask(self, request: dict[str, Any] | str) -> Any:
        text = request if isinstance(request, str) else json.dumps(request)
        (reply,) = self.dialect.hear(text.encode())
        return json.loads(reply)


def open_desk() -> Desk:
    ears = ears_of(CoinbaseKit())
    return Desk(ears, CoinbaseKit().converse(ears))


def request(channel: str, *products: str, kind: str = "subscribe") -> dict[str, Any]:
    return {"type": kind, "product_ids": list(products), "channel": channel}


async def test_every_answer_lists_what_is_subscribed_now() -> None:
    desk = open_desk()
    said = desk.ask(request("level2", "BTC-USD"))
    assert list(said) == ["channel", "timestamp", "sequence_num", "events"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z", said["timestamp"])
    assert (said["channel"], said["sequence_num"]) == ("subscriptions", 0)
    assert said["events"] == [{"subscriptions": {"level2": ["BTC-USD"]}}]

    assert desk.ask(HEARTBEATS)["events"] == [
        {"subscriptions": {"level2": ["BTC-USD"], "heartbeats": ["heartbeats"]}}
    ]
    said = desk.ask(request("market_trades", "BTC-USD", "ETH-USD"))
    assert said["sequence_num"] == 2
    assert said["events"][0]["subscriptions"]["market_trades"] == ["BTC-USD", "ETH-USD"]
    assert desk.ears.held == ["l2_data:BTC-USD", "market_trades:BTC-USD", "market_trades:ETH-USD"]

    said = desk.ask({"type": "unsubscribe", "channel": "market_trades"})
    assert said["events"] == [
        {"subscriptions": {"level2": ["BTC-USD"], "heartbeats": ["heartbeats"]}}
    ]


async def test_data_comes_before_the_answer() -> None:
    desk = open_desk()
    said: Any = desk.dialect.hear(json.dumps(request("level2", "BTC-USD")).encode())
    assert desk.ears.started == 0
    next(said)
    assert desk.ears.started == 1


async def test_a_second_subscription_changes_nothing() -> None:
    desk = open_desk()
    desk.ask(request("level2", "BTC-USD"))
    assert desk.ask(request("level2", "BTC-USD"))["events"] == [
        {"subscriptions": {"level2": ["BTC-USD"]}}
    ]
    assert desk.ears.held == ["l2_data:BTC-USD"]


async def test_a_product_that_is_none_is_omitted_or_refused_without_a_name() -> None:
    desk = open_desk()
    assert desk.ask(request("level2", "NOPE-USD", "BTC-USD"))["events"] == [
        {"subscriptions": {"level2": ["BTC-USD"]}}
    ]
    said = desk.ask(request("level2", "NOPE-USD"))
    assert said["type"] == "error"
    assert "NOPE" not in json.dumps(said)


async def test_a_channel_that_is_none() -> None:
    desk = open_desk()
    wrong = {"type": "error", "message": "authentication failure"}
    assert desk.ask(request("l2_data", "BTC-USD")) == wrong
    assert desk.ask(request("trades", "BTC-USD")) == wrong
    assert desk.ears.held == []


async def test_what_is_no_request() -> None:
    desk = open_desk()
    for text in ("{", "[]", '{"type":"dance"}', '{"type":"subscribe"}',
                 '{"type":"subscribe","channel":"level2","product_ids":"BTC-USD"}'):  # fmt: skip
        assert desk.ask(text)["type"] == "error"


async def test_a_fault_refuses_in_its_own_words() -> None:
    desk = open_desk()
    desk.ears.fault = Fault("reject_subscription", message="not today")
    assert desk.ask(request("level2", "BTC-USD")) == {"type": "error", "message": "not today"}


async def test_messages_of_all_channels_have_one_counter(autojump_clock: MockClock) -> None:
    desk = open_desk()
    desk.ask(HEARTBEATS)
    data = b'{"channel":"ticker","timestamp":"","events":[]}'
    numbers = [
        json.loads(desk.dialect.say("ticker:BTC-USD", data))["sequence_num"],
        desk.ask(request("ticker", "BTC-USD"))["sequence_num"],
    ]
    await trio.sleep(1)
    (heartbeat,) = desk.dialect.speak()
    numbers.append(json.loads(heartbeat)["sequence_num"])
    assert numbers == [1, 2, 3]


async def test_heartbeats(autojump_clock: MockClock) -> None:
    desk = open_desk()
    desk.ask(HEARTBEATS)
    counters = []
    for _ in range(3):
        await trio.sleep_until(desk.dialect.due_at)
        (frame,) = desk.dialect.speak()
        (event,) = json.loads(frame)["events"]
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \+0000 UTC m=\+\d+\.\d{9}",
            event["current_time"],
        )
        counters.append(event["heartbeat_counter"])
    assert counters == [counters[0] + n for n in range(3)]
    assert trio.current_time() == desk.dialect.due_at - 1


async def test_who_does_not_subscribe_within_five_seconds_is_cut_off(
    autojump_clock: MockClock,
) -> None:
    desk = open_desk()
    assert desk.dialect.due_at - trio.current_time() == 5
    assert list(desk.dialect.speak()) == []
    assert len(desk.ears.closed) == 1


async def test_without_heartbeats_a_quiet_connection_is_cut_off(autojump_clock: MockClock) -> None:
    desk = open_desk()
    desk.ask(request("ticker", "BTC-USD"))
    assert desk.dialect.due_at - trio.current_time() == 90
    await trio.sleep(60)
    desk.dialect.say("ticker:BTC-USD", b"{}")
    assert desk.dialect.due_at - trio.current_time() == 90
