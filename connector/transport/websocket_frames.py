"""Parse WebSocket frames: a fast path for plain text, a careful one for all others.

The functions are pure, over one buffer (RFC 6455 §5.2). `lift_text` takes whole, unfragmented,
uncompressed text messages off the front of a buffer, and stops at the first other frame, which
`read_header` then parses. It is one of the hottest loops, and `connector.transport.compiled` may
have it in C; `lift_text_in_python` defines its behaviour.
"""

from __future__ import annotations

from struct import Struct

import msgspec

from connector.transport.compiled import EXTENSION

ODD = 0
"""`lift_text` stopped at a frame that it does not lift."""
MORE = -1
"""More messages can be lifted after other tasks have run: the data of one read is lifted in
portions, so that it blocks the loop for a bounded time only."""
SHORTEST_HEADER = 2

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA
OPCODES = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})

_FIN = 0x80
_RSV1 = 0x40
_RESERVED = 0x70
_CONTROL = 0x08
_MASKED = 0x80
_LONGEST_CONTROL = 125
_HEADER_SIZES = {126: 4, 127: 10}
_NO_STATUS = 1005
_FRAGMENTS_AT_LEAST = 1_024
_FRAGMENT_BYTES = 64

_two_shorts = Struct("!HH").unpack_from
_one_long = Struct("!Q").unpack_from
_one_short = Struct("!H").unpack_from


class Violation(Exception):
    """The server violated the protocol or one of our limits; this ends the connection."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        """The close code (RFC 6455 §7.4.1)."""
        self.text = text


def masked_text(payload: bytes, key: bytes) -> bytes:
    """A text message from a client, in one frame, masked with four bytes of `key` (§5.3)."""
    size = len(payload)
    if size < 126:
        head = bytes((_FIN | TEXT, _MASKED | size))
    elif size < 1 << 16:
        head = bytes((_FIN | TEXT, _MASKED | 126)) + size.to_bytes(2)
    else:
        head = bytes((_FIN | TEXT, _MASKED | 127)) + size.to_bytes(8)
    mask = int.from_bytes((key * (size // 4 + 1))[:size])
    return head + key + (int.from_bytes(payload) ^ mask).to_bytes(size)


def most_fragments(limit: int) -> int:
    """How many fragments a message may have whose bytes are limited to `limit`.

    Empty ones cost memory, too, and the protocol allows any number of them. A message as large as
    the limit may come in pieces of 64 bytes.
    """
    return max(_FRAGMENTS_AT_LEAST, limit // _FRAGMENT_BYTES)


TOO_MANY_FRAGMENTS = "a message has too many fragments"


def is_utf8(data: bytes) -> bool:
    """Whether a text message may hold these bytes (RFC 6455 §8.1)."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def lift_text_in_python(
    data: bytes, position: int, limit: int, messages: list[bytes]
) -> tuple[int, int]:
    """Append the payloads of the whole text frames at `position` to `messages`.

    Args:
        data: the buffer.
        position: where a frame begins.
        limit: frames longer than this many bytes are not lifted.
        messages: grows by one payload per frame.

    Returns:
        Where the first frame begins that was not lifted, and how many bytes from there on are
        needed to go on; `ODD` when it is not a frame to lift, however many bytes follow.
    """
    append = messages.append
    unpack = _two_shorts
    end = len(data)
    last = end - 3
    while True:  # which Python 3.11 specialises within the first read, and `while …` later
        if position >= last:
            return _lift_short(data, position, limit, messages)
        # Two shorts in one call: the two bytes that every frame begins with, and the length of
        # a payload of 126 to 65,535 bytes. Measured: 0.25 µs per frame, against 0.34 with four
        # separate indexings.
        first, length = unpack(data, position)
        if first == 0x817E:
            start = position + 4
            if length < 126:
                return position, ODD
        elif 0x8100 <= first < 0x817E:
            start = position + 2
            length = first - 0x8100
        elif first == 0x817F:
            if end - position < 10:
                return position, 10
            start = position + 10
            length = _one_long(data, position + 2)[0]
            if length < 65_536 or length >> 63:
                return position, ODD
        else:
            return position, ODD
        if length > limit:
            return position, ODD
        stop = start + length
        if stop > end:
            return position, stop - position
        payload = data[start:stop]
        # isascii is nearly free, and market data is ASCII but for a few symbols.
        if not payload.isascii() and not is_utf8(payload):
            return position, ODD
        append(payload)
        position = stop


def _lift_short(data: bytes, position: int, limit: int, messages: list[bytes]) -> tuple[int, int]:
    """Do as `lift_text` when at most three bytes are left."""
    left = len(data) - position
    if left == 0:
        return position, SHORTEST_HEADER
    if data[position] != 0x81:
        return position, ODD
    if left == 1:
        return position, SHORTEST_HEADER
    length = data[position + 1]
    if length > 127:
        return position, ODD
    if length == 127:
        return position, 10
    if length == 126:
        return position, 4
    if length > limit:
        return position, ODD
    stop = position + 2 + length
    if stop > len(data):
        return position, 2 + length
    payload = data[position + 2 : stop]
    if not payload.isascii() and not is_utf8(payload):
        return position, ODD
    messages.append(payload)
    return _lift_short(data, stop, limit, messages)


lift_text = lift_text_in_python if EXTENSION is None else EXTENSION.lift_text


class Header(msgspec.Struct, frozen=True, gc=False):
    """The header of one frame that a server may send."""

    opcode: int
    final: bool
    compressed: bool
    """The bit RSV1, which permessage-deflate gives a meaning (RFC 7692 §6)."""
    size: int
    """Bytes before the payload."""
    length: int
    """Bytes of payload."""

    @property
    def is_control(self) -> bool:
        return self.opcode >= CLOSE


def read_header(data: bytes, position: int) -> Header | int | None:
    """Read the header of the frame at `position`.

    Returns:
        The header; or how many bytes from `position` on are needed to tell; or None when no
        server may send this, whatever follows.
    """
    left = len(data) - position
    if left < SHORTEST_HEADER:
        return SHORTEST_HEADER
    first, second = data[position], data[position + 1]
    opcode = first & 0x0F
    final = bool(first & _FIN)
    reserved = first & _RESERVED
    length = second & 0x7F
    if opcode not in OPCODES or second & _MASKED or reserved & ~_RSV1:
        return None
    if opcode & _CONTROL and (not final or reserved or length > _LONGEST_CONTROL):
        return None
    size = _HEADER_SIZES.get(length, SHORTEST_HEADER)
    if left < size:
        return size
    if size == 4:
        length = _one_short(data, position + 2)[0]
        if length < 126:
            return None
    elif size == 10:
        length = _one_long(data, position + 2)[0]
        if length < 65_536 or length >> 63:
            return None
    return Header(opcode, final, bool(reserved), size, length)


def read_close(payload: bytes) -> tuple[int, str]:
    """The code and the text of a close frame (RFC 6455 §5.5.1, §7.1.5)."""
    if len(payload) < 2:
        return _NO_STATUS, ""
    return _one_short(payload)[0], payload[2:].decode("utf-8", "replace")
