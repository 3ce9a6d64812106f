"""The values that the demo of all venues shows and returns."""

from __future__ import annotations

from decimal import Decimal

import attrs
import msgspec

from connector.app.demo.report import Span


@attrs.frozen
class Row:
    """One venue at one moment."""

    name: str
    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    """The best ask; None before the first price."""
    live: bool
    """Whether a price has come since its connection broke."""
    session: int
    gaps: int
    how: str
    """The way in which it breaks."""


@attrs.frozen
class VenuesView:
    """The values that the screen shows at one moment."""

    seconds: float
    rows: tuple[Row, ...]
    tasks: int
    sockets: int
    breaks: int
    told: tuple[str, ...]
    """The last events, newest last."""


class VenueReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result for one venue."""

    name: str
    symbol: str
    how: str
    breaks: int
    sessions: int
    reconnects: dict[str, int]
    max_concurrent_connections: int
    """As the exchange counts them."""
    prices: int
    gaps: int
    bid: str
    ask: str


class VenuesReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run: the object that ``--json`` prints."""

    seconds: float
    seed: int
    breaks: int
    tasks: Span
    """Of all adapters."""
    sockets: Span
    venues: tuple[VenueReport, ...]
    violations: tuple[str, ...]

    def to_json(self) -> str:
        """As one JSON object."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode()
