"""The common base of our exchange values: their parameters, and the methods over their tables.

An exchange of ours is a frozen value over three tables: a catalogue of its streams, a language (its
module `frames`), and its routes. Its folder has everything specific to it.
"""

# These fields override properties of the base class.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, cast

import attrs

from connector.channels import Channel
from connector.errors import ConfigError
from connector.events import N_co
from connector.exchanges import parameters, protocol
from connector.exchanges.endpoints import Endpoints
from connector.exchanges.envelope import Envelope
from connector.exchanges.inbound import Inbound
from connector.exchanges.protocol import AnyStream, E, Limits, Liveness, Stream
from connector.exchanges.symbol_form import SymbolForm


class StreamTable(Protocol):
    """The streams of an exchange (`connector.exchanges.offers.Catalogue`)."""

    @property
    def exchange(self) -> str:
        """The name of the exchange."""
        ...

    @property
    def symbol_form(self) -> SymbolForm:
        """How the exchange writes symbols."""
        ...

    def stream(self, channel: Channel[E], numbers: parameters.NumberType) -> Stream[E]:
        """The stream of `channel`."""
        ...


class Language(Protocol):
    """Parses frames and writes requests: the module `frames` of an exchange."""

    @property
    def ENVELOPE(self) -> Envelope:  # noqa: N802  # a constant of the module
        """The wrapping of most frames."""
        ...

    def subscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        """The request that subscribes to `streams`."""
        ...

    def unsubscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        """The request that ends the subscription of `streams`."""
        ...

    def parse(self, frame: bytes) -> Inbound:
        """Parse a whole frame."""
        ...


@attrs.frozen(kw_only=True)
class Venue(protocol.Exchange[N_co]):
    """An exchange over its tables.

    A subclass has a field ``endpoints``, and defines the REST service.
    """

    catalogue: ClassVar[StreamTable]
    language: ClassVar[Language]
    routes: ClassVar[Mapping[str, str]]
    """The path of each connection by its name; the first is used when nothing is subscribed yet."""
    allows: ClassVar[Limits]
    lives_by: ClassVar[Liveness]

    numbers: type[N_co] = attrs.field(
        default=cast("Any", float), validator=parameters.check_numbers
    )
    """The type of prices and quantities."""
    compression: bool = attrs.field(default=False, validator=parameters.check_compression)
    """Whether to offer permessage-deflate."""

    @property
    def name(self) -> str:
        """Short name for logs, metrics and the command line, such as ``binance_usdm``."""
        return self.catalogue.exchange

    @property
    def symbol_form(self) -> SymbolForm:
        """How the exchange writes symbols."""
        return self.catalogue.symbol_form

    @property
    def limits(self) -> Limits:
        """The limits of the exchange's public streams."""
        return self.allows

    @property
    def liveness(self) -> Liveness:
        """How each side shows that it is alive."""
        return self.lives_by

    @property
    def envelope(self) -> Envelope:
        """The wrapping of most frames."""
        return self.language.ENVELOPE

    @property
    def default_route(self) -> str:
        """The route to connect when nothing is subscribed yet."""
        return next(iter(self.routes))

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Additional headers of every handshake."""
        endpoints: Endpoints = cast("Any", self).endpoints
        return endpoints.headers

    def url(self, route: str) -> str:
        """Where to connect for `route`.

        Raises:
            ConfigError: there is no such route.
        """
        if route not in self.routes:
            known = ", ".join(map(repr, self.routes))
            raise ConfigError(f"{self.name} has no route {route!r}; it has {known}")
        endpoints: Endpoints = cast("Any", self).endpoints
        return f"{endpoints.stream}{self.routes[route]}"

    def stream(self, channel: Channel[E]) -> Stream[E]:
        """The stream of `channel`.

        Raises:
            ConfigError: the exchange does not offer it; the message lists what it does.
        """
        return self.catalogue.stream(channel, self.numbers)

    def subscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        """The request that subscribes to `streams`."""
        return self.language.subscribe(request_id, streams)

    def unsubscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        """The request that ends the subscription of `streams`."""
        return self.language.unsubscribe(request_id, streams)

    def parse(self, frame: bytes) -> Inbound:
        """Parse a whole frame.

        Raises:
            connector.exchanges.protocol.UNDECODABLE: it is not JSON, or not of the documented form.
        """
        return self.language.parse(frame)
