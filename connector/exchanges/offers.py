"""A table of the streams that a venue offers, by channel.

An `Offer` is one row: the name of the stream, the reader of its payload, and the allowed
values of each parameter of the channel. Any other channel is a `ConfigError` that lists the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar, cast

import attrs
import msgspec

from connector.channels import AnyChannel, BookDeltas, Channel, OrderBook, RawStream
from connector.errors import ConfigError
from connector.events import RawMessage
from connector.exchanges.numbers import ON_WIRE
from connector.exchanges.parameters import NumberType
from connector.exchanges.protocol import (
    BookSource,
    E,
    Fold,
    Stream,
)
from connector.exchanges.symbol_form import ANY, SymbolForm

Reader: TypeAlias = Callable[[bytes], Any]
MakeReader: TypeAlias = Callable[[Any, str], Reader]
"""From the number type of the payload (`connector.exchanges.numbers.ON_WIRE`, or float to check
nothing) and the symbol, as the venue spells it, to a reader."""
MakeBook: TypeAlias = Callable[[OrderBook, Stream[Any], NumberType], BookSource]
"""From the channel, the stream of its deltas and the number type to what the book is made of."""

Row = TypeVar("Row")
"""A row of a table, whatever an exchange keeps in it."""

_MEANINGFUL = frozenset("\"'\\ \t\n")


@attrs.frozen(kw_only=True)
class Offer:
    """One kind of stream."""

    name: str
    """The stream's name with ``{symbol}`` and the channel's parameters in braces."""
    reader: MakeReader
    parameters: Mapping[str, Mapping[Any, str]] = attrs.field(factory=dict)
    """For each parameter of the channel: the offered values, and their spelling in the name. Other
    parameters are ignored."""
    sequence: Callable[[int, Any], int] | None = None
    """As `Stream.sequence`."""
    repeats: Callable[[int, Any], bool] | None = None
    """As `Stream.repeats`."""
    fold: Callable[[NumberType], Fold] | None = None
    silence_seconds: float | None = None
    route: str = "public"
    batch: str = ""
    """As `Stream.batch`, with the same in braces as `name`."""
    reading: str = ""
    """As `Stream.reading`."""
    usual: MakeReader | None = None
    """A faster reader of common payloads. It refuses all others, which `reader` then reads. It is
    used only for unchecked floats."""


@attrs.frozen(kw_only=True)
class Catalogue:
    """All streams that one exchange offers."""

    exchange: str
    """Its name, for messages."""
    of_symbol: Mapping[type[AnyChannel], Offer]
    """Streams of one symbol."""
    of_all: Mapping[type[AnyChannel], Offer] = attrs.field(factory=dict)
    """Streams of all symbols, by the channels whose symbol may be None."""
    spell: Callable[[str], str] = str.upper
    """A symbol as the venue writes it."""
    listed_as: Callable[[str], str] = str
    """The symbol that the data of a symbol carries, if it differs."""
    symbol_form: SymbolForm = ANY
    """How the venue writes symbols."""
    book: MakeBook | None = None
    """Makes the source of a local order book; None if the exchange has none."""
    book_from: Callable[[OrderBook], AnyChannel] = lambda book: BookDeltas(
        book.symbol, book.interval_ms
    )
    """The channel that a local order book is made of."""
    json_numbers: bool = False
    """Whether what is read as a number is a JSON number, which can be nothing but finite: then
    nothing is read unchecked."""
    longest_name_bytes: int = 64
    """A longer name is refused as misspelt, so that the number of streams bounds a request's
    size."""

    def stream(self, channel: Channel[E], numbers: NumberType) -> Stream[E]:
        """The stream of `channel`, its prices and quantities as `numbers`.

        Raises:
            ConfigError: the exchange does not offer it; the message lists what it does.
        """
        if isinstance(channel, OrderBook) and self.book is not None:
            deltas: Stream[Any] = self.stream(self.book_from(channel), numbers)
            return book_stream(channel, deltas, self.book(channel, deltas, numbers))
        symbol = getattr(channel, "symbol", None)
        offer = choose(
            self.exchange,
            channel,
            self.of_symbol,
            self.of_all,
            example=self.symbol_form.example,
            books=self.book is not None,
        )
        words = {
            parameter: spell_parameter(self.exchange, channel, parameter, values)
            for parameter, values in offer.parameters.items()
        }
        spelled = "" if symbol is None else self._symbol(symbol)
        words["symbol"] = self.listed_as(spelled)
        return Stream(
            name=self.check_name(offer.name.format(**words)),
            route=offer.route,
            channel=channel,
            decode=offer.reader(ON_WIRE[numbers], spelled),
            decode_unchecked=(
                (offer.usual or offer.reader)(float, spelled)
                if numbers is float and not self.json_numbers
                else None
            ),
            many=symbol is None,
            symbol=spelled,
            silence_seconds=offer.silence_seconds,
            sequence=offer.sequence,
            repeats=offer.repeats,
            fold=offer.fold and offer.fold(numbers),
            batch=offer.batch.format(**words),
            reading=offer.reading,
            argument=spelled,
        )

    def check_name(self, name: str) -> str:
        """Return `name` if it can be the name of a stream.

        Raises:
            ConfigError: it is too long, or holds a character that a request cannot contain.
        """
        if len(name.encode()) > self.longest_name_bytes or _MEANINGFUL.intersection(name):
            raise ConfigError(
                f"{self.exchange}: {name!r} is not a stream; a name has at most "
                f"{self.longest_name_bytes} bytes, and neither quotes nor spaces"
            )
        return name

    def _symbol(self, symbol: str) -> str:
        spelled = self.spell(symbol)
        if _MEANINGFUL.intersection(spelled) or len(spelled.encode()) > self.longest_name_bytes:
            raise ConfigError(
                f"{symbol!r} is not a symbol; write it as {self.exchange} does, such as "
                f"{self.symbol_form.example!r}"
            )
        return spelled


def choose(
    exchange: str,
    channel: AnyChannel,
    of_symbol: Mapping[type[AnyChannel], Row],
    of_all: Mapping[type[AnyChannel], Row],
    *,
    example: str,
    books: bool,
) -> Row:
    """The row of `channel` in the tables of an exchange.

    Args:
        exchange: its name, for messages.
        channel: what is asked for.
        of_symbol: streams of one symbol.
        of_all: streams of all symbols, for channels whose symbol is None.
        example: a symbol, for messages.
        books: whether there are local order books.

    Raises:
        ConfigError: the exchange does not offer it; the message lists what it does.
    """
    kind = type(channel)
    offers = of_all if getattr(channel, "symbol", None) is None else of_symbol
    if kind in offers:
        return offers[kind]
    if kind in of_symbol:
        several = ", ".join(sorted(each.__name__ for each in of_all)) or "no channel"
        raise ConfigError(
            f"{exchange} offers {kind.__name__} for one symbol at a time: write "
            f'{kind.__name__}("{example}"); for all symbols at once it offers {several}'
        )
    kinds = {*of_symbol, *of_all, RawStream, *([OrderBook] if books else [])}
    offered = ", ".join(sorted(each.__name__ for each in kinds))
    raise ConfigError(f"{exchange} does not offer {channel!r}; it offers {offered}")


def spell_parameter(
    exchange: str, channel: AnyChannel, parameter: str, values: Mapping[Any, str]
) -> str:
    """How the name of a stream spells a parameter of `channel`.

    Raises:
        ConfigError: the value is not offered; the message lists those that are.
    """
    wanted = getattr(channel, parameter)
    for value, text in values.items():
        if value == wanted:
            return text
    offered = ", ".join(map(str, values))
    raise ConfigError(f"{exchange} does not offer {channel!r}: {parameter} can be {offered}")


def book_stream(channel: OrderBook, deltas: Stream[Any], source: BookSource) -> Stream[Any]:
    """Make the stream of a local book; its name is internal, because it is not on the wire."""
    shown = "all" if channel.depth is None else channel.depth
    return Stream(
        name=f"book of {deltas.name}, {shown} levels{', synced' * channel.synced_only}",
        route=deltas.route,
        channel=channel,
        decode=cast("Any", deltas.decode),  # never subscribed: the deltas are
        symbol=deltas.symbol,
        book=source,
    )


def raw(channel: RawStream, name: str, symbol: str, route: str) -> Stream[Any]:
    """The stream of a raw channel: its payload is checked to be JSON and not decoded."""
    check = msgspec.json.Decoder(msgspec.Raw).decode

    def read(payload: bytes) -> RawMessage:
        check(payload)
        return RawMessage(symbol=symbol, stream=name, data=payload)

    return Stream(name, route, channel, read)
