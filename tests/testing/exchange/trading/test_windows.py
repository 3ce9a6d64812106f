"""Timestamps are accepted within their window, and refused on both sides of it."""

from __future__ import annotations

import pytest

from connector.testing.exchange.trading.refusals import Refused
from connector.testing.exchange.trading.windows import window_of

NOW = 1_785_000_000_000


def refused(timestamp: object, *, microseconds: bool = False, **window: str) -> int | None:
    try:
        window_of(
            {"timestamp": str(timestamp), **window}, microseconds=microseconds
        ).raise_unless_open(NOW)
    except Refused as refused:
        return refused.code
    return None


@pytest.mark.parametrize(
    ("timestamp", "window", "code"),
    [
        (NOW, {}, None),
        (NOW + 999, {}, None),
        (NOW + 1000, {}, -1021),
        (NOW - 5000, {}, None),
        (NOW - 5001, {}, -1021),
        (NOW - 100, {"recvWindow": "100"}, None),
        (NOW - 101, {"recvWindow": "100"}, -1021),
        (NOW, {"recvWindow": "60000"}, None),
        (NOW, {"recvWindow": "60001"}, -1131),
        (NOW, {"recvWindow": "0"}, -1100),
        (NOW, {"recvWindow": "1.5"}, -1100),
        (NOW, {"recvWindow": "x"}, -1100),
        ("", {}, -1102),
        ("12:00", {}, -1100),
    ],
)
def test_a_window_has_two_ends(timestamp: object, window: dict[str, str], code: int | None) -> None:
    assert refused(timestamp, **window) == code


def test_the_two_ends_have_their_own_texts() -> None:
    with pytest.raises(Refused, match="1000ms ahead"):
        window_of({"timestamp": str(NOW + 1000)}, microseconds=False).raise_unless_open(NOW)
    with pytest.raises(Refused, match="outside of the recvWindow"):
        window_of({"timestamp": "1"}, microseconds=False).raise_unless_open(NOW)


def test_spot_takes_microseconds_and_thousandths() -> None:
    assert refused(NOW * 1000 - 100_500, microseconds=True, recvWindow="100.5") is None
    assert refused(NOW * 1000 - 100_501, microseconds=True, recvWindow="100.5") == -1021
    assert refused(NOW, microseconds=True, recvWindow="100.5555") == -1100
    assert refused(NOW * 1000) == -1021
