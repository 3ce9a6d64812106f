"""What a whole frame says, in every shape there is; slicing by the envelope agrees with it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.exchanges import binance
from connector.exchanges.envelope import find_name
from connector.exchanges.protocol import UNDECODABLE, Data, Inbound, Reply, Shutdown, Unknown

EXCHANGE = binance.UsdMFutures()
ENVELOPE = EXCHANGE.envelope
parse = EXCHANGE.parse


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        # binance_spot §2: data, any order of keys, any white space
        ('{"stream":"a@trade","data":{"p":1}}', Data("a@trade", b'{"p":1}')),
        ('{"stream":"!ticker@arr","data":[{}]}', Data("!ticker@arr", b"[{}]")),
        ('{"data":{"p":1},"stream":"a@trade"}', Data("a@trade", b'{"p":1}')),
        (' { "stream" : "a@trade" ,\n"data" : [ 1 ] } ', Data("a@trade", b"[ 1 ]")),
        ('{"stream":"a","data":{},"new":{"x":[1]}}', Data("a", b"{}")),
        ('{"stream":"测试usdt@trade","data":{}}', Data("测试usdt@trade", b"{}")),
        (r'{"stream":"\u6d4b\u8bd5usdt@trade","data":{}}', Data("测试usdt@trade", b"{}")),
        (r'{"stream":"a\/b","data":null}', Data("a/b", b"null")),
        # §3: replies
        ('{"result":null,"id":1}', Reply(1)),
        ('{"id":7,"result":null}', Reply(7)),
        ('{"result":["a@trade","b@depth"],"id":3}', Reply(3)),
        ('{"result":true,"id":2}', Reply(2)),
        ('{"result":null,"id":null}', Reply(None)),
        ('{"result":null,"id":"abc"}', Reply(None)),
        ('{"result":null,"id":-9223372036854775808}', Reply(-(2**63))),
        # §3: errors in every shape
        ('{"error":{"code":2,"msg":"Invalid request"},"id":3}', Reply(3, 2, "Invalid request")),
        ('{"code":2,"msg":"Invalid request","id":3}', Reply(3, 2, "Invalid request")),
        ('{"code":3,"msg":"Invalid JSON"}', Reply(None, 3, "Invalid JSON")),
        ('{"code":0,"msg":"Unknown property","id":null}', Reply(None, 0, "Unknown property")),
        ('{"error":{"code":-1130,"msg":"x"},"id":null}', Reply(None, -1130, "x")),
        ('{"error":{"code":2},"id":3}', Reply(3, 2, "(no reason given)")),
        ('{"error":{"msg":"no"},"id":3,"result":null}', Reply(3, None, "no")),
        # §4: the end is near
        (
            '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}',
            Shutdown("serverShutdown"),
        ),
        ('{"e":"serverShutdown","E":1770123456789}', Shutdown("serverShutdown")),
        # whatever else is well-formed
        ('{"e":"trade","E":1,"s":"BTCUSDT"}', Unknown("trade")),
        ('{"stream":"a@trade"}', Unknown("object without stream, result or error")),
        ('{"data":{}}', Unknown("object without stream, result or error")),
        ("{}", Unknown("object without stream, result or error")),
        ("[]", Unknown("list")),
        ("null", Unknown("NoneType")),
        (' "pong"', Unknown("str")),
        ("17", Unknown("int")),
        (json.dumps({"e": "x" * 1000}), Unknown("x" * 40)),
    ],
)
def test_what_a_frame_says(frame: str, said: Inbound) -> None:
    assert parse(frame.encode()) == said
    assert binance.Spot().parse(frame.encode()) == said


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"   ",
        b"{",
        b'{"stream":"a@trade","data":{"p":1}',
        b'{"stream":"a@trade","data":}',
        b'{"stream":"a@trade","data":{}}}',
        b'{"stream":5,"data":{}}',
        b'{"stream":"\xff","data":{}}',
        b'{"result":null,"id":1.5}',
        b'{"x":' + b"[" * 100_000,
        b"[" * 100_000,
        b"pong",
        b"\x00\x01",
    ],
)
def test_what_is_not_a_frame_is_an_error_of_msgspec(frame: bytes) -> None:
    with pytest.raises(UNDECODABLE):
        parse(frame)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_at_all_are_read_or_refused(frame: bytes) -> None:
    with contextlib.suppress(UNDECODABLE):
        parse(frame)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1)


@st.composite
def data_frames(draw: st.DrawFn) -> tuple[str, Any, bytes]:
    """A stream name, a payload, and a frame of them: as Binance writes it, or otherwise."""
    name, payload = draw(names), draw(json_values)
    members: list[tuple[str, Any]] = [("stream", name), ("data", payload)]
    shape = draw(st.sampled_from(["as documented", "more", "order", "spaces", "escapes"]))
    if shape == "more":
        members.insert(draw(st.integers(0, 2)), ("new", draw(json_values)))
    if shape == "order":
        members.reverse()
    text = json.dumps(
        dict(members),
        ensure_ascii=shape == "escapes",
        separators=None if shape == "spaces" else (",", ":"),
    )
    return name, payload, text.encode()


def slice_of(frame: bytes) -> tuple[bytes, bytes] | None:
    """The fast way, as a session does it; None for a frame of another shape."""
    tail = ENVELOPE.tail or b""
    name, begin = find_name(ENVELOPE.shape[0], frame)
    if begin < 0 or not frame.startswith(ENVELOPE.parts[0].before) or not frame.endswith(tail):
        return None
    return name, frame[begin : -len(tail)]


@given(data_frames())
def test_slicing_agrees_with_parsing(case: tuple[str, Any, bytes]) -> None:
    name, payload, frame = case
    message = parse(frame)
    assert isinstance(message, Data)
    assert message.stream == name
    assert json.loads(message.payload) == payload

    fast = slice_of(frame)
    if fast is None or fast[0] != name.encode():
        return
    try:
        quick = json.loads(fast[1])
    except ValueError:
        return  # a member follows the data: a decode that fails sends the frame the long way
    assert quick == payload
