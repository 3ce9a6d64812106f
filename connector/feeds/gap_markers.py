"""Markers: the `Gap`s that wait in a buffer, and how two of them become one.

Losses without events between them share one marker per reason, so that an unread buffer stays
bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any, get_args, get_origin

from connector.channels import AnyChannel, Channel
from connector.events import Event, Gap


def joins(items: Iterable[object], gap: Gap) -> bool:
    """Merge `gap` into a marker at the front of `items`, and return whether there was one."""
    for item in items:
        if not isinstance(item, Gap):
            return False
        if item.reason == gap.reason:
            _merge(item, gap)
            return True
    return False


def added(markers: dict[str, Gap], gap: Gap) -> bool:
    """Add `gap` to `markers` or merge it by reason, and return whether it was added."""
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
    """Count drops in the marker of `reason`; return whether it is new, with the times of `lost`.

    Args:
        markers: by reason.
        reason: the reason of the drops.
        channels: the channels to which `lost` may belong (`Sources`).
        lost: one of the dropped events, which all have one symbol.
        count: the number of dropped events.
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
    """The channels of a feed to which an event may belong, by its symbol and its kind.

    The result is cached, because dropped events are mostly alike.
    """

    def __init__(self) -> None:
        self._channels: tuple[AnyChannel, ...] = ()
        self._found: dict[tuple[type, str], tuple[AnyChannel, ...]] = {}

    def of(self, event: object, channels: tuple[AnyChannel, ...]) -> tuple[AnyChannel, ...]:
        """The `channels` to which `event` may belong; all of them if it cannot be told."""
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
    """Add `channels` and `symbol` to `marker`."""
    if marker.channels != channels:
        marker.channels = tuple(dict.fromkeys(marker.channels + channels))
    if marker.symbol != symbol:
        marker.symbol = ""


def name_channels(marker: Gap, gap: Gap) -> None:
    """Add the channels and the symbol of `gap` to `marker`."""
    _name(marker, gap.channels, gap.symbol)


def _merge(marker: Gap, gap: Gap) -> None:
    """Merge `gap` into `marker`: there is no event between the two."""
    name_channels(marker, gap)
    if marker.dropped is not None:
        marker.dropped = None if gap.dropped is None else marker.dropped + gap.dropped
