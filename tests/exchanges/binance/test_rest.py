"""Instruments: one that makes no sense is left out and told, and takes no other with it."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from connector.exchanges import binance
from connector.exchanges.protocol import UNDECODABLE

GOOD: dict[str, Any] = {
    "symbol": "ETHUSDC",
    "status": "TRADING",
    "baseAsset": "ETH",
    "quoteAsset": "USDC",
    "contractType": "PERPETUAL",
    "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
    ],
}


def price(tick: object) -> dict[str, object]:
    return {"filters": [{"filterType": "PRICE_FILTER", "tickSize": tick}]}


def lot(**what: object) -> dict[str, object]:
    return {"filters": [{"filterType": "LOT_SIZE", **what}]}


BAD: dict[str, Any] = {
    "null": None,
    "a word": "ETHUSDC",
    "nothing": {},
    "symbol null": {**GOOD, "symbol": None},
    "symbol empty": {**GOOD, "symbol": ""},
    "symbol 0": {**GOOD, "symbol": 0},
    "filters null": {**GOOD, "filters": None},
    "tick empty": {**GOOD, **price("")},
    "tick negative": {**GOOD, **price("-0.01")},
    "tick a word": {**GOOD, **price("abc")},
    "tick NaN": {**GOOD, **price("NaN")},
    "tick infinite": {**GOOD, **price("Infinity")},
    "step negative": {**GOOD, **lot(stepSize="-1")},
    "least quantity negative": {**GOOD, **lot(minQty="-1")},
    "contract size 0": {**GOOD, "contractSize": "0"},
    "contract size negative": {**GOOD, "contractSize": -100},
    "contract size null": {**GOOD, "contractSize": None},
    "base null": {**GOOD, "baseAsset": None},
}


def read(symbols: list[Any]) -> tuple[Any, ...]:
    body = msgspec.json.encode({"symbols": symbols})
    return binance.UsdMFutures().instruments().decode(body)


@pytest.mark.parametrize("bad", BAD)
def test_one_that_makes_no_sense_is_left_out_with_a_warning(
    caplog: pytest.LogCaptureFixture, bad: str
) -> None:
    others = [{**GOOD, "symbol": f"S{number}"} for number in range(20)]
    with caplog.at_level(logging.WARNING, "connector"):
        known = read([*others[:10], BAD[bad], *others[10:]])

    assert [each.symbol for each in known] == [f"S{number}" for number in range(20)]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "1 of 21 instruments make no sense and are left out" in record.getMessage()


def test_many_of_them_are_one_short_line(caplog: pytest.LogCaptureFixture) -> None:
    assert len(read([GOOD, *[{**GOOD, "symbol": None, "x": "y" * 9999}] * 500])) == 1
    (record,) = caplog.records
    assert len(record.getMessage()) < 1500


@pytest.mark.parametrize("symbols", [[None], [BAD["tick negative"]] * 3])
def test_if_none_makes_sense_the_answer_does_not(symbols: list[Any]) -> None:
    with pytest.raises(UNDECODABLE, match="instruments make no sense"):
        read(symbols)


def test_a_filter_of_zero_is_off_and_an_empty_list_is_one() -> None:
    (known,) = read([{**GOOD, **price("0.00")}])
    assert known.tick_size is None
    assert read([]) == ()
