"""The live page as a person sees it: everything is there, narrow windows too, and text is text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import msgspec
from rich.console import Console

from connector.app.running.account_lines import AccountLine
from connector.app.running.live_page import fragment, table, whole
from connector.app.running.state import (
    AdapterLine,
    BookLine,
    CurvesLine,
    EventLine,
    GroupLine,
    LinkLine,
    SilentLine,
    SinkLine,
    State,
    TopLine,
    TradeLine,
)
from connector.app.running.top_screen import TopScreen, bars

CURVES = CurvesLine(
    step_seconds=5.0, messages_per_second=(1.0, 2.0), lag_ms=(None, 7.0), reconnects=(0, 1)
)
LINK = LinkLine(
    name="binance_usdm/public", state="streaming", session=3, streams=2, messages=12_345,
    messages_per_second=67.4, wire_bytes=9_000_000, bytes_per_second=8_300.0, lag_ms=12.3,
    reconnects={"reset": 2},
)  # fmt: skip
STATE = State(
    version="1.0", time_ns=1_785_000_000_000_000_000, up_seconds=61.0, reasons=(), messages=12_345,
    gaps=1, drops=2,
    adapters=(
        AdapterLine(
            name="futures", exchange="binance_usdm", tasks=5, sockets=1, links=(LINK,),
            books=(
                BookLine(name="ethusdc@depth", synced=False, levels=0, losses=4,
                         unsynced_seconds=3.2, cause="HTTP 500"),
            ),
            silent=(SilentLine(name="btcusdc@trade", seconds=77.0),),
            curves=CURVES,
        ),
    ),
    accounts=(
        AccountLine(name="mm1", adapter="futures", synced=False, cause="stream lost", fills=7),
    ),
    tops=(
        TopLine(adapter="futures", symbol="ETHUSDC", channel="order_book", bid="3000.1",
                bid_quantity="2", ask="3000.2", ask_quantity="1", spread="0.1", synced=True,
                age_seconds=0.31),
        TopLine(adapter="futures", symbol="BTCUSDC", channel="order_book", bid="", bid_quantity="",
                ask="", ask_quantity="", spread="", synced=False, age_seconds=9.0),
    ),
    more_tops=4,
    trades=(
        TradeLine(time_ns=1_785_000_000_000_000_000, adapter="futures", symbol="ETHUSDC",
                  side="sell", price="3000.1", quantity="0.5"),
    ),
    groups=(GroupLine(name="ticks", sink="events", channels=3, subscribed=True, refused=()),),
    sinks=(
        SinkLine(name="events", kind="jsonl", events=12_000, events_per_second=66.0, waiting=900,
                 waiting_seconds=2.5, lost=0, state="failed: no space left on device"),
    ),
    recent=tuple(
        EventLine(time_ns=1_785_000_000_000_000_000 - number, adapter="futures",
                  text=f"Disconnected: reset {number}", where="binance_usdm/public, session 2")
        for number in range(15)
    ),
)  # fmt: skip


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link"):
            self.open.append(tag)
        if tag == "td":
            self.cells.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open[-1] != tag:
            assert self.open.pop() in ("html", "p", "polyline")
        self.open.pop()


def test_everything_is_there() -> None:
    page = whole(STATE)
    said = re.sub(r"<[^>]+>", " ", page)

    for words in (
        "17:20:00 UTC", "12,345 messages", "1 gap ", "2 drops", "67", "8.3", "reset 2",
        "not synced for 3 s HTTP 500", "silent: btcusdc@trade for 77 s", "and 4 more",
        "futures order_book not synced", "0.31", "900", "failed: no space left on device",
        "mm1", "stream lost", "highest 2", "5 tasks, 1 socket ",
    ):  # fmt: skip
        assert words in said or (words == "0.31" and "0.3 " in said), words
    assert page.count("<svg") == 3


def test_a_narrow_window_has_nothing_past_its_edge() -> None:
    page = whole(STATE)
    reader = Reader()
    reader.feed(page)

    assert 'content="width=device-width, initial-scale=1"' in page
    # Below 46rem each row is a card, whose cells say what they are, and long words break.
    assert all(each.get("data-label") for each in reader.cells)
    assert "overflow-wrap: anywhere" in page
    widths = re.findall(r"(?<![-\w])(?:min-)?width: (\S+?);", page)
    assert set(widths) <= {"100%", "0"}


def test_it_is_dark_where_the_reader_is() -> None:
    page = whole(STATE)

    assert "color-scheme: light dark" in page
    assert "prefers-color-scheme: dark" in page


def test_what_an_exchange_says_is_text_and_no_html() -> None:
    evil = '<script>"'
    changed = msgspec.structs.replace(
        STATE,
        reasons=(evil,),
        recent=(EventLine(time_ns=0, adapter=evil, text=evil, where=evil),),
        trades=(
            TradeLine(time_ns=0, adapter=evil, symbol=evil, side=evil, price=evil, quantity=evil),
        ),
    )

    assert "<script>" not in fragment(changed)
    assert "&lt;script&gt;" in table(("<b>",), [("<script>",)])
    assert table(("n",), [(1000,)]).count('<td class="n" data-label="n">1,000</td>') == 1


def test_a_terminal_shows_what_fits_and_the_newest_events() -> None:
    console = Console(width=80, height=24)
    with console.capture() as captured:
        console.print(TopScreen(STATE))
    lines = captured.get().splitlines()

    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    for words in ("ready", "binance_usdm/public", "not synced for 3 s", "silent:", "no space left",
                  "ETHUSDC", "sell 0.5 @ 3000.1", "reset 0", "reset 2"):  # fmt: skip
        assert any(words in line for line in lines), words


def test_a_small_terminal_keeps_events_too() -> None:
    console = Console(width=60, height=8)
    with console.capture() as captured:
        console.print(TopScreen(STATE, "refused"))
    lines = captured.get().splitlines()

    assert len(lines) <= 8
    assert "no answer: refused" in lines[0]
    assert "reset 0" in lines[-3]


def test_bars() -> None:
    assert bars([0.0, None, 50.0, 100.0]) == "▁ ▅█"
    assert bars([]) == ""
    assert bars([0.0]) == "▁"
