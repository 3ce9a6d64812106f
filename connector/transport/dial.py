"""Addresses, and dialers that open byte streams to them.

A `Dialer` opens and closes the byte stream. `connector.transport.open_connection` adds TLS and
WebSocket in the same way for every dialer, so that a network in memory runs the same code as a TCP
socket.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeAlias
from urllib.parse import quote, urlsplit

import attrs
import trio

from connector.errors import ConfigError
from connector.transport.name_lookup import find, open_tcp

_DEFAULT_PORTS = {"ws": 80, "wss": 443}
_TARGET_CHARACTERS = "!#$%&'()*+,-./:;=?@[]_~"
"""Characters that stay unescaped in a request target (RFC 3986 §2.2)."""


class Dialer(Protocol):
    """Opens raw byte streams to an exchange. Pass one to `open_adapter(…, dialer=…)`."""

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The trusted certificates, for ``wss://`` URLs."""
        ...

    def connect(self, host: str, port: int) -> AbstractAsyncContextManager[trio.abc.Stream]:
        """Open a stream for the length of a block. It is closed forcefully when the block ends.

        Raises:
            OSError: no server could be reached at this address.
        """
        ...


_Pairs: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]


def _pairs(addresses: Mapping[str, str | Sequence[str]] | _Pairs) -> _Pairs:
    """Make a hashable value of the addresses by host.

    Raises:
        ConfigError: an entry is not an address.
    """
    given: dict[str, str | Sequence[str]] = dict(addresses)
    pairs = []
    for host, listed in given.items():
        each = (listed,) if isinstance(listed, str) else tuple(listed)
        if not each:
            raise ConfigError(f"addresses: {host!r} has none; write, for example, ['192.0.2.7']")
        pairs.append((host.lower(), tuple(_address("addresses", one) for one in each)))
    return tuple(pairs)


def _address(name: str, text: object) -> str:
    try:
        return str(ipaddress.ip_address(str(text)))
    except ValueError:
        raise ConfigError(
            f"{name}: {text!r} is not an address; write, for example, '192.0.2.7'"
        ) from None


def _optional_address(text: object) -> str | None:
    return None if text is None else _address("source_address", text)


@attrs.frozen(slots=False)
class TcpDialer:
    """Opens TCP connections, to the address of the host that answers first (RFC 8305).

    Lookups of one host use at most two threads.

    Args:
        ssl_context: replaces the system's trusted certificates.
        ca_file: a PEM file with certificate authorities to trust in addition to the system's.
        source_address: the address of this machine to connect from. Only addresses of the same
            kind (IPv4 or IPv6) are then used.
        addresses: by host, the addresses to connect to, in this order, without a name lookup.
            Certificates are still checked against the host's name.

    Nagle's algorithm is off, as in all of trio's TCP streams: a request is sent at once.

    Raises:
        ConfigError: an address is invalid, or the file is missing or has no certificate.
    """

    _given: ssl.SSLContext | None = attrs.field(default=None, alias="ssl_context", repr=False)
    ca_file: Path | None = attrs.field(
        default=None, converter=attrs.converters.optional(Path), kw_only=True
    )
    source_address: str | None = attrs.field(
        default=None, converter=_optional_address, kw_only=True
    )
    addresses: _Pairs = attrs.field(default=(), converter=_pairs, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.ca_file is not None:
            if self._given is not None:
                raise ConfigError("ca_file is for the system's trust: leave out ssl_context")
            _ = self._system_trust  # now, where the mistake is

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The given context, or the system's trusted certificates, read once."""
        return self._given or self._system_trust

    @cached_property
    def _system_trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.ca_file is not None:
            try:
                context.load_verify_locations(cafile=self.ca_file)
            except (OSError, ssl.SSLError) as error:
                reason = error.strerror or "it holds no certificate"
                raise ConfigError(f"ca_file {str(self.ca_file)!r}: {reason}") from error
        return context

    def way_to(self, host: str) -> str:
        """Describe the way to `host`; empty if it is direct."""
        pinned = dict(self.addresses).get(host.lower(), ())
        words = [f"at {', '.join(pinned)}"] if pinned else []
        if self.source_address is not None:
            words.append(f"from {self.source_address}")
        return " ".join(words)

    async def find(self, host: str, port: int) -> list[str]:
        """The addresses of `host`, in the order in which to try them.

        Raises:
            OSError: the name is unknown, or it has no address of the kind of `source_address`.

        Cancellation: the lookup continues in its thread (`connector.transport.name_lookup`).
        """
        pinned = dict(self.addresses).get(host.lower())
        return await find(host, port, source=self.source_address, pinned=pinned)

    async def open(self, host: str, port: int) -> trio.SocketStream:
        """Open a TCP connection that the caller must close.

        Raises:
            OSError: the name is unknown, or no address of the host accepts the connection.

        Cancellation: attempts in progress are closed.
        """
        pinned = dict(self.addresses).get(host.lower())
        return await open_tcp(host, port, source=self.source_address, pinned=pinned)

    def connect(self, host: str, port: int) -> AbstractAsyncContextManager[trio.SocketStream]:
        """Open a TCP connection for the length of a block.

        Raises:
            OSError: the name is unknown, or no address of the host accepts the connection.

        Cancellation: attempts in progress are closed.
        """
        return _Dialled(self, host, port)


def way_to(dialer: Dialer, url: str) -> str:
    """Describe the way of `dialer` to `url`; empty if unknown."""
    tell = getattr(dialer, "way_to", None)
    if tell is None:
        return ""
    said: str = tell(Address.of(url).host)
    return said


class closed_after:  # noqa: N801 - reads as the function that it could be
    """Close a stream when the block ends, without waiting.

    `trio.aclose_forcefully` raises `trio.Cancelled` when a scope around it is cancelled too, and
    that would replace the exception that is propagating. Hence the shield, whose deadline has
    already passed.

    A class instead of a generator saves memory: every connection holds two of these.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def __aenter__(self) -> object:
        return None

    async def __aexit__(self, *_: object) -> None:
        with trio.CancelScope(deadline=trio.current_time(), shield=True) as now:
            now.cancel()
            await self._stream.aclose()


class _Dialled(closed_after):
    """The context manager that `TcpDialer.connect` returns."""

    __slots__ = ("_dialer", "_host", "_port")

    def __init__(self, dialer: TcpDialer, host: str, port: int) -> None:
        self._dialer, self._host, self._port = dialer, host, port

    async def __aenter__(self) -> trio.SocketStream:
        self._stream = stream = await self._dialer.open(self._host, self._port)
        return stream


def is_open(stream: trio.abc.Stream) -> bool:
    """Whether the stream that a dialer opened is still open: for a socket, its descriptor."""
    if isinstance(stream, trio.SocketStream):
        return stream.socket.fileno() != -1
    return not getattr(stream, "closed", False)


@attrs.frozen
class Address:
    """The parts of a WebSocket URL."""

    secure: bool
    host: str
    port: int
    target: str = attrs.field(repr=False)
    """Path and query, as the request line has them; may hold credentials."""

    @classmethod
    def of(cls, url: str) -> Address:
        """Take a ``ws://`` or ``wss://`` URL apart.

        Raises:
            ConfigError: it is not one. The message never repeats the URL, which may hold a key.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"an exchange's URL cannot be read: {error}") from None
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ConfigError(
                "an exchange's URL must look like ws://host:port/path or wss://host/path, "
                f"this one has the scheme {parts.scheme!r} and the host {parts.hostname!r}"
            )
        target = parts.path or "/"
        if parts.query:
            target = f"{target}?{parts.query}"
        return cls(
            secure=parts.scheme == "wss",
            host=parts.hostname,
            port=port or _DEFAULT_PORTS[parts.scheme],
            target=quote(target, safe=_TARGET_CHARACTERS),
        )

    @property
    def host_header(self) -> str:
        """The value of the request's ``Host`` header (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = _DEFAULT_PORTS["wss" if self.secure else "ws"]
        return host if self.port == default else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
