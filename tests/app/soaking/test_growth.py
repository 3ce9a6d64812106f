"""What counts as growth, on made-up samples: a leak is found, noise is not."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.app.soaking.growth import Rest, growth, trend


def samples(count: int = 20, **columns: object) -> list[Rest]:
    """Rows every 30 seconds; a column is a number, or a function of the row's."""
    flat = {"tasks": 35, "sockets": 2, "descriptors": 15}
    flat |= {"rss_bytes": 60_000_000, "bytes_per_second": 9000}
    rows = []
    for number in range(count):
        cells = {
            name: given(number) if callable(given) else given
            for name, given in {**flat, **columns}.items()
        }
        rows.append(msgspec.convert({"seconds": 30.0 * number, **cells}, Rest, strict=False))
    return rows


def test_flat_is_flat() -> None:
    assert growth(samples()) == []


@pytest.mark.parametrize("name", ["tasks", "sockets", "descriptors"])
def test_a_count_must_be_exactly_what_it_was(name: str) -> None:
    (said,) = growth(samples(**{name: lambda number: 10 + (number >= 7)}))

    assert said == f"{name} at rest were 10, after 210 s 11, at the end 11"


@pytest.mark.parametrize("name", ["tasks", "sockets", "descriptors"])
def test_a_count_that_has_gone_back_was_not_what_it_was_either(name: str) -> None:
    (said,) = growth(samples(**{name: lambda number: 10 - (number == 3)}))

    assert said == f"{name} at rest were 10, after 90 s 9, at the end 10"


def test_the_traffic_of_the_original_bug_is_found() -> None:
    # 166 → 828 KB/s in 5.5 minutes
    found = growth(samples(12, bytes_per_second=lambda number: 166e3 + 60e3 * number))

    assert len(found) == 1
    assert found[0].startswith("traffic rises: by ")


def test_memory_that_rises_steadily_is_found_although_it_is_noisy() -> None:
    noise = random.Random(1)
    found = growth(
        samples(rss_bytes=lambda number: int(60e6 + 1e6 * number + noise.uniform(-2e6, 2e6)))
    )

    assert len(found) == 1
    assert found[0].startswith("memory rises: by 1")
    assert found[0].endswith(" MB are allowed")


@given(st.integers(0, 2**32), st.integers(2, 40))
def test_noise_is_not_growth(seed: int, count: int) -> None:
    noise = random.Random(seed)
    rows = samples(
        count,
        rss_bytes=lambda number: int(60e6 + 8e6 * (number > 0) + noise.uniform(0, 2e6)),
        bytes_per_second=lambda _: noise.uniform(8e3, 11e3),
    )

    assert growth(rows) == []


@given(st.integers(8, 60), st.data())
def test_one_odd_sample_does_not_make_a_trend(count: int, data: st.DataObject) -> None:
    odd = data.draw(st.integers(0, count - 1))
    rows = samples(
        count,
        rss_bytes=lambda number: int(1e9 if number == odd else 60e6),
        bytes_per_second=lambda number: 1e6 if number == odd else 9e3,
    )

    assert growth(rows) == []


@given(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3), st.integers(2, 30))
def test_the_trend_of_a_line_is_its_slope(begin: float, slope: float, count: int) -> None:
    points = [(float(x), begin + slope * x) for x in range(count)]

    assert trend(points) == pytest.approx(slope, abs=1e-6, rel=1e-6)


def test_what_the_system_does_not_say_is_not_judged() -> None:
    assert growth(samples(descriptors=None, rss_bytes=None)) == []


def test_no_sample_is_no_success() -> None:
    assert growth([]) == ["the program was never at rest"]
