"""Thousands of runs that break on purpose have nothing to log."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> Iterator[None]:
    log = logging.getLogger("connector")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    yield
    log.setLevel(level)
