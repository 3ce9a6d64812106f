"""The demo without a terminal: plain lines, or none at all."""

from __future__ import annotations

from typing import TextIO

from connector.app.demo.snapshot import View
from connector.app.words import counted

STATUS_EVERY_SECONDS = 1.0


class Nowhere:
    """Shows nothing: for ``--json``."""

    def show(self, view: View) -> None:
        """Nothing."""

    def say(self, seconds: float, text: str) -> None:
        """Nothing."""


class PlainLines:
    """One line per thing that happens, and one per link and second."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._next = 0.0

    def show(self, view: View) -> None:
        """Write the status, once a second."""
        if view.seconds < self._next:
            return
        self._next = view.seconds + STATUS_EVERY_SECONDS
        for link in view.links:
            reconnects = ", ".join(f"{why} {count}" for why, count in link.reconnects.items())
            self.say(
                view.seconds,
                f"{link.name}: {link.state}, session {link.session}, "
                f"{counted(link.sockets, 'socket')}, {counted(link.tasks, 'task')}, "
                f"{link.messages_per_second:.0f} msg/s, "
                f"{link.wire_bytes_per_second / 1000:.0f} KB/s, "
                f"reconnects: {reconnects or 'none'}, gaps: {link.gaps}",
            )
        if view.top is not None:
            top = view.top
            self.say(
                view.seconds,
                f"{top.symbol}: {top.bid_quantity} @ {top.bid_price} | "
                f"{top.ask_price} @ {top.ask_quantity}",
            )

    def say(self, seconds: float, text: str) -> None:
        """Write a line."""
        print(f"{max(seconds, 0.0):6.1f} s  {text}", file=self._out, flush=True)
