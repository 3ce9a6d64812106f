"""Requests are answered in the shapes and with the codes of the documentation (binance_spot §3)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.testing.exchange import stream_requests
from connector.testing.venues.rules import SPOT, USDM

SUBSCRIBE = {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}


def refusal(text: str | dict[str, Any], rules: Any = SPOT) -> tuple[int, str, object]:
    text = text if isinstance(text, str) else json.dumps(text)
    with pytest.raises(stream_requests.Refused) as refused:
        stream_requests.parse(text.encode(), rules)
    return refused.value.code, refused.value.message, refused.value.request_id


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        ("not json", 3, "Invalid JSON"),
        ("[1]", 2, "expected an object"),
        ({"id": 1}, 2, "missing field `method`"),
        ({"method": "BUY", "id": 1}, 2, "unknown variant `BUY`, expected one of `SUBSCRIBE`"),
        ({"method": "SUBSCRIBE", "id": 1}, 2, "missing field `params`"),
        ({"method": "SUBSCRIBE", "params": [1], "id": 1}, 2, "must be a string"),
        ({"method": "SUBSCRIBE", "params": ["a b"], "id": 1}, 2, "invalid stream"),
        ({"method": "SET_PROPERTY", "params": ["combined"], "id": 1}, 2, "missing parameter"),
        ({"method": "SET_PROPERTY", "params": ["combined", True, 1]}, 2, "too many parameters"),
        ({"method": "GET_PROPERTY", "params": ["combined", 1], "id": 1}, 2, "too many parameters"),
        ({"method": "GET_PROPERTY", "params": [1], "id": 1}, 2, "property name must be a string"),
        ({"method": "GET_PROPERTY", "params": ["colour"], "id": 1}, 0, "Unknown property"),
        ({"method": "SET_PROPERTY", "params": ["combined", 1], "id": 1}, 1, "expected Boolean"),
    ],
)
def test_what_is_wrong_is_refused_with_its_code(request_: Any, code: int, words: str) -> None:
    got, message, _ = refusal(request_)
    assert got == code
    assert words in message


@pytest.mark.parametrize("request_id", [0, 7, 2**63 - 1, "a", "order-7_x", "x" * 36, None])
@pytest.mark.parametrize("rules", [SPOT, USDM])
def test_ids_of_both_venues_come_back(request_id: Any, rules: Any) -> None:
    command = stream_requests.parse(json.dumps({**SUBSCRIBE, "id": request_id}).encode(), rules)
    assert command.request_id == request_id
    assert json.loads(stream_requests.result(request_id)) == {"result": None, "id": request_id}


def test_negative_ids_are_for_spot_only() -> None:
    request = {**SUBSCRIBE, "id": -1}
    assert stream_requests.parse(json.dumps(request).encode(), SPOT).request_id == -1
    assert refusal(request, USDM)[0] == 2


@pytest.mark.parametrize("request_id", [1.5, True, 2**63, "x" * 37, "", "né", [], {}])
def test_other_ids_are_refused(request_id: Any) -> None:
    assert refusal({**SUBSCRIBE, "id": request_id})[0] == 2


def test_errors_are_flat_as_documented_or_nested_as_observed() -> None:
    refused = stream_requests.Refused(2, "Invalid request: invalid stream", 9)
    said = {"code": 2, "msg": "Invalid request: invalid stream"}
    assert json.loads(stream_requests.error(refused)) == {**said, "id": 9}
    assert json.loads(stream_requests.error(refused, nested=True)) == {"error": said, "id": 9}
    anonymous = stream_requests.Refused(3, "Invalid JSON: x")
    assert json.loads(stream_requests.error(anonymous)) == {"code": 3, "msg": "Invalid JSON: x"}
