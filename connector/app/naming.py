"""The names of exchanges and channels on the command line and in configuration files.

An exchange has its own `name`, such as ``binance_usdm``. A channel is its class in snake case, with
arguments: ``trades:ETHUSDC``, ``partial_book:ETHUSDC,levels=5,interval_ms=100``, ``liquidations``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from connector import channels
from connector.channels import AnyChannel, Channel
from connector.errors import ConfigError
from connector.exchanges import binance, bitget, bybit, coinbase, deribit, hyperliquid, kraken, okx
from connector.exchanges.protocol import Exchange

if TYPE_CHECKING:
    from connector.testing.venues.rules import SimulatedName

EXCHANGES: Mapping[str, type[Any]] = MappingProxyType(
    {
        "binance_spot": binance.Spot,
        "binance_usdm": binance.UsdMFutures,
        "binance_coinm": binance.CoinMFutures,
        "bybit_spot": bybit.Spot,
        "bybit_linear": bybit.Linear,
        "bybit_inverse": bybit.Inverse,
        "okx": okx.Okx,
        "kraken": kraken.Spot,
        "kraken_futures": kraken.Futures,
        "kraken_unified": kraken.Unified,
        "deribit": deribit.Deribit,
        "bitget_spot": bitget.Spot,
        "bitget_futures": bitget.Futures,
        "coinbase": coinbase.AdvancedTrade,
        "hyperliquid": hyperliquid.Hyperliquid,
    }
)
"""Exchange classes by the names of their exchanges."""

SIMULATED: Mapping[str, SimulatedName] = MappingProxyType(
    {
        "binance_spot": "binance_spot",
        "binance_usdm": "binance_usdm",
        "binance_coinm": "binance_coinm",
        "bybit_spot": "bybit_spot",
        "bybit_linear": "bybit_linear",
        "bybit_inverse": "bybit_inverse",
        "okx": "okx",
        "deribit": "deribit",
        "kraken": "kraken",
        "kraken_futures": "kraken_futures",
        "kraken_unified": "kraken_unified",
        "bitget_spot": "bitget_spot",
        "bitget_futures": "bitget_futures",
        "coinbase": "coinbase",
        "hyperliquid": "hyperliquid",
    }
)
"""What simulates an exchange, by its name (`connector.testing.open_exchange`)."""


def simulator_of(exchange: str) -> SimulatedName:
    """What simulates an exchange that is in `EXCHANGES`.

    Raises:
        ConfigError: nothing does.
    """
    if exchange not in SIMULATED:
        raise ConfigError(f"{exchange} cannot be simulated; {', '.join(SIMULATED)} can")
    return SIMULATED[exchange]


_MODULES: Mapping[str, Any] = MappingProxyType(
    {
        "binance": binance,
        "bitget": bitget,
        "bybit": bybit,
        "deribit": deribit,
        "kraken": kraken,
        "okx": okx,
        "coinbase": coinbase,
        "hyperliquid": hyperliquid,
    }
)
_COMMON = ("production", "testnet", "demo")


def environments(exchange: str) -> Mapping[str, Any]:
    """The installations of an exchange that is in `EXCHANGES`, by name, for its ``endpoints=``."""
    module = module_of(exchange)
    found = {
        name.lower(): value
        for name, value in vars(module).items()
        if name.lower() in _COMMON or (name.isupper() and isinstance(value, module.Endpoints))
    }
    # Kraken's products have nothing in common, and one installation each.
    found.setdefault("production", attrs.fields_dict(EXCHANGES[exchange])["endpoints"].default)
    first = [each for each in _COMMON if each in found]
    return {each: found[each] for each in (*first, *sorted(found.keys() - _COMMON))}


def module_of(exchange: str) -> Any:
    """The module of an exchange that is in `EXCHANGES`: it has its `Endpoints`."""
    return _MODULES[exchange.partition("_")[0]]


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


CHANNELS: Mapping[str, type[AnyChannel]] = MappingProxyType(
    {
        _snake_case(kind.__name__): kind
        for kind in map(channels.__dict__.get, channels.__all__)
        if isinstance(kind, type) and issubclass(kind, Channel) and kind is not Channel
    }
)
"""Channel classes by their names in snake case."""


def find_exchange(name: str) -> type[Exchange]:
    """The class of the exchange called `name`.

    Raises:
        ConfigError: there is none; the message suggests one.
    """
    found: type[Exchange] = _find("exchange", name, EXCHANGES)
    return found


def make_channel(kind: str, arguments: Mapping[str, Any]) -> AnyChannel:
    """The channel of `kind` with `arguments` by name.

    Raises:
        ConfigError: there is no such channel or argument, or a value cannot be; says what can.
    """
    made: type[AnyChannel] = _find("channel", kind, CHANNELS)
    fields = {field.name: field for field in _fields(made)}
    for name in arguments:
        if name not in fields:
            raise ConfigError(f"{kind}: {_unknown('argument', name, fields)}")
    try:
        return made(**arguments)
    except TypeError:
        missing = [
            name
            for name, field in fields.items()
            if field.default is attrs.NOTHING and name not in arguments
        ]
        raise ConfigError(
            f"{kind} needs {' and '.join(missing)}, such as {kind}:{_example(missing)}"
        ) from None


def parse_channel(text: str) -> AnyChannel:
    """The channel that `text` writes: ``kind``, ``kind:symbol`` or ``kind:symbol,name=value,…``.

    Raises:
        ConfigError: as `make_channel`.
    """
    channel, *more = parse_channels(text, ())
    if more:
        raise ConfigError(f"{text!r}: this command takes one symbol")
    return channel


def parse_channels(text: str, symbols: Sequence[str]) -> tuple[AnyChannel, ...]:
    """The channels that `text` writes, one for each symbol: ``trades:ETHUSDC,BTCUSDC`` is two.

    Args:
        text: one or several channels of one kind.
        symbols: what a text without a symbol is for.

    Raises:
        ConfigError: as `make_channel`.
    """
    kind, arguments, written = _read(text)
    first, *_ = _fields(CHANNELS[kind])
    if first.name != "symbol" or "symbol" in arguments or not (written or symbols):
        if written:
            arguments[first.name] = written[0]
        return (make_channel(kind, arguments),)
    return tuple(
        make_channel(kind, {"symbol": symbol, **arguments}) for symbol in written or symbols
    )


def _read(text: str) -> tuple[str, dict[str, Any], list[str]]:
    """The kind of the channel that `text` writes, its arguments by name, and its symbols."""
    kind, _, rest = text.partition(":")
    made = _find("channel", kind, CHANNELS)
    first, *_ = _fields(made)
    arguments: dict[str, Any] = {}
    symbols: list[str] = []
    # A symbol may hold neither comma nor equals sign.
    for part in filter(None, rest.split(",")):
        name, equals, value = part.partition("=")
        if equals:
            # A symbol of digits is still a symbol.
            arguments[name] = value if name == first.name else _literal(value)
        elif symbols and (first.name != "symbol" or _literal(part) != part):
            raise ConfigError(f"{text!r}: write {part!r} with its name, such as levels={part}")
        else:
            symbols.append(part)
    return kind, arguments, symbols


def write_channel(channel: AnyChannel) -> str:
    """The text that `parse_channel` reads as `channel`."""
    first, *others = _fields(type(channel))
    value = getattr(channel, first.name)
    parts = [value] if value is not None else []
    parts += [
        f"{field.name}={_write(getattr(channel, field.name))}"
        for field in others
        if getattr(channel, field.name) != field.default
    ]
    kind = _snake_case(type(channel).__name__)
    return f"{kind}:{','.join(parts)}" if parts else kind


def _fields(kind: type[AnyChannel]) -> tuple[attrs.Attribute[Any], ...]:
    return attrs.fields(kind)  # type: ignore[arg-type,no-any-return]  # every channel is one


def _literal(text: str) -> Any:
    if re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    return {"true": True, "false": False}.get(text, text)


def _write(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _example(missing: Iterable[str]) -> str:
    return "ETHUSDC" if "symbol" in missing else "ethusdc@depth"


def _find(what: str, name: str, known: Mapping[str, Any]) -> Any:
    try:
        return known[name]
    except KeyError:
        raise ConfigError(_unknown(what, name, known)) from None


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    """What to say of a name that is none: the one that was probably meant, or all there are."""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
    return f"unknown {what} {name!r}; {hint}"
