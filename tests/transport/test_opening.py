"""Every way in which opening a connection fails: one clear error, and nothing left open."""

from __future__ import annotations

import errno
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from typing import Any

import attrs
import pytest
import trio
import trustme

from connector.errors import ConfigError, ExchangeUnavailable, HandshakeRejected
from connector.transport import TcpDialer, is_open, open_connection
from connector.transport.upgrade import HEAD_LIMIT_BYTES

SECONDS = 3.0
YES = b"HTTP/1.1 101 Yes\r\n"


async def opening(
    far: Any, answer: Any, *, url: str = "ws://far:81/x?key=secret", **how: Any
) -> Any:
    """Open a connection to a far end that answers so; return the error and the seconds it took."""
    ends = []

    def make() -> Any:
        ends.append(far.End(answer, **how))
        return ends[-1]

    sockets: set[trio.abc.Stream] = set()
    began = trio.current_time()
    with pytest.raises((ExchangeUnavailable, HandshakeRejected)) as caught:
        async with open_connection(
            url, far.Bucket(), dialer=far.Dialer(make), sockets=sockets, connect_timeout=SECONDS
        ):
            pytest.fail("this must not open")
    assert not sockets
    assert all(end.closed for end in ends)
    assert "secret" not in str(caught.value) + repr(caught.value)
    return caught.value, trio.current_time() - began


def say(*parts: bytes) -> Any:
    return lambda request: b"".join(parts)


# --- answers other than 101


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 418, 429, 451, 500, 503])
async def test_rejected(far: Any, autojump_clock: Any, status: int) -> None:
    head = b"HTTP/1.1 %d Whatever\r\nX-Reason: because\r\nContent-Length: 3\r\n\r\n" % status
    for cut in (lambda data: [data], lambda data: [bytes([byte]) for byte in data]):
        error, took = await opening(far, say(head, b"why"), cut=cut, ending="silence")
        assert isinstance(error, HandshakeRejected)
        assert (error.status, error.body, took) == (status, b"why", 0)
        assert error.headers["x-reason"] == "because"


async def test_rejected_in_chunks_and_at_the_end_of_the_stream(
    far: Any, autojump_clock: Any
) -> None:
    chunked = say(b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwhy\r\n0\r\n\r\n")
    error, _ = await opening(far, chunked, ending="silence")
    assert (error.status, error.body) == (503, b"why")

    error, took = await opening(far, say(b"HTTP/1.1 503 No\r\n\r\nwhy"), ending="eof")
    assert (error.status, error.body, took) == (503, b"why", 0)

    error, _ = await opening(
        far, say(b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nwhy"), ending="reset"
    )
    assert (error.status, error.body) == (503, b"why")


async def test_rejected_with_a_body_that_never_ends(far: Any, autojump_clock: Any) -> None:
    head = b"HTTP/1.1 429 Slow down\r\nRetry-After: 17\r\nContent-Length: 100\r\n\r\n"
    error, took = await opening(far, say(head, b"wait"), ending="silence")
    assert isinstance(error, HandshakeRejected)
    assert (error.status, error.headers["retry-after"], error.body) == (429, "17", b"wait")
    assert took == pytest.approx(SECONDS)


@pytest.mark.parametrize("ending", ["eof", "reset", "silence"])
async def test_rejected_with_a_body_that_breaks_off_is_told_as_far_as_it_came(
    far: Any, autojump_clock: Any, ending: str
) -> None:
    head = b"HTTP/1.1 429 Slow down\r\nContent-Length: 100\r\n\r\n"
    error, _ = await opening(
        far,
        say(head, b"banned until ", b"noon, ", b"at least"),
        cut=lambda data: [data[:-20], data[-20:-8], data[-8:]],
        ending=ending,
    )
    assert isinstance(error, HandshakeRejected)
    assert error.body == b"banned until noon, at least"


async def test_rejected_with_an_endless_body(far: Any, autojump_clock: Any) -> None:
    head = b"HTTP/1.1 503 No\r\n\r\n"
    error, took = await opening(far, say(head, b"x" * 1_000_000), ending="silence")
    assert (error.status, took) == (503, 0)


INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 60, 10_000])
async def test_what_comes_before_the_answer_is_passed_over(
    far: Any, autojump_clock: Any, size: int
) -> None:
    error, _ = await opening(
        far,
        say(INTERIM, b"HTTP/1.1 503 No\r\nRetry-After: 9\r\nContent-Length: 2\r\n\r\nno"),
        cut=lambda data: [data[at : at + size] for at in range(0, len(data), size)],
    )
    assert isinstance(error, HandshakeRejected)
    assert (error.status, error.headers["retry-after"], error.body) == (503, "9", b"no")


async def test_an_early_hint_alone_is_no_answer(far: Any, autojump_clock: Any) -> None:
    error, _ = await opening(far, say(INTERIM), ending="silence")
    assert isinstance(error, ExchangeUnavailable)
    assert "did not complete the WebSocket handshake" in str(error)


async def test_early_hints_without_an_end_are_no_answer(far: Any, autojump_clock: Any) -> None:
    error, _ = await opening(far, say(INTERIM * 5_000), ending="silence")
    assert isinstance(error, ExchangeUnavailable)
    assert "interim responses" in str(error)


async def test_a_few_early_hints_are_within_the_limit(far: Any, autojump_clock: Any) -> None:
    most = 2 * HEAD_LIMIT_BYTES // len(INTERIM)
    for count, words in ((most, "did not complete"), (most + 1, "interim responses")):
        error, _ = await opening(far, say(INTERIM * count), ending="silence")
        assert isinstance(error, ExchangeUnavailable)
        assert words in str(error)


# --- answers that make no sense


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (say(b"SSH-2.0-OpenSSH_9.2\r\n"), "not HTTP"),
        (say(b"HTTP/2 200\r\n\r\n"), "not HTTP"),
        (say(b"HTTP/1.1 abc\r\n\r\n"), "not HTTP"),
        (say(b"\x15\x03\x01\x00\x02\x02\x28"), "not HTTP"),
        (say(YES, b"X: y\r\n" * 20_000), "more than 65536 bytes"),
        (say(YES, b"\r\n"), "Connection: Upgrade"),
        (say(YES, b"Connection: upgrade\r\n\r\n"), "Upgrade: websocket"),
        (say(YES, b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"), "accept token"),
        (say(YES, b"  no header\r\n\r\n"), "Bad HTTP message"),
    ],
)
async def test_nonsense(far: Any, autojump_clock: Any, answer: Any, words: str) -> None:
    error, took = await opening(far, answer, ending="silence")
    assert isinstance(error, ExchangeUnavailable)
    assert str(error).startswith("far:81 answered")
    assert words in str(error)
    assert took == 0


async def test_wrong_accept_key(far: Any, autojump_clock: Any) -> None:
    error, _ = await opening(
        far,
        lambda request: far.switching_protocols(b"Sec-WebSocket-Key: other\r\n"),
        ending="silence",
    )
    assert "answered the upgrade wrongly: Bad accept token" in str(error)
    assert error.__cause__ is not None


async def test_an_extension_that_was_not_offered(far: Any, autojump_clock: Any) -> None:
    header = b"Sec-WebSocket-Extensions: permessage-deflate"
    error, _ = await opening(
        far, lambda request: far.switching_protocols(request, header), ending="silence"
    )
    assert "unrecognized extension permessage-deflate" in str(error)


# --- no answer


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 1", b"HTTP/1.1 101 Yes\r\nUpgrade"])
@pytest.mark.parametrize("ending", ["eof", "reset"])
async def test_a_connection_that_breaks_off_is_noticed_at_once(
    far: Any, autojump_clock: Any, said: bytes, ending: str
) -> None:
    error, took = await opening(far, say(said), ending=ending)
    assert isinstance(error, ExchangeUnavailable)
    assert str(error).startswith(f"far:81 {'closed' if ending == 'eof' else 'broke off'} the")
    assert took == 0


async def test_never_answered(far: Any, autojump_clock: Any) -> None:
    error, took = await opening(far, say(b""), ending="silence")
    assert str(error) == "far:81 did not complete the WebSocket handshake within 3 s"
    assert took == pytest.approx(SECONDS)


async def test_reset_while_asking(far: Any, autojump_clock: Any) -> None:
    class Deaf(far.End):  # type: ignore[misc]
        async def send_all(self, data: bytes) -> None:
            await trio.lowlevel.checkpoint()
            raise trio.BrokenResourceError from ConnectionResetError(
                errno.ECONNRESET, "reset by peer"
            )

    end = Deaf(say(b""))
    with pytest.raises(ExchangeUnavailable, match="far:81 broke off the connection"):
        async with open_connection(
            "ws://far:81", far.Bucket(), dialer=far.Dialer(lambda: end), sockets=set()
        ):
            pytest.fail("this must not open")
    assert end.closed


# --- nobody there


@attrs.frozen
class NoDialer:
    """A dialer that reaches nobody: it raises, or never returns."""

    error: Exception | None
    ssl_context: Any = None

    @asynccontextmanager
    async def connect(self, host: str, port: int) -> Any:
        await trio.lowlevel.checkpoint()
        if self.error is None:
            await trio.sleep_forever()
        else:
            raise self.error
        yield


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (socket.gaierror(-2, "Name or service not known"), "could not be reached: Name or service"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "could not be reached: Network is"),
        (None, "did not complete the TCP handshake within 3 s"),
    ],
)
async def test_a_failed_dial_raises_exchange_unavailable(
    far: Any, autojump_clock: Any, error: Exception | None, message: str
) -> None:
    with pytest.raises(ExchangeUnavailable, match=f"far:443 {message}") as caught:
        async with open_connection(
            "wss://far/?key=secret",
            far.Bucket(),
            dialer=NoDialer(error),
            sockets=set(),
            connect_timeout=SECONDS,
        ):
            pytest.fail("this must not open")
    assert caught.value.__cause__ is error


async def test_refused(far: Any) -> None:
    with trio.socket.socket() as unused:
        await unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(
            ExchangeUnavailable,
            match=rf"127.0.0.1:{port} could not be reached: Connection refused; no server listens",
        ):
            async with open_connection(
                f"ws://127.0.0.1:{port}", far.Bucket(), dialer=TcpDialer(), sockets=set()
            ):
                pytest.fail("this must not open")


async def test_a_bug_in_a_dialer_is_not_disguised(far: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        async with open_connection(
            "ws://far", far.Bucket(), dialer=NoDialer(ZeroDivisionError()), sockets=set()
        ):
            pytest.fail("this must not open")


# --- addresses


@pytest.mark.parametrize(
    "url",
    ["http://far/?key=secret", "far:80", "ws://", "ws://:80/?secret", "ws://far:port/secret", ""],
)
async def test_not_a_websocket_url(far: Any, url: str) -> None:
    with pytest.raises(ConfigError, match="URL") as caught:
        async with open_connection(url, far.Bucket(), dialer=NoDialer(None), sockets=set()):
            pytest.fail("this must not open")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("ws://far", b"far", b"/"),
        ("ws://far:8080/a?b=c/d@100ms", b"far:8080", b"/a?b=c/d@100ms"),
        ("ws://[::1]:9/币安@trade", b"[::1]:9", b"/%E5%B8%81%E5%AE%89@trade"),
        ("ws://far/a%20b", b"far", b"/a%20b"),
    ],
)
async def test_the_handshake_names_host_and_target(
    far: Any, autojump_clock: Any, url: str, host: bytes, target: bytes
) -> None:
    end = far.End(far.switching_protocols)
    async with open_connection(
        url, far.Bucket(), dialer=far.Dialer(lambda: end), sockets=set()
    ) as connection:
        assert connection.handshake_headers["upgrade"] == "websocket"
    request = end.sent[0].split(b"\r\n")
    assert request[0] == b"GET %s HTTP/1.1" % target
    assert b"Host: " + host in request
    assert b"User-Agent: trio-connector/" in end.sent[0]


# --- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, host: str = "far") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


def client_context(*authorities: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for authority in authorities:
        authority.configure_trust(context)
    return context


async def over_tls(far: Any, client: ssl.SSLContext, serve: Any) -> Exception:
    """Dial a TLS server in memory, which `serve` plays; return what opening raised."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, theirs)
        with pytest.raises(ExchangeUnavailable) as caught:
            async with open_connection(
                "wss://far:444/x?key=secret",
                far.Bucket(),
                dialer=far.Dialer(lambda: ours, client),
                sockets=set(),
                connect_timeout=SECONDS,
            ):
                pytest.fail("this must not open")
        nursery.cancel_scope.cancel()
    with pytest.raises(trio.ClosedResourceError):
        await ours.send_all(b"x")
    return caught.value


def tls_server(context: ssl.SSLContext) -> Any:
    async def serve(stream: Any) -> None:
        with suppress(trio.BrokenResourceError):
            await trio.SSLStream(stream, context, server_side=True).do_handshake()
        await trio.sleep_forever()

    return serve


@pytest.mark.parametrize(("host", "trusted"), [("far", False), ("other", True)])
async def test_certificate_not_trusted(
    far: Any, autojump_clock: Any, authority: trustme.CA, host: str, trusted: bool
) -> None:
    client = client_context(*([authority] if trusted else []))
    error = await over_tls(far, client, tls_server(server_context(authority, host)))
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)
    assert str(error).startswith("the certificate of far:444 is not trusted: ")
    assert "SSL_CERT_FILE" in str(error)


async def test_tls_broken_off(far: Any, autojump_clock: Any, authority: trustme.CA) -> None:
    async def hang_up(stream: Any) -> None:
        await stream.receive_some()
        await stream.aclose()

    error = await over_tls(far, client_context(authority), hang_up)
    assert str(error).startswith("far:444 broke off the TLS handshake")


async def test_tls_with_something_else(
    far: Any, autojump_clock: Any, authority: trustme.CA
) -> None:
    async def speak_http(stream: Any) -> None:
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    error = await over_tls(far, client_context(authority), speak_http)
    assert str(error).startswith("far:444 broke off the TLS handshake: ")


async def test_tls_never_completed(far: Any, autojump_clock: Any, authority: trustme.CA) -> None:
    async def silence(stream: Any) -> None:
        await trio.sleep_forever()

    error = await over_tls(far, client_context(authority), silence)
    assert str(error) == "far:444 did not complete the TLS handshake within 3 s"


def test_a_stream_without_a_socket_tells_itself_whether_it_is_open(far: Any) -> None:
    end = far.End(far.switching_protocols)
    assert is_open(end)
    end.closed = True
    assert not is_open(end)
