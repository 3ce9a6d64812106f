"""The simulated exchange speaks as Binance does, checked with an independent client.

The client is plain trio-websocket, or a few bytes written by hand where that is too polite.
"""

from __future__ import annotations

import asyncio
import gc
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import attrs
import pytest
import trio
import trio.lowlevel
import trustme
from h11 import LocalProtocolError
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    WebSocketConnection,
    wrap_client_stream,
)

from connector.errors import ConfigError
from connector.testing import (
    Fault,
    FaultPlan,
    MemoryNetwork,
    SimulatedExchange,
    When,
    open_exchange,
)
from connector.testing.faults.faults import HANDSHAKE_KINDS, LIVE_KINDS
from connector.testing.network import server_websocket
from connector.testing.venues.rules import SPOT, USDM, Rules

TRADE = "ethusdc@trade"
BOOK = "ethusdc@depth5@100ms"
MASK = b"\x01\x02\x03\x04"


@attrs.frozen
class Loopback:
    """Real sockets, plain or with TLS."""

    context: ssl.SSLContext | None

    @asynccontextmanager
    async def connect(self, host: str, port: int) -> AsyncIterator[trio.abc.Stream]:
        stream: trio.abc.Stream = await trio.open_tcp_stream(host, port)
        if self.context is not None:
            stream = trio.SSLStream(
                stream, self.context, server_hostname=host, https_compatible=True
            )
        try:
            yield stream
        finally:
            await trio.aclose_forcefully(stream)


@asynccontextmanager
async def connect(
    network: MemoryNetwork | Loopback, exchange: SimulatedExchange, path: str = "/stream"
) -> AsyncIterator[WebSocketConnection]:
    """A plain trio-websocket connection; its errors come out as themselves."""
    async with network.connect(exchange.host, exchange.port) as stream:
        try:
            async with trio.open_nursery() as nursery:
                with trio.fail_after(30):
                    socket = await wrap_client_stream(nursery, stream, exchange.host, path)
                yield socket
                with trio.move_on_after(2):
                    await socket.aclose()
                await trio.aclose_forcefully(stream)
                nursery.cancel_scope.cancel()
        except ExceptionGroup as group:
            error: Exception = group
            while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
                (error,) = error.exceptions
            raise error from None


@asynccontextmanager
async def connect_by_hand(
    network: MemoryNetwork, exchange: SimulatedExchange, path: str = "/stream"
) -> AsyncIterator[trio.abc.Stream]:
    """An upgraded byte stream whose client answers nothing by itself."""
    async with network.connect(exchange.host, exchange.port) as stream:
        lines = (
            f"GET {path} HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
        )  # fmt: skip
        await stream.send_all("\r\n".join(lines).encode())
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 101 ")
        yield stream


async def ask(socket: WebSocketConnection, method: str, *params: Any, request_id: Any = 7) -> Any:
    request = {"method": method, "params": params, "id": request_id}
    await socket.send_message(json.dumps(request))
    return json.loads(await socket.get_message())


async def subscribe(socket: WebSocketConnection, *streams: str) -> None:
    assert await ask(socket, "SUBSCRIBE", *streams) == {"result": None, "id": 7}


async def silent(socket: WebSocketConnection, seconds: float = 30) -> bool:
    with trio.move_on_after(seconds):
        await socket.get_message()
        return False
    return True


async def read_to_the_end(socket: WebSocketConnection) -> list[Any]:
    received = []
    try:
        while True:
            received.append(json.loads(await socket.get_message()))
    except ConnectionClosed:
        return received


# -- what is sent to whom ---------------------------------------------------------------------


async def test_a_published_payload_reaches_those_who_subscribed(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("usdm", network=network) as exchange:
        async with connect(network, exchange, "/public/stream") as socket:
            await subscribe(socket, BOOK)
            assert exchange.publish("ethusdc@bookTicker", {"u": 1}) == 0
            assert exchange.publish(BOOK, {"u": 2}) == 1
            assert exchange.publish(BOOK, b'{"u": 3}') == 1
            frames = [await socket.get_message() for _ in range(2)]
    assert frames[1] == '{"stream":"ethusdc@depth5@100ms","data":{"u": 3}}'
    assert [json.loads(text)["data"] for text in frames] == [{"u": 2}, {"u": 3}]


async def test_a_stream_of_the_wrong_route_is_acknowledged_and_stays_silent(
    autojump_clock: Any,
) -> None:
    network = MemoryNetwork()
    async with open_exchange("usdm", network=network) as exchange:
        for path in ("/public/stream", "/stream", "/ws", "/private/stream"):
            async with connect(network, exchange, path) as socket:
                await subscribe(socket, TRADE)
                assert exchange.publish(TRADE, {"t": 1}) == 0
        async with connect(network, exchange, "/market/stream") as socket:
            await subscribe(socket, TRADE)
            assert exchange.publish(TRADE, {"t": 1}) == 1
        async with connect(network, exchange, "/ws") as socket:
            await subscribe(socket, BOOK)
            assert exchange.publish(BOOK, {"u": 1}) == 1


async def test_an_unknown_stream_is_acknowledged_and_stays_silent(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("spot", network=network) as exchange:
        async with connect(network, exchange) as socket:
            await subscribe(socket, "ethusdc@unheard", "!nothing")
            assert await ask(socket, "LIST_SUBSCRIPTIONS") == {
                "result": ["ethusdc@unheard", "!nothing"], "id": 7,
            }  # fmt: skip
        with pytest.raises(ValueError, match="not a stream of spot"):
            exchange.publish("ethusdc@unheard", {})


async def test_urls_subscribe_and_decide_about_the_wrapping(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("spot", network=network) as exchange:
        async with (
            connect(network, exchange, f"/ws/{TRADE}") as raw,
            connect(network, exchange, f"/stream?streams={TRADE}/{BOOK}") as combined,
        ):
            assert [c.subscriptions for c in exchange.connections] == [(TRADE,), (TRADE, BOOK)]
            assert exchange.publish(TRADE, {"t": 1}) == 2
            assert json.loads(await raw.get_message()) == {"t": 1}
            assert json.loads(await combined.get_message()) == {"stream": TRADE, "data": {"t": 1}}
            assert await ask(raw, "GET_PROPERTY", "combined") == {"result": False, "id": 7}
            assert await ask(raw, "SET_PROPERTY", "combined", True) == {"result": None, "id": 7}
            assert await ask(raw, "GET_PROPERTY", "combined") == {"result": True, "id": 7}
            exchange.publish(TRADE, {"t": 2})
            assert json.loads(await raw.get_message()) == {"stream": TRADE, "data": {"t": 2}}


async def test_what_is_unsubscribed_ends(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("spot", network=network) as exchange:
        async with connect(network, exchange) as socket:
            await subscribe(socket, TRADE, BOOK)
            await ask(socket, "UNSUBSCRIBE", TRADE, "ethusdc@never")
            assert await ask(socket, "LIST_SUBSCRIPTIONS") == {"result": [BOOK], "id": 7}
            assert exchange.publish(TRADE, {}) == 0


async def test_refusals_are_answered_and_the_connection_stays(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    for nested in (False, True):
        async with open_exchange("spot", network=network, nested_errors=nested) as exchange:
            async with connect(network, exchange) as socket:
                answer = await ask(socket, "SELL")
                said = answer["error"] if nested else answer
                assert (said["code"], answer["id"]) == (2, 7)
                await subscribe(socket, TRADE)


@pytest.mark.parametrize("path", ["/nowhere", "/public/stream"])
async def test_paths_that_do_not_exist_are_404(autojump_clock: Any, path: str) -> None:
    network = MemoryNetwork()
    async with open_exchange("spot", network=network) as exchange:
        with pytest.raises(ConnectionRejected) as rejected:
            async with connect(network, exchange, path):
                pytest.fail("there is no such path")
    assert rejected.value.status_code == 404


# -- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [SPOT, USDM])
@pytest.mark.parametrize(
    "message",
    [
        server_websocket.frame(
            server_websocket.TEXT, b'{"method":"LIST_SUBSCRIPTIONS","id":1}', mask=MASK
        ),
        server_websocket.frame(server_websocket.PING, mask=MASK),
        server_websocket.frame(server_websocket.PONG, mask=MASK),
    ],
)
async def test_one_message_too_many_in_a_second_ends_the_connection(
    autojump_clock: Any, rules: Rules, message: bytes
) -> None:
    network = MemoryNetwork()
    async with open_exchange(rules.name, network=network) as exchange:
        async with connect_by_hand(network, exchange) as stream:
            for _ in range(2):
                await stream.send_all(message * rules.messages_per_second)
                await trio.sleep(1.01)
            assert len(exchange.connections) == 1
            await stream.send_all(message * (rules.messages_per_second + 1))
            received = b""
            while data := await stream.receive_some():
                received += data
            assert received.endswith(server_websocket.close_frame(1008, "too many requests"))
        assert [entry.detail for entry in exchange.log.of("violation")] == ["too many requests"]


async def test_more_streams_than_allowed_end_the_connection(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("usdm", network=network) as exchange:
        async with connect(network, exchange, "/market/stream") as socket:
            names = [f"s{number}@trade" for number in range(1025)]
            await subscribe(socket, *names[:1024])
            await subscribe(socket, *names[:1024])
            await socket.send_message(
                json.dumps({"method": "SUBSCRIBE", "params": names[1024:], "id": 1})
            )
            assert await read_to_the_end(socket) == []
            assert socket.closed is not None
            assert socket.closed.code == 1008


async def test_three_hundred_attempts_in_five_minutes_and_no_more(autojump_clock: Any) -> None:
    network = MemoryNetwork()

    async def attempt() -> tuple[int, str | None]:
        try:
            async with connect(network, exchange):
                return 101, None
        except ConnectionRejected as rejected:
            headers = dict(rejected.headers or ())
            return rejected.status_code, headers[b"retry-after"].decode()

    async with open_exchange("spot", network=network) as exchange:
        answers = [await attempt() for _ in range(300)]
        assert {status for status, _ in answers} == {101}
        status, retry_after = await attempt()
        assert status == 429
        assert retry_after is not None
        for _ in range(SPOT.attempts_before_ban):
            status, ban = await attempt()
        assert (status, ban) == (418, "120")
        await trio.sleep(float(retry_after))
        assert await attempt() == (101, None)


async def test_a_test_may_allow_other_numbers_of_attempts(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("spot", network=network, attempts_per_window=1) as exchange:
        async with connect(network, exchange):
            pass
        with pytest.raises(ConnectionRejected):
            async with connect(network, exchange):
                pass


# -- liveness ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [SPOT, USDM])
async def test_a_client_that_answers_pings_lives_for_a_day(
    autojump_clock: Any, rules: Rules
) -> None:
    network = MemoryNetwork()
    async with open_exchange(rules.name, network=network) as exchange:
        async with connect(network, exchange) as socket:
            received = await read_to_the_end(socket)
            assert trio.current_time() == pytest.approx(rules.lifetime_seconds, abs=1)
            assert socket.closed is not None
            assert socket.closed.code == 1001
        pings, pongs = exchange.log.of("ping"), exchange.log.of("pong")
        assert [pong.detail for pong in pongs] == [ping.detail for ping in pings][: len(pongs)]
        assert len(pings) == int(rules.lifetime_seconds / rules.ping_seconds)
        assert len(pings) - len(pongs) <= 1
    announced = [message["stream"] for message in received]
    assert announced == (["!serverShutdown"] if rules.announces_shutdown else [])


@pytest.mark.parametrize("rules", [SPOT, USDM])
@pytest.mark.parametrize("answers", [None, b"", b"something else"])
async def test_a_ping_without_its_own_pong_ends_the_connection(
    autojump_clock: Any, rules: Rules, answers: bytes | None
) -> None:
    network = MemoryNetwork()
    async with open_exchange(rules.name, network=network) as exchange:
        async with connect_by_hand(network, exchange) as stream:
            began = trio.current_time()
            while data := await stream.receive_some():
                if data[0] == 0x89 and answers is not None:
                    await stream.send_all(
                        server_websocket.frame(server_websocket.PONG, answers, mask=MASK)
                    )
            ended = rules.ping_seconds + rules.pong_timeout_seconds
            assert trio.current_time() - began == pytest.approx(ended, abs=0.1)
        assert exchange.log.of("violation")[0].detail == "a ping was not answered"


async def test_a_clients_ping_is_answered_and_its_close_is_echoed(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("spot", network=network) as exchange:
        async with connect_by_hand(network, exchange) as stream:
            await stream.send_all(server_websocket.frame(server_websocket.PING, b"you?", mask=MASK))
            assert await stream.receive_some() == b"\x8a\x04you?"
            close = server_websocket.frame(server_websocket.CLOSE, b"\x03\xe8", mask=MASK)
            await stream.send_all(close)
            assert await stream.receive_some() == b"\x88\x02\x03\xe8"
            assert await stream.receive_some() == b""


async def test_a_client_that_breaks_the_protocol_is_told_so(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("spot", network=network) as exchange:
        async with connect_by_hand(network, exchange) as stream:
            await stream.send_all(server_websocket.frame(server_websocket.TEXT, b"{}"))
            answer = await stream.receive_some()
            assert answer == server_websocket.close_frame(1002, "a client's frame is not masked")
        assert "not masked" in exchange.log.of("violation")[0].detail


async def test_a_client_that_does_not_read_is_let_go_in_the_end(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("spot", network=network) as exchange:
        async with connect_by_hand(network, exchange, f"/ws/{TRADE}"):
            block = b'"%b"' % (b"x" * (1 << 20))
            sent = 0
            while exchange.publish(TRADE, block):
                sent += 1
                await trio.sleep(0.001)
            assert 60 < sent < 70
            await trio.sleep(1)
            assert exchange.connections == ()


# -- faults -----------------------------------------------------------------------------------

CLOSE_CODES = [
    ("close", 1001),
    ("close_and_hold", 1001),
    ("fin", 1006),
    ("reset", 1006),
    ("bad_reserved_bits", 1002),
    ("bad_mask", 1002),
    ("bad_opcode", 1002),
    ("bad_length", 1002),
    ("bad_utf8", 1007),
    ("oversized", 1009),
    ("server_shutdown", 1001),
]


async def read_until_it_ends(network: MemoryNetwork, exchange: SimulatedExchange) -> None:
    async with connect(network, exchange) as socket:
        await subscribe(socket, TRADE)
        for number in range(3):
            exchange.publish(TRADE, {"t": number})
        while True:
            await socket.get_message()


@pytest.mark.parametrize(("kind", "code"), CLOSE_CODES)
async def test_a_fault_ends_the_connection_as_the_client_should_see_it(
    autojump_clock: Any, kind: Any, code: int
) -> None:
    network = MemoryNetwork()
    plan = FaultPlan((Fault(kind, When(messages=2), size_bytes=2 << 20),))
    async with open_exchange("spot", network=network, faults=plan) as exchange:
        with pytest.raises(ConnectionClosed) as closed:
            await read_until_it_ends(network, exchange)
        assert closed.value.reason.code == code
        await trio.sleep(1)
        assert exchange.connections == ()
        assert network.ledger.open_now() == 0


async def struck(kind: Any, **others: Any) -> tuple[list[Any], list[Any]]:
    """What arrives of three numbered trades and of a book, of one struck connection."""
    network = MemoryNetwork()
    async with open_exchange("spot", network=network) as exchange:
        async with connect(network, exchange) as socket:
            await subscribe(socket, TRADE, BOOK)
            exchange.break_connections(Fault(kind, **others))
            for number in range(3):
                exchange.publish(TRADE, {"t": number})
            exchange.publish(BOOK, {"u": 1})
            texts = []
            with trio.move_on_after(40):
                while True:
                    texts.append(await socket.get_message())
            assert len(exchange.connections) == 1
            assert exchange.log.of("pong")
    messages = []
    for text in texts:
        try:
            messages.append(json.loads(text)["data"])
        except ValueError:
            messages.append("not json")
    return [m if m == "not json" else m.get("t", m) for m in messages if "u" not in m], messages


async def test_faults_that_only_spoil_the_data(autojump_clock: Any) -> None:
    assert (await struck("mute"))[1] == []
    assert (await struck("ack_silence"))[1] == []
    assert (await struck("mute_stream", stream="*@trade"))[1] == [{"u": 1}]
    assert (await struck("truncated_json", stream="*@trade"))[0] == ["not json", 1, 2]
    assert (await struck("truncated_json", stream="*@trade", count=2))[0][:2] == ["not json"] * 2
    assert (await struck("duplicate_frames", count=2))[0] == [0, 0, 1, 1, 2]
    assert (await struck("reorder", count=1))[0] == [1, 0, 2]
    assert (await struck("reorder"))[1] == [{"t": 1}, {"t": 0}, {"u": 1}, {"t": 2}]
    assert (await struck("fragmented"))[0] == [0, 1, 2]
    assert (await struck("unknown_event"))[0][0]["e"] == "unheardOf"


async def test_close_at_first_data(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    plan = FaultPlan((Fault("close_at_first_data", code=1000),))
    async with open_exchange("spot", network=network, faults=plan) as exchange:
        async with connect(network, exchange) as socket:
            await subscribe(socket, TRADE)
            assert exchange.publish(TRADE, {"t": 1}) == 0
            assert await read_to_the_end(socket) == []
            assert socket.closed is not None
            assert socket.closed.code == 1000


async def test_subscriptions_are_rejected_by_pattern(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    fault = Fault("reject_subscription", stream="eth*", code=2, message="Invalid request: no")
    async with open_exchange("spot", network=network, faults=FaultPlan((fault,))) as exchange:
        async with connect(network, exchange) as socket:
            refused = {"code": 2, "msg": "Invalid request: no", "id": 7}
            assert await ask(socket, "SUBSCRIBE", "btcusdc@trade", TRADE) == refused
            await subscribe(socket, "btcusdc@trade")
            assert exchange.connections[0].subscriptions == ("btcusdc@trade",)


async def test_a_request_may_stay_unanswered(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("spot", network=network) as exchange:
        async with connect(network, exchange) as socket:
            exchange.break_connections("no_ack")
            await socket.send_message(
                json.dumps({"method": "SUBSCRIBE", "params": [TRADE], "id": 1})
            )
            assert await silent(socket)
            assert exchange.connections[0].subscriptions == ()


async def test_a_ping_may_stay_unanswered(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("spot", network=network) as exchange:
        async with connect_by_hand(network, exchange) as stream:
            exchange.break_connections("no_pong")
            await stream.send_all(server_websocket.frame(server_websocket.PING, mask=MASK))
            with trio.move_on_after(10) as scope:
                await stream.receive_some()
            assert scope.cancelled_caught


async def test_half_open_is_over_for_the_exchange_and_for_nobody_else(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("spot", network=network) as exchange:
        async with connect(network, exchange) as socket:
            await subscribe(socket, TRADE)
            assert exchange.break_connections("half_open") == 1
            assert exchange.connections == ()
            assert exchange.publish(TRADE, {}) == 0
            assert await silent(socket, 3600)
            async with connect(network, exchange):
                assert exchange.max_concurrent == 1
        await trio.sleep(1)
        assert [entry.detail for entry in exchange.log.of("disconnected", 1)] == [
            "fault: half_open"
        ]


async def outcome(network: MemoryNetwork, exchange: SimulatedExchange) -> str:
    try:
        async with connect(network, exchange):
            return "connected"
    except ConnectionRejected as rejected:
        return f"{rejected.status_code} {rejected.body.decode() if rejected.body else ''}".strip()
    except (OSError, trio.TooSlowError) as error:
        return type(error).__name__


@pytest.mark.parametrize(
    ("venue", "path", "most"), [("hyperliquid", "/ws", 10), ("deribit", "/ws/api/v2", 32)]
)
async def test_only_so_many_connections_are_open_at_once(
    autojump_clock: Any, venue: Any, path: str, most: int
) -> None:
    """Source: deribit §4, hyperliquid §4."""
    network = MemoryNetwork()
    async with open_exchange(venue, network=network) as exchange, AsyncExitStack() as opened:
        for _ in range(most - 1):
            await opened.enter_async_context(connect(network, exchange, path))
        async with connect(network, exchange, path):
            with pytest.raises(ConnectionRejected) as refused:
                async with connect(network, exchange, path):
                    pass
        assert refused.value.status_code == 429
        assert exchange.accepted == most
        await trio.sleep(1)
        async with connect(network, exchange, path):
            assert exchange.accepted == most + 1


async def test_faults_strike_the_connections_they_are_for(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    plan = FaultPlan(
        (
            Fault("refuse", When(first=2, last=3)),
            Fault("http_status", When(first=5), times=2, status=503, body="busy"),
            Fault("refuse", When(first=8), times=1),
            Fault("handshake_hang", When(first=9, last=9)),
        )
    )
    async with open_exchange("spot", network=network, faults=plan) as exchange:
        outcomes = [await outcome(network, exchange) for _ in range(10)]
        assert outcomes == [
            "connected", "ConnectionRefusedError", "ConnectionRefusedError", "connected",
            "503 busy", "503 busy", "connected", "ConnectionRefusedError", "TooSlowError",
            "connected",
        ]  # fmt: skip
        assert exchange.handshakes == 7
        assert exchange.accepted == 4


async def test_handshake_faults_begin_and_end_with_time(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    plan = FaultPlan(
        (
            Fault("http_status", When(seconds=10, until_seconds=20), status=429, retry_after=5),
            Fault("refuse", When(seconds=30, until_seconds=40)),
        )
    )
    async with open_exchange("spot", network=network, faults=plan) as exchange:
        seen = []
        for _ in range(5):
            seen.append(await outcome(network, exchange))
            await trio.sleep(10.5)
    assert seen == ["connected", "429", "connected", "ConnectionRefusedError", "connected"]


async def test_live_faults_strike_at_their_moment(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    plan = FaultPlan(
        (
            Fault("close", When(seconds=5), code=4001),
            Fault("close", When(age_seconds=2, first=2, last=2), code=4002),
            Fault("close", When(messages=3, first=3), code=4003, times=1),
        )
    )
    async with open_exchange("spot", network=network, faults=plan) as exchange:
        ends = []
        for _ in range(3):
            async with connect(network, exchange) as socket:
                await subscribe(socket, TRADE)
                if len(ends) == 2:
                    for number in range(5):
                        exchange.publish(TRADE, {"t": number})
                count = len(await read_to_the_end(socket))
                assert socket.closed is not None
                ends.append((socket.closed.code, count, round(trio.current_time())))
    assert ends == [(4001, 0, 5), (4002, 0, 7), (4003, 3, 7)]


async def test_a_fault_can_be_for_one_route(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("usdm", network=network) as exchange:
        async with (
            connect(network, exchange, "/public/stream") as public,
            connect(network, exchange, "/market/stream") as market,
        ):
            exchange.inject(Fault("close", When(route="/public"), code=4000))
            await read_to_the_end(public)
            assert exchange.break_connections("close", route="/private") == 0
            assert await silent(market, 10)
            assert exchange.max_concurrent == 2
            assert exchange.max_concurrent_by_route == {"/public": 1, "/market": 1}
            exchange.mend()
            async with connect(network, exchange, "/public/stream") as public:
                assert await silent(public, 10)


async def test_a_handshake_fault_cannot_break_what_lives() -> None:
    async with open_exchange("spot", network=MemoryNetwork()) as exchange:
        with pytest.raises(ValueError, match="inject"):
            exchange.break_connections("refuse")


async def test_an_exchange_can_be_half_a_response(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    plan = FaultPlan((Fault("http_status", status=503, body="half", partial_body=True),))
    async with (
        open_exchange("spot", network=network, faults=plan) as exchange,
        network.connect(exchange.host, exchange.port) as stream,
    ):
        await stream.send_all(b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await stream.receive_some()
        assert b"Content-Length: 1004\r\n" in answer
        assert answer.endswith(b"\r\n\r\nhalf")
        with trio.move_on_after(3600) as scope:
            await stream.receive_some()
        assert scope.cancelled_caught


@pytest.mark.parametrize("kind", sorted(HANDSHAKE_KINDS | LIVE_KINDS))
async def test_no_fault_of_any_kind_leaves_anything_behind(autojump_clock: Any, kind: Any) -> None:
    network = MemoryNetwork()
    request = json.dumps({"method": "SUBSCRIBE", "params": [TRADE], "id": 1})
    async with open_exchange("spot", network=network) as exchange:
        exchange.inject(Fault(kind, times=1, size_bytes=2 << 20))
        with trio.move_on_after(60):
            with suppress(
                OSError, ConnectionClosed, trio.TooSlowError, ConnectionRejected, LocalProtocolError
            ):
                async with connect(network, exchange) as socket:
                    await socket.send_message(request)
                    await trio.sleep(0.1)
                    for number in range(3):
                        exchange.publish(TRADE, {"t": number})
                    while True:
                        await socket.get_message()
        await trio.sleep(20)
        async with connect(network, exchange) as socket:
            await subscribe(socket, TRADE)
            assert len(exchange.connections) == 1
    assert network.ledger.open_now() == 0
    assert network.ledger.max_open() == 1


# -- the exchange itself ----------------------------------------------------------------------


async def test_the_same_plan_makes_the_same_log(autojump_clock: Any) -> None:
    async def run() -> str:
        network = MemoryNetwork()
        plan = FaultPlan((Fault("reset", When(seconds=1)), Fault("close", When(messages=2))))
        async with open_exchange("spot", network=network, faults=plan) as exchange:
            for _ in range(2):
                with pytest.raises(ConnectionClosed):
                    await read_until_it_ends(network, exchange)
            return str(exchange.log)

    assert await run() == await run()


async def test_leaving_drops_every_connection_and_the_address(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with open_exchange("spot", network=network, port=9443) as exchange:
        dialled = network.connect(exchange.host, 9443)
        stream = await dialled.__aenter__()
    assert await stream.receive_some() == b""
    await dialled.__aexit__(None, None, None)
    async with open_exchange("spot", network=network, port=9443) as exchange:
        assert exchange.url == "ws://127.0.0.1:9443"
        assert exchange.endpoints.stream == exchange.url
        assert exchange.endpoints.rest == "http://127.0.0.1:9443"


async def test_an_error_of_the_body_comes_out_as_itself(autojump_clock: Any) -> None:
    error = RuntimeError("mine")
    with pytest.raises(RuntimeError) as raised:
        async with open_exchange("spot", network=MemoryNetwork()):
            raise error
    assert raised.value is error


async def test_another_venue_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'binance_coinm'"):
        async with open_exchange("coinm"):  # type: ignore[arg-type]
            pytest.fail("there is no such venue")


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("secure", [False, True])
async def test_on_real_sockets_it_serves_and_breaks_the_same(
    secure: bool, authority: trustme.CA, server_context: ssl.SSLContext
) -> None:
    dialer = Loopback(client_context(authority) if secure else None)

    async def read(exchange: SimulatedExchange, kind: Any) -> int:
        async with connect(dialer, exchange, f"/ws/{TRADE}") as socket:
            while not exchange.publish(TRADE, {"t": 1}):
                await trio.lowlevel.checkpoint()
            assert json.loads(await socket.get_message()) == {"t": 1}
            exchange.break_connections(Fault(kind, size_bytes=2 << 20))
            await read_to_the_end(socket)
            assert socket.closed is not None
            return int(socket.closed.code)

    gc.disable()
    try:
        async with open_exchange(
            "spot", ssl_context=server_context if secure else None
        ) as exchange:
            seen = [(kind, await read(exchange, kind)) for kind, _ in CLOSE_CODES[:-1]]
            assert seen == CLOSE_CODES[:-1]
            assert exchange.max_concurrent == 1
            while exchange.connections:
                await trio.lowlevel.checkpoint()
            exchange.inject(Fault("accept_reset", times=1))
            with pytest.raises(trio.BrokenResourceError):
                async with dialer.connect(exchange.host, exchange.port) as stream:
                    await stream.send_all(b"GET / HTTP/1.1\r\n")
                    await stream.receive_some()
    finally:
        gc.enable()


async def test_tls_on_the_network_in_memory(
    autojump_clock: Any, authority: trustme.CA, server_context: ssl.SSLContext
) -> None:
    network = MemoryNetwork(ssl_context=client_context(authority))
    async with open_exchange("spot", network=network, ssl_context=server_context) as exchange:
        for fault, raises in (("tls_break", True), (None, False)):
            if fault is not None:
                exchange.inject(Fault(fault, times=1))
            async with network.connect(exchange.host, exchange.port) as raw:
                tls = trio.SSLStream(
                    raw, network.ssl_context, server_hostname="127.0.0.1", https_compatible=True
                )
                try:
                    await tls.do_handshake()
                except trio.BrokenResourceError:
                    assert raises
                else:
                    assert not raises
                    await tls.send_all(b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert (await tls.receive_some()).endswith(b"{}")


def test_without_trio_there_is_a_clear_error_at_the_door() -> None:
    async def main() -> None:
        async with open_exchange("usdm"):
            raise AssertionError("unreachable")

    with pytest.raises(
        ConfigError, match=r"^open_exchange\(\) needs trio: write trio\.run\(main\)"
    ):
        asyncio.run(main())
