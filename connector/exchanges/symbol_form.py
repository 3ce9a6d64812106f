"""How an exchange writes its symbols.

Exchanges write the same pair as BTCUSD, BTC-USD or BTC/USD. A symbol in the form of another
exchange is a likely mistake. It is not certain: an exchange may begin to write symbols otherwise.
"""

from __future__ import annotations

import re

import attrs

_QUOTES = ("USDT", "USDC", "USD", "EUR", "BTC")
_PAIR = re.compile(f"(.+?)[-/_]?({'|'.join(_QUOTES)})")


@attrs.frozen
class SymbolForm:
    """The form of an exchange's symbols."""

    example: str
    """A symbol, for messages."""
    pattern: str = ".+"
    """A regular expression that every symbol matches, in upper case."""
    between: str | None = None
    """The characters between the two assets of a pair; None: a symbol is more than a pair."""

    def hint(self, symbol: str, exchange: str) -> str:
        """What to write instead of `symbol`; "" if it has the right form.

        Args:
            symbol: as a person wrote it, in any case.
            exchange: the name of the exchange, for the message.
        """
        if re.fullmatch(self.pattern, symbol.upper()):
            return ""
        pair = _PAIR.fullmatch(symbol.upper())
        if pair is None or self.between is None:
            return f"{exchange} writes symbols like {self.example}"
        return f"did you mean {pair[1]}{self.between}{pair[2]}?"


ANY = SymbolForm("BTCUSDT")
"""Symbols that have no common form."""
JOINED = SymbolForm("BTCUSDT", "[^-/]+", "")
"""Pairs without a separator."""
