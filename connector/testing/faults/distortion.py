"""The bytes of faults that send wrong data: pure functions of a correct message.

Source: RFC 6455 §5.2 (reserved bits, opcodes, masks, lengths), §5.4 (fragments), §8.1 (UTF-8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from connector.testing.faults.faults import Fault
from connector.testing.network import server_websocket


def payload_of(stream: str, data: bytes, *, combined: bool) -> bytes:
    """The text of a data message: wrapped on a combined connection, else the payload alone."""
    return b'{"stream":"%b","data":%b}' % (stream.encode(), data) if combined else data


def truncated(text: bytes) -> bytes:
    """A message that ends after two thirds of its text."""
    return server_websocket.text_frame(text[: max(1, len(text) * 2 // 3)])


def fragments(text: bytes) -> bytes:
    """A message in three fragments with a ping and a pong between them (RFC 6455 §5.4)."""
    third = max(1, len(text) // 3)
    return b"".join(
        (
            server_websocket.frame(server_websocket.TEXT, text[:third], final=False),
            server_websocket.frame(server_websocket.PING, b"between"),
            server_websocket.frame(
                server_websocket.CONTINUATION, text[third : 2 * third], final=False
            ),
            server_websocket.frame(server_websocket.PONG),
            server_websocket.frame(server_websocket.CONTINUATION, text[2 * third :]),
        )
    )


def _reserved(fault: Fault, text: bytes) -> bytes:
    return server_websocket.frame(server_websocket.TEXT, text, reserved=0b011)


def _masked(fault: Fault, text: bytes) -> bytes:
    return server_websocket.frame(server_websocket.TEXT, text, mask=b"\x01\x02\x03\x04")


def _opcode(fault: Fault, text: bytes) -> bytes:
    return server_websocket.frame(0x3, text)


def _length(fault: Fault, text: bytes) -> bytes:
    return server_websocket.frame(server_websocket.TEXT, text[:100], length_bytes=8)


def _utf8(fault: Fault, text: bytes) -> bytes:
    return server_websocket.frame(server_websocket.TEXT, text + b"\xc3\x28\xff")


def _oversized(fault: Fault, text: bytes) -> bytes:
    return server_websocket.frame(server_websocket.TEXT, text.ljust(fault.size_bytes))


def _unknown(fault: Fault, text: bytes) -> bytes:
    return server_websocket.text_frame(text)


WRONG_BYTES: Mapping[str, Callable[[Fault, bytes], bytes]] = MappingProxyType(
    {
        "bad_reserved_bits": _reserved,
        "bad_mask": _masked,
        "bad_opcode": _opcode,
        "bad_length": _length,
        "bad_utf8": _utf8,
        "oversized": _oversized,
        "unknown_event": _unknown,
    }
)
"""Kind of fault to the frame that it sends between the data, made from a message of its own."""


def strange_message(stream: str, *, combined: bool) -> bytes:
    """A well-formed data message of no known kind."""
    data = b'{"e":"unheardOf","E":1,"s":"NOBODY","detail":{"new":[1,2,3]}}'
    return payload_of(stream, data, combined=combined)
