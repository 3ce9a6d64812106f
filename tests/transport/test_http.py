"""HTTP over one owned stream: what is asked, what comes back, and what is left."""

from __future__ import annotations

import gc
import gzip
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import attrs
import pytest
import trio
import trustme
from trio.testing import MockClock

from connector.errors import ConfigError, ExchangeUnavailable
from connector.testing import MemoryNetwork
from connector.testing.network.server_websocket import Request, read_request, response
from connector.transport.http import Http, open_http

Answer = Callable[[Request], bytes]


def ok(_: Request) -> bytes:
    return response(200, {}, b"fine", keep_alive=True)


@attrs.define
class World:
    """A server that answers as it is told, and a client of it."""

    network: MemoryNetwork
    http: Http
    sockets: set[trio.abc.Stream]
    asked: list[Request]


@asynccontextmanager
async def open_world(
    answer: Answer = ok, base: str = "http://rest.invalid"
) -> AsyncIterator[World]:
    network = MemoryNetwork()
    listener = network.listen("rest.invalid", 80)
    asked: list[Request] = []
    sockets: set[trio.abc.Stream] = set()

    async def serve(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        stream = await listener.accept()
        rest = b""
        with suppress(trio.BrokenResourceError):
            while (request := await read_request(stream, rest)) is not None:
                asked.append(request)
                await stream.send_all(answer(request))
                rest = request.rest

    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        async with open_http(
            base, dialer=network, connect_timeout=1, read_timeout=1, sockets=sockets
        ) as http:
            yield World(network, http, sockets, asked)
        assert network.ledger.open_now() == 0
        assert not sockets
        nursery.cancel_scope.cancel()


async def test_requests_go_over_one_connection(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        answers = [await world.http.get(f"/{number}") for number in range(3)]

        assert {(answer.status, answer.body) for answer in answers} == {(200, b"fine")}
        assert [request.target for request in world.asked] == ["/0", "/1", "/2"]
        assert len(world.sockets) == 1
        assert len(list(world.network.ledger)) == 1


async def test_the_target_is_sent_as_it_is_behind_the_path_of_the_base(
    autojump_clock: MockClock,
) -> None:
    symbol = "%E6%B5%8B%E8%AF%95USDT"  # binance_usdm §4
    async with open_world(base="http://rest.invalid/proxy/") as world:
        await world.http.get(f"/fapi/v1/depth?symbol={symbol}&limit=5")

        (request,) = world.asked
        assert request.target == f"/proxy/fapi/v1/depth?symbol={symbol}&limit=5"
        assert request.headers["host"] == "rest.invalid"
        assert request.headers["user-agent"].startswith("trio-connector/")
        assert "gzip" in request.headers["accept-encoding"]


async def test_a_compressed_answer(autojump_clock: MockClock) -> None:
    body = b'{"symbols":[]}' * 100

    def answer(_: Request) -> bytes:
        return response(200, {"Content-Encoding": "gzip"}, gzip.compress(body), keep_alive=True)

    async with open_world(answer) as world:
        assert (await world.http.get("/")).body == body


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"no gzip", "gave no answer", id="broken"),
        pytest.param(gzip.compress(bytes(65 << 20), 1), "more than 67108864 bytes", id="a bomb"),
    ],
)
async def test_a_compressed_answer_that_makes_no_sense(
    autojump_clock: MockClock, body: bytes, said: str
) -> None:
    def answer(_: Request) -> bytes:
        return response(200, {"Content-Encoding": "gzip"}, body, keep_alive=True)

    async with open_world(answer) as world:
        with pytest.raises(ExchangeUnavailable, match=said):
            await world.http.get("/")


async def test_headers_in_any_case_and_a_redirect_is_not_followed(
    autojump_clock: MockClock,
) -> None:
    def answer(_: Request) -> bytes:
        return response(302, {"Location": "http://elsewhere.invalid/"}, b"", keep_alive=True)

    async with open_world(answer) as world:
        answered = await world.http.get("/")

        assert answered.status == 302
        assert answered.headers["location"] == "http://elsewhere.invalid/"


async def test_a_broken_connection_breaks_every_later_request(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        await world.http.get("/")
        for connection in world.network.connections:
            connection.reset()

        for _ in range(3):
            with pytest.raises(ExchangeUnavailable, match=r"rest\.invalid:80 gave no answer"):
                await world.http.get("/")


async def test_silence_in_the_middle_of_an_answer(autojump_clock: MockClock) -> None:
    def answer(_: Request) -> bytes:
        return response(200, {}, b"hal", declared_length=4, keep_alive=True)

    async with open_world(answer) as world:
        begun = trio.current_time()
        with pytest.raises(ExchangeUnavailable, match="nothing moved for 1 s"):
            await world.http.get("/")

        assert trio.current_time() - begun == pytest.approx(1, abs=0.01)


async def test_leaving_in_the_middle_of_an_answer_leaves_nothing(
    autojump_clock: MockClock,
) -> None:
    def answer(_: Request) -> bytes:
        return response(200, {}, b"hal", declared_length=4, keep_alive=True)

    gc.disable()
    try:
        async with open_world(answer) as world:
            with trio.move_on_after(0.5) as limit:
                await world.http.get("/")
        assert limit.cancelled_caught
    finally:
        gc.enable()


async def test_over_tls_with_the_dialers_trust(autojump_clock: MockClock) -> None:
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("rest.invalid").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    network = MemoryNetwork(ssl_context=client_context)
    listener = trio.SSLListener(network.listen("rest.invalid", 443), server_context)

    async def serve() -> None:
        stream = await listener.accept()
        asked = await read_request(stream)  # type: ignore[arg-type]
        assert asked is not None
        await stream.send_all(response(200, {}, b"secret", keep_alive=True))

    sockets: set[trio.abc.Stream] = set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with open_http(
            "https://rest.invalid",
            dialer=network,
            connect_timeout=1,
            read_timeout=1,
            sockets=sockets,
        ) as http:
            answer = await http.get("/")
            assert len(sockets) == 1
        assert answer.body == b"secret"
        assert not sockets
    assert network.ledger.open_now() == 0


async def test_an_untrusted_certificate_is_no_connection(autojump_clock: MockClock) -> None:
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("rest.invalid").configure_cert(server_context)
    network = MemoryNetwork()
    listener = trio.SSLListener(network.listen("rest.invalid", 443), server_context)

    async def serve() -> None:
        stream = await listener.accept()
        with pytest.raises(trio.BrokenResourceError):
            await stream.do_handshake()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(ExchangeUnavailable, match="could not be reached"):
            async with open_http(
                "https://rest.invalid",
                dialer=network,
                connect_timeout=1,
                read_timeout=1,
                sockets=set(),
            ):
                raise AssertionError("unreachable")
    assert network.ledger.open_now() == 0


async def test_an_invalid_url_is_refused() -> None:
    with pytest.raises(ConfigError, match="must begin with http:// or https://: 'ftp://'"):
        async with open_http(
            "ftp://", dialer=MemoryNetwork(), connect_timeout=1, read_timeout=1, sockets=set()
        ):
            raise AssertionError("unreachable")
