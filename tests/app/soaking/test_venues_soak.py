"""The soak of all venues: nothing grows, no book is wrong, and what is wrong is found."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
import trio
from click.testing import CliRunner
from trio.testing import MockClock

from connector.app.commands import group
from connector.app.soaking import venues_soak
from connector.app.soaking.growth import Rest
from connector.app.soaking.soak_output import Silent
from connector.app.soaking.venues_soak import VenuesSoakOptions, VenuesSoakReport, run_venues_soak
from connector.app.soaking.venues_soak_command import conclusion
from connector.exchanges import bybit, okx
from connector.testing import MemoryNetwork
from connector.testing.explore.venue_scenarios import VENUES, VenueCase


@attrs.define
class Recorder:
    samples: list[Rest] = attrs.field(factory=list)
    breaks: int = 0

    def sampled(self, sample: Rest) -> None:
        self.samples.append(sample)

    def passed(self, seconds: float, breaks: int) -> None:
        self.breaks = breaks


class LosesBids(bybit.Linear):
    """The best bid of each message about the book is lost."""

    def stream(self, channel: Any) -> Any:
        stream: Any = super().stream(channel)
        if stream.book is None:
            return stream

        def without(payload: bytes) -> Any:
            event = stream.book.deltas.decode(payload)
            del event.bids[:1]
            return event

        deltas = attrs.evolve(stream.book.deltas, decode=without, decode_unchecked=None)
        return attrs.evolve(stream, book=attrs.evolve(stream.book, deltas=deltas))


async def soak(log: Any, venues: Any = VENUES, **options: Any) -> VenuesSoakReport:
    return await run_venues_soak(
        VenuesSoakOptions(**options), log, trio.Event(), network=MemoryNetwork(), venues=venues
    )


async def test_all_venues_at_once(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard_at_once = ("reset", "fin", "close", "bad_mask", "bad_utf8", "truncated_json")
    monkeypatch.setattr(venues_soak, "FAULTS", heard_at_once)
    monkeypatch.setattr(venues_soak, "NOTICE_SECONDS", 1.0)
    log = Recorder()

    report = await soak(log, duration_seconds=8, every_seconds=5)

    assert report.violations == []
    assert {each.name for each in report.venues} == set(VENUES)
    assert all(each.books > 0 and each.events > 0 for each in report.venues)
    assert report.breaks == log.breaks >= 4
    assert sum(each.sessions for each in report.venues) > len(VENUES)
    assert sum(each.gaps for each in report.venues) >= 3
    assert report.samples == tuple(log.samples) and len(report.samples) >= 3
    assert {sample.sockets for sample in report.samples} == {len(VENUES)}
    assert len({sample.tasks for sample in report.samples}) == 1
    assert conclusion(report)[-1].startswith("flat: ")


async def test_a_wrong_book_is_found(autojump_clock: MockClock) -> None:
    case = VenueCase(LosesBids, "ETHUSDT")

    report = await soak(Silent(), {"bybit_linear": case}, duration_seconds=2)

    assert "bybit_linear: the exchange never had" in report.violations[0]
    assert conclusion(report)[-1].startswith("BROKEN: ")


async def test_a_task_that_is_left_and_a_book_that_stays_away_are_found(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venues_soak, "FAULTS", ("mute_stream",))
    monkeypatch.setattr(venues_soak, "RECOVERY_SECONDS", 5.0)
    monkeypatch.setattr(venues_soak, "NOTICE_SECONDS", 1.0)
    monkeypatch.setattr(venues_soak, "STALE_SECONDS", 1000.0)
    case = VenueCase(okx.Okx, "ETH-USDT-SWAP")
    async with trio.open_nursery() as nursery:

        class Leaks(Silent):
            def passed(self, seconds: float, breaks: int) -> None:
                nursery.start_soon(trio.sleep_forever)

        report = await soak(Leaks(), {"okx": case}, duration_seconds=2)
        nursery.cancel_scope.cancel()

    said = "\n".join(report.violations)
    assert "tasks at rest were" in said
    assert "no book came back of okx" in said
    assert "left behind" in said and "sleep_forever" in said


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venues_soak, "FAULTS", ("reset",))
    monkeypatch.setattr(venues_soak, "NOTICE_SECONDS", 1.0)
    asked = ["soak", "--venues", "--virtual", "--seconds", "3", "--every", "60", "--json"]
    result = CliRunner().invoke(group, asked)
    wrong = CliRunner().invoke(group, ["soak", "--venues", "--tls"])
    alone = CliRunner().invoke(group, ["soak", "--virtual"])

    assert result.exit_code == 0, result.output
    said = json.loads(result.output)
    assert said["violations"] == [] and len(said["venues"]) == len(VENUES)
    assert wrong.exit_code == alone.exit_code == 2
