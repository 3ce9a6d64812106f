"""Where a simulated exchange takes its data from: the interface, and the source of nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import attrs
import trio

from connector.testing.market.audience import Audience
from connector.testing.market.history import History
from connector.testing.market.truth import MarketTruth


class Player(Protocol):
    """A source at work for one exchange."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols that REST lists and has snapshots of."""
        ...

    async def play(self) -> None:
        """Publishes to the audience until it is cancelled, or until there is no more."""
        ...

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """The body of a REST depth snapshot as of now; None: there is no such symbol."""
        ...


@runtime_checkable
class Statuses(Protocol):
    """A player that lists some of its symbols as not traded now."""

    @property
    def statuses(self) -> Mapping[str, str]:
        """The venue's word, such as ``BREAK``, by symbol; all others are ``TRADING``."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A player whose market can be looked at afterwards, action by action."""

    def keep_truth(self, symbol: str, levels: int) -> MarketTruth:
        """Keeps what happens to a symbol from now on."""
        ...

    def history(self, symbol: str) -> History | None:
        """What the market of a symbol remembers, to be asked for over REST."""
        ...


class Source(Protocol):
    """A frozen description of market data, such as `OrderFlow` or `Capture`."""

    def begin(self, audience: Audience) -> Player:
        """Begins at the source's beginning, for one exchange."""
        ...


class _Silence:
    symbols = ()

    async def play(self) -> None:
        await trio.sleep_forever()

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        return None


@attrs.frozen
class Silent:
    """No data by itself: for tests that publish what they need with `publish`."""

    def begin(self, audience: Audience) -> Player:
        return _Silence()
