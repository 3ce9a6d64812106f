"""The demo as an SVG picture: the last frame of the dashboard and the summary below it."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from connector.app.demo.dashboard import Board, render_summary
from connector.app.demo.demo import Options, Result
from connector.app.demo.snapshot import View

WIDTH_CHARACTERS = 110
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class Picture:
    """A `Screen` that draws once, at the end."""

    def __init__(self, options: Options) -> None:
        self._board = Board(options)

    def show(self, view: View) -> None:
        """Remember it."""
        self._board.show(view)

    def say(self, seconds: float, text: str) -> None:
        """Add a line to the log."""
        self._board.say(seconds, text)

    def save(self, path: Path, result: Result) -> None:
        """Write the picture to `path`."""
        console = Console(
            file=io.StringIO(), record=True, force_terminal=True, width=WIDTH_CHARACTERS
        )
        console.print(self._board.render())
        console.print(render_summary(result))
        # A picture that is looked at must not fetch fonts from anywhere.
        drawn = _FONT_FACE.sub("", console.export_svg(title="connector demo"))
        path.write_text("\n".join(line.rstrip() for line in drawn.splitlines()) + "\n")
