"""What the simulated OKX answers, in the words of the notes (okx §2, §3)."""

from __future__ import annotations

import json
from typing import Any

import attrs
from trio.testing import MockClock

from connector.exchanges import okx
from connector.exchanges.protocol import Reply
from connector.testing.kits.okx.dialect import OkxDialect
from connector.testing.kits.okx.kit import OkxKit
from tests.testing.kits.ears import Ears, ears_of

PUBLIC, BUSINESS = OkxKit().rules.routes


@attrs.define
class Desk:
    ears: Ears
    dialect: OkxDialect

    def ask(self, said: object) -> list[Any]:
        text = said if isinstance(said, str) else json.dumps(said)
        return [json.loads(each) for each in self.dialect.hear(text.encode())]


def open_desk(route: str = PUBLIC) -> Desk:
    ears = ears_of(OkxKit(), route=route)
    return Desk(ears, OkxKit().converse(ears))


def request(*args: dict[str, str], op: str = "subscribe") -> dict[str, Any]:
    return {"id": "7", "op": op, "args": list(args)}


async def test_each_argument_has_an_answer_and_a_refusal_names_it_in_its_text() -> None:
    desk = open_desk()
    good = {"channel": "books", "instId": "BTC-USDT"}
    bad = {"channel": "trades", "instId": "NO-USDT"}
    ack, refusal = desk.ask(request(good, bad))
    assert ack == {"id": "7", "event": "subscribe", "arg": good, "connId": ack["connId"]}
    assert (refusal["event"], refusal["code"], refusal["id"]) == ("error", "60018", "7")
    assert "arg" not in refusal
    assert "channel:trades,instId:NO-USDT doesn't exist." in refusal["msg"]
    assert desk.ears.held == ["books:BTC-USDT"]
    said = okx.Okx().parse(json.dumps(refusal).encode())
    assert isinstance(said, Reply)
    assert said.streams == ("trades:NO-USDT",)


async def test_candles_are_on_the_business_path_only() -> None:
    candles = {"channel": "candle1m", "instId": "BTC-USDT"}
    (refusal,) = open_desk(PUBLIC).ask(request(candles))
    assert refusal["code"] == "60018"
    (ack,) = open_desk(BUSINESS).ask(request(candles))
    assert ack["event"] == "subscribe"


async def test_an_underlying_is_not_taken() -> None:
    desk = open_desk()
    (refusal,) = desk.ask(request({"channel": "tickers", "uly": "BTC-USD"}))
    assert (refusal["code"], desk.ears.held) == ("64000", [])


async def test_what_is_no_request() -> None:
    desk = open_desk()
    assert list(desk.dialect.hear(b"ping")) == [b"pong"]
    for said, code in (
        ("{", "60012"),
        ("[]", "60012"),
        ({"op": "dance", "args": []}, "60012"),
        ({"op": "subscribe", "args": []}, "60013"),
        ({"op": "subscribe", "args": ["books"]}, "60013"),
    ):
        (refusal,) = desk.ask(said)
        assert (refusal["event"], refusal["code"]) == ("error", code)


async def test_an_hour_has_480_requests(mock_clock: MockClock) -> None:
    desk = open_desk()
    again = request({"channel": "tickers", "instId": "BTC-USDT"})
    answers = [desk.ask(again)[0] for _ in range(480)]
    assert {each["event"] for each in answers} == {"subscribe"}
    assert desk.ask(again)[0]["code"] == "60014"
    mock_clock.jump(3600.1)
    assert desk.ask(again)[0]["event"] == "subscribe"


async def test_the_arguments_of_a_connection_have_64_kb(mock_clock: MockClock) -> None:
    """What our client subscribes to on one connection is less."""
    desk = open_desk()
    most = okx.Okx().limits.streams_per_connection
    longest = "X" * (64 - len("liquidation-orders:"))

    def argument(number: int) -> dict[str, str]:
        return {"channel": "books", "instId": f"{number:03d}{longest[3:]}"}

    answers = [desk.ask(request(argument(number)))[0] for number in range(450)]
    assert {each["event"] for each in answers} == {"subscribe"}
    answers += [desk.ask(request(*map(argument, range(450, most + 400))))]
    *_, last = answers[-1]
    assert (last["event"], last["code"]) == ("error", "60013")
    assert len(desk.ears.held) > most
    size = sum(
        len(
            json.dumps(
                {"channel": "books", "instId": held.partition(":")[2]}, separators=(",", ":")
            )
        )
        for held in desk.ears.held
    )
    assert 65_000 < size <= 65_536
    dropped = {"channel": "books", "instId": desk.ears.held[0].partition(":")[2]}
    desk.ask(request(dropped, op="unsubscribe"))
    (ack,) = desk.ask(request(argument(999)))
    assert ack["event"] == "subscribe"
