"""The server side of HTTP upgrade and WebSocket, strict in reading and free in writing.

Reading accepts exactly what RFC 6455 allows a client to send: unmasked frames, reserved bits,
wasteful lengths and bad UTF-8 are a `ProtocolViolation`. Writing is `frame` and similar functions,
which make correct bytes or, on request, wrong ones. The module shares no code with a client, so
that a client is not tested against itself.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus

import attrs
import trio

ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAX_REQUEST_BYTES = 16_384
MAX_CLIENT_MESSAGE_BYTES = 1 << 20

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_KNOWN_OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))


class ProtocolViolation(Exception):
    """The client sent what RFC 6455 forbids; `code` is the close code that answers it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} (close code {code})")
        self.code = code
        self.reason = reason


@attrs.frozen
class Request:
    """An HTTP request of a client; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    rest: bytes = b""
    """Bytes received after the request."""
    body: bytes = b""
    """As long as ``Content-Length`` says."""

    @property
    def is_upgrade(self) -> bool:
        return self.headers.get("upgrade", "").lower() == "websocket"


@attrs.frozen
class Frame:
    """A frame as received, unmasked."""

    opcode: int
    payload: bytes
    final: bool = True


@attrs.frozen
class Message:
    """A whole message of a client: text or binary joined, or one control frame."""

    opcode: int
    payload: bytes

    @property
    def close_code(self) -> int:
        """Of a close frame: its code, 1005 when it carries none (RFC 6455 §7.1.5)."""
        return int.from_bytes(self.payload[:2], "big") if len(self.payload) >= 2 else 1005


async def read_request(stream: trio.abc.ReceiveStream, begun: bytes = b"") -> Request | None:
    """Reads one HTTP request; None when the client goes away before its end.

    `begun` was received already: the `Request.rest` of the one before.

    Raises:
        ProtocolViolation: it is not HTTP, or its head or body is longer than 16 KiB.
    """
    head = bytearray(begun)
    while (end := head.find(b"\r\n\r\n")) < 0:
        if len(head) > MAX_REQUEST_BYTES:
            raise ProtocolViolation(1002, "the request head is longer than 16 KiB")
        chunk = await stream.receive_some()
        if not chunk:
            return None
        head += chunk
    lines = bytes(head[:end]).decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or parts[2] != "HTTP/1.1":
        raise ProtocolViolation(1002, f"{lines[0]!r} is not an HTTP/1.1 request line")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise ProtocolViolation(1002, f"{line!r} is not a header")
        name = name.lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_REQUEST_BYTES:
        raise ProtocolViolation(1002, "the request body is longer than 16 KiB")
    behind = end + 4 + int(length)
    while len(head) < behind:
        chunk = await stream.receive_some()
        if not chunk:
            return None
        head += chunk
    body = bytes(head[end + 4 : behind])
    return Request(parts[0], parts[1], headers, bytes(head[behind:]), body)


def accept(request: Request) -> bytes:
    """The response that accepts an upgrade (RFC 6455 §4.2.2).

    Raises:
        ProtocolViolation: the request is not a valid upgrade.
    """
    headers = request.headers
    key = headers.get("sec-websocket-key", "")
    try:
        key_is_valid = len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        key_is_valid = False
    demands = (
        (request.method == "GET", "the method is not GET"),
        ("host" in headers, "there is no Host header"),
        ("upgrade" in headers.get("connection", "").lower(), "Connection does not say Upgrade"),
        (headers.get("sec-websocket-version") == "13", "Sec-WebSocket-Version is not 13"),
        (key_is_valid, "Sec-WebSocket-Key is not 16 bytes in base64"),
    )
    for met, complaint in demands:
        if not met:
            raise ProtocolViolation(1002, complaint)
    digest = hashlib.sha1(key.encode() + ACCEPT_GUID, usedforsecurity=False).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


def response(
    status: int,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    declared_length: int | None = None,
    keep_alive: bool = False,
) -> bytes:
    """An HTTP response; `declared_length` longer than `body` makes a body that never ends."""
    phrase = next((known.phrase for known in HTTPStatus if known == status), "Unknown")
    lines = [f"HTTP/1.1 {status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines.append(f"Content-Length: {len(body) if declared_length is None else declared_length}")
    lines.append(f"Connection: {'keep-alive' if keep_alive else 'close'}")
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    mask: bytes | None = None,
    length_bytes: int | None = None,
) -> bytes:
    """One frame as bytes (RFC 6455 §5.2).

    Args:
        reserved: the three reserved bits, RSV1 being 4.
        mask: four bytes; a server must not mask, so this makes a frame that a client must refuse.
        length_bytes: 2 or 8 writes the length in that many extended bytes even if fewer suffice.
    """
    first = (0x80 if final else 0) | (reserved << 4) | opcode
    size = len(payload)
    masked = 0 if mask is None else 0x80
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 65_536 else 8
    if length_bytes == 0:
        head = bytes((first, masked | size))
    elif length_bytes == 2:
        head = bytes((first, masked | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, masked | 127)) + size.to_bytes(8, "big")
    return head + payload if mask is None else head + mask + apply_mask(mask, payload)


def text_frame(payload: bytes) -> bytes:
    """Make a text frame quickly: a server sends thousands per second."""
    size = len(payload)
    if size < 126:
        return b"\x81%c%b" % (size, payload)
    if size < 65_536:
        return b"\x81\x7e%c%c%b" % (size >> 8, size & 255, payload)
    return frame(TEXT, payload)


def close_frame(code: int | None = 1000, reason: str = "") -> bytes:
    """A close frame; `code` None leaves it empty."""
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason.encode())


def apply_mask(mask: bytes, payload: bytes) -> bytes:
    """Masks or unmasks (RFC 6455 §5.3)."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


class FrameReader:
    """Turns a client's bytes into whole messages; does no I/O."""

    def __init__(self, *, max_message_bytes: int = MAX_CLIENT_MESSAGE_BYTES) -> None:
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._opcode = 0
        self._max = max_message_bytes

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yields the messages that `data` completes.

        Raises:
            ProtocolViolation: the client broke the protocol.
        """
        self._buffer += data
        while (received := self._next_frame()) is not None:
            if received.opcode >= CLOSE:
                yield Message(received.opcode, received.payload)
            elif (message := self._join(received)) is not None:
                yield message

    def _next_frame(self) -> Frame | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[0], buffer[1]
        opcode, size, start = first & 0x0F, second & 0x7F, 2
        if first & 0x70:
            raise ProtocolViolation(1002, "a reserved bit is set")
        if opcode not in _KNOWN_OPCODES:
            raise ProtocolViolation(1002, f"opcode {opcode:#x} is unknown")
        if not second & 0x80:
            raise ProtocolViolation(1002, "a client's frame is not masked")
        if opcode >= CLOSE and (size > 125 or not first & 0x80):
            raise ProtocolViolation(1002, "a control frame is fragmented or longer than 125 bytes")
        if size >= 126:
            start = 4 if size == 126 else 10
            if len(buffer) < start:
                return None
            size = int.from_bytes(buffer[2:start], "big")
            if size < (126 if start == 4 else 65_536):
                raise ProtocolViolation(1002, "a length is not in its shortest form")
        if size > self._max:
            raise ProtocolViolation(1009, f"a frame of {size} bytes is too long")
        end = start + 4 + size
        if len(buffer) < end:
            return None
        payload = apply_mask(bytes(buffer[start : start + 4]), bytes(buffer[start + 4 : end]))
        del buffer[:end]
        return Frame(opcode, payload, bool(first & 0x80))

    def _join(self, received: Frame) -> Message | None:
        if (received.opcode == CONTINUATION) != bool(self._opcode):
            raise ProtocolViolation(1002, "fragments of a message are out of place")
        self._opcode = self._opcode or received.opcode
        self._parts.append(received.payload)
        if sum(map(len, self._parts)) > self._max:
            raise ProtocolViolation(1009, "a message is too long")
        if not received.final:
            return None
        message = Message(self._opcode, b"".join(self._parts))
        self._opcode = 0
        self._parts.clear()
        if message.opcode == TEXT:
            try:
                message.payload.decode()
            except UnicodeDecodeError as error:
                raise ProtocolViolation(1007, f"a text message is not UTF-8: {error}") from None
        return message
