"""Markers: the `Gap`s that wait in a buffer, and how two of them become one.

Losses with nothing between them share one marker per reason, so that a buffer that nobody reads
stays bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any, get_args, get_origin

from connector.channels import AnyChannel, Channel
from connector.events import Event, Gap


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
    """Count drops in the marker of `reason`; whether it is a new one, with the stamps of `lost`.

    Args:
        markers: by reason.
        reason: of the drops.
        channels: those that may have brought `lost` (`Sources`).
        lost: an event of those that were dropped, all of one symbol.
        count: how many were.
    """
    marker = markers.get(reason)
    symbol = getattr(lost, "symbol", "")
    if marker is None:
        markers[reason] = Gap(
            symbol=symbol,
            received_ns=getattr(lost, "received_ns", 0),
            session=getattr(lost, "session", 0),
            channels=channels,
            reason=reason,
            dropped=count,
        )
        return True
    marker.dropped += count
    if marker.channels is not channels:
        _name(marker, channels, symbol)
    return False


class Sources:
    """Which channels of a feed an event may have come from: by its symbol and its kind.

    Looked up when something is dropped, and remembered, as what is dropped is much alike.
    """

    def __init__(self) -> None:
        self._channels: tuple[AnyChannel, ...] = ()
        self._found: dict[tuple[type, str], tuple[AnyChannel, ...]] = {}

    def of(self, event: object, channels: tuple[AnyChannel, ...]) -> tuple[AnyChannel, ...]:
        """Those of `channels` that `event` may be of; all of them when it is not to be seen."""
        if channels is not self._channels:
            self._channels, self._found = channels, {}
        key = type(event), getattr(event, "symbol", "")
        found = self._found.get(key)
        if found is None:
            likely = tuple(each for each in channels if _may_bring(each, event))
            found = self._found[key] = likely or channels
        return found


def _may_bring(channel: AnyChannel, event: object) -> bool:
    symbol = getattr(channel, "symbol", None)
    if symbol is not None and symbol.upper() != getattr(event, "symbol", "").upper():
        return False
    kind = _kind_of(type(channel))
    return kind is None or not isinstance(event, Event) or isinstance(event, kind)


def _kind_of(channel: type[AnyChannel]) -> type | None:
    """The events that a kind of channel yields, by its type parameter."""
    for base in getattr(channel, "__orig_bases__", ()):
        if get_origin(base) is Channel:
            kind = get_args(base)[0]
            kind = get_origin(kind) or kind
            return kind if isinstance(kind, type) else None
    return None


def _name(marker: Gap, channels: tuple[AnyChannel, ...], symbol: str) -> None:
    """Let `marker` name `channels` and `symbol`, too."""
    if marker.channels != channels:
        marker.channels = tuple(dict.fromkeys(marker.channels + channels))
    if marker.symbol != symbol:
        marker.symbol = ""


def name_channels(marker: Gap, gap: Gap) -> None:
    """Let `marker` name the channels and the symbol of `gap`, too."""
    _name(marker, gap.channels, gap.symbol)


def _merge(marker: Gap, gap: Gap) -> None:
    """Let `marker` stand for `gap`, too: there is no event between the two."""
    name_channels(marker, gap)
    if marker.dropped is not None:
        marker.dropped = None if gap.dropped is None else marker.dropped + gap.dropped
