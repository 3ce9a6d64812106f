"""What spot and the unified WebSocket have in common as exchanges: `V2Venue`.

Source: kraken §2, §3, §8b.
"""

# These fields override properties of the base class.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import attrs

from connector.channels import Channel, RawStream
from connector.errors import ConfigError
from connector.events import N_co
from connector.exchanges.endpoints import Endpoints, check_endpoints
from connector.exchanges.kraken import v2_frames as frames
from connector.exchanges.kraken.v2_offers import BOOK_LEVELS
from connector.exchanges.offers import Catalogue, raw
from connector.exchanges.protocol import E, Limits, Liveness, RestRequest, RestService, Stream
from connector.exchanges.venue import Venue
from connector.instruments import Instrument

LIVENESS = Liveness(ping=frames.PING, ping_seconds=5.0, silence_seconds=10.0, idle_seconds=60.0)
"""A heartbeat comes every second while there is no other data, once something is subscribed. Pings
make sure that something comes before that, too. Kraken's own advice is to reconnect after 5 s of
complete silence. Source: kraken §2."""

LIMITS = Limits(
    # Not documented.
    streams_per_connection=400,
    # Dynamic, and not documented.
    requests_per_second=5,
    streams_per_request=50,
    connections_per_window=150,
    window_seconds=600,
    # No such limit.
    lifetime_seconds=math.inf,
    # Not documented; the list of all instruments has 400 kB, a snapshot of 1,000 levels 100 kB.
    max_message_bytes=16 * 2**20,
)
"""Source: kraken §2."""


class RestInterface(Protocol):
    """A REST interface of Kraken: the module `spot_rest` or `futures_rest`."""

    def service(self, url: str) -> RestService:
        """The interface at `url`."""
        ...

    def instruments(self) -> RestRequest[tuple[Instrument, ...]]:
        """The request for all instruments."""
        ...


def check_levels(instance: object, _: attrs.Attribute[Any], levels: object) -> None:
    """Refuse `levels` that no book has.

    Raises:
        ConfigError: says which there are.
    """
    if levels not in BOOK_LEVELS or isinstance(levels, bool):
        offered = ", ".join(map(str, BOOK_LEVELS))
        kind = type(instance).__name__
        raise ConfigError(f"{kind}: book_levels is {levels!r}; it can be {offered}")


@attrs.frozen(kw_only=True)
class V2Venue(Venue[N_co]):
    """An exchange that speaks WebSocket v2."""

    catalogues: ClassVar[Mapping[int, Catalogue]]
    """By the levels of its books."""
    interface: ClassVar[RestInterface]
    allows = LIMITS
    lives_by = LIVENESS

    endpoints: Endpoints = attrs.field(validator=check_endpoints)
    """The URLs to connect to."""
    book_levels: int = attrs.field(default=100, validator=check_levels)
    """How many levels per side the exchange sends of a book."""

    def stream(self, channel: Channel[E]) -> Stream[E]:
        """The stream of `channel`.

        Raises:
            ConfigError: the exchange does not offer it; the message lists what it does.
        """
        catalogue = self.catalogues[self.book_levels]
        if not isinstance(channel, RawStream):
            return catalogue.stream(channel, self.numbers)
        name = catalogue.check_name(channel.name)
        kind, _, symbol = name.partition(":")
        batch = f"book,{self.book_levels}" if kind == "book" else frames.batch_of(name)
        return attrs.evolve(raw(channel, name, symbol, self.default_route), batch=batch)

    @property
    def rest(self) -> RestService:
        """The REST service for instruments."""
        return self.interface.service(self.endpoints.rest)

    def instruments(self) -> RestRequest[tuple[Instrument, ...]]:
        """The request for all instruments."""
        return self.interface.instruments()
