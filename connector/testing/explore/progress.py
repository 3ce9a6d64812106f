"""Show the progress of a sweep: a bar on a terminal with `rich`, otherwise a periodic line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from connector.testing.explore.report import Report
from connector.testing.explore.sweep import Unit
from connector.testing.explore.workers import Watcher

_LINE_SECONDS = 10.0


def say(text: str) -> None:
    """Write a line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Lines:
    """Write a line every ten seconds."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._began = self._said = time.monotonic()
        say(f"{total} units")

    def advanced(self, report: Report, unit: Unit, *, finished: bool) -> None:
        self._done += finished
        now = time.monotonic()
        if now - self._said >= _LINE_SECONDS or self._done == self._total:
            self._said = now
            pace = report.runs / max(now - self._began, 1e-9)
            say(
                f"{self._done}/{self._total} units, {report.runs:,} runs, {pace:,.0f} runs/s, "
                f"{len(report.findings)} findings, now: {unit}"
            )


@contextmanager
def watching(total: int) -> Iterator[Watcher]:
    """Make a watcher that shows the progress of a sweep of this many units."""
    if not sys.stdout.isatty():
        yield Lines(total)
        return
    try:
        from rich.progress import (  # noqa: PLC0415  # an extra
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )
    except ImportError:
        yield Lines(total)
        return
    with Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[runs]:,} runs"),
        TextColumn("{task.fields[pace]:,.0f} runs/s"),
        TextColumn("{task.fields[findings]} findings"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    ) as progress:
        bar = progress.add_task("", total=total, runs=0, pace=0.0, findings=0)
        began = time.monotonic()

        class Bar:
            def advanced(self, report: Report, unit: Unit, *, finished: bool) -> None:
                pace = report.runs / max(time.monotonic() - began, 1e-9)
                progress.update(
                    bar,
                    advance=int(finished),
                    description=str(unit),
                    runs=report.runs,
                    pace=pace,
                    findings=len(report.findings),
                )

        yield Bar()
