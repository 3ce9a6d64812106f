"""Frames and requests of the futures: feed and product name a stream.

A snapshot is a feed of its own, ``book_snapshot``, which belongs to ``book``. Requests have no
numbers: an acceptance repeats feed and products, a refusal names nothing.

Source: kraken_futures_v1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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

ENVELOPE = Envelope((Part(b'{"feed":"', b'"'), Part(b'"product_id":"', b'"')))
"""Names are ``feed:product``."""

HEARTBEATS = '{"event":"subscribe","feed":"heartbeat"}'
PING = '{"event":"ping"}'

_SNAPSHOT = "_snapshot"
_REFUSALS = Refusals(already_words=("already subscribed",), later_words=("limit",))
_LONGEST_KIND = 40
_ALIVE = frozenset({"info", "ping", "pong"})


class _Frame(msgspec.Struct):
    """All fields of all kinds of frames."""

    event: str | None = None
    feed: str | None = None
    product_id: str | None = None
    product_ids: list[str] | None = None
    message: str | None = None


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
    if said.event is None and said.feed is not None:
        if said.feed == "heartbeat":
            return Heartbeat()
        return Data(name_of(said.feed.removesuffix(_SNAPSHOT), said.product_id), frame)
    if said.event in _ALIVE or said.feed == "heartbeat":
        return Heartbeat()
    if said.event in ("subscribed", "unsubscribed") and said.feed is not None:
        names = [name_of(said.feed, each) for each in said.product_ids or ()]
        return Reply(None, streams=tuple(names or [said.feed]))
    if said.event in ("error", "alert"):
        return _REFUSALS.reply(None, None, said.message or "")
    return Unknown((said.event or "object without event or feed")[:_LONGEST_KIND])


def name_of(feed: str, product: str | None) -> str:
    """The name of a stream."""
    return feed if product is None else f"{feed}:{product}"


def subscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request for `streams`, which are of one feed."""
    return _write("subscribe", streams)


def unsubscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request to end `streams`, which are of one feed."""
    return _write("unsubscribe", streams)


def _write(event: str, streams: Sequence[AnyStream]) -> str:
    request: dict[str, Any] = {"event": event, "feed": streams[0].name.partition(":")[0]}
    products = [product for stream in streams if (product := stream.name.partition(":")[2])]
    if products:
        request["product_ids"] = products
    return msgspec.json.encode(request).decode()
