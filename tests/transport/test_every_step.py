"""A cancellation, a reset, an error: at every step of a connection's life, not at some.

A run is a function of the step at which the fault strikes. For every step of the whole life
(dial, TLS, handshake, streaming, closing) the stream must be closed when the block is left, and
whatever was on its way out must be what arrives.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
import trustme
from trio.testing import MockClock, memory_stream_pair

from connector.errors import ConnectorError
from connector.transport import is_open, open_connection

TEXT, BINARY, CLOSE = 1, 2, 8
MOST_STEPS = 2_000


@attrs.define(eq=False)
class AtStep(trio.abc.Instrument):
    """Lets a fault strike before the task step with a given number."""

    number: int
    strike: Callable[[], None] | None = None
    steps: int = 0
    struck: bool = False
    armed: bool = False

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if not self.armed:
            return
        self.steps += 1
        if self.steps == self.number:
            self.struck = True
            assert self.strike is not None
            self.strike()


@attrs.define(eq=False)
class Wire(trio.abc.Stream):
    """The client's end of a pair in memory, which knows whether it is closed and can be cut."""

    inner: Any
    closed: bool = False
    cut: bool = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self.cut:
            await trio.lowlevel.checkpoint()
            raise trio.BrokenResourceError
        await self.inner.send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data: bytes | bytearray = await self.inner.receive_some(max_bytes)
        if self.cut and not data:
            raise trio.BrokenResourceError
        return data

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        self.closed = True
        await self.inner.aclose()


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("far").configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    return server, client


@attrs.define(slots=False)
class Life:
    """One connection from dial to close, and the server it speaks to."""

    far: Any
    contexts: tuple[ssl.SSLContext, ssl.SSLContext] | None
    wires: list[Wire] = attrs.Factory(list)
    sockets: set[trio.abc.Stream] = attrs.Factory(set)
    error: Exception | None = None
    finished: bool = False

    @property
    def ssl_context(self) -> ssl.SSLContext:
        assert self.contexts is not None
        return self.contexts[1]

    @asynccontextmanager
    async def connect(self, host: str, port: int) -> Any:
        await trio.lowlevel.checkpoint()
        ours, theirs = memory_stream_pair()
        self.wires.append(Wire(ours))
        async with self.far.closed_after(self.wires[-1]):
            await self.nursery.start(self.serve, theirs)
            yield self.wires[-1]

    async def serve(self, stream: Any, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            if self.contexts is not None:
                stream = trio.SSLStream(
                    stream, self.contexts[0], server_side=True, https_compatible=True
                )
            request = b""
            while b"\r\n\r\n" not in request:
                data = await stream.receive_some()
                if not data:
                    return
                request += data
            frame = self.far.frame
            await stream.send_all(self.far.switching_protocols(request) + frame(TEXT, b"1"))
            await stream.send_all(frame(BINARY, b"2") + frame(9, b"ping"))
            await stream.send_all(frame(TEXT, b"3"))
            while data := await stream.receive_some():
                if data[0] & 0x0F == CLOSE:
                    await stream.send_all(frame(CLOSE, b"\x03\xe8"))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async def live(self, fault: AtStep) -> Exception | None:
        """Live, with a fault: by default a cancellation; what came out of the connection."""
        async with trio.open_nursery() as self.nursery:
            outcome = None
            with trio.CancelScope() as scope:
                fault.strike = fault.strike or scope.cancel
                fault.armed = True
                await trio.lowlevel.checkpoint()
                try:
                    await self.talk()
                except Exception as error:  # noqa: BLE001 - judged by the test
                    outcome = error
            fault.armed = False
            assert not any(map(is_open, self.wires))
            assert not self.sockets
            with trio.fail_after(1):
                # The server sees the end too, and nothing else is left running.
                await trio.sleep(0.01)
                while self.nursery.child_tasks:
                    await trio.sleep(0.01)
        return outcome

    async def talk(self) -> None:
        sink = self.far.Bucket(room=1)
        url = "ws://far" if self.contexts is None else "wss://far"
        async with open_connection(url, sink, dialer=self, sockets=self.sockets) as connection:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(connection.run)
                    await connection.send("hello")
                    with trio.move_on_after(5):
                        await trio.sleep(0.1)
                        while len(sink.messages) < 3:
                            await trio.sleep(0.1)
                    nursery.cancel_scope.cancel()
            except* ConnectorError:
                pass
            if self.error is not None:
                raise self.error
            await connection.close(timeout=2)
            self.finished = True


def run(life: Life, fault: AtStep) -> Exception | None:
    clock = MockClock(autojump_threshold=0)
    outcome: Exception | None = trio.run(life.live, fault, clock=clock, instruments=[fault])
    return outcome


@pytest.mark.parametrize("tls", [False, True])
def test_cancelled_at_every_step(far: Any, contexts: Any, tls: bool) -> None:
    for number in range(1, MOST_STEPS):
        life, fault = Life(far, contexts if tls else None), AtStep(number)
        assert run(life, fault) is None
        if not fault.struck:
            assert life.finished
            assert number > 50
            return
    pytest.fail("it never ends")


@pytest.mark.parametrize("tls", [False, True])
def test_an_error_of_the_body_arrives_whenever_it_is_cancelled(
    far: Any, contexts: Any, tls: bool
) -> None:
    arrived = 0
    for number in range(1, MOST_STEPS):
        error = ValueError("mine")
        life, fault = Life(far, contexts if tls else None, error=error), AtStep(number)
        outcome = run(life, fault)
        assert outcome in (None, error)
        arrived += outcome is error
        if not fault.struck:
            assert outcome is error
            assert arrived > 1, "also when it was cancelled on its way out"
            return
    pytest.fail("it never ends")


@pytest.mark.parametrize("tls", [False, True])
def test_reset_at_every_step(far: Any, contexts: Any, tls: bool) -> None:
    for number in range(1, MOST_STEPS):
        life = Life(far, contexts if tls else None)

        def reset(life: Life = life) -> None:
            for wire in life.wires:
                wire.cut = True
                wire.inner.receive_stream.put_eof()

        fault = AtStep(number, reset)
        outcome = run(life, fault)
        assert outcome is None or isinstance(outcome, ConnectorError)
        assert life.finished == (outcome is None)
        if not fault.struck:
            assert life.finished
            return
    pytest.fail("it never ends")
