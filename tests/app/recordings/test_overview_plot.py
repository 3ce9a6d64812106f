"""A picture of a recording shows what is in it, peaks and disconnects included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from connector import ConfigError
from connector.app.commands import group
from connector.app.recordings.overview_plot import COLUMNS, look_at, thinned
from connector.exchanges import binance
from connector.recording import Mark, Subject
from tests.app.recordings.test_replay_command import LINK, SECOND_NS, STREAM, frame
from tests.recording.parts import write


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    end = Mark("Disconnected", LINK, 1, 3 * SECOND_NS, {"reason": "reset"})
    items = [frame(1), frame(2), frame(3), end, frame(9, 2)]
    return write(tmp_path / "a.rec.zst", items, subject=Subject("binance_usdm", (), (STREAM,)))


def test_a_look_has_prices_lags_and_disconnects(recording: Path) -> None:
    look = look_at(binance.UsdMFutures(), [recording])

    assert look.symbol == "ETHUSDC"
    assert look.prices == [(1.0, 3000.1), (2.0, 3000.1), (3.0, 3000.1), (9.0, 3000.1)]
    assert [round(lag) for _, lag in look.lags] == [999, 1999, 2999, 8999]
    assert look.breaks == [3.0]


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_picture_is_drawn(recording: Path, tmp_path: Path, suffix: str) -> None:
    picture = tmp_path / f"look{suffix}"

    done = CliRunner().invoke(group, ["plot", str(recording), "--out", str(picture)])

    assert done.exit_code == 0, done.output
    content = picture.read_bytes()
    if suffix == ".svg":
        assert b"ETHUSDC" in content
        assert b"1 disconnect<" in content
        # In both panels a curve and a disconnect; the rest are the lines of the axes.
        assert content.count(b'stroke="#1f77b4"') == content.count(b'stroke="#d62728"') == 2
        assert re.findall(rb">(00:00:0\d)<", content)[:2] == [b"00:00:02", b"00:00:04"]
    else:
        assert content.startswith(b"\x89PNG")


def test_a_symbol_that_was_not_recorded_is_told(recording: Path) -> None:
    with pytest.raises(ConfigError, match="no trades, quotes or partial books of BTCUSDT"):
        look_at(binance.UsdMFutures(), [recording], "btcusdt")


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-1e6, 1e6)), min_size=1, max_size=5000))
def test_thinning_keeps_the_extremes(points: list[tuple[float, float]]) -> None:
    points.sort()

    kept = thinned(points, 0, 100)

    assert len(kept) <= max(2 * (COLUMNS + 1), len(points) if len(points) <= 2 * COLUMNS else 0)
    assert set(kept) <= set(points)
    assert min(value for _, value in kept) == min(value for _, value in points)
    assert max(value for _, value in kept) == max(value for _, value in points)
