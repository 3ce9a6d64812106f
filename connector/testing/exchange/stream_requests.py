"""Requests on a stream connection and their replies: a pure function of text and subscriptions.

Source: binance_spot §3, binance_usdm §3.
"""

from __future__ import annotations

import re
from typing import Any, Literal, TypeAlias

import attrs
import msgspec

from connector.testing.venues.rules import Rules

METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_PROPERTY = "combined"
_STREAM_NAME = re.compile(r"\S+")
_STRING_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")

ErrorCode: TypeAlias = Literal[0, 1, 2, 3]
"""0: unknown property, 1: value is not boolean, 2: invalid request, 3: invalid JSON."""


class Refused(Exception):
    """The request is answered with an error."""

    def __init__(self, code: int, message: str, request_id: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id


@attrs.frozen
class Command:
    """A valid request."""

    method: str
    params: tuple[Any, ...]
    request_id: int | str | None


def parse(text: bytes, rules: Rules) -> Command:
    """Parse a request as strictly as the venue does.

    Raises:
        Refused: the request is invalid; the error has the documented code and text.
    """
    try:
        raw = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Refused(3, f"Invalid JSON: {error}") from None
    if not isinstance(raw, dict):
        raise Refused(2, "Invalid request: expected an object")
    request_id = _checked_id(raw.get("id"), rules)
    method = raw.get("method")
    if method is None:
        raise Refused(2, "Invalid request: missing field `method`", request_id)
    if method not in METHODS:
        raise Refused(
            2,
            f"Invalid request: unknown variant `{method}`, expected one of "
            + ", ".join(f"`{known}`" for known in METHODS),
            request_id,
        )
    params = raw.get("params")
    if method == "LIST_SUBSCRIPTIONS":
        return Command(method, (), request_id)
    if not isinstance(params, list):
        raise Refused(2, "Invalid request: missing field `params`", request_id)
    _check_params(method, params, request_id)
    return Command(method, tuple(params), request_id)


def _checked_id(request_id: object, rules: Rules) -> int | str | None:
    if request_id is None:
        return None
    lowest = -(2**63) if rules.signed_ids else 0
    if isinstance(request_id, bool):
        pass
    elif isinstance(request_id, int):
        if lowest <= request_id < 2**63:
            return request_id
    elif isinstance(request_id, str) and _STRING_ID.fullmatch(request_id):
        return request_id
    kind = "a signed" if rules.signed_ids else "an unsigned"
    raise Refused(2, f"Invalid request: request ID must be {kind} integer")


def _check_params(method: str, params: list[Any], request_id: object) -> None:
    if method in ("SUBSCRIBE", "UNSUBSCRIBE"):
        if not all(isinstance(name, str) for name in params):
            raise Refused(2, "Invalid request: stream name must be a string", request_id)
        # Any name without white space is accepted; no further check is known.
        if not all(_STREAM_NAME.fullmatch(name) for name in params):
            raise Refused(2, "Invalid request: invalid stream", request_id)
        return
    wanted = 2 if method == "SET_PROPERTY" else 1
    if len(params) > wanted:
        raise Refused(2, "Invalid request: too many parameters", request_id)
    if len(params) < wanted:
        raise Refused(2, "Invalid request: missing parameter", request_id)
    if not isinstance(params[0], str):
        raise Refused(2, "Invalid request: property name must be a string", request_id)
    if params[0] != _PROPERTY:
        raise Refused(0, "Unknown property", request_id)
    if method == "SET_PROPERTY" and not isinstance(params[1], bool):
        raise Refused(1, "Invalid value type: expected Boolean", request_id)


def result(request_id: object, value: object = None) -> bytes:
    """The reply that accepts a request. Never wrapped, not even on a combined connection."""
    return msgspec.json.encode({"result": value, "id": request_id})


def error(refused: Refused, *, nested: bool = False) -> bytes:
    """The reply that refuses a request: flat as documented, or `nested` as some hosts send it."""
    said: dict[str, Any] = {"code": refused.code, "msg": refused.message}
    if nested:
        return msgspec.json.encode({"error": said, "id": refused.request_id})
    if refused.request_id is not None:
        said["id"] = refused.request_id
    return msgspec.json.encode(said)
