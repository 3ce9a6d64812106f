"""Frames and requests: data and acknowledgements have an ``arg``, refusals name it in their text.

Source: okx §2, §3, §4.
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
    Shutdown,
    Unknown,
)
from connector.exchanges.refusals import Refusals, not_an_object

ENVELOPE = Envelope((Part(b'{"arg":{"channel":"', b'"'), Part(b'"instId":"', b'"')))
"""Names are ``channel:instId``."""

PING, PONG = "ping", b"pong"
_NAMED = re.compile(r"channel:([\w-]+),\s*(?:instId|instType):([\w-]+)")
_UPGRADE = "64008"
_REFUSALS = Refusals(later=frozenset({"60014", "50011", "64007"}))
"""Too fast, or trouble inside: ask again later. Source: okx §3."""
_ABSENT = msgspec.Raw()


class _Arg(msgspec.Struct, rename="camel"):
    channel: str = ""
    inst_id: str | None = None
    inst_type: str | None = None

    @property
    def name(self) -> str:
        return f"{self.channel}:{self.inst_id or self.inst_type or ''}"


class _Frame(msgspec.Struct):
    """All fields of all kinds of frames."""

    arg: _Arg | None = None
    data: msgspec.Raw = _ABSENT
    event: str | None = None
    id: str = ""
    code: str | None = None
    msg: str = ""


_FRAME = msgspec.json.Decoder(_Frame)


def parse(frame: bytes) -> Inbound:
    """Parse `frame`.

    Raises:
        connector.exchanges.protocol.UNDECODABLE: it is not JSON, or a field of it is not of its
            documented type.
    """
    if frame == PONG:
        return Heartbeat()
    if not frame.lstrip().startswith(b"{"):
        return not_an_object(frame)
    said = _FRAME.decode(frame)
    if said.arg is not None and said.data is not _ABSENT:
        return Data(said.arg.name, frame)
    request_id = int(said.id) if said.id.isdecimal() else None
    if said.event in ("subscribe", "unsubscribe") and said.arg is not None:
        return Reply(request_id, streams=(said.arg.name,))
    if said.event == "error":
        return _refusal(request_id, said)
    if said.event == "notice" and said.code == _UPGRADE:
        return Shutdown(said.msg or "service upgrade")
    return Unknown(said.event or "object without arg or event")


def _refusal(request_id: int | None, said: _Frame) -> Reply:
    named = _NAMED.search(said.msg)
    # The other streams of the request have acknowledgements of their own.
    streams = None if named is None else (f"{named[1]}:{named[2]}",)
    return _REFUSALS.reply(request_id, said.code, said.msg, streams)


class _Request(msgspec.Struct):
    id: str
    op: str
    args: list[dict[str, str]]


def subscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request for `streams`."""
    return _write("subscribe", request_id, streams)


def unsubscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request to end `streams`."""
    return _write("unsubscribe", request_id, streams)


def _write(op: str, request_id: int, streams: Sequence[AnyStream]) -> str:
    args = []
    for stream in streams:
        channel, _, rest = stream.name.partition(":")
        key = "instType" if channel == "liquidation-orders" else "instId"
        args.append({"channel": channel, key: rest})
    return msgspec.json.encode(_Request(id=str(request_id), op=op, args=args)).decode()
