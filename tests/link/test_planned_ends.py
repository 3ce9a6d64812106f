"""Planned ends are taken in turns, but only by links that carry the same."""

from __future__ import annotations

import attrs
import trio

from connector.link.planned_ends import Twins


@attrs.define(eq=False)
class Wire:
    """A link, as its twins see it."""

    streams: tuple[bytes, ...]
    interrupted: bool = False

    @property
    def subscriptions(self) -> dict[bytes, object]:
        return dict.fromkeys(self.streams)


async def test_a_twin_that_is_interrupted_is_waited_for() -> None:
    one, other = Wire((b"a", b"b")), Wire((b"b", b"c"))
    twins = Twins(one, "binance_spot")
    Twins(other, "binance_spot")

    assert twins.carry_on()
    other.interrupted = True
    assert not twins.carry_on()
    other.streams = (b"c",)
    assert twins.carry_on()


async def test_its_own_interruption_and_other_exchanges_are_no_matter() -> None:
    one, other = Wire((b"a",), interrupted=True), Wire((b"a",), interrupted=True)
    twins = Twins(one, "binance_spot")
    Twins(other, "binance_usdm")

    assert twins.carry_on()


async def test_a_link_that_is_gone_is_forgotten() -> None:
    one, other = Wire((b"a",)), Wire((b"a",), interrupted=True)
    twins = Twins(one, "binance_spot")
    Twins(other, "binance_spot")

    del other

    assert twins.carry_on()


def test_each_run_has_families_of_its_own() -> None:
    kept = []

    async def main() -> bool:
        link = Wire((b"a",), interrupted=not kept)
        kept.append(link)
        return Twins(link, "binance_spot").carry_on()

    assert trio.run(main)
    assert trio.run(main)
