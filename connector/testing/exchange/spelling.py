"""How venues spell symbols: a simulated exchange lists only those that it could have.

A market can be told to play any symbol, such as the ``ETHUSDC`` of an `OrderFlow` without
arguments. Streams of such a symbol work everywhere, but lists of instruments take a symbol apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

_SPELLINGS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "binance_coinm": re.compile(r"[^_]+_(PERP|\d{6})"),
        "kraken": re.compile(r"[^/]+/[^/]+"),
        "kraken_futures": re.compile(r"[A-Z]{2}_[^_]{4,}(_\d{6})?"),
        "kraken_unified": re.compile(r"[A-Z]{2}_[^_]{4,}(_\d{6})?"),
        "okx": re.compile(r"[^-]+-[^-]+(-[^-]+)*"),
    }
)
"""The venues whose symbols have parts."""


def spelled(venue: str, symbols: Iterable[str]) -> tuple[str, ...]:
    """Return those of `symbols` that are spelled as `venue` does."""
    spelling = _SPELLINGS.get(venue)
    return tuple(each for each in symbols if spelling is None or spelling.fullmatch(each))
