"""What the simulated Bitget answers, in the words of the notes (bitget §2, §3)."""

from __future__ import annotations

import json
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from connector.testing import Fault
from connector.testing.kits.bitget.kit import BitgetKit
from tests.testing.kits.ears import Ears, ears_of


def futures(route: str = "/v3/ws/public", fault: Fault | None = None) -> Ears:
    symbols = ("", "BTCUSDT", "BTCPERP", "BTCUSD_CM")
    return ears_of(BitgetKit("futures"), route=route, symbols=symbols, fault=fault)


@attrs.define
class Conversation:
    ears: Ears = attrs.Factory(futures)
    dialect: Any = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.dialect = BitgetKit("futures").converse(self.ears)

    def ask(self, *args: dict[str, Any], op: str = "subscribe") -> list[Any]:
        replies = self.dialect.hear(json.dumps({"op": op, "args": args}).encode())
        said = [json.loads(each) for each in replies]
        if self.ears.route.startswith("/v3"):
            assert all(each.pop("connId") for each in said)
        return said


def v3(symbol: str, topic: str = "books", inst_type: str = "usdt-futures") -> dict[str, Any]:
    return {"instType": inst_type, "topic": topic, "symbol": symbol}


def v2(symbol: str, channel: str = "books", inst_type: str = "USDT-FUTURES") -> dict[str, Any]:
    return {"instType": inst_type, "channel": channel, "instId": symbol}


async def test_each_argument_has_a_verdict_of_its_own(autojump_clock: MockClock) -> None:
    there = Conversation()
    good, bad = v3("BTCUSDT"), v3("NOPEUSDT")
    accepted, refused = there.ask(good, bad)
    assert accepted == {"event": "subscribe", "arg": good}
    assert refused == {
        "event": "error", "code": 30001,
        "msg": '{"instType":"usdt-futures","symbol":"NOPEUSDT","topic":"books"} doesn\'t exist',
    }  # fmt: skip
    assert there.ears.held == ["books:BTCUSDT"]
    (gone,) = there.ask(good, op="unsubscribe")
    assert gone == {"event": "unsubscribe", "arg": good}
    assert there.ears.held == []
    for wrong in (
        v3("btcusdt"), v3("BTCUSDT", "books15"), v3("BTCUSDT", inst_type="USDT-FUTURES"),
        {**v3("BTCUSDT", "kline"), "interval": "2H"},
    ):  # fmt: skip
        assert there.ask(wrong)[0]["code"] == 30001
    for right in (
        {**v3("BTCUSDT", "kline"), "interval": "1m"}, v3("BTCPERP", "ticker", "usdc-futures"),
        {"instType": "coin-futures", "topic": "liquidation"},
    ):  # fmt: skip
        assert there.ask(right)[0]["event"] == "subscribe"


async def test_v2_names_the_argument_beside_its_text(autojump_clock: MockClock) -> None:
    there = Conversation(futures("/v2/ws/public"))
    assert there.ask(v2("BTCUSDT"), v2("BTCUSD", "books15", "COIN-FUTURES")) == [
        {"event": "subscribe", "arg": v2("BTCUSDT")},
        {"event": "subscribe", "arg": v2("BTCUSD", "books15", "COIN-FUTURES")},
    ]
    assert there.ears.held == ["v2.books:BTCUSDT", "v2.books15:BTCUSD_CM"]
    assert there.ask(v2("NOPEUSDT")) == [
        {
            "event": "error", "arg": v2("NOPEUSDT"), "code": 30001, "op": "subscribe",
            "msg": "instType:USDT-FUTURES,channel:books,instId:NOPEUSDT,precision:null doesn't "
            "exist",
        }
    ]  # fmt: skip
    assert there.ask(v2("BTCUSDT", "markPrice"))[0]["code"] == 30016


async def test_a_symbol_in_the_wrong_market_is_accepted_and_silent(
    autojump_clock: MockClock,
) -> None:
    for route, arg in (("/v3/ws/public", v3("BTCPERP")), ("/v2/ws/public", v2("BTCPERP"))):
        there = Conversation(futures(route))
        assert there.ask(arg) == [{"event": "subscribe", "arg": arg}]
        (held,) = there.ears.held
        assert there.ears.venue.route_of(held) is None


async def test_without_a_text_ping_the_connection_is_cut(autojump_clock: MockClock) -> None:
    there = Conversation()
    begin = trio.current_time()
    assert there.dialect.due_at == begin + 127
    await trio.sleep(100)
    there.ask(v3("BTCUSDT"))
    assert there.dialect.due_at == begin + 127
    assert there.dialect.hear(b"ping") == [b"pong"]
    assert there.dialect.due_at == begin + 227
    await trio.sleep_until(there.dialect.due_at)
    assert list(there.dialect.speak()) == []
    assert there.ears.closed
    assert there.dialect.due_at == float("inf")


async def test_limits(autojump_clock: MockClock) -> None:
    there = Conversation()
    assert there.ask(*[v3(f"A{number:0300}USDT") for number in range(12)])[0]["code"] == 30016
    for _ in range(240):
        assert there.ask(v3("BTCUSDT"))[0]["event"] == "subscribe"
    assert there.ask(v3("BTCUSDT"))[0]["code"] == 30007
    await trio.sleep(3601)
    assert there.ask(v3("BTCUSDT"))[0]["event"] == "subscribe"
    assert there.ask(*[v3("BTCUSDT")] * 25) == []
    assert there.ears.closed


async def test_what_is_no_request(autojump_clock: MockClock) -> None:
    there = Conversation()
    for text, code in (
        ("{", 30002), ("[]", 30002), ('{"op":"dance"}', 30003), ('{"op":"subscribe"}', 30002),
        ('{"op":"subscribe","args":["x"]}', 30002),
    ):  # fmt: skip
        (reply,) = there.dialect.hear(text.encode())
        assert json.loads(reply)["code"] == code


async def test_a_fault_refuses_in_its_own_words(autojump_clock: MockClock) -> None:
    fault = Fault("reject_subscription", message="is not for you")
    (said,) = Conversation(futures(fault=fault)).ask(v3("BTCUSDT"))
    assert said["msg"].endswith('"topic":"books"} is not for you')
