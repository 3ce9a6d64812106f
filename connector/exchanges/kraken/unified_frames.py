"""Frames and requests of the unified WebSocket: those of v2, for derivatives.

Each request names the class of the assets. A frame may name it as well, in any place: what is not
needed is skipped.

Source: kraken §8b.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.exchanges.kraken.v2_frames import ENVELOPE, PING, parse, write
from connector.exchanges.protocol import AnyStream

ASSET_CLASS = "derivatives"
"""Spot is announced for the first quarter of 2027."""


def subscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request for `streams`, which are of one batch."""
    return write("subscribe", request_id, streams, ASSET_CLASS)


def unsubscribe(request_id: int, streams: Sequence[AnyStream]) -> str:
    """The request to end `streams`, which are of one batch."""
    return write("unsubscribe", request_id, streams, ASSET_CLASS)


__all__ = ["ASSET_CLASS", "ENVELOPE", "PING", "parse", "subscribe", "unsubscribe"]
