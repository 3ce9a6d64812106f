"""The base of all channels, which events and errors name; `connector.channels` has the channels."""

from __future__ import annotations

from typing import Any, Generic, TypeAlias, TypeVar

E_co = TypeVar("E_co", covariant=True)


class Channel(Generic[E_co]):
    """Base of all channels; `E_co` is the event that its feed yields."""


AnyChannel: TypeAlias = Channel[Any]
"""A channel of any kind."""
