"""Replies to a client: a result or a refusal, in the form of each transport.

Source: binance_trading §6, §9; binance_spot §8.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import attrs
import msgspec

from connector.testing.exchange.trading.refusals import Refused
from connector.testing.network import server_websocket


@attrs.frozen(kw_only=True)
class Answer:
    """One answer, before it is written."""

    status: int = 200
    result: Any = None
    refused: Refused | None = None
    rate_limits: list[dict[str, Any]] | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)


class ReplyTo(Protocol):
    """The destination of the answer to one request."""

    def send(self, answer: Answer) -> None: ...

    def cut(self, answer: Answer | None, first_bytes: int) -> None:
        """Send this many bytes of the answer and break the connection."""
        ...


def error_of(refused: Refused) -> dict[str, Any]:
    """The error object; a refusal without a code is the text of a gateway."""
    error: dict[str, Any] = {"code": refused.code, "msg": refused.message}
    if refused.data is not None:
        error["data"] = refused.data
    return error


def over_websocket(request_id: object, answer: Answer) -> bytes:
    """The envelope of the WebSocket API."""
    envelope: dict[str, Any] = {"id": request_id, "status": answer.status}
    if answer.refused is None:
        envelope["result"] = answer.result
    else:
        envelope["error"] = error_of(answer.refused)
    if answer.rate_limits is not None:
        envelope["rateLimits"] = answer.rate_limits
    return msgspec.json.encode(envelope)


def over_rest(answer: Answer) -> bytes:
    """A whole HTTP response."""
    headers = {"Content-Type": "application/json", **answer.headers}
    refused = answer.refused
    if refused is None:
        body = msgspec.json.encode(answer.result)
    else:
        error = error_of(refused)
        if refused.retry_after_seconds is not None:
            # Over REST, a header gives the wait in seconds (§9).
            error.pop("data", None)
            headers["Retry-After"] = str(math.ceil(refused.retry_after_seconds))
        body = msgspec.json.encode(error)
    return server_websocket.response(answer.status, headers, body, keep_alive=True)
