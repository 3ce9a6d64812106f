"""`connector demo --maker`: what it claims at the end is so, and what is broken is found."""

from __future__ import annotations

import io
import json
from typing import Any

import attrs
import pytest
import trio
from click.testing import CliRunner
from rich.console import Console
from trio.testing import MockClock

from connector.app.commands import group
from connector.app.demo import showing
from connector.app.demo.maker import MOST, MakerOptions, MakerView, Show, run_maker
from connector.app.demo.maker_screen import MakerLines, render, summary


@attrs.define
class Shown:
    views: list[MakerView] = attrs.field(factory=list)

    def show(self, view: MakerView) -> None:
        self.views.append(view)


def drawn(view: MakerView) -> list[str]:
    console = Console(width=80, height=24, color_system=None)
    with console.capture() as captured:
        console.print(render(view))
    return captured.get().splitlines()


@pytest.mark.parametrize("seed", [0, 1])
async def test_nothing_is_left(seed: int, autojump_clock: MockClock) -> None:
    shown = Shown()

    report = await run_maker(MakerOptions(duration_seconds=15, seed=seed), shown, trio.Event())

    assert report.violations == ()
    assert report.breaks == 3 and report.orders > 20 and report.fills > 3
    assert {view.synced for view in shown.views} == {True, False}
    assert all(abs(view.position) <= MOST for view in shown.views)
    full = max(shown.views, key=lambda view: len(view.bids) + len(view.asks))
    assert len(full.bids) > 1 and len(full.asks) > 1
    text = "\n".join(drawn(full))
    assert str(full.bids[0][0]) in text and "position" in text and "profit" in text
    for view in shown.views[::10]:
        lines = drawn(view)
        assert len(lines) <= 24 and max(map(len, lines)) == 80
    blind = next(view for view in shown.views if not view.synced)
    assert "NOT SYNCED" in "\n".join(drawn(blind))
    assert "Nothing is left" in summary(report)[-1]


async def test_it_can_be_stopped_early(autojump_clock: MockClock) -> None:
    stop, out = trio.Event(), io.StringIO()
    async with trio.open_nursery() as nursery:

        async def press() -> None:
            await trio.sleep(2.5)
            stop.set()

        nursery.start_soon(press)
        report = await run_maker(MakerOptions(duration_seconds=60), MakerLines(out), stop)

    assert report.violations == () and report.seconds < 4
    assert "synced, " in out.getvalue()


async def test_a_left_order_is_found(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = Show.end

    def and_leave_one(self: Show) -> None:
        end(self)
        self.exchange.trading.place(
            "maker", symbol="ETHUSDC", side="BUY", type="LIMIT", timeInForce="GTC",
            quantity="0.1", price="2900", newClientOrderId="left",
        )  # fmt: skip

    monkeypatch.setattr(Show, "end", and_leave_one)

    report = await run_maker(MakerOptions(duration_seconds=3), Shown(), trio.Event())

    assert report.violations == ("1 orders are open after the program has left",)
    assert summary(report)[-1].startswith("BROKEN: ")


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    run = trio.run

    def at_once(*arguments: Any) -> Any:
        return run(*arguments, clock=MockClock(autojump_threshold=0))

    monkeypatch.setattr(showing.trio, "run", at_once)

    result = CliRunner().invoke(group, ["demo", "--maker", "--seconds", "8", "--json"])
    wrong = CliRunner().invoke(group, ["demo", "--maker", "--tls"])

    assert result.exit_code == 0
    said = json.loads(result.output)
    assert said["violations"] == [] and said["breaks"] == 1 and said["seed"] == 0
    assert wrong.exit_code == 2 and "--maker takes" in wrong.output
