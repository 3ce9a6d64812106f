"""Rotate line files: rename a file that is large or old enough, and start a new one.

The file that is written keeps its path. A rotated one gets the time of its rotation into its name:
``events.jsonl`` becomes ``events-20261125T170938Z.jsonl``.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from connector.lifecycle import write_fields

MIB = 1024 * 1024
_STAMP = "%Y%m%dT%H%M%SZ"
_STAMPED = re.compile(r"-(\d{8}T\d{6}Z)(?:-(\d+))?")

_log = logging.getLogger("connector.sink")


@attrs.frozen
class Rotation:
    """When a file is rotated, and how many rotated files stay.

    Args:
        bytes: the size from which it is.
        seconds: the age from which it is, since the program opened it.
        keep: rotated files that stay; the oldest are deleted. None keeps all.
        now: the wall clock in seconds, for names.
    """

    bytes: float = math.inf
    seconds: float = math.inf
    keep: int | None = None
    now: Callable[[], float] = time.time

    def is_due(self, size: int, age_seconds: float) -> bool:
        """Whether a file of `size` bytes and that age is rotated; an empty one is not."""
        return size > 0 and (size >= self.bytes or age_seconds >= self.seconds)

    def rotate(self, path: Path) -> None:
        """Give the file at `path` its last name, and delete rotated files that are too many.

        Raises:
            OSError: it cannot be renamed; then it is where it was.
        """
        path.rename(_next_name(path, time.strftime(_STAMP, time.gmtime(self.now()))))
        if self.keep is None:
            return
        for old in rotated(path)[: -self.keep]:
            try:
                old.unlink()
            except OSError as error:
                fields = {"path": str(old), "reason": error.strerror or str(error)}
                text = write_fields(fields)
                _log.warning("old file not deleted %s", text, extra={"fields": fields})


def rotation_of(
    rotate_minutes: float | None, rotate_mib: float | None, keep_files: int | None
) -> Rotation | None:
    """As a configuration writes it; None for a file that is never rotated."""
    if rotate_minutes is None and rotate_mib is None:
        return None
    return Rotation(
        bytes=math.inf if rotate_mib is None else rotate_mib * MIB,
        seconds=math.inf if rotate_minutes is None else rotate_minutes * 60,
        keep=keep_files,
    )


def rotated(path: Path) -> list[Path]:
    """The files that were rotated away from `path`, the oldest first."""
    return [found for _, found in _ranked(path)]


def _ranked(path: Path) -> list[tuple[tuple[str, int], Path]]:
    """Rotated files with their stamps and numbers, in order."""
    found = []
    for each in path.parent.iterdir():
        match = _STAMPED.fullmatch(each.stem.removeprefix(path.stem))
        if each.suffix == path.suffix and each.stem.startswith(path.stem) and match:
            found.append(((match[1], int(match[2] or 1)), each))
    return sorted(found)


def _next_name(path: Path, stamp: str) -> Path:
    """A name behind those of all rotated files, also after the clock was set back."""
    found = _ranked(path)
    last, number = found[-1][0] if found else ("", 0)
    if stamp > last:
        last, number = stamp, 0
    numbered = f"-{number + 1}" if number else ""
    return path.with_name(f"{path.stem}-{last}{numbered}{path.suffix}")
