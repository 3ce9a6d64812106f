"""Frames and requests of a public connection.

Data has a ``topic``, replies have an ``op``. The order of the keys varies, so the topic is
searched. One bad or duplicate topic refuses a whole request, and only the first is named; nothing
of the request was subscribed then.

Source: bybit §2, §3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from connector.exchanges.protocol import (
    AnyStream,
    Data,
    Envelope,
    Heartbeat,
    Inbound,
    Part,
    Reply,
    Unknown,
)
from connector.exchanges.refusals import Refusals, not_an_object

ENVELOPE = Envelope((Part(b'"topic":"', b'"'),), anchored=False)

PING = '{"req_id":"ping","op":"ping"}'
LONGEST_TOPIC_BYTES = 50
"""The longest real ones have 45. It bounds how many the arguments of a connection can be."""

_NAMED = re.compile(r"(?:topic:\s*)(\S+)$", re.IGNORECASE)
_REFUSALS = Refusals(already_words=("already subscribed",))


class _Frame(msgspec.Struct):
    """All fields of all kinds of frames."""

    topic: str | None = None
    op: str | None = None
    success: bool | None = None
    ret_msg: str = ""
    req_id: str = ""


_FRAME = msgspec.json.Decoder(_Frame)


def parse(frame: bytes) -> Inbound:
    """Parse `frame`.

    Raises:
        connector.exchanges.protocol.UNDECODABLE: it is not JSON, or a field of it is not of its
            documented type.
    """
    if not frame.lstrip().startswith(b"{"):
        return not_an_object(frame)
    said = _FRAME.decode(frame)
    if said.topic is not None:
        return Data(said.topic, frame)
    if said.op == "pong" or said.ret_msg == "pong":
        return Heartbeat()
    if said.success is None:
        return Unknown(said.op or "object without topic or success")
    return _reply(said)


def _reply(said: _Frame) -> Reply:
    request_id = int(said.req_id) if said.req_id.isdecimal() else None
    if said.success:
        return Reply(request_id)
    named = _NAMED.search(said.ret_msg)
    streams = None if named is None else (named[1],)
    return _REFUSALS.reply(request_id, None, said.ret_msg, streams, others="again")


class _Request(msgspec.Struct):
    req_id: str
    op: str
    args: list[str]


def subscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request for `streams`."""
    return _write("subscribe", request_id, streams)


def unsubscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request to end `streams`."""
    return _write("unsubscribe", request_id, streams)


def _write(op: str, request_id: int, streams: Sequence[AnyStream]) -> str:
    topics = [stream.name for stream in streams]
    return msgspec.json.encode(_Request(req_id=str(request_id), op=op, args=topics)).decode()
