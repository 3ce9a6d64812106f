"""The README and the documentation avoid phrases over which readers have stumbled."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

AVOIDED = {
    "are told": "are notified, or: receive a `Gap`",
    "brings nothing": "delivers no data",
    "for as long as you ask": "stays constant",
    "is no event": "the feed does not deliver it",
    "is told": "is notified, or: receives a `Gap`",
    "may stand there": "you can write",
    "no program is needed": "you do not have to write a program",
    "of its own accord": "by itself",
    "shows its state to": "open the page to see the state",
    "so ask to be told": "pass `gaps=True`",
    "there is no more": "the feed has ended",
    "what comes": "the data, the events, the frames",
    "what is replaced": "replaced events",
    "who comes late": "a client that subscribes later",
    "who merges": "`merge()` needs this",
    "who reads": "the reader, the consumer",
    "who writes": "the writer",
}
"""What to write instead of each phrase."""


def stumbles(text: str) -> list[str]:
    """The phrases of `AVOIDED` that `text` has, in any case and across the ends of lines."""
    flat = " ".join(text.split())
    return [each for each in AVOIDED if re.search(rf"\b{re.escape(each)}\b", flat, re.IGNORECASE)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_avoids_phrases_that_readers_stumble_over(page: Path) -> None:
    found = stumbles(page.read_text())

    assert not found, "; ".join(f"instead of {each!r} write: {AVOIDED[each]}" for each in found)


def test_a_phrase_is_found_in_any_case_and_across_lines() -> None:
    assert stumbles("Who\n  writes decides. Who read it?") == ["who writes"]
