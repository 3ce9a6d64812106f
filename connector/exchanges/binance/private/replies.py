"""Frames of Binance's private connections: replies, and events in their wrappings.

Source: binance_trading §2.1, §6, §9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec

from connector.exchanges.binance.private import reading, shapes
from connector.exchanges.protocol import UNDECODABLE
from connector.exchanges.usual_json import usual_decoder
from connector.trading.reports import (
    Ignored,
)
from connector.trading.venue import Answer, Heard, LimitUse, Refusal, Shutdown, Window

_INTERVAL_SECONDS: Mapping[str, float] = MappingProxyType(
    {"SECOND": 1.0, "MINUTE": 60.0, "HOUR": 3600.0, "DAY": 86400.0}
)

_FRAME = usual_decoder(shapes.Frame, strict=False)
_KIND = reading.decoder(shapes.EventKind)
_ERROR_DATA = reading.decoder(shapes.ErrorData)
_REST_ERROR = reading.decoder(shapes.Error)
_LIMITS = reading.decoder(list[shapes.RateLimit])
_EXCHANGE_INFO = reading.decoder(shapes.ExchangeLimits)


Events: TypeAlias = Mapping[str, Callable[[bytes], list[Any]]]
"""The reader of each kind of event, by its name."""

_EVENT_BEGINS = b'{"e":"'


def read_frame(frame: bytes, events: Events) -> tuple[Heard, ...]:
    """Read a frame; `events` reads each kind of event."""
    if frame.startswith(_EVENT_BEGINS):
        # Events of futures have no wrapping, and their name comes first.
        kind = frame[len(_EVENT_BEGINS) : frame.find(b'"', len(_EVENT_BEGINS))]
        reader = events.get(kind.decode("ascii", "replace"))
        if reader is not None:
            return tuple(reader(frame))
    said = _FRAME(frame)
    wrapped = said.event if len(said.event) else said.data
    if len(wrapped):
        payload = bytes(wrapped)
        return _read_event(_KIND(payload).kind, payload, events)
    if said.kind:
        return _read_event(said.kind, frame, events)
    return (read_reply(said),)


def _read_event(kind: str, payload: bytes, events: Events) -> tuple[Heard, ...]:
    reader = events.get(kind)
    return (Ignored(kind=kind[:50]),) if reader is None else tuple(reader(payload))


def read_reply(said: shapes.Frame) -> Answer:
    """A reply to a request of the WebSocket API."""
    status = 200 if said.status is None else said.status
    refusal: Refusal | None = None
    if said.error is not None or status != 200:
        error = said.error or shapes.Error()
        refusal = Refusal(status, error.code, error.msg, retry_at_ns=_retry_at(error.data))
    return Answer(
        said.id if isinstance(said.id, int) else None,
        bytes(said.result),
        refusal,
        _order_limits(said.rate_limits),
    )


def _order_limits(limits: list[shapes.RateLimit]) -> tuple[LimitUse, ...]:
    uses: tuple[LimitUse, ...] = ()
    for each in limits:
        if each.rate_limit_type == "ORDERS" and each.interval in _INTERVAL_SECONDS:
            seconds = each.interval_num * _INTERVAL_SECONDS[each.interval]
            uses += ((Window(each.limit, seconds), each.count),)
    return uses


def read_used_limits(payload: bytes) -> tuple[LimitUse, ...]:
    """``rateLimit/order``: the account's order limits, and the used part of each."""
    return _order_limits(_LIMITS(payload))


def read_limits(payload: bytes) -> tuple[LimitUse, ...]:
    """Limits of orders, as ``exchangeInfo`` has them."""
    return _order_limits(_EXCHANGE_INFO(payload).rate_limits)


def _retry_at(data: msgspec.Raw) -> int | None:
    try:
        return reading.ns(_ERROR_DATA(bytes(data)).retry_after)
    except UNDECODABLE:
        return None


def rest_refusal(status: int, body: bytes, headers: Mapping[str, str]) -> Refusal | None:
    """The refusal in a REST response."""
    if status == 200:
        return None
    try:
        error = _REST_ERROR(body)
    except UNDECODABLE:
        error = shapes.Error(None, body[:200].decode("utf-8", "backslashreplace"))
    after = headers.get("retry-after", "")
    return Refusal(
        status, error.code, error.msg, retry_after=float(after) if after.isdecimal() else None
    )


def shutdown(_: bytes) -> list[Shutdown]:
    """The exchange will close the connection."""
    return [Shutdown()]
