"""What a terminal, a file and a picture get to see."""

from __future__ import annotations

import io
import re
from pathlib import Path

import attrs
from rich.console import Console

from connector.app.demo.dashboard import Board, Dashboard
from connector.app.demo.demo import Options, Result
from connector.app.demo.plain_output import PlainLines
from connector.app.demo.report import Report, Sample, Span
from connector.app.demo.snapshot import LinkView, TopOfBook, View
from connector.app.demo.svg_picture import Picture

VIEW = View(
    seconds=3.0,
    links=(
        LinkView("binance_usdm/public", "streaming", 3, 1, 5, 99.0, 41_000.0, {"reset": 2}, 4),
        LinkView("binance_usdm/market", "waiting", 2, 0, 1, 9.0, 2_000.0, {}, 2),
    ),
    tasks=11,
    sockets=1,
    server_connections=1,
    messages=1234,
    wire_bytes=56_000,
    gaps=6,
    top=TopOfBook("ETHUSDC", 3000.1, 1.5, 3000.2, 2.5),
)
RESULT = Result(
    Report(
        seconds=20.0,
        seed=0,
        links=2,
        breaks=9,
        sessions=20,
        reconnects={"reset": 18},
        max_concurrent_connections=1,
        tasks=Span(11, 11, 11),
        sockets=Span(2, 2, 2),
        messages=1234,
        gaps=6,
        wire_bytes=56_000,
        payload_bytes=50_000,
        violations=[],
    ),
    (Sample(0.0, 11, 2, 0), Sample(20.0, 11, 2, 56_000)),
)


def drawn(board: Board, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(board.render())
    return out.getvalue()


def test_the_board_shows_links_book_and_breaks_in_80_columns() -> None:
    board = Board(Options())

    board.show(VIEW)
    board.say(2.0, "BREAK 1: TCP reset")
    text = drawn(board)

    public = next(line for line in text.splitlines() if " public " in line)
    assert public.split()[1:-1] == ["public", "streaming", "3", "1", "5", "99", "41", "4"]
    assert "public reconnects  reset 2" in text
    assert "1.5 @ 3000.1  |  3000.2 @ 2.5" in text
    assert "2.0 s  BREAK 1: TCP reset" in text
    assert "…" not in text


def test_a_terminal_of_24_lines_shows_the_newest_events() -> None:
    board = Board(Options())
    reasons = dict.fromkeys(("closed by peer", "idle timeout", "reset", "protocol error"), 12)
    links = tuple(attrs.evolve(link, reconnects=reasons) for link in VIEW.links)

    board.show(attrs.evolve(VIEW, links=links))
    for number in range(20):
        board.say(float(number), f"BREAK {number}: {'a very long story ' * 9}")
    out = io.StringIO()
    console = Console(file=out, width=80, height=24)
    console.print(board.render(console.height - 1))
    lines = out.getvalue().splitlines()

    assert len(lines) == 23
    assert "BREAK 19" in lines[-2]
    assert sum("BREAK" in line for line in lines) == 7


def test_growth_shows_in_the_curve() -> None:
    board = Board(Options())

    for place in range(5):
        board.show(attrs.evolve(VIEW, seconds=float(place), tasks=11 * (1 + place // 4)))
    curve = next(line for line in drawn(board).splitlines() if "tasks " in line and "▅" in line)

    assert "▅▅▅▅█ 22" in curve


def test_the_board_before_anything_is_connected() -> None:
    assert "connecting" in drawn(Board(Options()))


def test_the_dashboard_draws_while_its_block_lasts() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True)

    with Dashboard(console, Options()) as dashboard:
        dashboard.say(0.0, "hello")
        dashboard.show(VIEW)

    assert "ETHUSDC" in out.getvalue()


def test_plain_lines_say_the_same() -> None:
    out = io.StringIO()
    screen = PlainLines(out)

    screen.show(VIEW)
    screen.show(attrs.evolve(VIEW, seconds=3.5))
    screen.say(3.9, "BREAK 1: TCP reset")

    lines = out.getvalue().splitlines()
    assert lines[0] == (
        "   3.0 s  binance_usdm/public: streaming, session 3, 1 socket, 5 tasks, 99 msg/s, "
        "41 KB/s, reconnects: reset 2, gaps: 4"
    )
    assert len(lines) == 4
    assert lines[-1] == "   3.9 s  BREAK 1: TCP reset"


def test_the_picture_is_an_svg_that_fetches_nothing(tmp_path: Path) -> None:
    picture = Picture(Options())
    picture.show(VIEW)
    picture.say(2.0, "BREAK 1: TCP reset")

    picture.save(tmp_path / "demo.svg", RESULT)

    drawing = (tmp_path / "demo.svg").read_text()
    assert drawing.startswith("<svg")
    assert "flat" in drawing
    assert "@font-face" not in drawing
    assert not re.search(r"(url\(|href=|src=)[\"']?http", drawing)
