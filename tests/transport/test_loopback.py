"""Real sockets, with the garbage collector off: whatever the server does, no descriptor stays."""

from __future__ import annotations

import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trustme

from connector.errors import ExchangeUnavailable, HandshakeRejected
from connector.transport import Ended, TcpDialer, is_open, open_connection

TEXT, CLOSE = 1, 8
SECONDS = 0.2
"""For what must time out; nothing else waits."""

pytestmark = pytest.mark.usefixtures("without_gc")

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    return server, client


Behaviour = Callable[[Any, "Server"], Awaitable[None]]


@attrs.define(slots=False)
class Server:
    """Accepts, behaves, and holds the connection open until it is told to close."""

    far: Any
    behave: Behaviour
    context: ssl.SSLContext | None
    accepted: int = 0

    async def __call__(self, raw: trio.SocketStream) -> None:
        self.accepted += 1
        stream: Any = raw
        if self.context is not None:
            stream = trio.SSLStream(raw, self.context, server_side=True, https_compatible=True)
        try:
            await self.behave(stream, self)
            await trio.sleep_forever()
        except trio.BrokenResourceError:
            await trio.sleep_forever()
        finally:
            await trio.aclose_forcefully(raw)

    async def upgrade(self, stream: Any, said: bytes = b"") -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += await stream.receive_some()
        await stream.send_all(self.far.switching_protocols(request) + said)


@asynccontextmanager
async def serving(
    far: Any, behave: Behaviour, context: ssl.SSLContext | None
) -> AsyncIterator[tuple[str, Server]]:
    server = Server(far, behave, context)
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, server, [listener])
        port = listener.socket.getsockname()[1]
        scheme = "ws" if context is None else "wss"
        yield f"{scheme}://127.0.0.1:{port}/", server
        nursery.cancel_scope.cancel()


def raw(stream: Any) -> trio.SocketStream:
    """The TCP stream below."""
    below: trio.SocketStream = getattr(stream, "transport_stream", stream)
    return below


# --- what servers do


async def close_and_hold(stream: Any, server: Server) -> None:
    await server.upgrade(stream, server.far.frame(CLOSE, b"\x03\xe8"))


async def fin(stream: Any, server: Server) -> None:
    await server.upgrade(stream, server.far.frame(TEXT, b"x"))
    await raw(stream).send_eof()


async def reset(stream: Any, server: Server) -> None:
    await server.upgrade(stream, server.far.frame(TEXT, b"x"))
    below = raw(stream)
    linger = struct.pack("ii", 1, 0)
    below.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
    await trio.aclose_forcefully(below)


async def bad_frame(stream: Any, server: Server) -> None:
    await server.upgrade(stream, server.far.frame(3))


async def bad_utf8(stream: Any, server: Server) -> None:
    await server.upgrade(stream, server.far.frame(TEXT, b"\xff"))


async def unavailable(stream: Any, server: Server) -> None:
    await stream.receive_some()
    await stream.send_all(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")


async def never_answer(stream: Any, server: Server) -> None:
    await stream.receive_some()


async def break_off(stream: Any, server: Server) -> None:
    await raw(stream).receive_some()
    await trio.aclose_forcefully(raw(stream))


ENDINGS = {
    close_and_hold: Ended("closed", 1000),
    fin: Ended("eof", 1006),
    reset: Ended("reset", 1006),
    bad_frame: Ended("protocol error", 1002, "Invalid opcode 0x3"),
    bad_utf8: None,
}


@needs_proc
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("behave", ENDINGS, ids=lambda behave: behave.__name__)
async def test_nothing_stays_open_after(
    far: Any, contexts: Any, behave: Behaviour, tls: bool
) -> None:
    dialer = TcpDialer(ssl_context=contexts[1])
    async with serving(far, behave, contexts[0] if tls else None) as (url, server):
        for attempt in range(3):
            before = open_descriptors()
            sockets: set[trio.abc.Stream] = set()
            async with open_connection(url, far.Bucket(), dialer=dialer, sockets=sockets) as c:
                (stream,) = sockets
                assert is_open(stream)
                ended = await c.run()
                assert ENDINGS[behave] in (None, ended)
                await c.close(timeout=SECONDS)
            assert not sockets
            assert not is_open(stream)
            held = 0 if behave is reset else 1
            assert open_descriptors() == before + held, "the server's, and none of ours"
            assert server.accepted == attempt + 1


FAILURES = {
    unavailable: (HandshakeRejected, "503"),
    never_answer: (ExchangeUnavailable, "did not complete the WebSocket handshake within 0.2 s"),
    break_off: (ExchangeUnavailable, "broke off|closed"),
}


@needs_proc
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("behave", FAILURES, ids=lambda behave: behave.__name__)
async def test_nothing_stays_open_when_it_does_not_open(
    far: Any, contexts: Any, behave: Behaviour, tls: bool
) -> None:
    dialer = TcpDialer(ssl_context=contexts[1])
    error, words = FAILURES[behave]
    async with serving(far, behave, contexts[0] if tls else None) as (url, server):
        for _ in range(3):
            before, accepted = open_descriptors(), server.accepted
            sockets: set[trio.abc.Stream] = set()
            with pytest.raises(error, match=words):
                async with open_connection(
                    url,
                    far.Bucket(),
                    dialer=dialer,
                    sockets=sockets,
                    connect_timeout=SECONDS if behave is never_answer else 60,
                ):
                    pytest.fail("this must not open")
            assert not sockets
            assert server.accepted == accepted + 1
            assert open_descriptors() == before + (0 if behave is break_off else 1)


@needs_proc
async def test_certificates_are_checked(far: Any, contexts: Any) -> None:
    before = open_descriptors()
    async with serving(far, never_answer, contexts[0]) as (url, _):
        with pytest.raises(ExchangeUnavailable, match="is not trusted") as caught:
            # The system knows nothing of this server.
            async with open_connection(url, far.Bucket(), dialer=TcpDialer(), sockets=set()):
                pytest.fail("this must not open")
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert open_descriptors() == before


async def test_a_dialer_has_documented_defaults(far: Any) -> None:
    dialer = TcpDialer()
    assert dialer.ssl_context is dialer.ssl_context
    assert dialer.ssl_context.verify_mode is ssl.CERT_REQUIRED
    assert dialer.ssl_context.check_hostname
    async with serving(far, never_answer, None) as (url, _):
        port = int(url.rsplit(":", 1)[1].strip("/"))
        async with dialer.connect("127.0.0.1", port) as stream:
            assert stream.getsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY)
            assert is_open(stream)
        assert not is_open(stream)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_flood_arrives_whole_and_others_get_their_turn(
    far: Any, contexts: Any, tls: bool
) -> None:
    count = 20_000

    async def flood(stream: Any, server: Server) -> None:
        await server.upgrade(stream)
        for start in range(0, count, 500):
            frames = (far.frame(TEXT, b"%d" % i) for i in range(start, start + 500))
            await stream.send_all(b"".join(frames))
        await stream.send_all(far.frame(CLOSE))

    turns = 0
    async with serving(far, flood, contexts[0] if tls else None) as (url, _):
        sink = far.Bucket()
        dialer = TcpDialer(ssl_context=contexts[1])
        async with (
            open_connection(url, sink, dialer=dialer, sockets=set()) as connection,
            trio.open_nursery() as nursery,
        ):

            @nursery.start_soon
            async def other() -> None:
                nonlocal turns
                while True:
                    await trio.lowlevel.checkpoint()
                    turns += 1

            assert (await connection.run()).reason == "closed"
            nursery.cancel_scope.cancel()
    assert sink.messages == [b"%d" % i for i in range(count)]
    assert turns > len(sink.batches) // 2
