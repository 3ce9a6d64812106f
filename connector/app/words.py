"""Format numbers for sentences."""

from __future__ import annotations


def counted(count: int, what: str, plural: str = "") -> str:
    """`count` and the noun: ``1 gap``, ``2 gaps``, ``1,024 gaps``.

    Args:
        count: how many.
        what: the noun in the singular.
        plural: the plural, where it is not the singular and an "s".
    """
    return f"{count:,} {what if count == 1 else plural or what + 's'}"
