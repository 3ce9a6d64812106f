"""The data in Redis: one Redis stream per stream of the exchange, with numbered entries.

.. code-block:: text

    connector:binance_usdm:ethusdc@trade      prefix : exchange : the exchange's name of the stream
        1785000000000-0  run     5f0c…        drawn when a publisher begins
                         number  17           of the entries of this key in this run, from 1
                         frames  msgpack [[received_ns, session, frame], …]
                         lost    disconnected only if data was lost before the frames: why

So a reader knows what it has read already, whatever was sent twice; what was trimmed or lost before
it could read it; and that a publisher has begun anew. A frame is what the exchange has sent, byte
for byte, with the exchange's own ids in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

RUN, NUMBER, FRAMES, LOST = b"run", b"number", b"frames", b"lost"

Fields = dict[bytes, bytes]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """Frames that came together, or a loss, or both: the loss is before the frames."""

    run: str
    """The id of the publisher's run."""
    number: int
    """The number of the entry in its stream and run."""
    frames: list[tuple[int, int, bytes]]
    """When received (wall clock, ns), by which session of the publisher, and the frame."""
    lost: str | None = None
    """Why data was lost before this entry; None if none was."""


_decoder = msgspec.msgpack.Decoder(list[tuple[int, int, bytes]])


def encode(frames: list[tuple[int, int, bytes]], lost: str | None) -> Fields:
    """The fields of an entry, but for those that `numbered` adds."""
    fields = {FRAMES: msgspec.msgpack.encode(frames)}
    if lost is not None:
        fields[LOST] = lost.encode()
    return fields


def numbered(fields: Fields, run: str, number: int) -> Fields:
    """`fields` of the entry `number` of `run`."""
    return {RUN: run.encode(), NUMBER: b"%d" % number, **fields}


def number_of(fields: Mapping[bytes, bytes], run: str) -> int | None:
    """The number of an entry; None if it is not of `run`."""
    if fields.get(RUN) != run.encode():
        return None
    return int(fields[NUMBER])


def decode(fields: Mapping[bytes, bytes]) -> Entry | None:
    """An entry from its fields; None if it is not one of ours."""
    try:
        return Entry(
            run=fields[RUN].decode(),
            number=int(fields[NUMBER]),
            frames=_decoder.decode(fields[FRAMES]),
            lost=fields[LOST].decode() if LOST in fields else None,
        )
    except (KeyError, ValueError):  # of which msgspec's errors are
        return None


def key_of(prefix: str, *parts: str) -> bytes:
    """Where the entries of a stream are: ``prefix:exchange:stream``."""
    return ":".join((prefix, *parts)).encode()
