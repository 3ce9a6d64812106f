"""Show the progress of long work: a line every ten seconds, on a terminal only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TextIO

import click

NS_PER_SECOND = 1_000_000_000
LINE_EVERY_SECONDS = 10.0


class HowFar:
    """How far the reading of a recording has come.

    Args:
        span: receive times of the first and the last frame; None as long as they are not known.
        out: where to; nothing is written if it is no terminal.
        what: is counted.
        clock: in seconds; `time.monotonic` if there is none.
    """

    def __init__(
        self,
        span: tuple[int, int] | None,
        out: TextIO,
        *,
        what: str = "frames",
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._span = span
        self._out = out
        self._what = what
        self._clock = clock or time.monotonic
        self._began = self._clock()
        self._next = self._began + LINE_EVERY_SECONDS if out.isatty() else math.inf

    def show(self, count: int, received_ns: int) -> None:
        """So many have come, the last was received at `received_ns`."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + LINE_EVERY_SECONDS
        place = "" if self._span is None else f", {_place(self._span, received_ns)}"
        click.echo(f"{now - self._began:7.1f} s  {count:,} {self._what}{place}", file=self._out)


def _place(span: tuple[int, int], received_ns: int) -> str:
    first_ns, last_ns = span
    passed = (received_ns - first_ns) / NS_PER_SECOND
    whole = (last_ns - first_ns) / NS_PER_SECOND
    return f"{passed:,.1f} of {whole:,.1f} s ({passed / whole if whole else 1.0:.0%})"
