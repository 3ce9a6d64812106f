"""What the simulated Deribit answers, as the notes say (deribit §2, §3, §4)."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.testing import Fault
from connector.testing.kits.deribit.dialect import DeribitDialect
from connector.testing.kits.deribit.kit import DeribitKit
from tests.testing.kits.ears import Ears, ears_of


@attrs.frozen
class Conversation:
    ears: Ears
    dialect: DeribitDialect

    def ask(self, method: str, **params: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": 42, "method": method, "params": params}
        (reply,) = self.dialect.hear(json.dumps(request).encode())
        said = json.loads(reply)
        assert (said["jsonrpc"], said["id"]) == ("2.0", 42)
        return said["result"] if "result" in said else said["error"]

    def hear(self) -> list[Any]:
        return [json.loads(each)["params"]["type"] for each in self.dialect.speak()]


@pytest.fixture
def talk() -> Any:
    def begin(**options: Any) -> Conversation:
        ears = ears_of(DeribitKit(), **options)
        return Conversation(ears, DeribitKit().converse(ears))

    return begin


async def test_the_reply_lists_what_was_accepted_and_omits_the_rest(
    autojump_clock: MockClock, talk: Any
) -> None:
    there = talk()
    good = ["book.BTC-PERPETUAL.100ms", "quote.BTC-PERPETUAL", "chart.trades.BTC-PERPETUAL.1D"]
    bad = [
        "book.NOPE-PERPETUAL.100ms", "trades.BTC-PERPETUAL.raw", "book.BTC-PERPETUAL.50ms",
        "book.BTC-PERPETUAL.none.5.100ms", "QUOTE.BTC-PERPETUAL", "user.orders.any.any.raw", "",
    ]  # fmt: skip
    said = there.ask("public/subscribe", channels=[*good, *bad])
    assert set(said) == set(good)
    assert said != good  # in another order
    assert set(there.ears.held) == set(good)
    assert there.ask("public/subscribe", channels=bad) == []
    assert there.ask("public/unsubscribe", channels=[good[0], bad[0]]) == [good[0]]
    assert there.ask("public/unsubscribe_all") == "ok"
    assert there.ears.held == []


async def test_what_is_no_request(autojump_clock: MockClock, talk: Any) -> None:
    there = talk()
    for text, code in (("{", -32700), ("[]", -32600), ('{"id":1}', -32600)):
        (reply,) = there.dialect.hear(text.encode())
        assert json.loads(reply)["error"]["code"] == code
    assert there.ask("public/dance")["code"] == -32601
    assert there.ask("private/subscribe", channels=[])["message"] == "unauthorized"
    assert there.ask("public/subscribe", channels="quote.A")["data"]["param"] == "channels"
    many = [f"quote.A{number}" for number in range(501)]
    assert there.ask("public/subscribe", channels=many)["code"] == -32602


async def test_a_question_that_is_not_answered_closes(autojump_clock: MockClock, talk: Any) -> None:
    there = talk()
    assert there.dialect.due_at == float("inf")
    assert there.ask("public/set_heartbeat", interval=9)["code"] == -32602
    assert there.ask("public/set_heartbeat", interval=10) == "ok"
    for _ in range(3):
        await trio.sleep_until(there.dialect.due_at)
        assert there.hear() == ["heartbeat", "test_request"]
        assert "version" in there.ask("public/test")
    await trio.sleep_until(there.dialect.due_at)
    assert there.hear() == ["heartbeat", "test_request"]
    await trio.sleep_until(there.dialect.due_at)
    assert there.hear() == []
    assert there.ears.closed
    assert there.dialect.due_at == float("inf")


async def test_out_of_credits_is_told_and_ends_the_session(
    autojump_clock: MockClock, talk: Any
) -> None:
    there = talk()
    for _ in range(10):
        assert there.ask("public/subscribe", channels=[]) == []
    said = there.ask("public/subscribe", channels=[])
    assert (said["code"], said["message"]) == (10028, "too_many_requests")
    assert there.dialect.due_at == trio.current_time()
    assert there.hear() == []
    assert there.ears.closed


async def test_credits_come_back(autojump_clock: MockClock, talk: Any) -> None:
    there = talk()
    for _ in range(60):
        assert there.ask("public/subscribe", channels=[]) == []
        await trio.sleep(1 / 3)
    for _ in range(30):
        assert "version" in there.ask("public/test")


async def test_a_fault_refuses_silently_or_with_its_words(
    autojump_clock: MockClock, talk: Any
) -> None:
    quiet = talk(fault=Fault("reject_subscription"))
    assert quiet.ask("public/subscribe", channels=["quote.A"]) == []
    loud = talk(fault=Fault("reject_subscription", code=7, message="not today"))
    said = loud.ask("public/subscribe", channels=["quote.A"])
    assert said == {"code": 7, "message": "not today"}
