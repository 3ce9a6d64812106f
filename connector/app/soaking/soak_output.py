"""Show the progress of a soak: a row per sample, and on a terminal a bar below."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from connector.app.soaking.growth import Rest
from connector.app.soaking.soak import Log

HEADINGS = ("time", "tasks", "sockets", "fds", "memory", "traffic")


class Rows:
    """A row per sample, and nothing in between."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._say(HEADINGS)

    def sampled(self, sample: Rest) -> None:
        """Write the row."""
        self._say(row(sample))

    def passed(self, seconds: float, breaks: int) -> None:
        """Nothing."""

    def _say(self, cells: tuple[str, ...]) -> None:
        print("".join(f"{cell:>11}" for cell in cells), file=self._out, flush=True)


class Bar(Rows):
    """Rows, and below them how far it is."""

    def __init__(self, progress: Progress, duration_seconds: float) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=duration_seconds, breaks=0)
        super().__init__(sys.stdout)

    def passed(self, seconds: float, breaks: int) -> None:
        """Move on."""
        self._progress.update(self._task, completed=max(seconds, 0.0), breaks=breaks)

    def _say(self, cells: tuple[str, ...]) -> None:
        self._progress.console.print("".join(f"{cell:>11}" for cell in cells), highlight=False)


class Silent:
    """Says nothing: for ``--json``."""

    def sampled(self, sample: Rest) -> None:
        """Nothing."""

    def passed(self, seconds: float, breaks: int) -> None:
        """Nothing."""


def row(sample: Rest) -> tuple[str, ...]:
    """A sample as the cells of a line."""
    return (
        f"{sample.seconds:,.0f} s",
        str(sample.tasks),
        str(sample.sockets),
        "–" if sample.descriptors is None else str(sample.descriptors),
        "–" if sample.rss_bytes is None else f"{sample.rss_bytes / 1e6:,.1f} MB",
        f"{sample.bytes_per_second / 1e3:,.1f} KB/s" if sample.seconds > 1 else "–",
    )


@contextmanager
def logging_to(duration_seconds: float, *, as_json: bool) -> Iterator[Log]:
    """Where the progress is shown: nowhere, on a terminal with a bar, or in a file."""
    console = Console()
    if as_json:
        yield Silent()
    elif console.is_terminal:
        with Progress(
            BarColumn(),
            TextColumn("{task.fields[breaks]} breaks"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        ) as progress:
            yield Bar(progress, duration_seconds)
    else:
        yield Rows(sys.stdout)
