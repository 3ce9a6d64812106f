"""Replace characters that a terminal cannot write, such as one with the code page 1252."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TextIO

PLAIN: Mapping[str, str] = MappingProxyType(
    {**dict(zip("▁▂▃▄▅▆▇█", "._-=+*%#", strict=True)), "→": ">", "…": "...", "–": "-", "×": "x"}
)
"""The rest is a question mark."""
_NAME = "connector-plain"


def write_plainly(streams: Iterable[TextIO]) -> None:
    """Let `streams` use `PLAIN` for characters that they cannot write, instead of raising."""
    codecs.register_error(_NAME, _replace)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_NAME)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = error.object[error.start : error.end]
    return "".join(PLAIN.get(each, "?") for each in written), error.end
