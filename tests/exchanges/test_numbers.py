"""A number that is none does not decode, in either type; every number does."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.exchanges.numbers import LATEST_MS, ON_WIRE, Milliseconds, decoder, is_plain
from connector.exchanges.protocol import UNDECODABLE

N = TypeVar("N")

NONE = (
    *("NaN", "nan", "-NaN", "NAN123", "sNaN", "Infinity", "-Infinity", "inf", "INF", "+inf"),
    *(
        "1_000",
        "1_0.5",
        " 1",
        "1 ",
        "\t1",
        "1\n",
        " 1 ",
        "١",
        "１",
        "1\u00a0",
        "",
        "1,5",
        "0x10",
        "one",
    ),
)
"""What Python takes for a number, or somebody might, and no exchange writes."""


class Pair(msgspec.Struct, Generic[N], gc=False):
    symbol: str
    price: N
    levels: list[N] = []


class Timed(msgspec.Struct, gc=False):
    at: Milliseconds


def read(numbers: type[float | Decimal], payload: Any, *, ascii_: bool = False) -> Any:
    kind: Any = Pair
    said = json.dumps(payload, ensure_ascii=ascii_, separators=(",", ":")).encode()
    return decoder(kind[ON_WIRE[numbers]])(said)


both = pytest.mark.parametrize("numbers", [float, Decimal])


@both
@pytest.mark.parametrize("ascii_", [False, True])
@pytest.mark.parametrize("text", NONE)
def test_what_is_no_number_does_not_decode(
    numbers: type[float | Decimal], text: str, ascii_: bool
) -> None:
    for payload in (
        {"symbol": "ETHUSDC", "price": text},
        {"symbol": "ETHUSDC", "price": "1", "levels": ["1", text]},
    ):
        with pytest.raises(UNDECODABLE):
            read(numbers, payload, ascii_=ascii_)


@pytest.mark.parametrize(
    "symbol", ["ETHUSDC", "BNBUSDT", "BTCUSDT_260327", "测试usdt", "a b", "\\"]
)
@given(
    number=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)
)
def test_every_number_decodes_whatever_stands_beside_it(symbol: str, number: Decimal) -> None:
    payload = {"symbol": symbol, "price": str(number), "levels": [f"{number:f}", str(number)]}

    exact, rounded = read(Decimal, payload), read(float, payload)

    assert (exact.symbol, exact.price, exact.levels) == (symbol, number, [number] * 2)
    assert rounded.price == float(number)
    assert math.isfinite(rounded.price)


@given(st.text(alphabet="0123456789+-.eE_ \tnNaAiIfFtTyYsS١", max_size=9))
def test_a_decimal_is_read_from_digits_alone(text: str) -> None:
    try:
        exact = read(Decimal, {"symbol": "ETHUSDC", "price": text}).price
    except UNDECODABLE:
        return
    assert exact.is_finite()
    assert set(text) <= set("0123456789+-.eE")


@pytest.mark.parametrize("moment", [LATEST_MS + 1, 1_785_000_000_000_000, 2**63 - 1, 2**64, -1])
def test_a_time_that_cannot_be_does_not_decode(moment: int) -> None:
    with pytest.raises(UNDECODABLE):
        decoder(Timed)(b'{"at":%d}' % moment)


@pytest.mark.parametrize("moment", [0, 1, 1_785_000_000_000, LATEST_MS])
def test_a_time_that_can_be_decodes(moment: int) -> None:
    assert decoder(Timed)(b'{"at":%d}' % moment).at == moment


PIECES = st.sampled_from(
    (
        *(b"nan", b"NaN", b"sNAN", b"inf", b"-INFINITY", b"LINK", b"n", b"N", b"a", b"f"),
        *(b"_", b" ", b"\\u0020", b'"', b"1.5", b"{", b"\t", b"\x7f", b"\xc2\xa0"),
    )
)


@given(st.lists(PIECES | st.binary(max_size=3)).map(b"".join))
def test_a_plain_payload_has_no_word_or_character_that_only_decimal_accepts(payload: bytes) -> None:
    words = any(word in payload.lower() for word in (b"nan", b"inf"))
    others = any(other in payload for other in (b"_", b" ", b"\\"))

    assert is_plain(payload) == (not words and not others and payload.isascii())
