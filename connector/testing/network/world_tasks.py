"""The mark by which tasks of the world are told from those of the program under test."""

from __future__ import annotations

from contextvars import ContextVar

WORLD: ContextVar[bool] = ContextVar("connector_world", default=False)
"""Whether a task belongs to the world around the program; the tasks that it starts inherit it."""
