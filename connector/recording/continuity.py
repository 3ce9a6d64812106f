"""Decide which connections continue from one file of a recording to the next.

A file begins with a `Start`. If it continues the previous file of the same recording, connections
continue, and the file lists the open ones, so that it can be read alone. Otherwise the recorder was
restarted: all connections of the earlier file have ended, even if that file does not contain their
end. Session numbers and ids also start again, so nothing may be compared across such a border.
"""

from __future__ import annotations

from collections.abc import Container

from connector.recording.format import End, Hole, Mark, Plain, Start

RECORDER_ENDED = "recorder ended"
"""Reason of a `Disconnected` that nobody wrote, as the recorder was gone by then."""


class Continuity:
    """Follows the marks of files that are read one after another."""

    def __init__(self) -> None:
        self.recordings = 0
        """The number of starts of a recorder."""
        self.broken = 0
        """The number of files that are missing or incomplete."""
        self._open: dict[str, tuple[int, bool]] = {}
        self._start: Start | None = None
        self._end: End | None = None

    def begin(self, start: Start, last_ns: int) -> list[Mark | Hole]:
        """Begin a file, and return the marks to read before its contents.

        Args:
            start: its first mark.
            last_ns: arrival time of the last frame or mark before it; 0 without any.
        """
        before, ended = self._start, self._end
        self._start, self._end = start, None
        found: list[Mark | Hole] = []
        if before is None or not follows(before, start):
            self.recordings += 1
            found += self._ends(self._open, last_ns)
        elif start.number != before.number + 1 or ended is None:
            self.broken += 1
            present = {link: session for link, session, _ in start.present}
            gone = [link for link, (was, _) in self._open.items() if present.get(link) != was]
            found += self._ends(gone, last_ns)
            found.append(Hole(start.started_ns, 0))
        for link, session, subscribed in start.present:
            was = self._open.get(link)
            if was is None or was[0] != session:
                found.append(Mark("Connected", link, session, start.started_ns))
            if subscribed and was != (session, True):
                found.append(Mark("Subscribed", link, session, start.started_ns))
            self._open[link] = (session, subscribed)
        return found

    def see(self, mark: object) -> None:
        """Take any other mark."""
        if isinstance(mark, End):
            self._end = mark
        elif isinstance(mark, Mark):
            if mark.kind == "Disconnected":
                self._open.pop(mark.link, None)
            elif mark.kind in ("Connected", "Subscribed"):
                self._open[mark.link] = (mark.session, mark.kind == "Subscribed")

    def present(self, time_ns: int) -> list[Mark]:
        """The marks of all open sessions, for a reader that begins at `time_ns`."""
        return [
            Mark(kind, link, session, time_ns)
            for link, (session, subscribed) in self._open.items()
            for kind in ("Connected", "Subscribed")[: 1 + subscribed]
        ]

    def _ends(self, links: Container[str], last_ns: int) -> list[Mark]:
        what: dict[str, Plain] = {
            "reason": RECORDER_ENDED,
            "detail": "the recording goes on with another connection",
            "connected": True,
            "retry_seconds": 0.0,
        }
        return [
            Mark("Disconnected", link, self._open.pop(link)[0], last_ns, what)
            for link in list(self._open)
            if link in links
        ]


def follows(before: Start, start: Start) -> bool:
    """Whether a file belongs to the recording of the one before it."""
    if start.recording or before.recording:
        return start.recording == before.recording
    return start.number > 1
