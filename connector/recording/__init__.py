"""Recordings: files with all frames that an adapter received, and a replay of them.

`Writer` writes the frames that `Adapter.frames` yields. `read_frames` and `read_blocks` read them.
`replay` is an exchange that plays them. On the command line, use ``connector record``. The package
needs the extra ``capture``.
"""

from connector.recording.folder import Found, Recorded, Skipped, files_of, look_for
from connector.recording.format import (
    SUFFIX,
    Answer,
    AnyMark,
    Block,
    End,
    Hole,
    Mark,
    RecordingDamaged,
    Start,
)
from connector.recording.reader import (
    Damage,
    Span,
    read_blocks,
    read_frames,
    span_of,
    start_of,
)
from connector.recording.replay import Replay, replay
from connector.recording.writer import RecordingFailed, Subject, Writer

__all__ = [
    "SUFFIX",
    "Answer",
    "AnyMark",
    "Block",
    "Damage",
    "End",
    "Found",
    "Hole",
    "Mark",
    "Recorded",
    "RecordingDamaged",
    "RecordingFailed",
    "Replay",
    "Skipped",
    "Span",
    "Start",
    "Subject",
    "Writer",
    "files_of",
    "look_for",
    "read_blocks",
    "read_frames",
    "replay",
    "span_of",
    "start_of",
]
