"""The demo in virtual time on a network in memory: every kind of break, and a flat line."""

from __future__ import annotations

import attrs
import pytest
import trio

from connector.app.demo.demo import LONG_SECONDS, Options, Result, run_demo
from connector.app.demo.faults import BREAKS, endless
from connector.app.demo.snapshot import View
from connector.channels import BestQuote
from connector.testing import OrderFlow


@attrs.define
class Recorder:
    """A screen that remembers."""

    views: list[View] = attrs.field(factory=list)
    lines: list[str] = attrs.field(factory=list)

    def show(self, view: View) -> None:
        self.views.append(view)

    def say(self, seconds: float, text: str) -> None:
        self.lines.append(text)

    def breaks(self) -> list[str]:
        return [line.partition(": ")[2] for line in self.lines if line.startswith("BREAK")]


async def play(screen: Recorder, options: Options) -> Result:
    return await run_demo(options, options.market(), screen, trio.Event(), in_memory=True)


async def test_every_way_to_break_it_leaves_it_flat(autojump_clock: trio.testing.MockClock) -> None:
    screen = Recorder()

    result = await play(screen, Options(duration_seconds=2.0 * (len(BREAKS) + 1)))

    report = result.report
    assert report.violations == []
    assert sorted(screen.breaks()) == sorted(each.title for each in BREAKS)
    assert report.breaks == len(BREAKS)
    assert report.max_concurrent_connections == 1
    assert report.tasks.first == report.tasks.last == report.tasks.max
    assert (report.sockets.first, report.sockets.last, report.sockets.max) == (2, 2, 2)
    assert report.sessions >= 2 * (1 + len(BREAKS))
    assert sum(report.reconnects.values()) >= 2 * len(BREAKS)
    assert report.gaps > 0


async def test_the_screen_shows_each_link(autojump_clock: trio.testing.MockClock) -> None:
    screen = Recorder()

    await play(screen, Options(duration_seconds=5.0))

    last = screen.views[-1]
    assert {link.name for link in last.links} == {"binance_usdm/public", "binance_usdm/market"}
    for link in last.links:
        assert link.state == "streaming"
        assert link.session >= 2
        assert (link.sockets, link.gaps > 0) == (1, True)
        assert 1 < link.tasks < last.tasks
        assert link.messages_per_second > 0
        assert link.wire_bytes_per_second > 0
        assert sum(link.reconnects.values()) == link.session - 1
    assert last.top is not None
    assert last.top.symbol == "ETHUSDC"
    assert last.top.bid_price < last.top.ask_price
    assert last.server_connections == 2


@pytest.mark.parametrize("tls", [False, True])
async def test_the_same_seed_is_the_same_trouble(
    autojump_clock: trio.testing.MockClock, tls: bool
) -> None:
    first, second, other = Recorder(), Recorder(), Recorder()

    for screen, seed in ((first, 1), (second, 1), (other, 2)):
        result = await play(screen, Options(duration_seconds=9.0, seed=seed, tls=tls))
        assert result.report.violations == []

    assert first.breaks() == second.breaks()
    assert first.breaks() != other.breaks()


async def test_stopping_early_gives_a_result(autojump_clock: trio.testing.MockClock) -> None:
    options, stop = Options(duration_seconds=3600), trio.Event()
    results = []

    async def run() -> None:
        results.append(await run_demo(options, options.market(), Recorder(), stop, in_memory=True))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.sleep(5)
        stop.set()

    (result,) = results
    assert 3 < result.report.seconds < 16
    assert result.report.violations == []


async def test_it_remains_within_the_budget_of_connections(
    autojump_clock: trio.testing.MockClock,
) -> None:
    duration_seconds = 310.0  # more than the window of the budget, which is 300 s
    assert duration_seconds > LONG_SECONDS
    options = Options(duration_seconds=duration_seconds)
    calm = attrs.evolve(
        options.market(), source=OrderFlow(rate_per_second=15), channels=(BestQuote("ETHUSDC"),)
    )
    result = await run_demo(options, calm, Recorder(), trio.Event(), in_memory=True)

    assert result.report.violations == []
    assert result.report.breaks >= duration_seconds // 3 - 1


async def test_cancellation_leaves_nothing(autojump_clock: trio.testing.MockClock) -> None:
    before = len(trio.lowlevel.current_root_task().child_nurseries)

    with trio.move_on_after(3) as scope:
        await play(Recorder(), Options(duration_seconds=3600))

    assert scope.cancelled_caught
    assert len(trio.lowlevel.current_root_task().child_nurseries) == before


def test_trouble_is_a_permutation_that_depends_on_the_seed() -> None:
    orders = []
    for seed in range(5):
        trouble = endless(seed)
        once = [next(trouble).title for _ in BREAKS]
        again = [next(trouble).title for _ in BREAKS]
        assert sorted(once) == sorted(each.title for each in BREAKS)
        assert again == once
        orders.append(tuple(once))

    assert len(set(orders)) == len(orders)
