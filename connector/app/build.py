"""Describe the running build: version, interpreter, and whether the hot loops are compiled."""

from __future__ import annotations

import platform

from connector._version import __version__
from connector.book.rows import EXTENSION as BOOKS
from connector.transport.compiled import EXTENSION as MESSAGES


def build() -> dict[str, str]:
    """The labels of ``connector_build_info``."""
    return {
        "version": __version__,
        "python": platform.python_version(),
        "compiled": "no" if MESSAGES is None or BOOKS is None else "yes",
    }


def describe_build() -> str:
    """What ``connector --version`` says."""
    found = build()
    loops = "compiled" if found["compiled"] == "yes" else "not compiled"
    return f"connector {found['version']}, Python {found['python']}, hot loops {loops}"
