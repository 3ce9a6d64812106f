"""Which tests execute which functions, and how long each takes: those are the ones to ask."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from types import CodeType, FrameType
from typing import Any

import msgspec


class Seen(msgspec.Struct):
    """What one test does to the modules that are changed."""

    test: str
    seconds: float
    """Of computing."""
    lines: dict[str, list[int]]
    """By module."""
    passed: bool = True


class Recorder:
    """Notes the lines of some files that are executed within `watch`.

    Args:
        files: by path the name of the module.
    """

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files
        self._lines: dict[str, set[int]] = {}

    def watch(self, test: str, action: Callable[[], bool]) -> Seen:
        """Do `action`, which says whether the test passed."""
        self._lines = {name: set() for name in self._files.values()}
        began = time.process_time()
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            passed = action()
        finally:
            sys.settrace(before)
        lines = {name: sorted(lines) for name, lines in self._lines.items() if lines}
        return Seen(test, time.process_time() - began, lines, passed)

    def _enter(self, frame: FrameType, event: str, _: Any) -> Any:
        name = self._files.get(frame.f_code.co_filename)
        if name is None:
            return None
        seen = self._lines[name]
        if seen.issuperset(_lines_of(frame.f_code)):
            return None

        def line(frame: FrameType, event: str, _: Any) -> Any:
            seen.add(frame.f_lineno)
            return line

        return line(frame, event, None)


_known: dict[CodeType, frozenset[int]] = {}


def _lines_of(code: CodeType) -> frozenset[int]:
    if code not in _known:
        lines = {line for _, _, line in code.co_lines() if line is not None}
        _known[code] = frozenset(lines)
    return _known[code]


def asked(seen: Iterable[Seen], module: str, lines: Iterable[int]) -> list[Seen]:
    """Tests that execute one of `lines`; if there are none, any line of the module.

    What a name of the module stands for can be seen without executing a line of it, so then those
    of the test file of that name are asked too. The fastest come first.
    """
    wanted = set(lines)
    mirror = f"/test_{module.rpartition('/')[2]}::"
    found = [
        each
        for each in seen
        if (wanted & set(each.lines.get(module, ())))
        or (not wanted and (module in each.lines or mirror in f"/{each.test}"))
    ]
    return sorted(found, key=lambda each: each.seconds)
