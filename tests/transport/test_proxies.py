"""Through real proxies on loopback: streams and REST, TLS, refusals, and no secrets anywhere."""

from __future__ import annotations

import base64
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
import trio
import trustme

from connector import Reconnect, open_adapter
from connector.channels import Trades
from connector.errors import ConfigError, ConnectorError, ExchangeUnavailable
from connector.exchanges import binance
from connector.lifecycle import Connecting
from connector.testing import OrderFlow, open_exchange
from connector.transport import (
    HttpProxyDialer,
    Socks5Dialer,
    TcpDialer,
    dialer_from_environment,
    is_open,
    proxy_dialer,
    way_to,
)

USER, PASSWORD = "mm 1", "hunter2:/@"
QUOTED = "mm%201:hunter2%3A%2F%40"
KINDS: dict[str, type[Socks5Dialer | HttpProxyDialer]] = {
    "socks5": Socks5Dialer,
    "http": HttpProxyDialer,
}


@attrs.define
class Proxy:
    """A proxy that speaks SOCKS5 or CONNECT."""

    kind: Literal["socks5", "http"]
    user: tuple[str, str] | None = None
    fails: str = ""
    port: int = 0
    asked: list[tuple[str, int]] = attrs.Factory(list)
    sources: list[str] = attrs.Factory(list)
    open: int = 0

    def url(self, user: str = "") -> str:
        return f"{self.kind}://{user}{'@' * bool(user)}127.0.0.1:{self.port}"

    async def serve(self, stream: trio.SocketStream) -> None:
        self.open += 1
        self.sources.append(stream.socket.getpeername()[0])
        try:
            async with stream:
                target = await (self.socks5 if self.kind == "socks5" else self.connect)(stream)
                if target is None:
                    return
                self.asked.append(target)
                # A name is this proxy's to look up.
                port = target[1]
                async with await trio.open_tcp_stream("127.0.0.1", port) as far:
                    await self.answer_well(stream)
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self.copy, stream, far, nursery.cancel_scope)
                        nursery.start_soon(self.copy, far, stream, nursery.cancel_scope)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.open -= 1

    async def copy(self, source: Any, sink: Any, done: trio.CancelScope) -> None:
        try:
            async for data in source:
                await sink.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        done.cancel()

    async def answer_well(self, stream: trio.SocketStream) -> None:
        if self.kind == "socks5":
            await stream.send_all(b"\5\0\0\1\0\0\0\0\0\0")
            return
        # In parts, and the last one on its own.
        for part in (b"HTTP/1.1 200 Connection", b" established\r\nVia: x\r", b"\n\r", b"\n"):
            await stream.send_all(part)
            await trio.sleep(0.01)

    async def read(self, stream: trio.SocketStream, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = await stream.receive_some(count - len(data))
            if not more:
                raise trio.BrokenResourceError
            data += more
        return data

    async def socks5(self, stream: trio.SocketStream) -> tuple[str, int] | None:
        version, count = await self.read(stream, 2)
        methods = await self.read(stream, count)
        assert version == 5
        if self.fails == "silence":
            assert await stream.receive_some(1) == b"", "it goes"
            return None
        if self.fails == "nonsense":
            await stream.send_all(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            return None
        method = 2 if self.user else 0
        await stream.send_all(bytes([5, method if method in methods else 255]))
        if method not in methods:
            return None
        if self.user:
            _, length = await self.read(stream, 2)
            name = (await self.read(stream, length)).decode()
            password = (await self.read(stream, (await self.read(stream, 1))[0])).decode()
            right = (name, password) == self.user
            await stream.send_all(bytes([1, 0 if right else 1]))
            if not right:
                return None
        _, command, _, kind = await self.read(stream, 4)
        assert command == 1
        if kind == 3:
            host = (await self.read(stream, (await self.read(stream, 1))[0])).decode()
        else:
            family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            host = socket.inet_ntop(family, await self.read(stream, size))
        (port,) = struct.unpack(">H", await self.read(stream, 2))
        if self.fails == "refuse":
            await stream.send_all(b"\5\2\0\1\0\0\0\0\0\0")
            return None
        return host, port

    async def connect(self, stream: trio.SocketStream) -> tuple[str, int] | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await self.read(stream, 1)
        lines = head.decode().split("\r\n")
        if self.fails == "silence":
            assert await stream.receive_some(1) == b"", "it goes"
            return None
        if self.fails == "nonsense":
            await stream.send_all(b"\5\1" + b"x" * 20_000)
            return None
        if self.user:
            basic = base64.b64encode(":".join(self.user).encode()).decode()
            if f"Proxy-Authorization: Basic {basic}" not in lines:
                await stream.send_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return None
        if self.fails == "refuse":
            await stream.send_all(b"HTTP/1.1 403 Not by the \x1b[31m rules\r\n\r\n")
            return None
        verb, target, _ = lines[0].split()
        assert verb == "CONNECT"
        host, _, port = target.rpartition(":")
        return host.strip("[]"), int(port)


@asynccontextmanager
async def proxying(kind: Any, **options: Any) -> AsyncIterator[Proxy]:
    proxy = Proxy(kind, **options)
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        proxy.port = listener.socket.getsockname()[1]
        await nursery.start(trio.serve_listeners, proxy.serve, [listener])
        yield proxy
        nursery.cancel_scope.cancel()


def exchange_at(endpoints: binance.Endpoints, host: str) -> binance.Spot[float]:
    """The exchange under a name that nobody here could look up."""
    stream, rest = (each.replace("127.0.0.1", host) for each in (endpoints.stream, endpoints.rest))
    return binance.Spot(endpoints=binance.Endpoints(stream=stream, rest=rest))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tls", [False, True])
async def test_streams_and_requests_go_through_the_proxy(kind: str, tls: bool) -> None:
    authority, server = trustme.CA(), None
    if tls:
        import ssl

        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("exchange.invalid").configure_cert(server)
    async with (
        open_exchange("spot", source=OrderFlow(rate_per_second=200), ssl_context=server) as far,
        proxying(kind, user=(USER, PASSWORD)) as proxy,
    ):
        with authority.cert_pem.tempfile() as ca_file:
            tcp = TcpDialer(ca_file=ca_file)
        dialer = KINDS[kind](proxy.url(QUOTED), tcp=tcp)
        exchange = exchange_at(far.endpoints, "exchange.invalid")
        with trio.fail_after(20):
            async with open_adapter(exchange, dialer=dialer) as adapter:
                lifecycle = adapter.lifecycle()
                async with adapter.subscribe(Trades("ETHUSDC")) as trades:
                    await anext(trades)
                assert (await adapter.depth("ETHUSDC", limit=5)).bids
                told = [await anext(lifecycle) for _ in range(2)]
        (connecting,) = [each for each in told if isinstance(each, Connecting)]
        name = "SOCKS5" if kind == "socks5" else "HTTP"
        assert connecting.via == f"through {name} proxy 127.0.0.1:{proxy.port}"
        assert {host for host, _ in proxy.asked} == {"exchange.invalid"}
        assert len(proxy.asked) == 2, "the stream, and the requests"
        with trio.fail_after(5):
            while proxy.open:
                await trio.sleep(0.01)


WRONG = {
    "refuse": "refuses",
    "nonsense": "refuses|answers with too much",
    "silence": "did not complete|could not be reached within",
    "user": "refuses",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fails", WRONG)
async def test_a_proxy_that_fails_is_an_exchange_that_cannot_be_reached(
    kind: str, fails: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    user = ("somebody", "else") if fails == "user" else None
    async with proxying(kind, user=user, fails=fails) as proxy:
        dialer = KINDS[kind](proxy.url(QUOTED))
        endpoints = binance.Endpoints(
            stream="ws://exchange.invalid", rest="http://exchange.invalid"
        )
        exchange = binance.Spot(endpoints=endpoints)
        if fails == "silence":
            with trio.move_on_after(0.1):
                async with dialer.connect("exchange.invalid", 443):
                    raise AssertionError("unreachable")
        else:
            with pytest.raises(ConnectorError, match=WRONG[fails]) as failed:
                async with open_adapter(
                    exchange, dialer=dialer, reconnect=Reconnect(max_attempts=1)
                ) as adapter:
                    await adapter.wait_connected()
            with pytest.raises(ExchangeUnavailable) as unanswered:
                async with open_adapter(exchange, dialer=dialer) as adapter:
                    await adapter.depth("ETHUSDC", timeout=0.2)
            for error in (failed.value, unanswered.value):
                assert_no_secret(error, caplog.text)
            assert "\x1b" not in str(failed.value)
        with trio.fail_after(5):
            while proxy.open:
                await trio.sleep(0.01)


def assert_no_secret(error: BaseException, log: str) -> None:
    import traceback

    said = "".join(traceback.format_exception(error)) + repr(error) + log
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for secret in ("hunter2", USER, "mm%201", basic):
        assert secret not in said


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unreachable_proxy_is_an_error_that_names_it(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    dialer = KINDS[kind](f"127.0.0.1:{port}")
    with pytest.raises(OSError, match=rf"proxy 127.0.0.1:{port} cannot be reached"):
        async with dialer.connect("exchange.invalid", 443):
            raise AssertionError("unreachable")


@pytest.mark.parametrize("kind", KINDS)
async def test_the_socket_is_closed_on_every_way_out(kind: str) -> None:
    async with proxying(kind) as proxy:
        dialer = KINDS[kind](proxy.url())
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        with pytest.raises(ZeroDivisionError):
            async with dialer.connect("127.0.0.1", port) as stream:
                1 / 0  # noqa: B018
        assert not is_open(stream)
        assert proxy.asked == [("127.0.0.1", port)]
        with trio.fail_after(5):
            while proxy.open:
                await trio.sleep(0.01)
        await listener.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_proxy_itself_is_reached_as_tcp_says(kind: str) -> None:
    async with proxying(kind) as proxy:
        tcp = TcpDialer(source_address="127.0.0.9", addresses={"proxy.invalid": ["127.0.0.1"]})
        dialer = KINDS[kind](f"proxy.invalid:{proxy.port}", tcp=tcp)
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with dialer.connect("localhost", listener.socket.getsockname()[1]):
            assert proxy.sources == ["127.0.0.9"]
        assert way_to(dialer, "wss://x.example/ws").endswith(
            f"proxy.invalid:{proxy.port} at 127.0.0.1 from 127.0.0.9"
        )
        await listener.aclose()


async def test_a_source_address_and_pinned_addresses(no_lookup: list[str]) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    dialer = TcpDialer(
        source_address="127.0.0.8", addresses={"Exchange.invalid": ["127.0.0.1", "::1"]}
    )
    async with dialer.connect("exchange.INVALID", port) as stream:
        assert stream.socket.getsockname()[0] == "127.0.0.8"
    assert no_lookup == []
    assert dialer.way_to("exchange.invalid") == "at 127.0.0.1, ::1 from 127.0.0.8"
    assert dialer.way_to("other.invalid") == "from 127.0.0.8"
    assert TcpDialer().way_to("exchange.invalid") == ""
    with pytest.raises(OSError, match=r"no address that can be reached from 127\.0\.0\.8"):
        pinned = TcpDialer(source_address="127.0.0.8", addresses={"x.invalid": "::1"})
        async with pinned.connect("x.invalid", port):
            raise AssertionError("unreachable")
    await listener.aclose()


async def test_pinned_addresses_are_tried_in_their_order(no_lookup: list[str]) -> None:
    with socket.create_server(("127.0.0.2", 0)) as there:
        dialer = TcpDialer(addresses={"x.invalid": ("127.0.0.3", "127.0.0.2")})
        async with dialer.connect("x.invalid", there.getsockname()[1]) as stream:
            assert stream.socket.getpeername()[0] == "127.0.0.2"


@pytest.fixture
def no_lookup(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every name that is looked up, though none should be."""
    asked: list[str] = []

    def ask(host: str, port: int) -> list[tuple[int, str]]:
        asked.append(host)
        raise OSError("unknown")

    monkeypatch.setattr("connector.transport.name_lookup._ask_system", ask)
    return asked


# --- what is written


def test_nothing_shows_credentials() -> None:
    for kind, expected in KINDS.items():
        dialer = proxy_dialer(f"{kind}://{QUOTED}@proxy.example:1234")
        assert type(dialer) is expected
        assert repr(dialer) == f"{expected.__name__}('proxy.example:1234')"
        assert str(dialer) == repr(dialer)
        assert "hunter2" not in repr(vars(dialer).get("_proxy"))
        assert "hunter2" not in dialer.way_to("x")
    assert KINDS["http"]("10.0.0.1:3128") == proxy_dialer("http://10.0.0.1:3128")
    assert repr(Socks5Dialer("[::1]:9")) == "Socks5Dialer('[::1]:9')"
    assert repr(Socks5Dialer("10.0.0.1")) == "Socks5Dialer('10.0.0.1:1080')"


@pytest.mark.parametrize(
    ("make", "url"),
    [
        (Socks5Dialer, "http://hunter2:x@h"),
        (HttpProxyDialer, "https://hunter2:x@h:1"),
        (HttpProxyDialer, "http://hunter2:x@h:port"),
        (HttpProxyDialer, "http://hunter2:x@h:1/path"),
        (HttpProxyDialer, "http://hunter2:x@:80"),
        (HttpProxyDialer, "http://hunter2:x@[h"),
        (HttpProxyDialer, "http://hunter2:x@h:0"),
        (HttpProxyDialer, None),
        (proxy_dialer, "https://hunter2:x@h:1"),
        (proxy_dialer, "socks4://hunter2:x@h:1"),
    ],
)
def test_an_invalid_proxy_is_not_repeated_in_the_message(
    make: Callable[[Any], Any], url: Any
) -> None:
    with pytest.raises(ConfigError, match="this is not a proxy URL; write, for example,") as wrong:
        make(url)
    assert "hunter2" not in str(wrong.value)
    assert wrong.value.__cause__ is None


def test_the_arguments_of_a_tcp_dialer_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="source_address: 'here' is not an address"):
        TcpDialer(source_address="here")
    with pytest.raises(ConfigError, match="addresses: 'there' is not an address"):
        TcpDialer(addresses={"x": ["there"]})
    with pytest.raises(ConfigError, match="'x' has none"):
        TcpDialer(addresses={"x": []})
    with pytest.raises(ConfigError, match="No such file"):
        TcpDialer(ca_file=tmp_path / "missing.pem")
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(ConfigError, match=r"ca_file .*empty\.pem"):
        TcpDialer(ca_file=str(tmp_path / "empty.pem"))
    with pytest.raises(ConfigError, match="leave out ssl_context"):
        TcpDialer(TcpDialer().ssl_context, ca_file=tmp_path / "missing.pem")
    with pytest.raises(ConfigError, match="write a TcpDialer"):
        HttpProxyDialer("h:1", tcp="x")  # type: ignore[arg-type]


def test_without_python_socks_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "python_socks", None)
    with pytest.raises(ConfigError, match=r"trio-connector\[proxy\]"):
        Socks5Dialer("10.0.0.1")
    assert HttpProxyDialer("10.0.0.1:1")


# --- the environment


def test_the_environment_is_only_asked_for() -> None:
    tcp = TcpDialer(source_address="127.0.0.1")
    assert dialer_from_environment({}, tcp=tcp) is tcp
    assert dialer_from_environment({"HTTP_PROXY": "http://h:1"}, tcp=tcp) is tcp
    both = {"ALL_PROXY": "socks5h://10.0.0.2", "https_proxy": "http://10.0.0.1:3128"}
    assert dialer_from_environment(both) == HttpProxyDialer("http://10.0.0.1:3128")
    del both["https_proxy"]
    assert dialer_from_environment(both) == Socks5Dialer("socks5h://10.0.0.2")
    with pytest.raises(ConfigError, match=r"^HTTPS_PROXY: this is not a proxy URL") as wrong:
        dialer_from_environment({"HTTPS_PROXY": "ftp://hunter2@h"})
    assert "hunter2" not in str(wrong.value)


async def test_hosts_in_no_proxy_are_connected_directly() -> None:
    async with proxying("http") as proxy:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        dialer = dialer_from_environment(
            {"HTTPS_PROXY": proxy.url(), "NO_PROXY": "localhost, .inside.invalid,"}
        )
        async with dialer.connect("localhost", port):
            pass
        assert proxy.asked == []
        async with dialer.connect("127.0.0.1", port):
            pass
        assert proxy.asked == [("127.0.0.1", port)]
        assert way_to(dialer, "wss://a.inside.invalid") == ""
        assert way_to(dialer, "wss://notinside.invalid").startswith("through HTTP proxy")
        everything = dialer_from_environment({"ALL_PROXY": proxy.url(), "no_proxy": "*"})
        assert way_to(everything, "wss://x") == ""
        await listener.aclose()
