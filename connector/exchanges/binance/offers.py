"""A table of the streams that an exchange offers, by channel.

An `Offer` is one row: the name of the stream, the struct of its payload, and the allowed values of
each parameter of the channel. Any other channel is a `ConfigError` that lists the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from connector.channels import AnyChannel, BookDeltas, Channel, OrderBook, RawStream
from connector.exchanges.binance import decode, names
from connector.exchanges.binance.rest import BookOffer
from connector.exchanges.numbers import ON_WIRE
from connector.exchanges.offers import book_stream, choose, spell_parameter
from connector.exchanges.parameters import NumberType
from connector.exchanges.protocol import E, Stream
from connector.exchanges.symbol_form import JOINED, SymbolForm


@attrs.frozen
class Offer:
    """One kind of stream."""

    name: str
    """The stream's name with ``{symbol}`` and the channel's parameters in braces."""
    kind: Any
    """The struct of `connector.exchanges.binance.wire`, generic in the number type."""
    make_reader: decode.MakeReader = decode.plain
    parameters: Mapping[str, Mapping[Any, str]] = attrs.field(factory=dict)
    """For each parameter of the channel: the offered values, and their spelling in the name."""
    sequence: Callable[[int, Any], int] | None = None
    blank_id: Callable[[Any], int] | None = None
    """As `Stream.blank_id`."""
    glance: Any = None
    """The struct with what `sequence` looks at, where reading `kind` costs several times as
    much."""
    silence_seconds: float | Mapping[int, float] | None = None
    """As `Stream.silence_seconds`; a mapping has one per `interval_ms`."""

    def silence_of(self, channel: AnyChannel) -> float | None:
        """How long `channel` may be without data before this counts as a fault."""
        if isinstance(self.silence_seconds, Mapping):
            return self.silence_seconds[getattr(channel, "interval_ms")]  # noqa: B009
        return self.silence_seconds


@attrs.frozen
class Catalogue:
    """All streams that one exchange offers."""

    exchange: str
    """Its name, for messages."""
    of_symbol: Mapping[type[AnyChannel], Offer]
    """Streams of one symbol."""
    of_all: Mapping[type[AnyChannel], Offer]
    """Streams of all symbols, by the channels whose symbol may be None."""
    route: Callable[[str], str]
    """The route of a stream by its name."""
    books: BookOffer
    """How local order books are kept."""
    symbol_form: SymbolForm = JOINED
    """How the exchange writes symbols."""

    def stream(self, channel: Channel[E], numbers: NumberType) -> Stream[E]:
        """The stream of `channel`, its prices and quantities as `numbers`.

        Raises:
            ConfigError: the exchange does not offer it; the message lists what it does.
        """
        if isinstance(channel, RawStream):
            return self._raw(channel)
        if isinstance(channel, OrderBook):
            deltas = self.stream(BookDeltas(channel.symbol, channel.interval_ms), numbers)
            return book_stream(channel, deltas, self.books.source(channel, deltas, numbers))
        symbol = getattr(channel, "symbol", None)
        offer = choose(
            self.exchange,
            channel,
            self.of_symbol,
            self.of_all,
            example=self.symbol_form.example,
            books=True,
        )
        spelling = {
            parameter: spell_parameter(self.exchange, channel, parameter, values)
            for parameter, values in offer.parameters.items()
        }
        wire_symbol = "" if symbol is None else names.wire_symbol(symbol)
        name = names.check_length(offer.name.format(symbol=wire_symbol, **spelling))
        unchecked = numbers is float and symbol is not None
        return Stream(
            name=name,
            route=self.route(name),
            channel=channel,
            decode=offer.make_reader(offer.kind[ON_WIRE[numbers]], wire_symbol.upper()),
            decode_unchecked=(
                offer.make_reader(offer.kind[float], wire_symbol.upper()) if unchecked else None
            ),
            many=symbol is None,
            symbol=wire_symbol.upper(),
            silence_seconds=offer.silence_of(channel),
            sequence=offer.sequence,
            blank_id=offer.blank_id,
            glance=offer.glance and offer.make_reader(offer.glance, wire_symbol.upper()),
        )

    def _raw(self, channel: RawStream) -> Stream[Any]:
        name = names.wire_name(channel.name)
        return Stream(
            name=name,
            route=self.route(name),
            channel=channel,
            decode=decode.raw(name, names.symbol_in(name)),
            symbol=names.symbol_in(name),
        )


def table(rows: Mapping[type[AnyChannel], Offer]) -> Mapping[type[AnyChannel], Offer]:
    """A read-only table."""
    return MappingProxyType(rows)
