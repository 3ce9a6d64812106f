"""Read the files of a recording as one sequence of steps: runs of frames, and marks.

A step belongs to one link: frames that were received together, or a mark.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from connector.recording.continuity import Continuity
from connector.recording.format import CLOCK_SET, Answer, Block, Hole, Mark, Start
from connector.recording.reader import ALWAYS, Span, whole_blocks


class Frames(msgspec.Struct, gc=False):
    """Frames of one connection that were received together."""

    link: str
    session: int
    time_ns: int
    streams: Sequence[str | None]
    payloads: Sequence[bytes]


class Unrecorded(msgspec.Struct, frozen=True):
    """Nobody recorded here: one recorder had ended, and the next had not begun."""

    by_ns: int
    """How long, by the wall clocks of the two."""


class Elapsed:
    """The time that passed in a recording, whatever the wall clock was set to meanwhile.

    Args:
        zero_ns: where it begins; with the first step, if None.
    """

    def __init__(self, zero_ns: int | None = None) -> None:
        self._last_ns = zero_ns
        self._passed_ns = 0

    def until(self, time_ns: int) -> int:
        """Nanoseconds up to a step of that time: a clock that was set back passes none."""
        if self._last_ns is not None:
            self._passed_ns += max(time_ns - self._last_ns, 0)
        self._last_ns = time_ns
        return self._passed_ns

    def see(self, step: AnyStep) -> None:
        """Take a step that is no time that passed, or any other."""
        by_ns = 0
        if type(step) is Unrecorded:
            by_ns = step.by_ns
        elif type(step) is Mark and step.kind == CLOCK_SET:
            by_ns = int(step.what.get("by_ns") or 0)
        if self._last_ns is not None:
            self._last_ns += by_ns


AnyStep: TypeAlias = Frames | Mark | Answer | Hole | Unrecorded


def steps_of(paths: Iterable[Path], span: Span = ALWAYS) -> Generator[AnyStep, None, None]:
    """What the files hold, in order; what a file that follows repeats is left out.

    Connections that were open when a recorder ended are ended before what the next one recorded.

    Args:
        paths: in their order.
        span: what is wanted of them; connections that are open when it begins are opened there.

    Raises:
        OSError, ConfigError, RecordingDamaged: as `connector.recording.reader.whole_blocks`.
    """
    continuity = Continuity()
    last_ns = 0
    waiting = span.since_ns is not None
    for path in span.files(paths):
        for block in whole_blocks(path):
            marks = block.table.marks
            if marks and type(start := marks[0][1]) is Start:
                recordings = continuity.recordings
                found = continuity.begin(start, last_ns)
                if not waiting:
                    yield from found
                if last_ns and recordings != continuity.recordings:
                    yield Unrecorded(start.started_ns - last_ns)
                last_ns = start.started_ns
            if span:
                for step in _steps_of_block(block):
                    time_ns = step.received_ns if isinstance(step, Answer) else step.time_ns
                    if waiting and time_ns in span:
                        waiting = False
                        yield from continuity.present(time_ns)
                    if type(step) is not Frames:
                        continuity.see(step)
                    if time_ns in span:
                        yield step
            else:
                yield from _steps_of_block(block)
            for _, mark in marks:
                continuity.see(mark)
            if block.times:
                last_ns = block.times[-1]


def _steps_of_block(block: Block) -> Iterator[Frames | Mark | Answer | Hole]:
    times, indices, payloads = block.times, block.sources, block.payloads
    sources: list[tuple[str, int, tuple[str | None, ...]]] = [
        (link, session, (stream,)) for link, session, stream in block.table.sources
    ]
    begin = 0
    for position, mark in [*block.table.marks, (len(times), None)]:
        while begin < position:
            link, session, streams = sources[indices[begin]]
            time_ns = times[begin]
            end = begin + 1
            if end < position and times[end] == time_ns:
                while (
                    end < position
                    and times[end] == time_ns
                    and sources[indices[end]][:2] == (link, session)
                ):
                    end += 1
                streams = tuple(sources[index][2][0] for index in indices[begin:end])
            yield Frames(link, session, time_ns, streams, payloads[begin:end])
            begin = end
        if isinstance(mark, Mark | Answer | Hole):
            yield mark
