"""Thousands of runs that break on purpose have nothing to log."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    # Not for the session: what runs in the same process after these tests may ask for the log.
    log = logging.getLogger("connector")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    yield
    log.setLevel(level)
