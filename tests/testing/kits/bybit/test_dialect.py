"""What the simulated Bybit answers, in the words of the notes (bybit §2, §3)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.testing import Fault
from connector.testing.kits.bybit.kit import BybitKit
from tests.testing.kits.ears import Ears, ears_of


def answer(category: Any, request: dict[str, object] | str, ears: Ears | None = None) -> Any:
    kit = BybitKit(category)
    dialect = kit.converse(ears or ears_of(kit))
    text = request if isinstance(request, str) else json.dumps(request)
    (reply,) = dialect.hear(text.encode())
    return {name: value for name, value in json.loads(reply).items() if name != "conn_id"}


def ears(category: Any = "linear") -> Ears:
    return ears_of(BybitKit(category))


def test_pings() -> None:
    ping: dict[str, object] = {"req_id": "x", "op": "ping"}
    pong = {"success": True, "ret_msg": "pong", "op": "ping"}
    assert answer("spot", ping) == pong
    assert answer("linear", ping) == {**pong, "req_id": "x"}


def test_acknowledgements() -> None:
    request: dict[str, object] = {
        "req_id": "t", "op": "subscribe", "args": ["orderbook.50.BTCUSDT", "publicTrade.BTCUSDT"],
    }  # fmt: skip
    done = {"success": True, "req_id": "t", "op": "subscribe"}
    assert answer("spot", request) == {**done, "ret_msg": "subscribe"}
    there = ears()
    assert answer("linear", request, there) == {**done, "ret_msg": ""}
    assert there.held == request["args"]


@pytest.mark.parametrize(
    "topic",
    ["orderbook.50.NOPEUSDT", "orderbook.500.BTCUSDT", "publictrade.BTCUSDT", "kline.2.BTCUSDT",
     "publicTrade.btcusdt", "nothing"],
)  # fmt: skip
def test_one_bad_topic_refuses_the_whole_request_and_is_named(topic: str) -> None:
    there = ears()
    args = ["publicTrade.BTCUSDT", topic, "worse"]
    assert answer("linear", {"req_id": "7", "op": "subscribe", "args": args}, there) == {
        "success": False, "ret_msg": f"error:handler not found,topic:{topic}", "req_id": "7",
        "op": "subscribe",
    }  # fmt: skip
    assert there.held == []


def test_a_duplicate_refuses_the_whole_request_and_keeps_the_first() -> None:
    there = ears()
    there.held.append("publicTrade.BTCUSDT")
    args = ["publicTrade.ETHUSDT", "publicTrade.BTCUSDT"]
    said = answer("linear", {"op": "subscribe", "args": args}, there)
    assert said["ret_msg"] == "error:already subscribed,topic:publicTrade.BTCUSDT"
    assert said["req_id"] == ""
    assert there.held == ["publicTrade.BTCUSDT"]


def test_limits() -> None:
    topics = [f"publicTrade.A{number}USDT" for number in range(11)]
    assert answer("spot", {"op": "subscribe", "args": topics})["ret_msg"] == "args size >10"
    assert answer("linear", {"op": "subscribe", "args": topics})["success"]
    many = [f"orderbook.1000.A{number:030}USDT" for number in range(500)]
    assert not answer("linear", {"op": "subscribe", "args": many})["success"]


def test_what_is_no_request() -> None:
    assert answer("linear", "{")["ret_msg"].startswith("Failed to decode incoming data:")
    assert answer("linear", "[]")["ret_msg"].startswith("Failed to decode incoming data:")
    assert answer("linear", {"op": "dance"})["ret_msg"] == "error:invalid op"
    assert not answer("linear", {"op": "subscribe", "args": "publicTrade.BTCUSDT"})["success"]


def test_a_fault_refuses_in_its_own_words() -> None:
    there = ears()
    there.fault = Fault("reject_subscription", message="error:not today")
    said = answer("linear", {"op": "subscribe", "args": ["publicTrade.BTCUSDT"]}, there)
    assert said["ret_msg"] == "error:not today,topic:publicTrade.BTCUSDT"
