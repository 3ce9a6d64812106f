"""TLS: records that arrive together are read together, and reading is right without that too."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
import trustme
from trio.testing import memory_stream_pair

from connector.transport import Connection, Ended, open_connection
from connector.transport.tls import records_of, secure

TEXT, CLOSE = 1, 8


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("far").configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    return server, client


@attrs.define(slots=False)
class TlsServer:
    """A server that encrypts by itself, to decide which records arrive together."""

    raw: Any
    context: ssl.SSLContext

    def __attrs_post_init__(self) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    async def _until_done(self, operation: Any, *arguments: Any) -> Any:
        while True:
            await trio.lowlevel.checkpoint()
            try:
                return operation(*arguments)
            except ssl.SSLWantReadError:
                await self.flush()
                self.incoming.write(await self.raw.receive_some())

    async def flush(self) -> None:
        await self.raw.send_all(self.outgoing.read())

    async def upgrade(self, far: Any) -> None:
        await self._until_done(self.tls.do_handshake)
        request = await self._until_done(self.tls.read, 65_536)
        self.tls.write(far.switching_protocols(request))
        await self.flush()

    def record(self, data: bytes) -> None:
        """Encrypt `data` into a record of its own; `flush` sends what has been gathered."""
        self.tls.write(data)


@asynccontextmanager
async def connected(far: Any, contexts: Any) -> AsyncIterator[tuple[Connection, TlsServer, Any]]:
    ours, theirs = memory_stream_pair()
    server, sink = TlsServer(theirs, contexts[0]), far.Bucket()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.upgrade, far)
        async with open_connection(
            "wss://far/", sink, dialer=far.Dialer(lambda: ours, contexts[1]), sockets=set()
        ) as connection:
            yield connection, server, sink


async def test_records_that_arrive_together_are_delivered_together(
    far: Any, contexts: Any, autojump_clock: Any
) -> None:
    # The canary for trio's internals: should this fail, the records are read one by one.
    async with connected(far, contexts) as (connection, server, sink):
        for i in range(100):
            server.record(far.frame(TEXT, b"%d" % i))
        server.record(far.frame(CLOSE, b"\x03\xe8"))
        await server.flush()
        assert await connection.run() == Ended("closed", 1000)
        assert sink.messages == [b"%d" % i for i in range(100)]
        assert sink.batches == [100]


@pytest.mark.parametrize(
    "ending", ["close_notify", "close_notify alone", "eof", "garbage", "half a record"]
)
async def test_how_the_stream_ends_behind_other_records(
    far: Any, contexts: Any, autojump_clock: Any, ending: str
) -> None:
    async with connected(far, contexts) as (connection, server, sink):
        for i in range(3):
            server.record(far.frame(TEXT, b"%d" % i))
        if ending.startswith("close_notify"):
            with pytest.raises(ssl.SSLWantReadError):
                server.tls.unwrap()
        elif ending == "garbage":
            server.outgoing.write(b"\x17\x03\x03\x00\x20" + b"\x00" * 32)
        elif ending == "half a record":
            server.record(far.frame(TEXT, b"lost"))
            data = server.outgoing.read()[:-5]
            server.outgoing.write(data)
        await server.flush()
        if ending not in ("garbage", "close_notify alone"):
            await server.raw.send_eof()
        ended = await connection.run()
        assert sink.messages == [b"0", b"1", b"2"]
        assert ended == Ended("reset" if ending == "garbage" else "eof", 1006)


async def test_tls_messages_after_the_handshake_are_answered(
    far: Any, contexts: Any, autojump_clock: Any
) -> None:
    server_context, client_context = contexts
    client_context.post_handshake_auth = True
    server_context.verify_mode = ssl.CERT_OPTIONAL
    try:
        async with connected(far, contexts) as (connection, server, sink):
            server.tls.verify_client_post_handshake()
            server.record(far.frame(TEXT, b"1"))
            await server.flush()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(connection.run)
                # The client's answer to the request for its certificate.
                server.incoming.write(await server.raw.receive_some())
                with pytest.raises(ssl.SSLWantReadError):
                    server.tls.read(1)
                server.record(far.frame(TEXT, b"2"))
                server.record(far.frame(CLOSE))
                await server.flush()
    finally:
        client_context.post_handshake_auth = False
        server_context.verify_mode = ssl.CERT_NONE

    assert sink.messages == [b"1", b"2"]


async def test_large_messages_span_records(far: Any, contexts: Any, autojump_clock: Any) -> None:
    async with connected(far, contexts) as (connection, server, sink):
        messages = [b"x" * size for size in (100_000, 0, 16_384, 70_000)]
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def speak() -> None:
                for message in messages:
                    server.record(far.frame(TEXT, message))
                server.record(far.frame(CLOSE))
                await server.flush()

            await connection.run()
        assert sink.messages == messages


@attrs.define(eq=False)
class Sealed(trio.abc.Stream):
    """A TLS stream whose insides nobody can reach."""

    inner: Any

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.inner.send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> Any:
        return await self.inner.receive_some(max_bytes)

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.inner.aclose()


async def test_without_trios_insides_it_is_only_slower(
    far: Any, contexts: Any, autojump_clock: Any
) -> None:
    ours, theirs = memory_stream_pair()
    server, sink = TlsServer(theirs, contexts[0]), far.Bucket()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.upgrade, far)
        stream = Sealed(await secure(ours, contexts[1], "far"))
        assert records_of(stream) is None
        # Plain to open_connection, which lays no TLS over it.
        async with open_connection(
            "ws://far/", sink, dialer=far.Dialer(lambda: stream), sockets=set()
        ) as connection:
            for i in range(10):
                server.record(far.frame(TEXT, b"%d" % i))
            server.record(far.frame(CLOSE))
            await server.flush()
            await connection.run()
    assert sink.messages == [b"%d" % i for i in range(10)]
    assert len(sink.batches) == 10
