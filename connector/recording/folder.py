"""Find the recordings in a folder, and their order, by the content of the files.

A folder may contain other files: an empty one after a full disk, one that was cut off before its
first block, or a file of another program. Such files are skipped with a warning; the others are
read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from connector.errors import ConfigError
from connector.recording.format import SUFFIX, Block, Start
from connector.recording.reader import read_blocks, start_of

_log = logging.getLogger("connector.recording")


@attrs.frozen
class Skipped:
    """A file that is not part of a recording."""

    path: Path
    """The skipped file."""
    why: str
    """The reason."""
    damaged: bool
    """Whether the file has blocks of a recording, but not the first one."""


@attrs.frozen
class Recorded:
    """The recording of one exchange: its files in one folder, or those that you listed."""

    name: str
    """The name of the subfolder; empty for the folder itself."""
    exchange: str
    """The name of the exchange."""
    paths: tuple[Path, ...]
    """The files, in the order of recording."""
    starts: tuple[Start, ...] = attrs.field(eq=False, repr=False)
    """The first mark of each file."""


@attrs.frozen
class Found:
    """The result of a search for recordings."""

    recordings: tuple[Recorded, ...]
    """The recordings in the folder."""
    skipped: tuple[Skipped, ...]
    """The files that are not part of one."""


def look_for(paths: str | Path | Sequence[str | Path]) -> Found:
    """Find the recordings at `paths`: files, or folders of them.

    A folder without a recording is looked through one level deeper: ``connector run`` makes a
    folder for each adapter.

    Raises:
        ConfigError: there is none.
        OSError: a file cannot be read.
    """
    given = [paths] if isinstance(paths, str | Path) else paths
    groups: dict[tuple[Path | None, str], list[tuple[Path, Start]]] = {}
    skipped: list[Skipped] = []
    names: dict[Path | None, str] = {None: ""}
    candidates = dict.fromkeys(each for path in map(Path, given) for each in _candidates(path))
    missing = [path for path, _ in candidates if not path.exists()]
    if missing or not candidates:
        what = ", ".join(map(str, missing)) or " ".join(map(str, given))
        raise ConfigError(f"no recording at {what}; use connector record to make one")
    for path, folder in candidates:
        start = _start_or_why_not(path)
        if isinstance(start, Skipped):
            skipped.append(start)
            continue
        if folder is not None:
            names[folder] = "" if any(folder == Path(each) for each in given) else folder.name
        groups.setdefault((folder, start.exchange), []).append((path, start))
    if not groups:
        raise ConfigError("; ".join(f"{each.path} {each.why}" for each in skipped))
    recordings = [
        _recorded(names[folder], exchange, found) for (folder, exchange), found in groups.items()
    ]
    return Found(tuple(recordings), tuple(skipped))


def files_of(
    paths: str | Path | Sequence[str | Path], exchange: str | None = None
) -> tuple[Path, ...]:
    """Find the files of one recording, in the order of recording.

    A file that is no recording is left out with a warning in the log, if there is another.

    Args:
        paths: where.
        exchange: whose, if there are recordings of several.

    Raises:
        ConfigError: there is none, or more than one.
        OSError: a file cannot be read.
    """
    return one_of(look_for(paths), exchange).paths


def one_of(found: Found, exchange: str | None = None) -> Recorded:
    """Return the only recording that was found. Logs a warning for files that are left out.

    Raises:
        ConfigError: there are several.
    """
    warn_of(found.skipped)
    of_exchange = [each for each in found.recordings if each.exchange == exchange]
    some = of_exchange or list(found.recordings)
    if len(some) == 1:
        return some[0]
    what = ", ".join(f"{each.paths[0].parent} ({each.exchange})" for each in some)
    raise ConfigError(f"there are {len(some)} recordings: {what}; choose one of them")


def warn_of(skipped: Sequence[Skipped]) -> None:
    """Log a warning for each file that is left out."""
    for each in skipped:
        _log.warning("skipped path=%s: it %s", each.path, each.why)


def starts_in(folder: Path) -> Iterator[Start]:
    """The beginnings of the files in one folder, as far as they can be read, in any order."""
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            yield start_of(path)
        except (ConfigError, OSError):
            continue


def _candidates(path: Path) -> list[tuple[Path, Path | None]]:
    """Files that may be recordings, each with its folder if nobody has named the file."""
    if not path.is_dir():
        return [(path, None)]
    pattern = f"*{SUFFIX}"
    found = sorted(path.glob(pattern)) or sorted(path.glob(f"*/{pattern}"))
    return [(each, each.parent) for each in found]


def _start_or_why_not(path: Path) -> Start | Skipped:
    try:
        return start_of(path)
    except ConfigError as error:
        why = str(error).removeprefix(f"{path} ")
        try:
            damaged = any(isinstance(block, Block) for block in read_blocks(path))
        except ConfigError:
            damaged = False
        return Skipped(path, why, damaged)


def _recorded(name: str, exchange: str, found: list[tuple[Path, Start]]) -> Recorded:
    paths, starts = zip(*in_order(found), strict=True)
    return Recorded(name, exchange, paths, starts)


def in_order(found: Sequence[tuple[Path, Start]]) -> list[tuple[Path, Start]]:
    """Files as they were recorded, whatever the wall clock said meanwhile.

    Within a recording the files are numbered, and in a folder the recordings are. Where that is not
    known, as of an imported capture, what counts is when a file begins.
    """
    recordings: dict[str | Path, list[tuple[Path, Start]]] = {}
    for path, start in found:
        recordings.setdefault(start.recording or path, []).append((path, start))
    for each in recordings.values():
        each.sort(key=lambda file: file[1].number)

    def began(recording: list[tuple[Path, Start]]) -> int:
        return recording[0][1].started_ns

    def run(recording: list[tuple[Path, Start]]) -> int:
        return recording[0][1].run

    by_time = sorted(recordings.values(), key=began)
    ordered = sorted((each for each in by_time if run(each)), key=run)
    for recording in by_time:
        if not run(recording):
            places = (n for n, each in enumerate(ordered) if began(each) > began(recording))
            ordered.insert(next(places, len(ordered)), recording)
    return [file for recording in ordered for file in recording]
