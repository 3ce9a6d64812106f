"""The examples below the help of a command."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """The part of a command's help below its options.

    Args:
        lines: command lines, without ``connector``.
    """
    return "\n".join(["\b", "Examples:", *(f"  connector {each}" for each in lines)])
