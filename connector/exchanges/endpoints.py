"""Endpoints of a venue: the base URLs of its streams and of its REST interface.

Each venue names its own installations, such as ``bybit.PRODUCTION`` and ``bybit.TESTNET``; every
one is such a value, and so is a server of your own: ``bybit.Endpoints.at(stream=…, rest=…)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import attrs

from connector.errors import ConfigError

_HEADER = re.compile(r"[A-Za-z0-9-]+")
_SCHEMES = MappingProxyType({"stream": ("ws", "wss"), "rest": ("http", "https")})


def _without_trailing_slash(url: str) -> str:
    # str(), so that a value that is not a string reaches the validator, whose message is clearer.
    return str(url).rstrip("/")


def _check_url(_: object, attribute: attrs.Attribute[Any], url: str) -> None:
    wrong = what_is_wrong(url, _SCHEMES[attribute.name])
    if wrong:
        example = f"{_SCHEMES[attribute.name][0]}://127.0.0.1:8080"
        raise ConfigError(
            f"Endpoints: {attribute.name} {wrong}; write the base of the URLs, such as {example!r}"
        )


def _as_pairs(headers: Any) -> Any:
    return tuple(headers.items()) if isinstance(headers, Mapping) else headers


def _check_headers(
    _: object, __: attrs.Attribute[Any], headers: tuple[tuple[str, str], ...]
) -> None:
    for name, value in headers:
        if not _HEADER.fullmatch(name):
            raise ConfigError(f"Endpoints: {name[:40]!r} is not a valid header name")
        if not (value.isascii() and value.isprintable()):
            # The value may hold a secret, so it is not repeated.
            raise ConfigError(f"Endpoints: write header {name[:40]!r} in printable ASCII")


def what_is_wrong(url: str, schemes: tuple[str, ...]) -> str | None:
    """Why `url` is not a base URL. The text omits the URL, which may hold a password."""
    if not url.isprintable() or " " in url:
        return "holds a space or an unprintable character"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in schemes:
        return f"does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    if not parts.hostname:
        return "names no host"
    if port == 0:
        return "names port 0"
    if "@" in parts.netloc:
        return "holds a user name or password"
    if "?" in url or "#" in url:
        return "holds a query or a fragment"
    return None


@attrs.frozen
class Endpoints:
    """The base URLs of a venue. The paths of routes and requests are appended to them.

    Args:
        stream: the URL of the streams, for example ``"ws://127.0.0.1:8080"``.
        rest: the URL of the REST interface, for example ``"http://127.0.0.1:8080"``.
        headers: additional headers of every handshake and request, by name; no secrets.

    Raises:
        ConfigError: one of them is not such a URL, or no such header.
    """

    stream: str = attrs.field(converter=_without_trailing_slash, validator=_check_url)
    rest: str = attrs.field(converter=_without_trailing_slash, validator=_check_url)
    headers: tuple[tuple[str, str], ...] = attrs.field(
        default=(), converter=_as_pairs, validator=_check_headers, kw_only=True
    )

    @classmethod
    def at(cls, *, stream: str, rest: str, headers: Mapping[str, str] | None = None) -> Endpoints:
        """The endpoints of a server of your own, which has every route.

        Raises:
            ConfigError: as the class.
        """
        return cls(stream, rest, headers=headers or {})


def headers_of(exchange: object) -> tuple[tuple[str, str], ...]:
    """Additional headers of every handshake with an exchange; most exchanges have none."""
    found: tuple[tuple[str, str], ...] = getattr(exchange, "headers", ())
    return found


def check_endpoints(instance: object, _: attrs.Attribute[Any], endpoints: object) -> None:
    """Refuse a value that is not an `Endpoints`."""
    if not isinstance(endpoints, Endpoints):
        module = type(instance).__module__.split(".")[2]
        raise ConfigError(
            f"{type(instance).__name__}: endpoints={endpoints!r:.60} is not of this exchange; "
            f"write {module}.Endpoints.at(stream=…, rest=…)"
        )
