"""The server's own WebSocket: strict in reading, checked against wsproto in both directions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import wsproto
import wsproto.events as wse
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.frame_protocol import CloseReason

from connector.testing.network import server_websocket
from connector.testing.network.server_websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    FrameReader,
    Message,
    ProtocolViolation,
    frame,
)  # fmt: skip

MASK = b"\x11\x22\x33\x44"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def masked(opcode: int, payload: bytes = b"", **others: Any) -> bytes:
    return frame(opcode, payload, mask=MASK, **others)


messages = st.lists(
    st.one_of(
        st.tuples(st.just("text"), st.text(max_size=200)),
        st.tuples(st.just("bytes"), st.binary(max_size=70_000)),
        st.tuples(st.just("ping"), st.binary(max_size=125)),
        st.tuples(st.just("pong"), st.binary(max_size=125)),
    ),
    max_size=6,
)


@given(sent=messages, pieces=st.integers(1, 3), cuts=st.lists(st.integers(0, 80_000), max_size=8))
@settings(max_examples=60)
def test_what_a_client_sends_is_read_however_it_is_cut(
    sent: list[tuple[str, Any]], pieces: int, cuts: list[int]
) -> None:
    client = wsproto.connection.Connection(wsproto.ConnectionType.CLIENT)
    wire, expected = b"", []
    for kind, content in sent:
        if kind in ("ping", "pong"):
            event: wse.Event = (wse.Ping if kind == "ping" else wse.Pong)(payload=content)
            wire += client.send(event)
            expected.append(Message(PING if kind == "ping" else PONG, content))
            continue
        size = len(content) // pieces + 1
        parts = [content[at : at + size] for at in range(0, len(content), size)] or [content]
        make: Any = wse.TextMessage if kind == "text" else wse.BytesMessage
        for number, part in enumerate(parts):
            wire += client.send(make(data=part, message_finished=number == len(parts) - 1))
        whole = content.encode() if kind == "text" else content
        expected.append(Message(TEXT if kind == "text" else BINARY, whole))
    reader = FrameReader()
    edges = sorted({0, len(wire), *(cut % (len(wire) + 1) for cut in cuts)})
    read = [message for begin, end in pairwise(edges) for message in reader.feed(wire[begin:end])]
    assert read == expected


@given(text=st.text(max_size=70_000), fast=st.booleans())
@settings(max_examples=40)
def test_what_the_server_writes_is_what_a_client_reads(text: str, fast: bool) -> None:
    client = wsproto.connection.Connection(wsproto.ConnectionType.CLIENT)
    payload = text.encode()
    client.receive_data(server_websocket.text_frame(payload) if fast else frame(TEXT, payload))
    received = [event.data for event in client.events() if isinstance(event, wse.TextMessage)]
    assert "".join(received) == text


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (frame(TEXT, b"x"), 1002),
        (masked(TEXT, b"x", reserved=4), 1002),
        (masked(0x3, b"x"), 1002),
        (masked(PING, b"x", final=False), 1002),
        (masked(PING, b"x" * 126), 1002),
        (masked(TEXT, b"x", length_bytes=2), 1002),
        (masked(TEXT, b"x" * 200, length_bytes=8), 1002),
        (masked(CONTINUATION, b"x"), 1002),
        (masked(TEXT, b"x", final=False) + masked(TEXT, b"y"), 1002),
        (masked(TEXT, b"\xff"), 1007),
        (masked(BINARY, b"x" * 101), 1009),
        (masked(BINARY, b"x" * 60, final=False) + masked(CONTINUATION, b"x" * 60), 1009),
    ],
)
def test_what_a_client_must_not_send_is_a_violation(wire: bytes, code: int) -> None:
    limit = 100 if code == 1009 else 1000
    with pytest.raises(ProtocolViolation) as violation:
        list(FrameReader(max_message_bytes=limit).feed(wire))
    assert violation.value.code == code


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ({"reserved": 1}, CloseReason.PROTOCOL_ERROR),
        ({"mask": MASK}, CloseReason.PROTOCOL_ERROR),
        ({"length_bytes": 8}, CloseReason.PROTOCOL_ERROR),
    ],
)
def test_wrong_frames_are_wrong_to_a_client(made: dict[str, Any], code: CloseReason) -> None:
    client = wsproto.connection.Connection(wsproto.ConnectionType.CLIENT)
    client.receive_data(frame(TEXT, b"hello", **made))
    (event,) = client.events()
    assert isinstance(event, wse.CloseConnection)
    assert event.code == code


def test_close_frames_carry_their_code_and_reason() -> None:
    assert Message(CLOSE, b"").close_code == 1005
    assert server_websocket.close_frame(1001, "bye") == b"\x88\x05\x03\xe9bye"
    assert server_websocket.close_frame(None) == b"\x88\x00"


def upgrade(**changes: str | None) -> server_websocket.Request:
    headers: dict[str, str | None] = {
        "host": "exchange.test",
        "upgrade": "websocket",
        "connection": "keep-alive, Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": KEY,
    }
    headers.update({name.replace("_", "-"): value for name, value in changes.items()})
    kept = {name: value for name, value in headers.items() if value is not None}
    return server_websocket.Request("GET", "/ws", kept)


def test_an_upgrade_is_accepted_with_the_digest_of_its_key() -> None:
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in server_websocket.accept(
        upgrade()
    )


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("host", None),
        ("connection", "keep-alive"),
        ("sec_websocket_version", "8"),
        ("sec_websocket_key", "c2hvcnQ="),
        ("sec_websocket_key", "not base64!"),
        ("sec_websocket_key", None),
    ],
)
def test_a_wrong_upgrade_is_a_violation(header: str, value: str | None) -> None:
    with pytest.raises(ProtocolViolation):
        server_websocket.accept(upgrade(**{header: value}))
