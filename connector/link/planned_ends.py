"""Let links of several adapters with the same streams reconnect in turn, not at the same time.

An exchange announces a shutdown to both links of a pair at once, and connections that were opened
together reach their age limit together. A merged feed (`connector.merging.merge`) must not lose
both. A link therefore ends its connection as planned only while every twin has a connection that
carries data. Otherwise it waits for that, up to a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol
from weakref import WeakSet

import trio

PATIENCE_SECONDS = MappingProxyType({"age": 60.0, "shutdown": 3.0})
"""How long a planned end waits for the twins, by its reason."""


class Twin(Protocol):
    """A link, as other links see it."""

    @property
    def subscriptions(self) -> Mapping[bytes, object]:
        """The wanted subscriptions, by the stream's name."""
        ...

    @property
    def interrupted(self) -> bool:
        """Whether a wanted stream has no connection, or one that is about to end."""
        ...


_families: trio.lowlevel.RunVar[dict[str, WeakSet[Twin]]] = trio.lowlevel.RunVar("connector_twins")


class Twins:
    """The links of one exchange in this `trio.run`, over all adapters.

    Args:
        link: the link that asks.
        exchange: the exchange's name.
    """

    __slots__ = (
        "_family", "_link",
    )  # fmt: skip

    def __init__(self, link: Twin, exchange: str) -> None:
        try:
            families = _families.get()
        except LookupError:
            families = {}
            _families.set(families)
        self._link = link
        self._family = families.setdefault(exchange, WeakSet())
        self._family.add(link)

    def carry_on(self) -> bool:
        """Whether every other link that has a stream of this one carries data."""
        own = self._link.subscriptions.keys()
        return not any(
            each.interrupted and not own.isdisjoint(each.subscriptions)
            for each in self._family
            if each is not self._link
        )
