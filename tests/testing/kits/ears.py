"""A connection that remembers, for tests of dialects."""

from __future__ import annotations

import attrs

from connector.testing import Fault
from connector.testing.kits.kit import Kit
from connector.testing.venues.rules import Venue


@attrs.define
class Ears:
    """What a dialect sees of its connection.

    Args:
        venue: which streams each route carries.
        route: the path that the client connected to; by default the first of the venue.
        symbols: what is traded; by default all whose symbols have no NO in them.
        fault: refuses every stream.
    """

    venue: Venue
    route: str = attrs.field()
    symbols: tuple[str, ...] | None = None
    fault: Fault | None = None
    number: int = 1
    held: list[str] = attrs.Factory(list)
    started: int = 0
    closed: list[int] = attrs.Factory(list)

    @route.default
    def _first(self) -> str:
        return self.venue.rules.routes[0]

    @property
    def subscriptions(self) -> tuple[str, ...]:
        return tuple(self.held)

    def knows(self, stream: str, symbol: str) -> bool:
        traded = "NO" not in symbol if self.symbols is None else symbol in self.symbols
        return self.venue.serves(self.route, stream) and traded

    def refusal(self, stream: str) -> Fault | None:
        return self.fault

    def subscribe(self, stream: str) -> None:
        self.held.append(stream)

    def unsubscribe(self, stream: str) -> None:
        if stream in self.held:
            self.held.remove(stream)

    def start(self) -> None:
        self.started += 1

    def close(self, code: int, reason: str = "", *, drop: bool = False) -> None:
        self.closed.append(code)


def ears_of(
    kit: Kit,
    *,
    route: str | None = None,
    symbols: tuple[str, ...] | None = None,
    fault: Fault | None = None,
) -> Ears:
    """A connection to a venue, on the first of its routes or another."""
    venue = Venue(kit.rules, routes_are_paths=True)
    return Ears(venue, route or venue.rules.routes[0], symbols, fault)
