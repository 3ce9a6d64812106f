"""Nouns agree with their numbers."""

from __future__ import annotations

from connector.app.words import counted


def test_the_noun_follows_the_number() -> None:
    assert counted(0, "gap") == "0 gaps"
    assert counted(1, "gap") == "1 gap"
    assert counted(1024, "reply", "replies") == "1,024 replies"
