"""Find folders that a configuration needs and that are missing or not writable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from connector.app.running.configuration import Configuration, Mistake
from connector.app.running.configuration.places import find_places
from connector.app.running.sinks import AnySettings, CsvTables, JsonLines, RecordedFrames


def missing_folders(configuration: Configuration, text: str) -> list[Mistake]:
    """The folders that sinks need and cannot have, each as a mistake with its line.

    Args:
        configuration: whose sinks.
        text: the file that it was read from.
    """
    places = find_places(text)
    found: list[Mistake] = []
    for index, plan in enumerate(configuration.sinks.values()):
        for reason in _troubles(plan.settings):
            line = places.get(("sinks", index, "path"), places.get(("sinks", index), 1))
            found.append(Mistake(line, f"sinks[{index}].path", reason))
    return found


def _troubles(settings: AnySettings) -> Iterator[str]:
    if isinstance(settings, JsonLines) and settings.path != "-":
        folder = Path(settings.path).expanduser().absolute().parent
        if not folder.exists():
            yield f"the folder {folder} does not exist; create it, or write another path"
            return
    elif isinstance(settings, CsvTables | RecordedFrames):
        folder = Path(settings.path).expanduser().absolute()
        while not folder.exists():  # it is created
            folder = folder.parent
    else:
        return
    if not folder.is_dir():
        yield f"{folder} is not a folder; write another path"
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield f"the folder {folder} cannot be written by this user; change its owner or the path"
