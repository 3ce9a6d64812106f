"""`connector demo --venues`: every venue breaks in its own way, is back, and nothing is left."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from click.testing import CliRunner
from rich.console import Console
from trio.testing import MockClock

from connector.app.commands import group
from connector.app.demo import showing, venues
from connector.app.demo.venue_follower import BREAKS, Followed
from connector.app.demo.venues import VenuesOptions, run_venues
from connector.app.demo.venues_report import VenuesView
from connector.app.demo.venues_screen import VenuesLines, VenuesNowhere, render, summary
from connector.events import Level
from connector.testing.explore.venue_scenarios import VENUES


@attrs.define
class Shown:
    views: list[VenuesView] = attrs.field(factory=list)
    told: list[str] = attrs.field(factory=list)

    def show(self, view: VenuesView) -> None:
        self.views.append(view)

    def say(self, text: str) -> None:
        self.told.append(text)


def drawn(view: VenuesView) -> list[str]:
    console = Console(width=80, height=24, color_system=None)
    with console.capture() as captured:
        console.print(render(view))
    return captured.get().splitlines()


def test_no_two_venues_break_alike() -> None:
    assert set(BREAKS) == set(VENUES)
    assert len({each.title for each in BREAKS.values()}) == len(VENUES)
    faults = {(each.live, each.next_handshakes) for each in BREAKS.values()}
    assert len(faults) == len(VENUES)


async def test_every_venue_breaks_and_is_back(autojump_clock: MockClock) -> None:
    shown = Shown()

    report = await run_venues(VenuesOptions(duration_seconds=11), shown, trio.Event())

    assert report.violations == ()
    assert {each.name for each in report.venues} == set(VENUES)
    assert all(each.breaks >= 1 and each.sessions > each.breaks for each in report.venues)
    assert all(each.gaps >= 1 and each.prices > 10 for each in report.venues)
    assert report.tasks.first == report.tasks.last and report.sockets.last == len(VENUES)
    middles = [(Decimal(each.bid) + Decimal(each.ask)) / 2 for each in report.venues]
    assert max(middles) - min(middles) < 30  # one coin's price
    for view in shown.views[::10]:
        lines = drawn(view)
        assert len(lines) <= 23 and max(map(len, lines)) == 80
        text = "\n".join(lines)
        assert all(row.name in text and row.how in text for row in view.rows)
    lost = next(view for view in shown.views if not all(row.live for row in view.rows))
    assert "✗" in "\n".join(drawn(lost)) and "✗" not in "\n".join(drawn(shown.views[-1]))
    assert sum("BREAK" in line for line in shown.told) == report.breaks
    assert summary(report)[-1].startswith("flat") and max(map(len, summary(report))) <= 80


async def test_it_can_be_stopped_early(autojump_clock: MockClock) -> None:
    stop, out = trio.Event(), io.StringIO()
    async with trio.open_nursery() as nursery:

        async def press() -> None:
            await trio.sleep(4)
            stop.set()

        nursery.start_soon(press)
        report = await run_venues(VenuesOptions(duration_seconds=60), VenuesLines(out), stop)

    assert report.violations == () and report.seconds < 8
    assert "PF_ETHUSD" in out.getvalue() and "BREAK binance_spot: closed, 1001" in out.getvalue()


async def test_a_wrong_price_and_a_dead_venue_are_found(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear, follow = Followed.hear, Followed.follow

    def wrongly(self: Followed, bid: Any, ask: Any, tell: Any) -> None:
        if self.name == "okx":
            bid = Level(bid.price - 1, bid.quantity)
        hear(self, bid, ask, tell)

    async def not_kraken(self: Followed, tell: Any) -> None:
        if self.name == "kraken":
            await trio.sleep_forever()
        await follow(self, tell)

    monkeypatch.setattr(venues, "SETTLE_SECONDS", 2.0)
    monkeypatch.setattr(Followed, "hear", wrongly)
    monkeypatch.setattr(Followed, "follow", not_kraken)

    report = await run_venues(VenuesOptions(duration_seconds=1), VenuesNowhere(), trio.Event())

    assert report.violations[0] == "kraken brought no price again"
    assert report.violations[1].startswith("okx never had 2")
    assert summary(report)[-1].startswith("BROKEN: okx never had")


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    run = trio.run

    def at_once(*arguments: Any) -> Any:
        return run(*arguments, clock=MockClock(autojump_threshold=0))

    monkeypatch.setattr(showing.trio, "run", at_once)

    result = CliRunner().invoke(group, ["demo", "--venues", "--seconds", "1", "--json"])
    plain = CliRunner().invoke(group, ["demo", "--venues", "--seconds", "1"])
    wrong = CliRunner().invoke(group, ["demo", "--venues", "--tls"])
    both = CliRunner().invoke(group, ["demo", "--venues", "--maker"])

    assert result.exit_code == 0
    said = json.loads(result.output)
    assert said["violations"] == [] and len(said["venues"]) == len(VENUES)
    assert plain.exit_code == 0 and plain.output.splitlines()[-1].startswith("flat")
    assert wrong.exit_code == both.exit_code == 2 and "--venues takes" in wrong.output
