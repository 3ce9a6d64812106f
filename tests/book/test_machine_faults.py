"""Captured streams, damaged: a book is never wrong while synced, and becomes synced again."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.book import Book, BookRules, State, rules
from tests.book.damage import KINDS, Driver, Stream, Truth, damaged, renumbered, truth

WINDOWS = {
    "binance_spot/btcusdt_20240808.jsonl.gz": (48, 25),
    "binance_usdm/ethusdt_20240718.jsonl.gz": (48, 25),
    "binance_coinm/btcusd_perp_20240808.jsonl.gz": (48, 25),
    "deribit/v2_raw_20210722.jsonl.gz": (12, 25),
    "kraken_futures/futures_v1_20210722.jsonl.gz": (48, 25),
    # A checksum vouches for the levels that it is made of. Every frame has one.
    "okx/v5_public_20220513.jsonl.gz": (48, 25),
    "bitget/v1_spot_20220407.jsonl.gz": (40, 25),
    "kraken/v1_book1000_20210417.jsonl.gz": (48, 10),
}
"""How many deltas of which capture, and how many of the best levels must be right."""


OKX_CAPTURE = "okx/v5_public_20220513.jsonl.gz"
_UNCHECKED = {name: attrs.evolve(getattr(rules, name), checksum=None) for name in ("OKX", "BITGET")}
RENUMBERED: dict[str, tuple[BookRules, str]] = {
    "okx, ids that jump": (_UNCHECKED["OKX"], "named"),
    "okx, ids that are reset": (_UNCHECKED["OKX"], "reset"),
    "okx, snapshots over REST": (attrs.evolve(rules.OKX_REST, checksum=None), "named"),
    "bitget v3": (_UNCHECKED["BITGET"], "named"),
    "bybit": (rules.BYBIT, "dense"),
}
"""The capture of OKX is of before its ids, and of Bybit and Bitget v3 there is none: a captured
book, numbered as these exchanges do. Here only the ids can tell, checksums are 0."""
NAMES = (*WINDOWS, *RENUMBERED)


@cache
def window(folder: Path, name: str) -> Truth:
    if name in RENUMBERED:
        return renumbered(window(folder, OKX_CAPTURE), *RENUMBERED[name])
    count, levels = WINDOWS[name]
    return truth(folder, name, count=count, levels=levels)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_damage_at_every_position(data_folder: Path, name: str, kind: str) -> None:
    known = window(data_folder, name)
    whole: Stream = list(range(len(known.deltas)))
    rng = random.Random(f"{name} {kind}")
    calm = len(whole) // 2
    most_delay = min(3, len(whole) // 12)

    for at in range(1, len(whole) - calm):
        driver = Driver(known, Book(known.rules), rng, delay=rng.randint(0, most_delay))
        if known.rules.snapshot == "stream":
            driver.book.restarted(known.snapshot(0, rng))
        driver.run(damaged(whole, kind, at, rng))

        assert driver.book.state is State.LIVE, at
        assert driver.synced_steps > 0


@settings(max_examples=60)
@given(st.data())
def test_any_damage(data_folder: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    known = window(data_folder, name)
    rng = random.Random(data.draw(st.integers(0, 1 << 32)))
    whole: Stream = list(range(len(known.deltas)))
    stream = whole
    for _ in range(data.draw(st.integers(1, 8))):
        kind = data.draw(st.sampled_from(KINDS))
        stream = damaged(stream, kind, rng.randrange(max(len(stream) * 2 // 3, 1)), rng)
    buffered = data.draw(st.sampled_from([2, 5, 1024]))
    driver = Driver(
        known,
        Book(known.rules, buffered=buffered),
        rng,
        delay=data.draw(st.integers(0, 5)),
        staleness=data.draw(st.integers(0, 8)),
    )

    driver.run(stream)

    # Whatever has happened: some calm, and it is right again.
    driver.staleness = 0
    driver.delay = 1
    driver.run([None, *whole])
    assert driver.book.synced
