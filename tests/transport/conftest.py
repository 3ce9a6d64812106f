"""The far end for the transport's tests: a byte stream that plays what a script says."""

from __future__ import annotations

import base64
import gc
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import attrs
import pytest
import trio

from connector.transport.dial import closed_after

Ending = Literal["eof", "reset", "silence"]


def accept_of(request: bytes) -> bytes:
    key = next(
        line.split(b":", 1)[1].strip()
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key:")
    )
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False)
    return base64.b64encode(digest.digest())


def switching_protocols(request: bytes, *headers: bytes) -> bytes:
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept_of(request),
        *headers,
    ]
    return b"\r\n".join([*lines, b"", b""])


@attrs.define(eq=False)
class FarEnd(trio.abc.Stream):
    """Our end of a connection whose other end follows a script.

    `answer` makes everything the server says out of the request; `cut` divides it into what
    each read returns; then comes `ending`.
    """

    answer: Callable[[bytes], bytes]
    cut: Callable[[bytes], Sequence[bytes]] = lambda data: [data]
    ending: Ending = "eof"
    sent: list[bytes] = attrs.Factory(list)
    closed: bool = False
    clogged: bool = False
    _chunks: list[bytes] = attrs.Factory(list)
    _changed: trio.Event = attrs.Factory(trio.Event)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        if self.closed:
            raise trio.ClosedResourceError
        if self.clogged:
            await trio.sleep_forever()
        self.sent.append(bytes(data))
        if len(self.sent) == 1:
            self._chunks = [chunk for chunk in self.cut(self.answer(bytes(data))) if chunk]
            self._notify()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        while not self.closed:
            if self.sent:
                if self._chunks:
                    return self._chunks.pop(0)
                if self.ending == "eof":
                    return b""
                if self.ending == "reset":
                    raise trio.BrokenResourceError("connection reset")
            await self._changed.wait()
        raise trio.ClosedResourceError

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        self.closed = True
        self._notify()

    def hear(self, *chunks: bytes) -> None:
        """Say more than was planned."""
        self._chunks += chunks
        self._notify()

    def _notify(self) -> None:
        event, self._changed = self._changed, trio.Event()
        event.set()

    @property
    def frames(self) -> list[tuple[int, bytes]]:
        """What was sent behind the request: opcodes and payloads."""
        return client_frames(b"".join(self.sent[1:]))


def client_frames(data: bytes) -> list[tuple[int, bytes]]:
    frames = []
    while data:
        length = data[1] & 0x7F
        size = {126: 4, 127: 10}.get(length, 2)
        if size > 2:
            length = int.from_bytes(data[2:size])
        mask = data[size : size + 4]
        body = data[size + 4 : size + 4 + length]
        frames.append((data[0] & 0x0F, bytes(b ^ mask[i % 4] for i, b in enumerate(body))))
        data = data[size + 4 + length :]
    return frames


@attrs.define
class FarDialer:
    """Dials a `FarEnd`, made anew for each connection."""

    make: Callable[[], Any]
    context: ssl.SSLContext | None = None
    dialled: list[Any] = attrs.Factory(list)

    @property
    def ssl_context(self) -> ssl.SSLContext:
        assert self.context is not None
        return self.context

    @asynccontextmanager
    async def connect(self, host: str, port: int) -> AsyncIterator[trio.abc.Stream]:
        await trio.lowlevel.checkpoint()
        stream = self.make()
        self.dialled.append(stream)
        async with closed_after(stream):
            yield stream


@attrs.define
class Bucket:
    """A sink with room for `room` messages, emptied when somebody waits for room."""

    room: float = float("inf")
    held: int = 0
    messages: list[bytes] = attrs.Factory(list)
    batches: list[int] = attrs.Factory(list)
    leisurely: bool = False
    rests: int = 0

    def deliver(self, payloads: Sequence[bytes], first: int) -> int:
        count = int(min(len(payloads) - first, self.room - self.held))
        self.messages += payloads[first : first + count]
        self.batches.append(count)
        self.held += count
        return first + count

    async def wait_for_room(self) -> None:
        await trio.sleep(0.01)
        self.held = 0

    async def rest(self) -> None:
        self.rests += 1
        await trio.sleep(0.01)


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    mask: bytes | None = None,
    width: Literal[0, 2, 8] | None = None,
) -> bytes:
    """A frame as a server sends it, or must not; `width`: bytes of extended length."""
    length = len(payload)
    if width is None:
        width = 0 if length < 126 else 2 if length < 65_536 else 8
    second = length if width == 0 else 126 if width == 2 else 127
    header = bytes([fin << 7 | reserved << 4 | opcode, second | (mask is not None) << 7])
    if width:
        header += length.to_bytes(width)
    if mask is not None:
        payload = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
    return header + (mask or b"") + payload


@pytest.fixture
def without_gc() -> Iterator[None]:
    """Nothing is closed by the garbage collector in this test."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Far:
    """What the tests of this folder share; the fixture `far` gives it."""

    End = FarEnd
    Dialer = FarDialer
    Bucket = Bucket
    frame = staticmethod(frame)
    switching_protocols = staticmethod(switching_protocols)
    client_frames = staticmethod(client_frames)
    closed_after = staticmethod(closed_after)


@pytest.fixture(scope="session")
def far() -> type[Far]:
    return Far
