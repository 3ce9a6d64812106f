"""Connect through a proxy: SOCKS5 (with ``python-socks``), or CONNECT of an HTTP proxy.

The proxy looks up the names of exchanges. TLS to the exchange is end to end, so a proxy sees only
the destination. User and password of a proxy appear in no repr, log or error.

CONNECT is implemented here, because python-socks treats its first read as the proxy's whole answer.
If an answer arrives in two parts, the rest would be mistaken for data of the exchange.
"""

from __future__ import annotations

import base64
import importlib
import math
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import attrs
import trio

from connector.errors import ConfigError
from connector.transport.dial import Dialer, TcpDialer, closed_after

_MOST_BYTES = 16_384
"""Limit of a proxy's answer to CONNECT."""
_WORDS = re.compile(r"[^\x20-\x7e]+")


@attrs.frozen
class _Place:
    """The parts of a proxy's URL."""

    host: str
    port: int
    username: str | None = attrs.field(repr=False)
    password: str | None = attrs.field(repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _place(url: str, schemes: Mapping[str, int], example: str) -> _Place:
    """Parse the URL of a proxy; without a scheme, the first of `schemes` applies.

    Raises:
        ConfigError: it is invalid. The message never repeats it, because it may hold a password.
    """
    wrong = ConfigError(f"this is not a proxy URL; write, for example, {example}")
    if not isinstance(url, str):
        raise wrong
    try:
        parts = urlsplit(url if "://" in url else f"{next(iter(schemes))}://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in schemes or not host or parts.path not in ("", "/") or port == 0:
        raise wrong
    username = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return _Place(host, port or schemes[parts.scheme], username, password)


@attrs.frozen(slots=False, repr=False, init=False)
class _ProxyDialer:
    """The common base of both kinds."""

    schemes: ClassVar[Mapping[str, int]]
    example: ClassVar[str]
    kind: ClassVar[str]

    _proxy: _Place
    tcp: TcpDialer
    """The dialer for the proxy itself; its certificates are trusted for the exchange."""

    def __init__(self, url: str, *, tcp: TcpDialer | None = None) -> None:
        dialer = TcpDialer() if tcp is None else tcp
        if not isinstance(dialer, TcpDialer):
            raise ConfigError(f"tcp={tcp!r}: write a TcpDialer")
        place = _place(url, self.schemes, self.example)
        self.__attrs_init__(place, dialer)  # pyright: ignore[reportAttributeAccessIssue]
        self._check()

    def _check(self) -> None:
        """See that it can work.

        Raises:
            ConfigError: it cannot.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._proxy)!r})"

    @property
    def ssl_context(self) -> Any:
        """Whom to trust, for ``wss://`` URLs."""
        return self.tcp.ssl_context

    def way_to(self, host: str) -> str:
        """How it goes to `host`, in words."""
        way = self.tcp.way_to(self._proxy.host)
        return f"through {self.kind} {self._proxy}{' ' * bool(way)}{way}"

    @asynccontextmanager
    async def connect(self, host: str, port: int) -> AsyncIterator[trio.SocketStream]:
        """Open a stream through the proxy for the length of a block.

        Raises:
            OSError: the proxy cannot be reached, or refuses.

        Cancellation: the connection to the proxy is closed, in every state.
        """
        stream = await self._open(host, port)
        async with closed_after(stream):
            yield stream

    async def _open(self, host: str, port: int) -> trio.SocketStream:
        """A stream to `host`, which is the caller's to close.

        Raises:
            OSError: the proxy cannot be reached, or refuses.

        Cancellation: the connection to the proxy is closed.
        """
        raise NotImplementedError

    def _unreachable(self, error: OSError) -> OSError:
        reason = error.strerror or str(error)
        return OSError(f"{self.kind} {self._proxy} cannot be reached: {reason}")


class Socks5Dialer(_ProxyDialer):
    """Connects through a SOCKS5 proxy (RFC 1928), with the user and password of its URL, if any.

    Args:
        url: such as ``socks5://10.0.0.1:1080`` or ``socks5://user:password@10.0.0.1``; the port is
            1080 by default. ``socks5h`` means the same: names are looked up by the proxy.
        tcp: the dialer for the proxy itself; its certificates are trusted for the exchange.

    Needs the extra ``proxy``.

    Raises:
        ConfigError: this is no such URL, or python-socks is not installed.
    """

    schemes = {"socks5": 1080, "socks5h": 1080}  # noqa: RUF012
    example = "socks5://10.0.0.1:1080 or socks5://user:password@10.0.0.1:1080"
    kind = "SOCKS5 proxy"

    def _check(self) -> None:
        _python_socks()

    async def _open(self, host: str, port: int) -> trio.SocketStream:
        socks, on_trio = _python_socks()
        proxy, source = self._proxy, self.tcp.source_address
        try:
            addresses = await self.tcp.find(proxy.host, proxy.port)
        except OSError as error:
            raise self._unreachable(error) from error
        unreachable: OSError | None = None
        for address in addresses:
            through = on_trio.Proxy(
                socks.ProxyType.SOCKS5,
                address,
                proxy.port,
                proxy.username,
                proxy.password if proxy.username is None else proxy.password or "",
                rdns=True,
            )
            try:
                # The caller has a time limit.
                connected = await through.connect(
                    host, port, timeout=math.inf, local_addr=source and (source, 0)
                )
            except socks.ProxyConnectionError as error:
                unreachable = self._unreachable(error.__cause__ or error)
                unreachable.__cause__ = error
            except OSError as error:
                raise OSError(f"{self.kind} {proxy} broke off: {error.strerror}") from error
            except (socks.ProxyError, AssertionError) as error:
                raise OSError(f"{self.kind} {proxy} refuses: {_said(error)}") from error
            else:
                return trio.SocketStream(connected)
        raise unreachable or OSError(f"{self.kind} {proxy} has no address")


class HttpProxyDialer(_ProxyDialer):
    """Through an HTTP proxy that knows CONNECT (RFC 9110 §9.3.6).

    Args:
        url: such as ``http://10.0.0.1:3128`` or ``http://user:password@10.0.0.1:3128``; the port is
            80 by default. User and password are sent as basic authentication.
        tcp: the dialer for the proxy itself; its certificates are trusted for the exchange.

    Raises:
        ConfigError: this is no such URL. ``https://``, TLS to the proxy itself, is not offered.
    """

    schemes = {"http": 80}  # noqa: RUF012
    example = "http://10.0.0.1:3128 or http://user:password@10.0.0.1:3128"
    kind = "HTTP proxy"

    async def _open(self, host: str, port: int) -> trio.SocketStream:
        try:
            stream = await self.tcp.open(self._proxy.host, self._proxy.port)
        except OSError as error:
            raise self._unreachable(error) from error
        try:
            await self._ask(stream, host, port)
        except BaseException:
            stream.socket.close()
            raise
        return stream

    async def _ask(self, stream: trio.SocketStream, host: str, port: int) -> None:
        """Let the proxy connect `stream` to `host`.

        Raises:
            OSError: it does not.
        """
        proxy = self._proxy
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if proxy.username is not None:
            pair = f"{proxy.username}:{proxy.password or ''}".encode()
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}")
        request = "\r\n".join([*lines, "", ""]).encode()
        answer = bytearray()
        try:
            await stream.send_all(request)
            # Byte by byte: what follows is the exchange's.
            while not answer.endswith(b"\r\n\r\n"):
                received = await stream.receive_some(1)
                if not received:
                    raise OSError(f"{self.kind} {proxy} closed the connection")
                answer += received
                if len(answer) > _MOST_BYTES:
                    raise OSError(f"{self.kind} {proxy} answers with too much")
        except trio.BrokenResourceError as error:
            raise OSError(f"{self.kind} {proxy} broke off") from error
        status = bytes(answer).partition(b"\r\n")[0].decode("latin-1")
        version, _, rest = status.partition(" ")
        if not version.startswith("HTTP/1.") or not re.match(r"2\d\d\b", rest):
            raise OSError(f"{self.kind} {proxy} refuses: {_said(rest or status)}")


@attrs.frozen(slots=False)
class _Bypassing:
    """Through a proxy, but for some hosts."""

    proxy: Socks5Dialer | HttpProxyDialer
    direct: TcpDialer
    hosts: tuple[str, ...]

    @property
    def ssl_context(self) -> Any:
        """Whom to trust, for ``wss://`` URLs."""
        return self.direct.ssl_context

    def way_to(self, host: str) -> str:
        """How it goes to `host`, in words."""
        return self._dialer_of(host).way_to(host)

    def connect(self, host: str, port: int) -> Any:
        """Open a stream to `host` for the length of a block, as the dialer that it is for."""
        return self._dialer_of(host).connect(host, port)

    def _dialer_of(self, host: str) -> Socks5Dialer | HttpProxyDialer | TcpDialer:
        name = host.lower().rstrip(".")
        for each in self.hosts:
            if each in ("*", name) or name.endswith(f".{each}"):
                return self.direct
        return self.proxy


def proxy_dialer(url: str, *, tcp: TcpDialer | None = None) -> Socks5Dialer | HttpProxyDialer:
    """The dialer of a proxy, by the scheme of its URL: ``socks5``, ``socks5h`` or ``http``.

    Raises:
        ConfigError: it is none; the URL is not repeated. Or python-socks is not installed.
    """
    scheme = str(url).partition("://")[0].lower() if "://" in str(url) else "http"
    kinds: dict[str, type[Socks5Dialer | HttpProxyDialer]] = {
        **dict.fromkeys(Socks5Dialer.schemes, Socks5Dialer),
        **dict.fromkeys(HttpProxyDialer.schemes, HttpProxyDialer),
    }
    if scheme not in kinds:
        raise ConfigError(
            "this is not a proxy URL; write, for example, socks5://10.0.0.1:1080 or "
            "http://10.0.0.1:3128"
        )
    return kinds[scheme](url, tcp=tcp)


def dialer_from_environment(
    environ: Mapping[str, str] | None = None, *, tcp: TcpDialer | None = None
) -> Dialer:
    """The dialer that the environment asks for: ``HTTPS_PROXY``, else ``ALL_PROXY``.

    The names in lower case are looked at first, as by other programs. Hosts in ``NO_PROXY``, and
    those below them, are connected to directly; ``*`` stands for all. Without a proxy it is `tcp`.

    Args:
        environ: instead of that of the process.
        tcp: how to connect directly and to the proxy, and whom to trust.

    Raises:
        ConfigError: the variable holds no address of a proxy; what it holds is not repeated.
    """
    environment = os.environ if environ is None else environ
    direct = TcpDialer() if tcp is None else tcp

    def read(name: str) -> str:
        return environment.get(name.lower()) or environment.get(name) or ""

    name = next((each for each in ("HTTPS_PROXY", "ALL_PROXY") if read(each)), None)
    if name is None:
        return direct
    try:
        proxy = proxy_dialer(read(name), tcp=direct)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
    hosts = tuple(
        each.strip().lower().lstrip(".") for each in read("NO_PROXY").split(",") if each.strip()
    )
    return _Bypassing(proxy, direct, hosts) if hosts else proxy


def _said(words: object) -> str:
    """The message of a proxy, in a form that is safe for a log."""
    return _WORDS.sub(" ", str(words))[:100].strip() or "(no reason given)"


def _python_socks() -> tuple[Any, Any]:
    try:
        # It is an extra.
        return importlib.import_module("python_socks"), importlib.import_module(
            "python_socks.async_.trio"
        )
    except ImportError as missing:
        raise ConfigError(
            "SOCKS5 needs python-socks; install it with python -m pip install "
            "'trio-connector[proxy]'"
        ) from missing


__all__ = ["HttpProxyDialer", "Socks5Dialer", "dialer_from_environment", "proxy_dialer"]
