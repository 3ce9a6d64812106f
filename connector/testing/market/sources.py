"""Sources of market data for a simulated exchange: the interface, and an empty source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import attrs
import trio

from connector.testing.market.audience import Audience
from connector.testing.market.history import History
from connector.testing.market.truth import MarketTruth


class Player(Protocol):
    """A running source of one exchange."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols that REST lists and offers snapshots of."""
        ...

    async def play(self) -> None:
        """Publish to the audience until cancelled, or until the data ends."""
        ...

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """The body of the current REST depth snapshot; None if there is no such symbol."""
        ...


@runtime_checkable
class Statuses(Protocol):
    """A player that lists some of its symbols as currently not traded."""

    @property
    def statuses(self) -> Mapping[str, str]:
        """The venue's status, such as ``BREAK``, by symbol; all others are ``TRADING``."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A player that records its market, action by action."""

    def keep_truth(self, symbol: str, levels: int) -> MarketTruth:
        """Record the actions on a symbol from now on."""
        ...

    def history(self, symbol: str) -> History | None:
        """The history of a symbol, for REST requests."""
        ...


class Source(Protocol):
    """A frozen description of market data, such as `OrderFlow` or `Capture`."""

    def begin(self, audience: Audience) -> Player:
        """Start a player at the source's beginning, for one exchange."""
        ...


class _Silence:
    symbols = ()

    async def play(self) -> None:
        await trio.sleep_forever()

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        return None


@attrs.frozen
class Silent:
    """A source without data, for tests that call `publish` themselves."""

    def begin(self, audience: Audience) -> Player:
        return _Silence()
