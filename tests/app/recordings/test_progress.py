"""Who looks at a terminal is told how far long work is; a file or another program is not."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from connector.app.commands import group
from connector.app.recordings import progress
from connector.app.recordings.progress import HowFar
from tests.app.recordings.test_import_command import ROWS, capture

SECOND_NS = 1_000_000_000


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("out", [Terminal(), io.StringIO()], ids=["terminal", "file"])
async def test_progress_is_shown_at_a_terminal_every_ten_seconds(
    out: io.StringIO, autojump_clock: MockClock
) -> None:
    told = HowFar((SECOND_NS, 201 * SECOND_NS), out, what="events", clock=trio.current_time)

    for number in range(1, 101):
        await trio.sleep(0.25)
        told.show(number * 20, (1 + 2 * number) * SECOND_NS)

    lines = out.getvalue().splitlines()
    if not out.isatty():
        assert lines == []
    else:
        assert lines == [
            "   10.0 s  800 events, 80.0 of 200.0 s (40%)",
            "   20.0 s  1,600 events, 160.0 of 200.0 s (80%)",
        ]


@pytest.mark.parametrize(
    ("span", "line"),
    [((5, 5), "   10.0 s  1 frames, 0.0 of 0.0 s (100%)\n"), (None, "   10.0 s  1 frames\n")],
)
async def test_how_far_is_left_out_where_it_is_not_known(
    span: tuple[int, int] | None, line: str, autojump_clock: MockClock
) -> None:
    out = Terminal()
    told = HowFar(span, out, clock=trio.current_time)
    await trio.sleep(10)
    told.show(1, 5)

    assert out.getvalue() == line


def test_importing_and_verifying_tell_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0.0)
    source, out = capture(tmp_path / "a.jsonl.gz", *ROWS), str(tmp_path / "r")

    def tell(*arguments: str) -> list[str]:
        with monkeypatch.context() as patched, pytest.raises(SystemExit) as ended:
            patched.setattr(sys, "stderr", Terminal())
            try:
                group.main(arguments)
            finally:
                said = sys.stderr.getvalue()
        assert ended.value.code == 0
        return [re.sub(r"^ +\S+ s  ", "", line) for line in said.splitlines()]

    imported = tell("import", str(source), "--exchange", "binance_usdm", "--out", out)
    assert imported[: len(ROWS)] == [f"{number} frames" for number in range(1, len(ROWS) + 1)]
    assert imported[-1] == f"{len(ROWS)} frames, 0.0 of 0.0 s (100%)"
    assert tell("verify", out)[-1] == "4 frames, 0.0 of 0.0 s (100%)"
