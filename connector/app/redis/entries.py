"""What is in Redis: one stream per stream of the exchange, entries that are numbered.

.. code-block:: text

    connector:binance_usdm:ethusdc@trade      prefix : exchange : the exchange's name of the stream
        1785000000000-0  entry = msgpack [run, number, [[received_ns, session, frame], …], lost]

`run` is drawn when a publisher begins, `number` counts the entries of that key from 1 without
holes. So a reader knows what it has read already, whatever was sent twice; what was trimmed or lost
before it could read it; and that a publisher has begun anew. `lost` says, in the publisher's words,
that data was lost before the frames. A frame is what the exchange has sent, byte for byte, with the
exchange's own ids in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

FIELD = b"entry"


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Frames that came together, or a loss, or both: the loss is before the frames."""

    run: str
    number: int
    frames: list[tuple[int, int, bytes]]
    """When received (wall clock, ns), by which session of the publisher, and the frame."""
    lost: str | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Entry)


def encode(entry: Entry) -> bytes:
    """The value of `FIELD`."""
    return _encoder.encode(entry)


def decode(fields: Mapping[bytes, bytes]) -> Entry | None:
    """An entry from its fields; None if it is not one of ours."""
    try:
        return _decoder.decode(fields[FIELD])
    except (KeyError, msgspec.MsgspecError):
        return None


def key_of(prefix: str, exchange: str, stream: str) -> bytes:
    """Where the entries of a stream are."""
    return f"{prefix}:{exchange}:{stream}".encode()
