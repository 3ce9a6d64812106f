"""Decode payloads of streams to events: one reader per shape of payload.

A reader is msgspec's decoder, or a closure around it. For any bytes, it returns events or raises
one of `connector.exchanges.protocol.UNDECODABLE`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from connector.events import Event, RawMessage
from connector.exchanges.numbers import decoder
from connector.exchanges.protocol import UNDECODABLE, PartlyUndecodable

Reader: TypeAlias = Callable[[bytes], Any]
MakeReader: TypeAlias = Callable[[Any, str], Reader]
"""From the struct (its number type filled in) and the symbol in upper case to a reader."""

_COIN_MARGINED = re.compile(r"(?<!BTCB)(?<!ETHB)USD_(PERP|\d{6})$")
"""A COIN-M symbol: quoted in USD, as BTCUSD_PERP or BNBUSD_240927. BTCBUSD_210129 is a USD-M one
quoted in BUSD. Used only for frames without ``st``, which date from before 2026-06-30."""
_MOST_ELEMENTS = 16_384
"""Most elements of one frame. All markets together have 4,000 symbols. A frame of 4 MiB could have
hundreds of thousands, and reading it would block the loop for seconds."""
_NO_RATE = re.compile(rb'"r"\s*:\s*""')


def is_coin_margined(symbol: str) -> bool:
    """Whether a symbol has the form of one of COIN-M."""
    return "_" in symbol and _COIN_MARGINED.search(symbol) is not None


class _Inner(msgspec.Struct, frozen=True, gc=False):
    s: str = ""
    st: int = 0


class _Market(msgspec.Struct, frozen=True, gc=False):
    """Which market an element of an all-market stream belongs to. Source: binance_usdm §4."""

    s: str = ""
    st: int = 0
    o: _Inner | str = ""
    """The order of a liquidation, which has symbol and market; the opening price of a ticker."""

    @property
    def symbol(self) -> str:
        return self.o.s if isinstance(self.o, _Inner) else self.s

    def is_coin_margined(self) -> bool:
        inner = self.o if isinstance(self.o, _Inner) else self
        market = self.st or inner.st
        if market:
            return market == 2
        return is_coin_margined(inner.s)


def plain(kind: Any, symbol: str) -> Reader:
    """A reader of payloads that are the event: msgspec's decoder alone."""
    return decoder(kind)


def anonymous(kind: Any, symbol: str) -> Reader:
    """A reader of payloads that are the event without its symbol."""
    decode = decoder(kind)

    def read(payload: bytes) -> Event:
        event: Event = decode(payload)
        event.symbol = symbol
        return event

    return read


def funded(kind: Any, symbol: str) -> Reader:
    """A reader of payloads that are the event; an empty string stands for no funding rate.

    An expiring contract has no funding rate. Binance documents the empty string for COIN-M. It is
    assumed for the USD-M contracts (BTCUSDT_260327) in ``!markPrice@arr``.
    """
    decode = decoder(kind)

    def read(payload: bytes) -> Event:
        event: Event = decode(_NO_RATE.sub(rb'"r":null', payload))
        return event

    return read


def nested(kind: Any, symbol: str) -> Reader:
    """A reader of payloads with the fields in a nested object, which `event()` flattens."""
    decode = decoder(kind)

    def read(payload: bytes) -> Event:
        event: Event = decode(payload).event()
        return event

    return read


def all_of(one: MakeReader, *, coin_margined: bool = False) -> MakeReader:
    """A reader of all-market payloads, whose elements `one` reads: a list, or one object bare.

    Since 2026-06-30 those of USD-M and COIN-M carry the symbols of both markets. The symbols of
    the other market are left out before they are decoded: their numbers mean something else and
    need not even have our form. Source: binance_usdm §4, binance_coinm §3.

    Args:
        one: reads an element.
        coin_margined: whether the elements of COIN-M are wanted, and not those of USD-M.

    If an element does not decode, only that element is lost: `PartlyUndecodable` has the others.
    """

    def make(kind: Any, symbol: str) -> Reader:
        split = msgspec.json.Decoder(list[msgspec.Raw] | _Market, strict=False).decode
        market_of = msgspec.json.Decoder(_Market, strict=False).decode
        read_one = one(kind, symbol)

        def read(payload: bytes) -> list[Event]:
            parts = split(payload)
            if isinstance(parts, _Market):
                is_ours = parts.is_coin_margined() == coin_margined
                return [read_one(payload)] if is_ours else []
            if len(parts) > _MOST_ELEMENTS:
                raise msgspec.ValidationError(f"a list of {len(parts)} elements")
            try:
                return [
                    read_one(bytes(part))
                    for part in parts
                    if market_of(part).is_coin_margined() == coin_margined
                ]
            except UNDECODABLE:
                return _read_each(parts, market_of, read_one, coin_margined=coin_margined)

        return read

    return make


def _read_each(
    parts: list[msgspec.Raw],
    market_of: Callable[[msgspec.Raw], _Market],
    read_one: Reader,
    *,
    coin_margined: bool,
) -> list[Event]:
    """Read a list of which at least one element does not decode.

    Raises:
        PartlyUndecodable: with all those that do.
    """
    events: list[Event] = []
    lost: list[bytes] = []
    symbol, reason = "", ""
    for part in parts:
        market = _Market()
        try:
            market = market_of(part)
            if market.is_coin_margined() == coin_margined:
                events.append(read_one(bytes(part)))
        except UNDECODABLE as error:
            if not lost:
                symbol, reason = market.symbol, str(error)
            lost.append(bytes(part))
    raise PartlyUndecodable(reason, events, lost=len(lost), raw=lost[0], symbol=symbol)


def raw(name: str, symbol: str) -> Reader:
    """A reader that returns the payload unchanged, if it is JSON."""
    check = msgspec.json.Decoder(msgspec.Raw).decode

    def read(payload: bytes) -> RawMessage:
        check(payload)
        return RawMessage(symbol=symbol, stream=name, data=payload)

    return read
