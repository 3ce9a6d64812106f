"""permessage-deflate (RFC 7692): negotiate compression and decompress messages.

We offer it as browsers do, inflate compressed messages, and send uncompressed ones, which is always
allowed. Inflating does not depend on the server's parameters: the largest window can read all
windows, and remembering earlier messages does not harm a message that does not refer to them. A
final block (RFC 7692 §7.2.3.4) starts a new window, as in the compressors that write one; if a
message refers further back nevertheless, zlib detects it.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable, Mapping
from struct import Struct

from connector.errors import ExchangeUnavailable
from connector.transport.compiled import EXTENSION
from connector.transport.websocket_frames import (
    CONTINUATION,
    MORE,
    ODD,
    TEXT,
    TOO_MANY_FRAGMENTS,
    Violation,
    is_utf8,
    lift_text,
    most_fragments,
    read_header,
)

OFFER = b"permessage-deflate; client_max_window_bits"

_NAME = "permessage-deflate"
_LARGEST_WINDOW = -15
"""Window of 2^15 bytes; negative: deflate data without the header and the sum of zlib's."""
_TAIL = b"\x00\x00\xff\xff"
"""The bytes that the sender removes from the end of every message (RFC 7692 §7.2.1)."""
_MOST_EXPANSION = 1032
"""The largest expansion by deflate: the longest match, 258 bytes, in the shortest code, two
bits."""
_HELD_BACK_BYTES = 16
"""More than the tail, and what zlib may hold back of the message before (RFC 1951 §3.2.3)."""
_PORTION_BYTES = 262_144
"""Bytes to inflate before other tasks run, plus the last message. Four times the inflated size of
the reads of usual traffic."""
_PORTION_STEPS = 1_024
"""The same limit as a number of frames, for frames that are processed one by one."""
_MOST_FINAL_BLOCKS = 16
"""Most final blocks of one message. Compressors end a message with one at most (RFC 7692
§7.2.3.4), and the data after each is copied."""
_INVALID_DATA = 1007
_PROTOCOL_ERROR = 1002
_MESSAGE_TOO_BIG = 1009
_NOT_UTF8 = "a compressed text message is not UTF-8"
_TOO_MANY_FINAL_BLOCKS = f"a compressed message has more than {_MOST_FINAL_BLOCKS} final blocks"

_two_shorts = Struct("!HH").unpack_from
_parameter = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"([^"\\]*)"|([^\s",;]+)))?')
_window_bits = re.compile(r"[89]|1[0-5]")


class CompressionRefused(ExchangeUnavailable):
    """The server answered the offer to compress in a way that RFC 7692 does not allow.

    The connection was given up; the next attempt should not offer compression.
    """


class InvalidCompression(Violation):
    """A compressed message breaks the protocol; ends the connection."""


def _is_flag(value: str | None) -> bool:
    return value is None


def _is_window(value: str | None) -> bool:
    return value is not None and _window_bits.fullmatch(value) is not None


_PARAMETERS: Mapping[str, Callable[[str | None], bool]] = {
    "server_no_context_takeover": _is_flag,
    "client_no_context_takeover": _is_flag,
    "server_max_window_bits": _is_window,
    "client_max_window_bits": _is_window,
}
"""The allowed parameters of an answer to `OFFER`, with a check of their values (RFC 7692 §7.1)."""


def agree(answer: str | None) -> bool:
    """Read the server's answer to `OFFER`.

    Args:
        answer: the value of ``Sec-WebSocket-Extensions``, None without one.

    Returns:
        Whether the server may compress.

    Raises:
        CompressionRefused: the answer does not match the offer.
    """
    if not answer:
        return False
    if "," in answer:
        raise _refused(answer, "more than one extension")
    name, *parameters = (part.strip() for part in answer.split(";"))
    if name.lower() != _NAME:
        raise _refused(answer, "an extension that was not offered")
    seen: set[str] = set()
    for text in parameters:
        match = _parameter.fullmatch(text)
        if match is None:
            raise _refused(answer, f"the malformed parameter {text!r}")
        parameter, value = match[1].lower(), match[2] if match[2] is not None else match[3]
        if parameter in seen or parameter not in _PARAMETERS:
            raise _refused(answer, f"the repeated or unknown parameter {parameter!r}")
        if not _PARAMETERS[parameter](value):
            raise _refused(answer, f"the parameter {parameter!r} with the value {value!r}")
        seen.add(parameter)
    return True


def _refused(answer: str, what: str) -> CompressionRefused:
    return CompressionRefused(
        f"accepted compression wrongly, with {what} in {answer[:200]!r}; "
        "connect without compression"
    )


def inflate_text_in_python(  # noqa: PLR0917  # by position, which costs less
    stream: zlib._Decompress,
    data: bytes,
    position: int,
    surely_fits: int,
    portion: int,
    messages: list[bytes],
) -> tuple[int, bytes | None, int]:
    """Inflate the whole compressed text messages at `position`, and append them to `messages`.

    Args:
        stream: the decompressor.
        data: the buffer.
        position: where a frame begins.
        surely_fits: frames longer than this many bytes are not lifted.
        portion: lifting stops once the messages have this many bytes.
        messages: grows by one message per frame.

    Returns:
        Where the first frame begins that was not lifted; None, or what the frame before it has
        inflated to and is not in `messages`: after it the stream is at its end, or it is not
        UTF-8; and how many bytes of `portion` are left, negative when the last message had more.

    Raises:
        zlib.error: a message does not inflate.
    """
    append, inflate = messages.append, stream.decompress
    end = len(data)
    last = end - 3
    while position < last and portion > 0:
        first, length = _two_shorts(data, position)
        if 0xC100 <= first < 0xC17E:
            start = position + 2
            length = first - 0xC100
        elif first == 0xC17E and length > 125:
            start = position + 4
        else:
            break
        stop = start + length
        if stop > end or length > surely_fits:
            break
        message = inflate(data[start:stop] + _TAIL)
        position = stop
        portion -= len(message)
        if stream.eof or not (message.isascii() or is_utf8(message)):
            return position, message, portion
        append(message)
    return position, None, portion


inflate_text = inflate_text_in_python if EXTENSION is None else EXTENSION.inflate_text


class Inflater:
    """Lifts compressed and uncompressed messages off a buffer.

    Args:
        limit: bytes; a message that inflates to more is never kept.
    """

    def __init__(self, limit: int) -> None:
        self.failure: InvalidCompression | None = None
        """Why the connection must end, once it must."""
        # One byte more is what zlib is asked for.
        self._limit = limit = min(limit, sys.maxsize - 1)
        self._stream = zlib.decompressobj(_LARGEST_WINDOW)
        # The message whose fragments are coming in.
        self._opcode: int | None = None  # None between two messages
        self._parts: list[bytes] = []
        self._room = limit
        self._final_blocks = 0
        self._portion = _PORTION_BYTES
        self._most_fragments = most_fragments(limit)

    def lift(
        self, data: bytes, position: int, limit: int, messages: list[bytes]
    ) -> tuple[int, int]:
        """Do as `frames.lift_text`, for compressed messages of either type too.

        Returns:
            `ODD` also when there is a `failure`; `MORE` when a portion of what there is is lifted.
        """
        self._portion = _PORTION_BYTES
        for _ in range(_PORTION_STEPS):
            if self.failure is not None:
                return position, ODD
            if self._portion <= 0:
                break
            if self._opcode is None:
                position, wanted = lift_text(data, position, limit, messages)
                if wanted != ODD:
                    return position, wanted
                whole = self._lift_whole(data, position, messages)
                if whole != position or self.failure is not None:
                    position = whole
                    continue
            header = read_header(data, position)
            if isinstance(header, int):
                return position, header
            if header is None or header.is_control:
                return position, ODD
            if self._opcode is None:
                if not header.compressed or header.opcode == CONTINUATION:
                    return position, ODD
            elif header.compressed or header.opcode != CONTINUATION:
                self._fail(_PROTOCOL_ERROR, "a compressed message was broken off by another one")
                continue
            if header.length > limit:
                self._fail(_MESSAGE_TOO_BIG, f"a compressed frame has {header.length} bytes")
                continue
            begin = position + header.size
            stop = begin + header.length
            if stop > len(data):
                return position, stop - position
            if self._opcode is None:
                self._opcode = header.opcode
            part = self._inflate(data[begin:stop] + _TAIL if header.final else data[begin:stop])
            self._parts.append(part)
            self._room -= len(part)
            self._portion -= len(part)
            position = stop
            if header.final:
                self._complete(b"".join(self._parts), self._opcode, messages)
                self._parts.clear()
                self._opcode, self._room = None, self._limit
            elif len(self._parts) >= self._most_fragments:
                self._fail(_MESSAGE_TOO_BIG, TOO_MANY_FRAGMENTS)
        return position, MORE

    def _lift_whole(self, data: bytes, position: int, messages: list[bytes]) -> int:
        """Lift whole compressed text messages at `position`, which are the usual ones."""
        surely_fits = self._limit // _MOST_EXPANSION - _HELD_BACK_BYTES
        try:
            position, message, self._portion = inflate_text(
                self._stream, data, position, surely_fits, self._portion, messages
            )
            if message is not None:
                whole = self._inflate_on(message)
                self._portion -= len(whole) - len(message)
                self._complete(whole, TEXT, messages)
        except zlib.error as error:
            self._fail_to_inflate(error)
        return position

    def _complete(self, message: bytes, opcode: int, messages: list[bytes]) -> None:
        """Finish a message that is completely inflated."""
        self._final_blocks = 0
        if opcode == TEXT and not message.isascii() and not is_utf8(message):
            self._fail(_INVALID_DATA, _NOT_UTF8)
        if self.failure is None:
            messages.append(message)

    def _inflate(self, data: bytes) -> bytes:
        """Inflate `data`, to at most one byte more than the limit allows."""
        try:
            return self._inflate_on(self._stream.decompress(data, self._room + 1))
        except zlib.error as error:
            self._fail_to_inflate(error)
            return b""

    def _inflate_on(self, inflated: bytes) -> bytes:
        """Inflate the data after a final block, and check the size."""
        try:
            while self._stream.eof and len(inflated) <= self._room:
                data = self._stream.unused_data
                self._stream = zlib.decompressobj(_LARGEST_WINDOW)
                if data in (b"", _TAIL):
                    break
                self._final_blocks += 1
                if self._final_blocks > _MOST_FINAL_BLOCKS:
                    self._fail(_PROTOCOL_ERROR, _TOO_MANY_FINAL_BLOCKS)
                    break
                inflated += self._stream.decompress(data, self._room + 1 - len(inflated))
        except zlib.error as error:
            self._fail_to_inflate(error)
            return b""
        if len(inflated) > self._room:
            self._fail(_MESSAGE_TOO_BIG, f"a message inflates to more than {self._limit} bytes")
        return inflated

    def _fail_to_inflate(self, error: zlib.error) -> None:
        self._fail(_INVALID_DATA, f"a compressed message does not inflate: {error}")

    def _fail(self, code: int, text: str) -> None:
        if self.failure is None:
            self.failure = InvalidCompression(code, text)
