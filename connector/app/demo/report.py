"""The demo's result: the table that revealed the original bug, and the checks of its numbers.

A leak shows as growth, so the report keeps three numbers of tasks and of sockets — the first, when
everything was connected, the last, and the most — and says which invariant broke, if one did.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import msgspec

ROWS = 8
"""Lines of the table, the first and the last sample included."""


HEADINGS = ("time", "tasks", "sockets", "traffic")


class Span(msgspec.Struct, frozen=True):
    """A number over time."""

    first: int
    last: int
    max: int

    @classmethod
    def of(cls, values: Sequence[int]) -> Span:
        """The span of `values`, of which there is at least one."""
        return cls(first=values[0], last=values[-1], max=max(values))


@attrs.frozen
class Sample:
    """The counts of the adapter at one moment."""

    seconds: float
    tasks: int
    sockets: int
    wire_bytes: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the demo: the object that ``--json`` prints."""

    seconds: float
    seed: int
    links: int
    breaks: int
    """The number of injected faults."""
    sessions: int
    """Connections of all links that completed their handshake."""
    reconnects: dict[str, int]
    """Ends of sessions and failed attempts, by reason."""
    max_concurrent_connections: int
    """The most connections that one link had at once, as counted by the exchange."""
    tasks: Span
    sockets: Span
    messages: int
    gaps: int
    wire_bytes: int
    payload_bytes: int
    violations: list[str]
    """Broken invariants; empty, or the exit status is 1."""

    def to_json(self) -> str:
        """The report as one JSON object."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode()


def violations(
    *,
    links: int,
    tasks: Span,
    sockets: Span,
    max_concurrent_connections: int,
    stalls: Sequence[str],
    left_over: Sequence[str],
) -> list[str]:
    """The broken invariants, as sentences.

    Args:
        links: reconnect loops of the adapter.
        tasks, sockets: the adapter's own; `first` and `last` with everything connected.
        max_concurrent_connections: of one link, as the exchange has counted.
        stalls: links that brought no data for too long after a break.
        left_over: what was still there after the adapter's block.
    """
    found = [*stalls, *left_over]
    if max_concurrent_connections > 1:
        found.append(f"a link had {max_concurrent_connections} connections at once")
    if tasks.last > tasks.first:
        found.append(f"tasks grew from {tasks.first} to {tasks.last}")
    if sockets.last > sockets.first:
        found.append(f"sockets grew from {sockets.first} to {sockets.last}")
    if sockets.max > links:
        found.append(f"{links} links had {sockets.max} sockets open")
    return found


def table(samples: Sequence[Sample]) -> list[tuple[str, str, str, str]]:
    """Rows of time, tasks, sockets and traffic, evenly spaced; traffic since the row before."""
    picked = _spread(samples, ROWS)
    rows = []
    for before, sample in zip([picked[0], *picked], picked, strict=False):
        elapsed = sample.seconds - before.seconds
        traffic = (
            f"{(sample.wire_bytes - before.wire_bytes) / elapsed / 1000:,.0f} KB/s"
            if elapsed > 0
            else "–"
        )
        rows.append((f"{sample.seconds:,.1f} s", str(sample.tasks), str(sample.sockets), traffic))
    return rows


def _spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    last = len(samples) - 1
    places = sorted({round(place * last / (count - 1)) for place in range(count)})
    return [samples[place] for place in places]


def counted(number: int, what: str) -> str:
    """``1 link``, ``2 links``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def verdict(report: Report) -> list[str]:
    """The verdict on the numbers, as lines of text."""
    reasons = ", ".join(f"{reason} {count}" for reason, count in report.reconnects.items())
    lines = [
        (
            f"{counted(report.breaks, 'break')}, {counted(report.sessions, 'session')} on "
            f"{counted(report.links, 'link')}, "
            f"at most {counted(report.max_concurrent_connections, 'connection')} of a link at once"
        ),
        f"reconnects: {reasons or 'none'}",
        (
            f"{report.messages:,} messages, {report.wire_bytes / 1000:,.0f} KB on the wire, "
            f"{report.payload_bytes / 1000:,.0f} KB of payload, {report.gaps} gaps shown"
        ),
    ]
    broken = [f"BROKEN: {violation}" for violation in report.violations]
    return [*lines, *(broken or ["flat: nothing leaked"])]


def summary(report: Report, samples: Sequence[Sample]) -> list[str]:
    """The table and the verdict as lines of text."""
    rows = [HEADINGS, *table(samples)]
    return [
        *(
            f"{time:>8}{tasks:>8}{sockets:>9}{traffic:>12}"
            for time, tasks, sockets, traffic in rows
        ),
        "",
        *verdict(report),
    ]
