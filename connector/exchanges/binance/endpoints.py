"""Endpoints of Binance: production, testnet and demo, or a server of your own.

Source: binance_spot §1, binance_usdm §1.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from connector.errors import ConfigError
from connector.exchanges.endpoints import what_is_wrong

_SCHEMES = MappingProxyType(
    {"stream": ("ws", "wss"), "rest": ("http", "https"), "orders": ("ws", "wss")}
)
_EXAMPLES = MappingProxyType(
    {
        "stream": "ws://127.0.0.1:8080",
        "rest": "http://127.0.0.1:8080",
        "orders": "ws://127.0.0.1:8080",
    }
)
_APPENDED = MappingProxyType(
    {
        "stream": ("stream", "ws", "public", "market", "private"),
        "rest": ("api", "fapi", "dapi", "v1", "v3"),
        "orders": ("ws-api", "ws-fapi", "ws-dapi", "v1", "v3"),
    }
)
"""Last parts of a path that a stream or a request appends to the base."""


def _without_trailing_slash(url: str) -> str:
    # str(), so that a value that is not a string reaches the validator, whose message is clearer.
    return str(url).rstrip("/")


def _check_url(_: object, attribute: attrs.Attribute[Any], url: str) -> None:
    name = attribute.name
    wrong = _what_is_wrong(url, _SCHEMES[name], _APPENDED[name])
    if wrong:
        raise ConfigError(
            f"Endpoints: {name} {wrong}; write the base of the URLs, such as {_EXAMPLES[name]!r}"
        )


def _check_route(_: object, __: attrs.Attribute[Any], route: object) -> None:
    if route not in ("public", "market"):
        raise ConfigError(f"Endpoints: trades={route!r} is not a route; write 'public' or 'market'")


def _what_is_wrong(url: str, schemes: tuple[str, ...], appended: tuple[str, ...]) -> str | None:
    """Why `url` is not a base URL. The text omits the URL, which may hold a password."""
    wrong = what_is_wrong(url, schemes)
    last = url.rpartition("/")[2]
    if wrong is None and last in appended:
        return f"ends in /{last}, which is added where it is needed"
    return wrong


@attrs.frozen
class Endpoints:
    """The base URLs of a server with Binance's protocol.

    Args:
        stream: the URL of the streams, without ``/stream`` and without a route, for example
            ``"ws://127.0.0.1:8080"``.
        rest: the URL of the REST interface, without ``/api/v3`` or ``/fapi/v1``, for example
            ``"http://127.0.0.1:8080"``.
        trades: the route of ``<symbol>@trade`` on USD-M futures, "public" or "market". Binance
            does not document it. Its own servers send it on "public"; on "market" they acknowledge
            it and stay silent (measured in September 2026; docs/design.md has the sources). The
            default is "market", where other libraries expect it. Other exchanges ignore it.
        orders: the WebSocket API, which accepts orders, without ``/ws-api/v3`` or
            ``/ws-fapi/v1``; by default the same as `stream`.

    Raises:
        ConfigError: one of them is not such a URL, or no such route.
    """

    stream: str = attrs.field(converter=_without_trailing_slash, validator=_check_url)
    rest: str = attrs.field(converter=_without_trailing_slash, validator=_check_url)
    trades: str = attrs.field(default="market", validator=_check_route)

    @classmethod
    def at(cls, *, stream: str, rest: str) -> Endpoints:
        """The endpoints of a server of your own, which has every route.

        Raises:
            ConfigError: as the class.
        """
        return cls(stream, rest)

    orders: str = attrs.field(
        default=attrs.Factory(lambda self: self.stream, takes_self=True),
        converter=_without_trailing_slash,
        validator=_check_url,
    )


class Environment(enum.Enum):
    """One of Binance's own environments. Each exchange has its URLs for it."""

    PRODUCTION = "production"
    """The real market."""
    TESTNET = "testnet"
    """Play money and its own market; wiped about monthly, unannounced."""
    DEMO = "demo"
    """Play money, prices of the real market."""

    def __repr__(self) -> str:
        return f"binance.{self.name}"


SPOT: Mapping[Environment, Endpoints] = MappingProxyType(
    {
        Environment.PRODUCTION: Endpoints(
            stream="wss://stream.binance.com:9443",
            rest="https://api.binance.com",
            orders="wss://ws-api.binance.com:443",
        ),
        Environment.TESTNET: Endpoints(
            stream="wss://stream.testnet.binance.vision",
            rest="https://testnet.binance.vision",
            orders="wss://ws-api.testnet.binance.vision",
        ),
        Environment.DEMO: Endpoints(
            stream="wss://demo-stream.binance.com",
            rest="https://demo-api.binance.com",
            orders="wss://demo-ws-api.binance.com",
        ),
    }
)
"""Source: binance_spot §1, binance_trading §1."""

USDM_FUTURES: Mapping[Environment, Endpoints] = MappingProxyType(
    {
        Environment.PRODUCTION: Endpoints(
            stream="wss://fstream.binance.com",
            rest="https://fapi.binance.com",
            trades="public",
            orders="wss://ws-fapi.binance.com",
        ),
        Environment.TESTNET: Endpoints(
            stream="wss://fstream.binancefuture.com",
            rest="https://demo-fapi.binance.com",
            trades="public",
            orders="wss://testnet.binancefuture.com",
        ),
        Environment.DEMO: Endpoints(
            stream="wss://demo-fstream.binance.com",
            rest="https://demo-fapi.binance.com",
            trades="public",
            orders="wss://testnet.binancefuture.com",
        ),
    }
)
"""Source: binance_usdm §1; the REST base of testnet and demo is one and the same. That these two
carry trades where production does, and that demo has the testnet's WebSocket API, is assumed."""


COINM_FUTURES: Mapping[Environment, Endpoints] = MappingProxyType(
    {
        Environment.PRODUCTION: Endpoints(
            stream="wss://dstream.binance.com",
            rest="https://dapi.binance.com",
            orders="wss://ws-dapi.binance.com",
        ),
        Environment.TESTNET: Endpoints(
            stream="wss://dstream.binancefuture.com",
            rest="https://testnet.binancefuture.com",
            orders="wss://testnet.binancefuture.com",
        ),
        Environment.DEMO: Endpoints(
            stream="wss://demo-dstream.binance.com",
            rest="https://demo-dapi.binance.com",
            orders="wss://testnet.binancefuture.com",
        ),
    }
)
"""Source: binance_coinm §1. That demo has the testnet's WebSocket API is assumed."""


def resolve(
    endpoints: Endpoints | Environment, known: Mapping[Environment, Endpoints]
) -> Endpoints:
    """The URLs that `endpoints` stands for at an exchange with these `known` ones.

    Raises:
        ConfigError: it is neither `Endpoints` nor an `Environment`.
    """
    if isinstance(endpoints, Environment):
        return known[endpoints]
    if isinstance(endpoints, Endpoints):
        return endpoints
    raise ConfigError(
        f"endpoints={endpoints!r:.60} is not of Binance; write binance.TESTNET, binance.DEMO or "
        'binance.Endpoints(stream="wss://…", rest="https://…")'
    )
