"""Remember which trades an account has delivered, so that the next run can continue there.

For each instrument, all trades up to some id were delivered. The next run reads the later trades
again. The stream may have delivered some of them, so a bookmark lists those.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

MOST = 20_000
"""Maximum number of trades that a bookmark lists: the latest ones."""


@attrs.frozen
class Bookmark:
    """A place in the trades of an account."""

    since_ns: int
    """Exchange's time from which on trades are told, of an instrument that has none read."""
    read: Mapping[str, str]
    """By symbol, the trade up to which none is missing."""
    told: Mapping[str, tuple[str, ...]]
    """By symbol, the trades behind it that were told."""
    symbols: frozenset[str] = frozenset()
    """Instruments whose trades are to be told, these and others."""

    def __str__(self) -> str:
        symbols = sorted({*self.symbols, *self.read, *self.told})
        return f"1:{self.since_ns}:" + ",".join(map(self._of, symbols))

    def _of(self, symbol: str) -> str:
        read = self.read.get(symbol, "")
        told = (_shorten(each, read) for each in self.told.get(symbol, ()))
        return f"{symbol}={'+'.join((read, *told))}"

    @classmethod
    def parse(cls, text: str) -> Bookmark:
        """The bookmark that was written as `text`.

        Raises:
            ValueError: `text` is not a bookmark.
        """
        version, since, trades = text.split(":")
        if version != "1":
            raise ValueError(f"not a bookmark of this version: {version}")
        read: dict[str, str] = {}
        told: dict[str, tuple[str, ...]] = {}
        symbols: set[str] = set()
        for each in filter(None, trades.split(",")):
            symbol, places = each.split("=")
            symbols.add(symbol)
            last, *further = places.split("+")
            if not all(place.isdecimal() for place in (*further, last or "0")):
                raise ValueError(f"no trade ids: {places}")
            if last:
                read[symbol] = last
            if further:
                told[symbol] = tuple(str(int(last or 0) + int(place)) for place in further)
        return cls(int(since), read, told, frozenset(symbols))


def _shorten(trade_id: str, read: str) -> str:
    return str(int(trade_id) - int(read or 0))


@attrs.define(eq=False)
class ToldTrades:
    """The reported trades after the last read one, in order."""

    _by_symbol: dict[str, dict[str, None]] = attrs.field(factory=dict)

    def note(self, symbol: str, trade_id: str) -> None:
        """Record a trade as delivered."""
        told = self._by_symbol.setdefault(symbol, {})
        told[trade_id] = None
        if len(told) > MOST:
            del told[next(iter(told))]

    def complete(self, symbol: str, up_to: str) -> None:
        """None is missing up to this one."""
        told = self._by_symbol.get(symbol, {})
        self._by_symbol[symbol] = {each: None for each in told if _behind(each, up_to)}

    def behind(self, read: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """By symbol, those behind what was read."""
        found = {
            symbol: tuple(each for each in told if _behind(each, read.get(symbol, "0")))
            for symbol, told in self._by_symbol.items()
        }
        return {symbol: told for symbol, told in found.items() if told}


def _behind(trade_id: str, read: str) -> bool:
    return int(trade_id) > int(read)
