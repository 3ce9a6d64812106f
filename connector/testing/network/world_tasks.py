"""The mark that distinguishes tasks of the environment from those of the program under test."""

from __future__ import annotations

from contextvars import ContextVar

WORLD: ContextVar[bool] = ContextVar("connector_world", default=False)
"""Whether a task belongs to the program's environment; the tasks that it starts inherit it."""
