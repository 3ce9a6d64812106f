"""The requests on a stream connection: SUBSCRIBE and UNSUBSCRIBE as JSON-RPC.

Source: binance_spot §3, binance_usdm §3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from connector.exchanges.protocol import AnyStream

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
