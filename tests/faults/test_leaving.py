"""Rows 32 and 33 of the fault table: out of every state, in every way, at every step (I4, I12)."""

from __future__ import annotations

import itertools
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
import trustme
from trio.testing import MockClock

from connector import Adapter, Feed, Reconnect, open_adapter
from connector.channels import PartialBook
from connector.errors import (
    ConnectorError,
    ExchangeUnavailable,
    HandshakeRejected,
    InvariantViolated,
)
from connector.exchanges import binance
from connector.lifecycle import Disconnected
from connector.testing import (
    Fault,
    FaultPlan,
    MemoryNetwork,
    SimulatedExchange,
    When,
    open_exchange,
)
from tests.faults.steps import (
    Run,
    Scope,
    Strike,
    cancel_inside,
    cancel_outside,
    interrupt_main,
    interrupt_task,
    ours,
    run_struck,
    tasks_of_ours,
)
from tests.faults.world import BOOK, QUICK, TRADES, Pulse, open_world, take

OTHER = PartialBook("BTCUSDT")
CLOSE_TIMEOUT = 2.0
A_MOMENT = 0.05
"""A few round trips of the network in memory."""


# Every step: something strikes before the k-th step of any task, for every k.


async def connect_and_stream(scope: Scope) -> None:
    """Connect, subscribe, read, lose the connection, read again, leave."""
    exchange = binance.UsdMFutures(endpoints=scope.exchange.endpoints)
    async with open_adapter(
        exchange, dialer=scope.network, reconnect=QUICK, close_timeout=CLOSE_TIMEOUT
    ) as adapter:
        with scope.inner:
            async with adapter.subscribe(BOOK) as feed:
                await feed.receive()
                scope.exchange.break_connections("reset")
                while (await feed.receive()).session == 1:
                    pass


async def raise_when_cancelled(scope: Scope) -> None:
    async with open_adapter(
        binance.UsdMFutures(endpoints=scope.exchange.endpoints),
        dialer=scope.network,
        reconnect=QUICK,
        close_timeout=CLOSE_TIMEOUT,
    ) as adapter:
        with scope.inner:
            async with adapter.subscribe(BOOK) as feed:
                await take(feed, 3)
        if scope.inner.cancelled_caught:
            raise MINE.with_traceback(None)


def half_open_and_leave(scope: Scope, task: trio.lowlevel.Task) -> bool:
    """The peer falls silent for ever, and the block is left."""
    for connection in scope.network.connections:
        connection.half_open()
    scope.inner.cancel()
    return True


MINE = LookupError("mine")

EXPLORES = os.environ.get("HYPOTHESIS_PROFILE") == "explore"
SEEDS = range(20) if EXPLORES else range(1)
STRIDE = 1 if EXPLORES else 3
"""Every so many-th step; `nox -s explore` tries all of them on programs like these."""


def every_step(
    scenario: Callable[[Scope], Awaitable[None]], strike: Strike, **options: Any
) -> Iterator[Run]:
    """A run per step, or per third step, until there are no more steps."""
    for seed in SEEDS:
        for number in itertools.count(1, STRIDE):
            run = run_struck(scenario, number, strike, seed=seed, **options)
            if not run.struck:
                assert run.outcome is None
                assert run.steps > 100
                break
            yield run


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of the server, and of the client."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    return server, client


def test_a_run_is_a_function_of_its_seed() -> None:
    def steps(seed: int) -> int:
        return run_struck(connect_and_stream, 10**9, cancel_outside, seed=seed).steps

    counts = [steps(seed) for seed in range(10)]
    assert counts == [steps(seed) for seed in range(10)]
    assert len(set(counts)) > 1


def test_cancelled_at_any_step_it_is_gone_at_once() -> None:
    for run in every_step(connect_and_stream, cancel_outside):
        assert run.seconds == 0
        assert run.outcome is None


def test_cancelled_at_any_step_over_tls_it_is_gone_at_once(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, client = contexts
    runs = every_step(
        raise_when_cancelled,
        cancel_outside,
        make_network=lambda: MemoryNetwork(ssl_context=client),
        ssl_context=server,
    )
    for run in runs:
        assert run.seconds == 0
        assert run.outcome is None


def test_left_at_any_step_it_is_gone_politely() -> None:
    for run in every_step(connect_and_stream, cancel_inside):
        assert run.seconds <= A_MOMENT
        assert run.outcome is None


def test_an_error_while_the_peer_falls_silent_at_any_step_is_that_error_in_time() -> None:
    longest = 0.0
    for run in every_step(raise_when_cancelled, half_open_and_leave):
        assert run.seconds <= CLOSE_TIMEOUT + A_MOMENT
        assert run.outcome is MINE or run.outcome is None
        assert MINE.__context__ is None
        longest = max(longest, run.seconds)
    assert longest >= CLOSE_TIMEOUT


@pytest.mark.parametrize("strike", [interrupt_main, interrupt_task])
def test_interrupted_at_any_step_it_is_gone_at_once(strike: Strike) -> None:
    outcomes = set()
    for run in every_step(connect_and_stream, strike):
        assert run.seconds <= A_MOMENT
        outcomes.add(type(run.outcome))
    assert outcomes <= {KeyboardInterrupt, type(None)}
    assert KeyboardInterrupt in outcomes


# Every state: row 32 as a table.


@attrs.frozen
class World:
    network: MemoryNetwork
    exchange: SimulatedExchange

    def half_open(self, adapter: Adapter) -> None:
        self.exchange.break_connections("half_open")

    def close_half_open(self, adapter: Adapter) -> None:
        self.half_open(adapter)
        adapter.reconnect()

    def hang_dials(self) -> binance.Endpoints:
        self.network.fail_dials("hang")
        return self.exchange.endpoints

    def never_accept(self) -> binance.Endpoints:
        """A backlog in which connections wait for ever, before the first byte of TLS."""
        url = f"://127.0.0.1:{self.network.listen().port}"
        return binance.Endpoints(stream=f"wss{url}", rest=f"https{url}")


@attrs.frozen(kw_only=True)
class State:
    """How a link gets into a state."""

    link: str
    """What the statistics call it."""
    seconds: float = 1.0
    """When it has been reached."""
    fault: Fault | None = None
    endpoints: Callable[[World], binance.Endpoints] = lambda world: world.exchange.endpoints
    disturb: Callable[[World, Adapter], None] = lambda world, adapter: None
    """Called half-way."""
    buffer: int = 1024
    tls: bool = False
    leave_seconds: float = A_MOMENT
    """The longest that leaving may take without a cancellation."""


HANG = Fault("handshake_hang")
SLOWLY = CLOSE_TIMEOUT + A_MOMENT
STATES = {
    "dial": State(link="connecting", endpoints=World.hang_dials),
    "TLS": State(link="connecting", tls=True, endpoints=World.never_accept),
    "handshake": State(link="connecting", fault=HANG),
    "handshake over TLS": State(link="connecting", fault=HANG, tls=True),
    "half an answer": State(
        link="connecting", fault=Fault("http_status", body="wait", partial_body=True)
    ),
    "subscribing": State(link="subscribing", fault=Fault("no_ack")),
    "streaming": State(link="streaming"),
    "streaming over TLS": State(link="streaming", tls=True),
    "full buffer": State(link="streaming", buffer=1, seconds=60),
    "full buffer, half-open": State(
        link="streaming", buffer=1, seconds=60, disturb=World.half_open, leave_seconds=SLOWLY
    ),
    "half-open": State(link="streaming", disturb=World.half_open, leave_seconds=SLOWLY),
    "half-open over TLS": State(
        link="streaming", tls=True, disturb=World.half_open, leave_seconds=SLOWLY
    ),
    "closing": State(link="closing", disturb=World.close_half_open, leave_seconds=CLOSE_TIMEOUT),
    "backoff": State(link="waiting", fault=Fault("accept_close"), seconds=10),
    "backoff after 503": State(
        link="waiting", fault=Fault("http_status", retry_after=600.0), seconds=10
    ),
}

WAYS: dict[str, BaseException | None] = {
    "return": None,
    "raise": LookupError("mine"),
    "raise a group": ExceptionGroup("mine", [LookupError("one"), LookupError("other")]),
    "cancel": None,
    "interrupt": KeyboardInterrupt(),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", STATES)
async def test_out_of_every_state_in_every_way(
    autojump_clock: MockClock, contexts: tuple[ssl.SSLContext, ssl.SSLContext], name: str, way: str
) -> None:
    state, error = STATES[name], WAYS[way]
    server, client = contexts
    network = MemoryNetwork(ssl_context=client)
    outcome: BaseException | None = None
    left_at = 0.0
    async with open_exchange(
        "usdm",
        network=network,
        ssl_context=server if state.tls else None,
        source=Pulse(),
        faults=FaultPlan(() if state.fault is None else (state.fault,)),
    ) as exchange:
        world = World(network, exchange)
        try:
            with trio.CancelScope() as outer, ours():
                async with open_adapter(
                    binance.UsdMFutures(endpoints=state.endpoints(world)),
                    dialer=network,
                    reconnect=QUICK,
                    close_timeout=CLOSE_TIMEOUT,
                ) as adapter:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(hold, adapter, state.buffer)
                        await trio.sleep(state.seconds / 2)
                        state.disturb(world, adapter)
                        await trio.sleep(state.seconds / 2)
                        (link,) = adapter.statistics().links
                        assert link.state == state.link
                        left_at = trio.current_time()
                        (outer if way == "cancel" else nursery.cancel_scope).cancel()
                    if error is not None:
                        raise error
        except BaseException as caught:  # noqa: BLE001  # looked at below
            outcome = caught
        seconds = trio.current_time() - left_at
        assert not tasks_of_ours()
        assert network.ledger.open_now() == 0
        assert network.ledger.max_open() == 1

    assert outcome is error
    assert outer.cancelled_caught == (way == "cancel")
    assert seconds <= (0 if way in ("cancel", "interrupt") else state.leave_seconds)


async def hold(adapter: Adapter, buffer: int) -> None:
    async with adapter.subscribe(BOOK, buffer=buffer):
        await trio.sleep_forever()


async def test_an_adapter_that_was_never_used_dials_nothing(autojump_clock: MockClock) -> None:
    network = MemoryNetwork()
    async with open_adapter(binance.Spot(), dialer=network) as adapter:
        await trio.sleep(100)
        assert adapter.statistics().tasks == 1
    assert trio.current_time() == 100
    assert len(network.ledger) == 0


async def test_close_timeout_zero_does_not_wait(autojump_clock: MockClock) -> None:
    async with open_world(close_timeout=0) as world, world.adapter.subscribe(BOOK) as feed:
        await take(feed, 3)
        world.exchange.break_connections("half_open")
        left_at = trio.current_time()
    assert trio.current_time() == left_at


# Whose error it is.


async def test_the_error_of_the_body_is_not_touched(autojump_clock: MockClock) -> None:
    mine = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as caught:
        async with open_world() as world, world.adapter.subscribe(BOOK) as feed:
            async for _ in feed:
                raise mine
    assert caught.value is mine
    assert mine.__context__ is None
    assert mine.__cause__ is None
    assert not hasattr(mine, "__notes__")


FORBIDDEN = FaultPlan((Fault("http_status", status=403, body="not from here"),))


@asynccontextmanager
async def forbidden_world() -> AsyncIterator[Adapter]:
    """An adapter whose first connection is refused for good."""
    async with open_world(faults=FORBIDDEN) as world:
        yield world.adapter


async def test_a_fatal_error_comes_out_as_itself(autojump_clock: MockClock) -> None:
    with pytest.raises(HandshakeRejected) as caught:
        async with forbidden_world() as adapter:
            async with adapter.subscribe(BOOK):
                raise AssertionError("unreachable")
    assert caught.value.status == 403
    assert not hasattr(caught.value, "__notes__")


async def test_a_fatal_error_comes_out_of_a_body_with_tasks_of_its_own(
    autojump_clock: MockClock,
) -> None:
    with pytest.raises(HandshakeRejected):
        async with forbidden_world() as adapter:
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(hold, adapter, 1)


async def test_two_links_fail_and_one_error_comes_out(autojump_clock: MockClock) -> None:
    with pytest.raises(HandshakeRejected) as caught:
        async with open_world(faults=FORBIDDEN, links=2) as world:
            async with world.adapter.subscribe(BOOK, TRADES):
                raise AssertionError("unreachable")
    (note,) = caught.value.__notes__
    assert "the adapter failed, too: HandshakeRejected" in note


async def test_a_link_that_gives_up_ends_one_that_streams(autojump_clock: MockClock) -> None:
    """Once there has been data a refusal is retried, for as long as `max_attempts` allows."""
    forbidden = Fault("http_status", When(first=2), status=451)
    patience = Reconnect(max_attempts=2)
    with pytest.raises(ConnectorError, match="451"):
        async with open_world(faults=FaultPlan((forbidden,)), links=2, reconnect=patience) as world:
            async with world.adapter.subscribe(BOOK) as feed:
                await take(feed, 3)
                async with world.adapter.subscribe(TRADES):
                    raise AssertionError("unreachable")


async def test_both_fail_and_the_body_comes_first_with_a_note(autojump_clock: MockClock) -> None:
    mine = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as caught:
        async with forbidden_world() as adapter:
            try:
                await hold(adapter, 1)
            finally:
                raise mine
    assert caught.value is mine
    (note,) = mine.__notes__
    assert "the adapter failed, too: HandshakeRejected" in note
    assert "403" in note


async def test_both_fail_and_no_cancellation_of_ours_gets_out(autojump_clock: MockClock) -> None:
    mine = ValueError("mine")

    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise mine

    network = MemoryNetwork()
    async with open_exchange("usdm", network=network, faults=FORBIDDEN) as exchange:
        with pytest.raises(BaseExceptionGroup) as caught:
            async with open_adapter(
                binance.UsdMFutures(endpoints=exchange.endpoints), dialer=network
            ) as adapter:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(fail_when_cancelled)
                    nursery.start_soon(trio.sleep_forever)
                    nursery.start_soon(hold, adapter, 1)
    assert caught.value.exceptions == (mine,)
    assert "HandshakeRejected" in caught.value.__notes__[0]


async def test_a_group_of_the_body_stays_itself_when_the_adapter_fails_too(
    autojump_clock: MockClock,
) -> None:
    mine = ExceptionGroup("mine", [ValueError(), ExceptionGroup("deeper", [KeyError()])])
    with pytest.raises(ExceptionGroup) as caught:
        async with forbidden_world() as adapter:
            try:
                await hold(adapter, 1)
            except trio.Cancelled:
                raise mine from None
    assert caught.value is mine
    assert "HandshakeRejected" in mine.__notes__[0]


async def test_giving_up_comes_out_as_itself(autojump_clock: MockClock) -> None:
    network = MemoryNetwork()
    with pytest.raises(ExchangeUnavailable, match="gave up after 3"):
        async with open_adapter(
            binance.Spot(), dialer=network, reconnect=Reconnect(max_attempts=3)
        ) as adapter:
            await adapter.wait_connected()
    assert (len(network.ledger), network.ledger.open_now()) == (3, 0)


async def test_a_body_that_leaves_as_the_adapter_fails_raises_the_failure(
    autojump_clock: MockClock,
) -> None:
    with pytest.raises(HandshakeRejected):
        async with forbidden_world() as adapter:
            told = adapter.lifecycle()
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(hold, adapter, 1)
                    while not isinstance(await told.receive(), Disconnected):
                        pass
                    scope.cancel()


@attrs.frozen
class Buggy:
    """Binance, with a bug."""

    exchange: binance.UsdMFutures
    bug: BaseException

    def __getattr__(self, name: str) -> Any:
        return getattr(self.exchange, name)

    def subscribe(self, request_id: int, streams: Any) -> str:
        raise self.bug


@pytest.mark.parametrize("bug", [ZeroDivisionError("oops"), KeyboardInterrupt()], ids=repr)
async def test_a_bug_inside_is_one_error_of_ours_and_an_interrupt_itself(
    autojump_clock: MockClock, bug: BaseException
) -> None:
    network = MemoryNetwork()
    async with open_exchange("usdm", network=network) as exchange:
        broken: Any = Buggy(binance.UsdMFutures(endpoints=exchange.endpoints), bug)
        with pytest.raises(BaseException) as caught, ours():
            async with open_adapter(broken, dialer=network) as adapter:
                await hold(adapter, 1)
        assert not tasks_of_ours()
        assert network.ledger.open_now() == 0
    if isinstance(bug, KeyboardInterrupt):
        assert caught.value is bug
    else:
        assert type(caught.value) is ConnectorError
        assert caught.value.__cause__ is bug
        assert "please report it" in str(caught.value)


# Objects kept after their block.


async def test_a_kept_adapter_and_a_kept_feed_fail_closed(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        adapter = world.adapter
        async with adapter.subscribe(BOOK) as feed:
            await take(feed, 3)
        await check_ended(feed, "this feed's subscription has ended")
        async with adapter.subscribe(OTHER) as other:
            pass
    await check_ended(other, "the adapter's block has been left", to_add="the adapter's block")

    with pytest.raises(trio.ClosedResourceError, match="the adapter's block has been left"):
        async with adapter.subscribe(BOOK):
            raise AssertionError("unreachable")
    with pytest.raises(trio.ClosedResourceError, match="the adapter's block has been left"):
        await adapter.wait_connected()
    for method in (adapter.reconnect, adapter.lifecycle):
        with pytest.raises(trio.ClosedResourceError, match="the adapter's block has been left"):
            method()
    assert "closed" in repr(adapter)
    statistics = adapter.statistics()
    assert (statistics.tasks, statistics.sockets_open, statistics.sessions_open) == (0, 0, 0)
    assert statistics.feeds == ()
    assert trio.current_time() < 10
    assert len(world.network.ledger) == 1


async def check_ended(feed: Feed[Any], words: str, to_add: str | None = None) -> None:
    ended = "this feed's subscription has ended"
    for read in (feed.receive, feed.__anext__, feed.batches().__anext__):
        with pytest.raises(trio.ClosedResourceError, match=ended):
            await read()
    with pytest.raises(trio.ClosedResourceError, match=ended):
        feed.receive_nowait()
    for change in (feed.add, feed.discard):
        with pytest.raises(trio.ClosedResourceError, match=to_add or words):
            await change(OTHER)
    assert feed.statistics().buffered == 0
    assert feed.channels == ()
    feed.close()


async def test_a_consumer_outside_the_block_hears_that_it_is_over(
    autojump_clock: MockClock,
) -> None:
    told: list[Any] = []

    async def watch(feed: Feed[Any], done: type[Exception]) -> None:
        with pytest.raises(done):
            while True:
                told.append(await feed.receive())

    async with trio.open_nursery() as nursery:
        async with open_world() as world:
            async with world.adapter.subscribe(BOOK) as feed:
                nursery.start_soon(watch, feed, trio.ClosedResourceError)
                nursery.start_soon(watch, world.adapter.lifecycle(), trio.EndOfChannel)
                await trio.sleep(1)
    assert [(each.reason) for each in told if isinstance(each, Disconnected)] == ["left"]


async def test_leaving_while_another_task_uses_the_adapter(autojump_clock: MockClock) -> None:
    """Tasks outside the block are told; none of them keeps the adapter alive."""

    async def use(adapter: Adapter) -> None:
        with pytest.raises(trio.ClosedResourceError):
            while True:
                async with adapter.subscribe(BOOK) as feed:
                    async for _ in feed:
                        break

    async with trio.open_nursery() as nursery:
        async with open_world() as world:
            for _ in range(5):
                nursery.start_soon(use, world.adapter)
            await trio.sleep(2.015)
            left_at = trio.current_time()
    assert trio.current_time() - left_at <= A_MOMENT


async def test_a_socket_that_is_open_after_the_block_is_an_error_of_ours(
    autojump_clock: MockClock,
) -> None:
    """The tripwire: nothing in the package can do this, so the test lets a dialer leak."""
    network = LeakyNetwork()
    async with open_exchange("usdm", network=network, source=Pulse()) as exchange:
        venue = binance.UsdMFutures(endpoints=exchange.endpoints)
        with pytest.raises(InvariantViolated, match="1 sockets are open"):
            async with open_adapter(venue, dialer=network) as adapter:
                async with adapter.subscribe(BOOK) as feed:
                    await feed.receive()


class LeakyNetwork(MemoryNetwork):
    """Its streams cannot be closed."""

    @asynccontextmanager
    async def connect(self, host: str, port: int) -> AsyncIterator[trio.abc.Stream]:
        async with super().connect(host, port) as stream:
            yield Unclosable(stream)


class Unclosable(trio.abc.Stream):
    closed = False

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self.stream.aclose()
