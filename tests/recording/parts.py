"""Recordings for tests: of a simulated exchange in memory, or made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from connector import Feed
from connector.events import BookView, Gap, asdict
from connector.link.raw_frames import FrameItem, RawFrame
from connector.recording import AnyMark, Subject, Writer
from connector.recording.writer import Presence

LINK = "toy/all"
SUBJECT = Subject("toy", ("ticks:A",), ("A", "B"))


def write(
    path: Path,
    items: Sequence[FrameItem | AnyMark],
    *,
    subject: Subject = SUBJECT,
    every: int = 1000,
    end: str | None = "stopped",
    presence: Presence | None = None,
    started_ns: int = 1,
    run: int = 0,
) -> Path:
    """Record `items`, as many of them per block, and end the file unless `end` is None."""
    presence = Presence(path.name) if presence is None else presence
    file = path.open("xb", buffering=0)
    writer = Writer(file, subject, presence, started_ns=started_ns, run=run)
    for begin in range(0, len(items), every):
        writer.add(items[begin : begin + every])
        writer.flush()
    if end is None:
        writer.abandon()
    else:
        writer.end(end, 2)
    return path


def raw(
    n: int, *, stream: str | None = "A", session: int = 1, ns: int | None = None, link: str = LINK
) -> RawFrame:
    """The `n`-th tick as a frame."""
    from tests.toy import frame

    payload = b'{"id":1}' if stream is None else frame(stream, n)
    return RawFrame(link, session, n if ns is None else ns, stream, payload)


def drain(feed: Feed[Any]) -> list[Any]:
    """All that waits in a feed."""
    items = []
    while True:
        try:
            items.append(feed.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return items


def plain(event: Any) -> Any:
    """An event as a value that can be compared; a view shows another book later."""
    if isinstance(event, Gap):
        return ("gap", *(getattr(event, name) for name in event.fields))
    if isinstance(event, BookView):
        depth = event.depth(5)
        return ("view", event.update_id, event.synced, depth.bids, depth.asks, event.received_ns)
    return (type(event).__name__, *asdict(event).values())
