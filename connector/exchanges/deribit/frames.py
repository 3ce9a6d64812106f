"""JSON-RPC: notifications have a channel, replies the id of their request.

A reply to a subscription lists what was accepted; what is refused is left out without a word. Once
heartbeats are asked for, Deribit asks in turn, and closes a connection that does not answer.

Source: deribit §2, §3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import attrs
import msgspec

from connector.exchanges.protocol import (
    AnyStream,
    Data,
    Envelope,
    Heartbeat,
    Inbound,
    Part,
    Question,
    Reply,
    Unknown,
)
from connector.exchanges.refusals import Refusals, not_an_object

ENVELOPE = Envelope(
    (
        Part(
            b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"',
            b'","data":',
        ),
    ),
    tail=b"}}",
)

HEARTBEAT_SECONDS = 15
OWN_ID = 0
"""Of requests that ask for no stream; those for streams have ids from 1 on."""
NOT_NOW = frozenset({
    "too_many_requests", "too_many_concurrent_requests", "temporarily_unavailable", "retry",
    "matching_engine_queue_full", "system_maintenance", "timed_out", "internal_server_error",
})  # fmt: skip
"""What is worth another try, by its words: sources disagree on the codes. Source: deribit §8."""
_REFUSALS = Refusals(later=NOT_NOW)


class _Params(msgspec.Struct):
    channel: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    type: str | None = None


class _Error(msgspec.Struct):
    code: int | None = None
    message: str = ""
    data: Any = None


class _Frame(msgspec.Struct):
    """All fields of all kinds of frames."""

    id: int | None = None
    method: str | None = None
    params: _Params | None = None
    result: Any = None
    error: _Error | None = None


_FRAME = msgspec.json.Decoder(_Frame)


def spell(symbol: str) -> str:
    """An instrument as Deribit writes it: in upper case, but for the ``d`` that is the decimal
    point of a strike, as in ``0d625``.
    """
    return re.sub(r"(?<=\d)D(?=\d)", "d", symbol.upper())


def parse(frame: bytes) -> Inbound:
    """Parse `frame`.

    Raises:
        connector.exchanges.protocol.UNDECODABLE: it is not JSON, or a field of it is not of its
            documented type.
    """
    if not frame.lstrip().startswith(b"{"):
        return not_an_object(frame)
    said = _FRAME.decode(frame)
    if said.method is not None and said.params is not None:
        return _notification(said.method, said.params)
    if said.error is not None:
        return _refusal(said.id, said.error)
    if isinstance(said.result, list) and said.id is not None:
        return Reply(said.id, streams=tuple(map(str, said.result)), others="refused")
    if said.id is not None and said.result is not None:
        return Heartbeat()
    return Unknown(said.method or "object without method or id")


def _notification(method: str, params: _Params) -> Inbound:
    if method == "subscription" and params.channel is not None and params.data:
        return Data(params.channel, bytes(params.data))
    if method == "heartbeat":
        return Question(PING) if params.type == "test_request" else Heartbeat()
    return Unknown(method)


def _refusal(request_id: int | None, error: _Error) -> Reply:
    reply = _REFUSALS.reply(request_id, error.code, error.message)
    if reply.refusal == "later" or not error.data:
        return reply
    # ``data`` says which parameter is wrong, and why.
    told = msgspec.json.encode(error.data).decode()
    return attrs.evolve(reply, message=f"{reply.message} {told}")


class _Request(msgspec.Struct):
    id: int
    method: str
    params: dict[str, Any]
    jsonrpc: str = "2.0"


def _write(request_id: int, method: str, params: dict[str, Any]) -> str:
    return msgspec.json.encode(_Request(request_id, method, params)).decode()


PING = _write(OWN_ID, "public/test", {})
"""What a client asks with, and the answer to a test request."""
GREETING = _write(OWN_ID, "public/set_heartbeat", {"interval": HEARTBEAT_SECONDS})


def subscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request for `streams`."""
    return _write(request_id, "public/subscribe", {"channels": [each.name for each in streams]})


def unsubscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request to end `streams`."""
    return _write(request_id, "public/unsubscribe", {"channels": [each.name for each in streams]})
