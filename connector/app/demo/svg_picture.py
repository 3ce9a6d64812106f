"""Draw a terminal as an SVG picture: the last frame of the dashboard and the summary."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console, Group, RenderableType

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
        shown = Group(self._board.render(), render_summary(result))
        save_svg(shown, path, title="connector demo", width=WIDTH_CHARACTERS)


def save_svg(shown: RenderableType, path: Path, *, title: str, width: int) -> None:
    """Draw a terminal with `shown` into the file at `path`.

    Args:
        shown: what the terminal shows.
        path: of the picture.
        title: of the terminal's window.
        width: in characters.
    """
    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=width)
    console.print(shown)
    # A picture that is looked at must not fetch fonts from anywhere.
    drawn = _FONT_FACE.sub("", console.export_svg(title=title))
    text = "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"
    path.write_text(text, encoding="utf-8")
