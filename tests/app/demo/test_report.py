"""The report tells growth from none, and says so in JSON and as a table."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.app.demo.report import Report, Sample, Span, summary, table, verdict, violations

FLAT: dict[str, Any] = {
    "links": 2,
    "tasks": Span(first=11, last=11, max=11),
    "sockets": Span(first=2, last=2, max=2),
    "max_concurrent_connections": 1,
    "stalls": (),
    "left_over": (),
}


def report(**changes: Any) -> Report:
    fields: dict[str, Any] = {
        "seconds": 20.0,
        "seed": 0,
        "links": 2,
        "breaks": 9,
        "sessions": 20,
        "reconnects": {"closed": 8, "reset": 10},
        "max_concurrent_connections": 1,
        "tasks": FLAT["tasks"],
        "sockets": FLAT["sockets"],
        "messages": 1000,
        "gaps": 27,
        "wire_bytes": 400_000,
        "payload_bytes": 390_000,
        "violations": [],
    }
    return Report(**{**fields, **changes})


def test_a_flat_run_breaks_no_invariant() -> None:
    assert violations(**FLAT) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"max_concurrent_connections": 2}, "a link had 2 connections at once"),
        ({"tasks": Span(first=11, last=15, max=15)}, "tasks grew from 11 to 15"),
        ({"sockets": Span(first=1, last=2, max=2)}, "sockets grew from 1 to 2"),
        ({"sockets": Span(first=2, last=2, max=3)}, "2 links had 3 sockets open"),
        ({"stalls": ["public brought no data"]}, "public brought no data"),
        ({"left_over": ["1 tasks left"]}, "1 tasks left"),
    ],
)
def test_each_broken_invariant_is_one_sentence(change: dict[str, Any], sentence: str) -> None:
    assert violations(**{**FLAT, **change}) == [sentence]


def test_json_is_one_object_with_the_promised_keys() -> None:
    data = json.loads(report().to_json())

    assert data["tasks"] == {"first": 11, "last": 11, "max": 11}
    assert data["reconnects"] == {"closed": 8, "reset": 10}
    assert {
        "seconds", "sessions", "max_concurrent_connections", "sockets", "messages", "gaps",
        "wire_bytes", "payload_bytes",
    } <= set(data)  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 4), st.integers(0, 10**6)), min_size=1)
)
def test_the_table_begins_and_ends_with_the_samples(counts: list[tuple[int, int, int]]) -> None:
    traffic = 0
    samples = []
    for place, (tasks, sockets, size) in enumerate(counts):
        traffic += size
        samples.append(Sample(place / 10, tasks, sockets, traffic))

    rows = table(samples)

    assert 1 <= len(rows) <= 8
    assert rows[0][1:3] == (str(counts[0][0]), str(counts[0][1]))
    assert rows[-1][1:3] == (str(counts[-1][0]), str(counts[-1][1]))


def test_traffic_is_that_since_the_row_before() -> None:
    samples = [Sample(seconds, 11, 2, seconds * 50_000) for seconds in range(3)]

    assert [row[3] for row in table(samples)] == ["–", "50 KB/s", "50 KB/s"]


@pytest.mark.parametrize(
    ("numbers", "line"),
    [
        ((1, 1, 1, 1), "1 break, 1 session on 1 link, at most 1 connection of a link at once"),
        ((0, 2, 2, 8), "0 breaks, 2 sessions on 2 links, at most 8 connections of a link at once"),
    ],
)
def test_one_is_singular(numbers: tuple[int, int, int, int], line: str) -> None:
    names = ("breaks", "sessions", "links", "max_concurrent_connections")

    assert verdict(report(**dict(zip(names, numbers, strict=True))))[0] == line


def test_the_summary_ends_with_what_broke() -> None:
    samples = [Sample(0.0, 11, 2, 0), Sample(1.0, 11, 2, 1000)]

    flat = summary(report(), samples)
    broken = summary(report(violations=["tasks grew from 11 to 15"]), samples)

    assert flat[-1] == "flat: nothing leaked"
    assert broken[-1] == "BROKEN: tasks grew from 11 to 15"
