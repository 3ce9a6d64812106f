"""Payloads of the usual form, decoded in C: as msgspec decodes them, or left to it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.exchanges import usual_json
from connector.exchanges.protocol import UNDECODABLE
from connector.exchanges.usual_json import finite_decoder, usual_decoder

needs_c = pytest.mark.skipif(usual_json.EXTENSION is None, reason="not compiled")


class Inner(msgspec.Struct):
    a: int
    b: str = "none"


class Amount(msgspec.Struct):
    free: Decimal
    fee: Decimal | None = None


class Account(msgspec.Struct):
    balances: list[Amount]
    first: Amount | None = None
    name: str = ""


class Outer(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    price: Decimal = msgspec.field(name="p")
    number: int = msgspec.field(name="i")
    either: int | str = msgspec.field(name="e")
    inner: Inner = msgspec.field(name="n")
    fee: Decimal | None = msgspec.field(name="f", default=None)
    reason: int | str | None = msgspec.field(name="er", default=None)
    maker: bool = msgspec.field(name="m", default=False)
    asset: str | None = msgspec.field(name="as", default="?")
    many: list[Inner] = msgspec.field(name="l", default_factory=list)
    later: msgspec.Raw = msgspec.field(name="r", default=msgspec.Raw(b""))


STRICT = msgspec.json.Decoder(Outer).decode
LENIENT = msgspec.json.Decoder(Outer, strict=False).decode
USUAL: dict[str, Any] = {
    "s": "ETHUSDC", "p": "2500.10", "i": 7, "e": "0", "x": [1, {"y": None}], "n": {"a": 1, "z": {}},
    "f": None, "er": "5", "m": True, "as": None, "l": [{"a": 2, "b": ""}, {"a": 3}],
    "r": {"q": [0.5]},
}  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=4),
    st.decimals(allow_nan=None).map(str),
    st.sampled_from(["", "1", "-0", "007", "1.", ".5", "1e5", "null", "NaN", " 1", "1" * 50]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
CHANGED = st.dictionaries(st.sampled_from([*USUAL, "other"]), VALUES, max_size=3)


def outcome(decode: Any, payload: bytes) -> tuple[Any, ...]:
    """What is decoded, with its types and digits, or the error."""
    try:
        found = decode(payload)
    except UNDECODABLE as error:
        return type(error), str(error)
    fields = msgspec.structs.asdict(found)
    return repr(fields | {"later": None}), bytes(found.later)


def agrees(payload: bytes) -> None:
    strict, lenient = usual_decoder(Outer), usual_decoder(Outer, strict=False)
    expected = outcome(STRICT, payload)
    if expected[0] is msgspec.ValidationError:
        expected = outcome(LENIENT, payload)
    for _ in range(2):  # the second time from memory
        assert outcome(strict, payload) == expected
        assert outcome(lenient, payload) == outcome(LENIENT, payload)


@given(CHANGED, st.randoms(use_true_random=False), st.sampled_from([None, 1]), st.booleans())
def test_it_decodes_as_msgspec_does(
    changed: dict[str, Any], order: Any, indent: int | None, is_ascii: bool
) -> None:
    fields = list((USUAL | changed).items())
    order.shuffle(fields)
    text = json.dumps(dict(fields), indent=indent, ensure_ascii=is_ascii)
    agrees(text.encode("utf-8", "surrogatepass"))


@given(st.data())
def test_a_damaged_payload_is_decoded_or_refused_as_by_msgspec(data: st.DataObject) -> None:
    payload = bytearray(json.dumps(USUAL).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(payload) - 1))
        end = data.draw(st.integers(at, min(at + 3, len(payload))))
        payload[at:end] = data.draw(
            st.binary(max_size=2)
            | st.sampled_from([b'"', b",", b"{", b"}", b"[", b"]", b":", b"0"])
        )
        if not payload:
            break
    agrees(bytes(payload))


@given(st.integers(0, 400))
@example(0)
def test_a_truncated_payload_is_refused(size: int) -> None:
    agrees(json.dumps(USUAL).encode()[:size])


@pytest.mark.parametrize(
    "payload",
    [
        b'{"s":"a","s":"b"}',
        b"[" * 100_000,
        b'{"x":' * 100_000,
        b'{"x":' + b"[" * 40 + b"]" * 40 + b"}",
        b"{}",
        b"{",
        b"\x00",
        b'{"":1}',
        b'{"s":"a\x00b"}',
    ],
)
def test_unusual_payloads_are_left_to_msgspec(payload: bytes) -> None:
    agrees(payload)


@needs_c
def test_a_value_that_repeats_is_the_same_object() -> None:
    decode = usual_decoder(Outer)
    first, second = (decode(json.dumps(USUAL).encode()) for _ in range(2))
    assert first is not second
    assert first.price is second.price
    assert first.many is not second.many
    assert [each.a for each in second.many] == [2, 3]


@pytest.mark.parametrize("word", ["NaN", "sNaN", "Infinity", "-inf", "1e999999999", "1e-99999999"])
def test_what_cannot_be_computed_with_is_no_number(word: str) -> None:
    for wrong in (
        {"balances": [{"free": word}]},
        {"balances": [{"free": "1", "fee": word}]},
        {"balances": [], "first": {"free": word}},
    ):
        for decode in (finite_decoder(Account), usual_decoder(Account, finite=True)):
            with pytest.raises(UNDECODABLE, match="is no amount"):
                decode(json.dumps(wrong).encode())
    for decode in (finite_decoder(Account), usual_decoder(Account, finite=True)):
        found = decode(json.dumps({"balances": [{"free": "0E-8"}], "name": word}).encode())
        assert found.balances[0].free == 0
