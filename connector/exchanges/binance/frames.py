"""What a whole frame of a combined connection says, and the requests on it.

Data is wrapped as ``{"stream":"<name>","data":<payload>}``; replies and errors are not, they carry
an ``id``. Errors come in two forms, and sometimes without it. A shutdown is announced under a
stream name of its own, or bare. Requests are JSON-RPC.

Source: binance_spot §2, §3, §4; binance_usdm §3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from connector.exchanges.protocol import (
    AnyStream,
    Data,
    Envelope,
    Inbound,
    Part,
    Reply,
    Shutdown,
    Unknown,
)

ENVELOPE = Envelope((Part(b'{"stream":"', b'","data":'),), tail=b"}")

_SHUTDOWN = "serverShutdown"
_LONGEST_KIND = 40
"""Kinds are counted by name: what the other side can make up is cut."""

_ABSENT = msgspec.Raw()


class _Error(msgspec.Struct):
    code: int | str | None = None
    msg: str | None = None


class _Frame(msgspec.Struct):
    """Every field of every form of frame."""

    stream: str | None = None
    data: msgspec.Raw = _ABSENT
    id: int | str | None = None
    result: msgspec.Raw = _ABSENT
    error: _Error | None = None
    code: int | str | None = None
    msg: str | None = None
    e: str | None = None


_FRAME = msgspec.json.Decoder(_Frame)
_ANYTHING = msgspec.json.Decoder()


def parse(frame: bytes) -> Inbound:
    """What `frame` says, whatever the order of its keys and its white space.

    Raises:
        connector.exchanges.protocol.UNDECODABLE: it is not JSON, or a field of it is not of its
        documented
            type.
    """
    if not frame.lstrip().startswith(b"{"):
        value: Any = _ANYTHING.decode(frame)
        return Unknown(type(value).__name__)
    return _read(_FRAME.decode(frame))


def _read(frame: _Frame) -> Inbound:
    # Replies carry only numbers that we gave: an id that is a text is none of them.
    request_id = frame.id if isinstance(frame.id, int) else None
    if frame.stream is not None and frame.data is not _ABSENT:
        if frame.stream == f"!{_SHUTDOWN}":
            return Shutdown(_SHUTDOWN)
        return Data(frame.stream, bytes(frame.data))
    if frame.error is not None:
        return _refusal(request_id, frame.error.code, frame.error.msg)
    if frame.code is not None or frame.msg is not None:
        return _refusal(request_id, frame.code, frame.msg)
    if frame.result is not _ABSENT:
        return Reply(request_id)
    if frame.e == _SHUTDOWN:
        return Shutdown(_SHUTDOWN)
    return Unknown((frame.e or "object without stream, result or error")[:_LONGEST_KIND])


def _refusal(request_id: int | None, code: int | str | None, message: str | None) -> Reply:
    return Reply(request_id, code, message or "(no reason given)")


LONGEST_REQUEST_BYTES = 4096
"""Assumed, not documented: a request stays below the size that servers commonly refuse."""

STREAMS_PER_REQUEST = 50
"""Not documented either. The longest name a stream can have times this stays within
`LONGEST_REQUEST_BYTES`, so that one number bounds both; 1,024 streams are 21 requests, 5 s."""


class _Request(msgspec.Struct):
    method: Literal["SUBSCRIBE", "UNSUBSCRIBE"]
    params: list[str]
    id: int


def subscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request for `streams`, non-ASCII names as UTF-8."""
    return _write("SUBSCRIBE", request_id, streams)


def unsubscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request to end `streams`."""
    return _write("UNSUBSCRIBE", request_id, streams)


def _write(
    method: Literal["SUBSCRIBE", "UNSUBSCRIBE"], request_id: int, streams: Sequence[AnyStream]
) -> str:
    request = _Request(method=method, params=[stream.name for stream in streams], id=request_id)
    return msgspec.json.encode(request).decode()
