"""Names of streams, and checks for names that cannot be one.

Source: binance_spot §2, binance_usdm §9.
"""

from __future__ import annotations

import re

from connector.errors import ConfigError

LONGEST_NAME_BYTES = 77
"""At this length, `connector.exchanges.binance.frames.STREAMS_PER_REQUEST` names fit a request."""

_MEANINGFUL_IN_SYMBOL = frozenset('@!/?&=#%+,:"\\')
_MEANINGFUL_IN_NAME = frozenset('/?&#%"\\')
_LISTEN_KEY = re.compile(r"[A-Za-z0-9]{40,}")


def wire_symbol(symbol: str) -> str:
    """Spell `symbol` as in stream names: lower case, letters of any script.

    Raises:
        ConfigError: it holds a character that would change which stream the name denotes.
    """
    _refuse("symbol", symbol, _MEANINGFUL_IN_SYMBOL, "ETHUSDC")
    return symbol.lower()


def wire_name(name: str) -> str:
    """The name of a raw stream, its symbol in lower case: ``ETHUSDC@depth5`` is accepted.

    Raises:
        ConfigError: it cannot be a stream of market data.
    """
    if _LISTEN_KEY.fullmatch(name):
        # Not repeated: it is a secret.
        raise ConfigError(
            "RawStream: the name looks like a listen key; user data is not offered by this version"
        )
    _refuse("stream name", name, _MEANINGFUL_IN_NAME, "ethusdc@depth5@100ms")
    symbol, at, rest = name.partition("@")
    # "!markPrice@arr" is for all symbols and "tradingSession" for none: neither begins with one.
    name = name if symbol.startswith("!") or not at else symbol.lower() + at + rest
    return check_length(name)


def symbol_in(name: str) -> str:
    """The symbol of a stream, in upper case; empty for a stream of all symbols, or of none."""
    symbol, at, _ = name.partition("@")
    return symbol.upper() if at and not symbol.startswith("!") else ""


def check_length(name: str) -> str:
    """Return `name` if it fits into a request.

    Raises:
        ConfigError: it is longer than the name of any stream.
    """
    length = len(name.encode())
    if length > LONGEST_NAME_BYTES:
        raise ConfigError(
            f"the stream name {name!r} has {length} bytes; no stream's has more than "
            f"{LONGEST_NAME_BYTES}, so the symbol or name is misspelt"
        )
    return name


def _refuse(what: str, text: str, characters: frozenset[str], example: str) -> None:
    found = sorted(characters.intersection(text))
    if found:
        raise ConfigError(
            f"{text!r} is not a {what}: it holds {', '.join(map(repr, found))}; write it as the "
            f"exchange does, such as {example!r}"
        )
