"""Rows 16–20 and 44 of the fault table: the connection never comes to be."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
import trustme
from trio.testing import MockClock

from connector import ExchangeUnavailable, HandshakeRejected, Reconnect, open_adapter
from connector.exchanges import binance
from connector.lifecycle import Disconnected
from connector.testing import Fault, FaultPlan, MemoryNetwork, When
from tests.faults.world import BOOK, QUICK, TRADES, World, open_world, take, take_until_gap

CONNECT_SECONDS = 10.0
"""What the transport allows a connection until its handshake is complete."""
LATENCY = 0.1
"""More than a dial and an answer take in the simulated network."""


def intervals(world: World) -> list[float]:
    return [new - old for old, new in itertools.pairwise(world.dials())]


# Row 16: it is down, for long.


async def test_a_server_that_is_down_is_retried_for_ever_at_a_capped_rate(
    autojump_clock: MockClock,
) -> None:
    plan = FaultPlan((Fault("http_status", When(until_seconds=900), status=503),))
    async with (
        open_world(faults=plan, reconnect=Reconnect(cap=10)) as world,
        world.adapter.subscribe(BOOK) as feed,
    ):
        await take(feed, 1)

        waits = intervals(world)
        # Between `initial` and the cap, random, so that a fleet does not knock in step.
        assert all(0.25 <= wait <= 10 + LATENCY for wait in waits[1:])
        assert max(waits) > 8
        assert len({round(wait, 3) for wait in waits}) > 0.9 * len(waits)
        assert 900 / 10 <= len(waits) <= 900 / 3
        assert world.reasons() == {"rejected": len(waits)}
        assert not world.exchange.log.of("violation")
        assert world.adapter.statistics().sessions_opened == 1
        assert world.network.ledger.open_now() == 1


async def test_the_wait_for_a_down_server_grows_to_the_cap(autojump_clock: MockClock) -> None:
    plan = FaultPlan((Fault("http_status"),))
    reconnect = Reconnect(initial=0.25, cap=10, jitter="none")
    async with open_world(faults=plan, reconnect=reconnect) as world:
        with trio.move_on_after(60):
            await world.adapter.wait_connected()

        waits = [round(wait, 1) for wait in intervals(world)]
        assert waits[:8] == [0.3, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
        ended = [event for event in world.happened() if isinstance(event, Disconnected)]
        assert all("HTTP status 503" in event.detail for event in ended)
        assert not any(event.connected for event in ended)


@pytest.mark.parametrize("status", [408, 418, 425, 429, 500, 502, 504, 521])
async def test_what_time_can_mend_is_retried(autojump_clock: MockClock, status: int) -> None:
    plan = FaultPlan((Fault("http_status", When(last=3), status=status),))
    async with (
        open_world(faults=plan, reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK) as feed,
    ):
        (event,) = await take(feed, 1)

        assert event.session == 4
        assert world.reasons() == {"rejected": 3}


# Row 17: it asks for patience.


@pytest.mark.parametrize("status", [418, 429, 503])
async def test_retry_after_is_a_floor_for_every_link_to_the_host(
    autojump_clock: MockClock, status: int
) -> None:
    async with (
        open_world(links=3, reconnect=Reconnect(initial=0.25)) as world,
        world.adapter.subscribe(BOOK, gaps=True) as books,
        world.adapter.subscribe(TRADES, gaps=True) as trades,
    ):
        await take(trades, 1)
        world.exchange.inject(Fault("http_status", status=status, retry_after=60, times=1))
        world.happened()
        world.exchange.break_connections("reset", route="/market")
        await take_until_gap(trades)
        while not world.exchange.log.of("rejected"):
            await trio.sleep(0.01)
        told_at = trio.current_time()
        known = len(world.network.ledger)

        # Another link of the same adapter loses its connection a little later …
        await trio.sleep(10)
        world.exchange.break_connections("fin", route="/public")
        await take_until_gap(books)
        # … and another adapter of the same program comes later still.
        await trio.sleep(10)
        second = binance.UsdMFutures(endpoints=world.exchange.endpoints)
        async with open_adapter(second, dialer=world.network) as adapter:
            await adapter.wait_connected()
        await take_until_event(books)
        await take_until_event(trades)

        dials = world.dials()[known:]
        assert len(dials) == 3
        assert all(told_at + 60 - LATENCY <= dial <= told_at + 65 for dial in dials)
        rejected = [e for e in world.happened() if getattr(e, "reason", "") == "rejected"]
        assert [event.retry_seconds for event in rejected] == [60]


@pytest.mark.parametrize("status", [418, 429])
@pytest.mark.parametrize("retry_after", [None, 0])
async def test_a_ban_without_a_time_is_waited_out_longer_each_time(
    autojump_clock: MockClock, status: int, retry_after: float | None
) -> None:
    fault = Fault("http_status", When(last=4), status=status, retry_after=retry_after)
    async with (
        open_world(faults=FaultPlan((fault,)), reconnect=Reconnect(initial=0.25)) as world,
        world.adapter.subscribe(BOOK) as feed,
    ):
        await take(feed, 1)
        for wait, least in zip(intervals(world), [60, 120, 240, 480], strict=True):
            assert least <= wait <= least + 2
        ended = [event for event in world.happened() if isinstance(event, Disconnected)]
        assert [event.retry_seconds for event in ended] == [60, 120, 240, 480]


async def take_until_event(feed: Any) -> None:
    """Read until the feed flows again."""
    with trio.fail_after(120):
        await take(feed, 1)


async def test_a_link_that_was_waiting_already_waits_longer(autojump_clock: MockClock) -> None:
    # One link is refused by the system and waits 5 s; the host tells the other to wait 100.
    plan = FaultPlan((Fault("http_status", status=429, retry_after=100, times=1),))
    reconnect = Reconnect(initial=5, jitter="none")
    async with open_world(links=2, reconnect=reconnect, faults=plan) as world:
        world.network.fail_dials("refuse", times=1)
        with trio.move_on_after(99):
            async with world.adapter.subscribe(BOOK, TRADES):
                raise AssertionError("unreachable")

        assert len(world.dials()) == 2
        assert world.reasons() == {"rejected": 1, "unavailable": 1}
        with trio.fail_after(60):
            async with world.adapter.subscribe(BOOK, TRADES) as feed:
                await take(feed, 1)


async def test_another_host_is_not_asked_for_patience(autojump_clock: MockClock) -> None:
    plan = FaultPlan((Fault("http_status", status=418, retry_after=7200, times=1),))
    async with open_world(faults=plan) as world:
        with trio.move_on_after(1):
            await world.adapter.wait_connected()
        began = trio.current_time()
        async with open_world(exchange_options={"host": "127.0.0.2"}) as other:
            await other.adapter.wait_connected()

        assert trio.current_time() - began < 1
        assert len(world.dials()) == 1


# Row 18: it does not want us.


@pytest.mark.parametrize("status", [400, 401, 403, 404, 451])
@pytest.mark.parametrize("endless_body", [False, True])
async def test_a_refusal_for_good_is_raised_as_itself(
    autojump_clock: MockClock, status: int, endless_body: bool
) -> None:
    fault = Fault("http_status", status=status, body="go away", partial_body=endless_body)
    dials = []
    with pytest.raises(HandshakeRejected) as caught:
        async with open_world(faults=FaultPlan((fault,))) as world:
            try:
                async with world.adapter.subscribe(BOOK):
                    raise AssertionError("unreachable")
            finally:
                dials = world.dials()

    assert caught.value.status == status
    assert caught.value.body == b"go away"
    assert caught.value.headers["content-type"] == "text/plain"
    assert str(status) in str(caught.value) and "go away" in str(caught.value)
    assert len(dials) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 451])
async def test_a_rejected_handshake_after_data_is_retried_with_long_waits_and_reported(
    autojump_clock: MockClock, status: int
) -> None:
    async with (
        open_world(reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        await take(feed, 1)
        known = len(world.dials())
        world.exchange.inject(Fault("http_status", status=status, times=5))
        world.exchange.break_connections("close")
        await take_until_gap(feed)
        (event,) = await take(feed, 1)

        assert event.session == 7
        dials = world.dials()[known:]
        waits = [new - old for old, new in itertools.pairwise(dials)]
        for wait, most in zip(waits, [10, 20, 40, 80, 160], strict=True):
            assert min(5, most / 2) <= wait <= most + 1
        told = [e for e in world.happened() if getattr(e, "reason", "") == "rejected"]
        assert len(told) == 5
        assert all(f"HTTP status {status}" in event.detail for event in told)


async def test_a_refusal_that_stays_ends_the_adapter_when_its_attempts_are_used_up(
    autojump_clock: MockClock,
) -> None:
    with pytest.raises(ExchangeUnavailable, match="gave up after 3 failed attempts"):
        async with (
            open_world(reconnect=attrs.evolve(QUICK, max_attempts=3)) as world,
            world.adapter.subscribe(BOOK) as feed,
        ):
            await take(feed, 1)
            world.exchange.inject(Fault("http_status", status=403))
            world.exchange.break_connections("close")
            await trio.sleep_forever()


async def test_another_link_that_has_data_makes_a_refusal_pass(autojump_clock: MockClock) -> None:
    async with (
        open_world(links=2, reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK) as feed,
    ):
        await take(feed, 1)
        world.exchange.inject(Fault("http_status", status=403, times=2))
        async with world.adapter.subscribe(TRADES) as trades:
            (event,) = await take(trades, 1)
        assert event.session == 3


async def test_the_blocks_own_exception_is_not_lost_behind_a_refusal(
    autojump_clock: MockClock,
) -> None:
    fault = Fault("http_status", status=401)
    with pytest.raises(ZeroDivisionError) as caught:
        async with open_world(faults=FaultPlan((fault,))) as world:
            try:
                await world.adapter.wait_connected()
            finally:
                raise ZeroDivisionError

    assert any("HTTP status 401" in note for note in caught.value.__notes__)


# Rows 19 and 20: nobody answers, or not for long.


@asynccontextmanager
async def mute_server(network: MemoryNetwork, port: int) -> AsyncIterator[None]:
    """Accepts connections and says nothing, not even in TLS."""
    listener = network.listen("127.0.0.1", port)
    accepted = []

    async def accept() -> None:
        while True:
            accepted.append(await listener.accept())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        yield
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("stage", ["TCP", "TLS", "WebSocket"])
async def test_an_unanswered_handshake_is_given_up(autojump_clock: MockClock, stage: str) -> None:
    network = MemoryNetwork()
    scheme = "wss" if stage == "TLS" else "ws"
    exchange = binance.UsdMFutures(
        endpoints=binance.Endpoints(stream=f"{scheme}://127.0.0.1:443", rest="http://127.0.0.1")
    )
    if stage == "TCP":
        network.fail_dials("hang")
    async with (
        mute_server(network, 443),
        open_adapter(exchange, dialer=network, reconnect=QUICK) as adapter,
    ):
        lifecycle = adapter.lifecycle()
        with trio.move_on_after(100):
            await adapter.wait_connected()

        ended = []
        with pytest.raises(trio.WouldBlock):
            while True:
                ended.append(lifecycle.receive_nowait())
        details = {event.detail for event in ended if isinstance(event, Disconnected)}
        assert details == {f"127.0.0.1:443 did not complete the {stage} handshake within 10 s"}
        records = list(network.ledger)
        assert 5 <= len(records) <= 10
        for record in records[:-1]:
            assert record.ended is not None
            assert record.ended - record.began == pytest.approx(CONNECT_SECONDS)
        assert network.ledger.max_open() == 1
        assert adapter.statistics().sessions_opened == 0


FAILURES: list[Any] = [
    pytest.param("dns", "could not be reached", id="20 DNS"),
    pytest.param("refuse", "could not be reached", id="20 refused"),
    pytest.param("hang", "did not complete the TCP handshake", id="20 dial hangs"),
    pytest.param("tls_break", "broke off", id="20 TLS broken off"),
    pytest.param("accept_close", "broke off", id="20 closed in the handshake"),
    pytest.param("handshake_hang", "did not complete the WebSocket handshake", id="19"),
]


@asynccontextmanager
async def open_tls_world(**options: Any) -> AsyncIterator[World]:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    async with open_world(
        network=MemoryNetwork(ssl_context=client),
        exchange_options={"ssl_context": server},
        **options,
    ) as world:
        yield world


@pytest.mark.parametrize(("kind", "words"), FAILURES)
async def test_what_cannot_be_reached_is_retried_without_growth(
    autojump_clock: MockClock, kind: Any, words: str
) -> None:
    async with open_tls_world(reconnect=Reconnect(initial=0.25, cap=1)) as world:
        if kind in ("dns", "refuse", "hang"):
            world.network.fail_dials(kind, times=50)
        else:
            world.exchange.inject(Fault(kind, times=50))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.adapter.wait_connected)
            await trio.sleep(0.1)
            resting: set[int] = set()
            with trio.fail_after(50 * (CONNECT_SECONDS + 2)):
                while (now := world.adapter.statistics()).sessions_opened == 0:
                    for event in world.happened():
                        if isinstance(event, Disconnected):
                            assert words in event.detail
                            assert event.reason == "unavailable"
                            assert not event.connected
                    assert now.sockets_open == len(world.network.connections) <= 1
                    if now.links[0].state == "waiting":
                        resting.add(now.tasks)
                    await trio.sleep(0.3)
            assert len(resting) == 1

        async with world.adapter.subscribe(BOOK) as feed:
            await take(feed, 1)
        assert world.reasons() == {"unavailable": 50}
        assert len(world.network.ledger) == 51


async def test_a_refused_dial_of_the_exchanges_plan_is_retried(autojump_clock: MockClock) -> None:
    plan = FaultPlan((Fault("refuse", When(last=3)),))
    async with (
        open_world(faults=plan, reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK) as feed,
    ):
        (event,) = await take(feed, 1)

        assert event.session == 4
        assert world.reasons() == {"unavailable": 3}


# TLS.


async def test_tls_in_memory(autojump_clock: MockClock) -> None:
    async with (
        open_tls_world(reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        for fault in ("reset", "fin", "close", "half_open", "bad_mask"):
            await take(feed, 3)
            world.exchange.break_connections(fault)  # type: ignore[arg-type]
            _, gap = await take_until_gap(feed)
            assert gap.reason == "disconnected"
        await take(feed, 3)

        assert world.exchange.url.startswith("wss://")
        assert sum(world.reasons().values()) == 5
        assert world.network.ledger.open_now() == 1


@pytest.mark.parametrize("why", ["unknown authority", "other name"])
async def test_a_certificate_that_is_not_trusted_is_raised_at_once(
    autojump_clock: MockClock, why: str
) -> None:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    name = "127.0.0.1" if why == "unknown authority" else "exchange.example"
    authority.issue_cert(name).configure_cert(server)
    client = ssl.create_default_context()
    (trustme.CA() if why == "unknown authority" else authority).configure_trust(client)
    network = MemoryNetwork(ssl_context=client)
    with pytest.raises(ExchangeUnavailable, match="is not trusted") as caught:
        async with open_world(network=network, exchange_options={"ssl_context": server}) as world:
            await world.adapter.wait_connected()

    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert len(network.ledger) == 1
    assert network.ledger.open_now() == 0


async def test_a_certificate_that_is_foreign_for_a_moment_in_mid_run_is_retried(
    autojump_clock: MockClock,
) -> None:
    ours, foreign = trustme.CA(), trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    ours.configure_trust(client)
    network = MemoryNetwork(ssl_context=client)
    async with (
        open_world(
            network=network, exchange_options={"ssl_context": server}, reconnect=QUICK
        ) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        await take(feed, 1)
        foreign.issue_cert("127.0.0.1").configure_cert(server)
        world.exchange.break_connections("reset")
        await take_until_gap(feed)
        await trio.sleep(2)
        ours.issue_cert("127.0.0.1").configure_cert(server)
        with trio.fail_after(15):
            (event,) = await take(feed, 1)

        assert event.session == 3
        (told,) = [e for e in world.happened() if getattr(e, "reason", "") == "unavailable"]
        assert "is not trusted" in told.detail
        assert told.retry_seconds >= 5


# Compression.


@attrs.define(eq=False)
class Meddled(trio.abc.Stream):
    """A stream whose server answers an offer to compress with `answer`."""

    stream: trio.abc.Stream
    answer: bytes
    offered: bool = False
    closed: bool = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.offered = self.offered or b"permessage-deflate" in bytes(data)
        await self.stream.send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = bytes(await self.stream.receive_some(max_bytes))
        if self.offered and data.startswith(b"HTTP/1.1 101"):
            extension = b"\r\nSec-WebSocket-Extensions: " + self.answer + b"\r\n\r\n"
            data = data.replace(b"\r\n\r\n", extension, 1)
        return data

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        self.closed = True
        await self.stream.aclose()


class MeddlingNetwork(MemoryNetwork):
    """A network whose servers understand compression in their own way."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer
        self.offers: list[bool] = []

    @asynccontextmanager
    async def connect(self, host: str, port: int) -> AsyncIterator[trio.abc.Stream]:
        async with super().connect(host, port) as stream:
            meddled = Meddled(stream, self.answer)
            try:
                yield meddled
            finally:
                self.offers.append(meddled.offered)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"permessage-deflate; client_max_window_bits=99", id="malformed"),
        pytest.param(b"x-webkit-deflate-frame", id="not offered"),
    ],
)
async def test_a_wrong_answer_to_compression_is_an_error_and_the_next_attempt_does_without(
    autojump_clock: MockClock, answer: bytes
) -> None:
    network = MeddlingNetwork(answer)
    async with (
        open_world(
            network=network,
            reconnect=QUICK,
            describe=lambda exchange: attrs.evolve(exchange, compression=True),  # type: ignore[misc]
        ) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        for _ in range(3):
            await take(feed, 3)
            world.exchange.break_connections("reset")
            await take_until_gap(feed)
        await take(feed, 3)

        assert world.reasons() == {"unavailable": 1, "reset": 3}
        ended = [e for e in world.happened() if isinstance(e, Disconnected)]
        assert "accepted compression wrongly" in ended[0].detail
    assert network.offers == [True, False, False, False, False]
