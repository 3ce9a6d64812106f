"""Curves as SVG: inside their picture, interrupted where nothing is known, and told in words."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from connector.app.running.curves import HEIGHT, WIDTH, curve

VALUES = st.lists(st.none() | st.floats(0, 1e12), max_size=30)


@given(VALUES, st.integers(30, 200))
def test_every_point_is_inside(values: list[float | None], places: int) -> None:
    lines = re.findall(r'points="(.*?)"', curve("lag", "ms", values, places))
    points = [point.split(",") for line in lines for point in line.split()]

    assert all(-WIDTH / 29 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in points)


def test_the_newest_value_is_at_the_right_edge_and_the_highest_on_top() -> None:
    drawn = curve("messages", "/s", [1.0, 4.0, 2.0], 121)

    assert 'points="236.0,35.0 238.0,2.0 240.0,24.0"' in drawn
    assert "now 2 /s, highest 4" in drawn


def test_a_hole_interrupts_the_line() -> None:
    assert curve("lag", "ms", [1.0, 2.0, None, 3.0, 4.0], 5).count("<polyline") == 2
    assert "no values yet" in curve("lag", "ms", [None], 5)
