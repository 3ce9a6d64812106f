"""Delete old files of a recorder, by their age or by the size of all files."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from connector.errors import ConfigError
from connector.recording import SUFFIX, Start, span_of, start_of
from connector.recording.folder import in_order

NS_PER_DAY = 86_400_000_000_000
GIB = 1024**3

_log = logging.getLogger("connector.recording")


@attrs.frozen
class Retention:
    """The files to keep in one folder.

    Args:
        days: what was received longer ago is deleted; None keeps everything.
        bytes: of all files, the present one included; the oldest go first. None has no limit.
    """

    days: float | None = None
    bytes: int | None = None

    def __bool__(self) -> bool:
        return self.days is not None or self.bytes is not None


def retention_of(keep_days: float | None, max_total_gib: float | None) -> Retention:
    """As options and configurations write it."""
    return Retention(keep_days, None if max_total_gib is None else round(max_total_gib * GIB))


def delete_old(
    folder: Path,
    retention: Retention,
    exchange: str,
    present: Path,
    now_ns: Callable[[], int] = time.time_ns,
) -> list[Path]:
    """Delete the files that `retention` does not keep, and return them, oldest first.

    Only recordings of `exchange` are deleted, and never the present file. A file that cannot be
    read or deleted stays, with a warning.

    Args:
        folder: of the recorder.
        retention: what is kept.
        exchange: whose recordings.
        present: the file that is written.
        now_ns: the wall clock.
    """
    if not retention:
        return []
    found: list[tuple[Path, Start]] = []
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            start = start_of(path)
        except (ConfigError, OSError):
            continue
        if start.exchange == exchange and path != present:
            found.append((path, start))
    ordered = [path for path, _ in in_order(found)]
    total = sum(_size(path) for path in (*ordered, present))
    deleted: list[Path] = []
    for path in ordered:
        too_much = retention.bytes is not None and total > retention.bytes
        if not too_much and not _is_older(path, retention.days, now_ns()):
            break
        size = _size(path)
        try:
            path.unlink()
        except OSError as error:
            _log.warning("not deleted path=%s: %s", path, error.strerror or error)
            continue
        total -= size
        deleted.append(path)
        _log.info("deleted path=%s bytes=%d", path, size)
    return deleted


def _is_older(path: Path, days: float | None, now_ns: int) -> bool:
    if days is None:
        return False
    try:
        _, last_ns = span_of([path])
        last_ns = last_ns or start_of(path).started_ns
    except (ConfigError, OSError):
        return False
    return last_ns < now_ns - days * NS_PER_DAY


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
