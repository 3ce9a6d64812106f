"""Frames and requests of a combined connection.

Data is wrapped as ``{"stream":"<name>","data":<payload>}``. Replies and errors are not wrapped and
carry an ``id``. Errors have two forms, and sometimes no ``id``. A shutdown is announced under a
special stream name, or without a wrapping. Requests are JSON-RPC.

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
"""Unknown kinds are counted by name. A name is cut to this length, as a server may send any."""

_ABSENT = msgspec.Raw()


class _Error(msgspec.Struct):
    code: int | str | None = None
    msg: str | None = None


class _Frame(msgspec.Struct):
    """All fields of all kinds of frames."""

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
    """Parse `frame`, with its keys in any order and any white space.

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
    # Replies carry the numbers of our requests: a textual id cannot be one of them.
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
    return Unknown(frame.e or "object without stream, result or error")


def _refusal(request_id: int | None, code: int | str | None, message: str | None) -> Reply:
    return Reply(request_id, code, message or "(no reason given)")


LONGEST_REQUEST_BYTES = 4096
"""Assumed, not documented: a request of this size is below the limit of common servers."""

STREAMS_PER_REQUEST = 50
"""Assumed, not documented. With the longest names, a request of this many streams stays within
`LONGEST_REQUEST_BYTES`, so that one number bounds both. 1,024 streams take 21 requests, or 5 s."""


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
