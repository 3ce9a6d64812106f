"""Markers: the `Gap`s that wait in a buffer, and how two of them become one.

Losses with nothing between them share one marker per reason, so that a buffer that nobody reads
stays bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

from connector.channels import AnyChannel
from connector.events import Gap


def joins(items: Iterable[object], gap: Gap) -> bool:
    """Whether `gap` was merged into a marker among the first of `items`, before any event."""
    for item in items:
        if not isinstance(item, Gap):
            return False
        if item.reason == gap.reason:
            _merge(item, gap)
            return True
    return False


def added(markers: dict[str, Gap], gap: Gap) -> bool:
    """Whether `gap` is now one of `markers`, as none had its reason; it is merged otherwise."""
    marker = markers.setdefault(gap.reason, gap)
    if marker is not gap:
        _merge(marker, gap)
    return marker is gap


def count_drop(
    markers: MutableMapping[Any, Any],
    reason: str,
    channels: tuple[AnyChannel, ...],
    lost: object,
    count: int = 1,
) -> bool:
    """Count drops in the marker of `reason`; whether it is a new one, with the stamps of `lost`."""
    marker = markers.get(reason)
    if marker is None:
        markers[reason] = Gap(
            symbol="",
            received_ns=getattr(lost, "received_ns", 0),
            session=getattr(lost, "session", 0),
            channels=channels,
            reason=reason,
            dropped=count,
        )
        return True
    marker.dropped += count
    if marker.channels is not channels:
        marker.channels = tuple(dict.fromkeys(marker.channels + channels))
    return False


def name_channels(marker: Gap, gap: Gap) -> None:
    """Let `marker` name the channels of `gap`, too."""
    if marker.channels != gap.channels:
        marker.channels = tuple(dict.fromkeys(marker.channels + gap.channels))
        marker.symbol = ""


def _merge(marker: Gap, gap: Gap) -> None:
    """Let `marker` stand for `gap`, too: there is no event between the two."""
    name_channels(marker, gap)
    if marker.dropped is not None:
        marker.dropped = None if gap.dropped is None else marker.dropped + gap.dropped
