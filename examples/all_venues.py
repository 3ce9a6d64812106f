"""Every venue at once: an adapter each, random faults on all, and a judge who looks at each book.

python -m examples.all_venues --minutes 10        on loopback sockets, without garbage collection
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import attrs
import trio

from connector import Reconnect, open_adapter
from connector.channels import OrderBook
from connector.events import BookView, Gap
from connector.testing import MemoryNetwork, OrderFlow, SimulatedExchange, open_exchange
from connector.testing.explore.venue_scenarios import VENUES, VenueCase, lively_channel
from connector.testing.leaks import no_leaks

FAULTS = (
    "reset", "fin", "close", "close_and_hold", "half_open", "mute",
    "bad_mask", "bad_utf8", "truncated_json",
)  # fmt: skip
LEVELS = 5
KEPT_STATES = 2_000
"""Of the server's book; an older one cannot be on its way any more."""
PAUSE_SECONDS = 0.2, 1.5
STALE_SECONDS = 10.0
"""None of these markets is ever silent for so long."""
RECOVERY_SECONDS = 90.0


@attrs.define
class Verdict:
    """What was seen of one venue."""

    events: int = 0
    books: int = 0
    gaps: int = 0
    breaks: int = 0
    synced: bool = False
    wrong: list[str] = attrs.field(factory=list)
    """What may not be: books that the server never had, sockets beside those of the links."""


async def follow(
    case: VenueCase, exchange: SimulatedExchange, dialer: MemoryNetwork | None, verdict: Verdict
) -> None:
    """Read a venue's book and one more channel, and compare each book with the server's own."""
    truth = exchange.keep_truth(case.symbol, LEVELS)
    made = case.exchange(endpoints=exchange.endpoints)
    channels: Any = OrderBook(case.symbol, LEVELS), lively_channel(made, case.symbol)
    reconnect = Reconnect(initial=0.1, cap=2.0)
    async with (
        open_adapter(
            made, dialer=dialer, reconnect=reconnect, stale_after=STALE_SECONDS
        ) as adapter,
        adapter.subscribe(*channels, gaps=True) as feed,
    ):
        async for event in feed:
            if isinstance(event, Gap):
                verdict.gaps += 1
            elif not isinstance(event, BookView):
                verdict.events += 1
            else:
                verdict.synced = event.synced
                if event.synced:
                    verdict.books += 1
                    if truth.find_book(exactly(event.bids), exactly(event.asks)) is None:
                        verdict.wrong.append(f"the server never had {event.depth(LEVELS)}")
            truth.keep_last(KEPT_STATES)
            links = adapter.statistics().links
            if adapter.statistics().sockets_open > len(links) + 1:
                verdict.wrong.append(f"more sockets than links: {links}")


def exactly(levels: Any) -> list[tuple[Decimal, Decimal]]:
    """Levels as the wire had them."""
    return [(Decimal(str(price)), Decimal(str(quantity))) for price, quantity in levels]


def troubles(names: list[str], seed: int) -> Iterator[tuple[float, str, str]]:
    """Seconds to wait, then a venue and a fault, for ever."""
    draw = random.Random(seed)
    while True:
        yield draw.uniform(*PAUSE_SECONDS), draw.choice(names), draw.choice(FAULTS)


async def run(
    venues: Mapping[Any, VenueCase] = VENUES,
    *,
    seconds: float,
    seed: int = 0,
    rate_per_second: float = 10.0,
    network: MemoryNetwork | None,
) -> Mapping[str, Verdict]:
    """Open everything, break it at random for so long, and let it recover.

    Args:
        venues: which; each has an adapter and a simulated exchange.
        seconds: how long there are faults.
        seed: of the markets and of the faults.
        rate_per_second: actions of traders on each market.
        network: a network in memory; None: loopback sockets.

    Raises:
        connector.testing.leaks.Leaked: something is left.
        RuntimeError: a book did not come back.
    """
    verdicts: dict[str, Verdict] = {name: Verdict() for name in venues}
    networks = () if network is None else (network,)
    async with no_leaks(*networks), AsyncExitStack() as servers:
        exchanges = {}
        for number, (name, case) in enumerate(venues.items(), 1):
            # A host each: what connects to one shares its budget of connections.
            host = f"127.0.0.{number}"
            source = OrderFlow(symbols=(case.symbol,), seed=seed, rate_per_second=rate_per_second)
            opened = open_exchange(name, source=source, network=network, host=host)
            exchanges[name] = await servers.enter_async_context(opened)
        async with trio.open_nursery() as nursery:
            for name, case in venues.items():
                nursery.start_soon(follow, case, exchanges[name], network, verdicts[name])
            await recovered(verdicts)
            with trio.move_on_after(seconds):
                for pause, name, kind in troubles(list(venues), seed):
                    await trio.sleep(pause)
                    verdicts[name].breaks += exchanges[name].break_connections(kind)  # type: ignore[arg-type]
            await recovered(verdicts)
            nursery.cancel_scope.cancel()
        for name, exchange in exchanges.items():
            for route, most in exchange.max_concurrent_by_route.items():
                if most > 1:
                    verdicts[name].wrong.append(f"{most} connections at once on {route!r}")
    return verdicts


async def recovered(verdicts: Mapping[str, Verdict]) -> None:
    """Wait until every venue has brought a right book from now on."""
    before = {name: verdict.books for name, verdict in verdicts.items()}
    late = set(verdicts)
    with trio.move_on_after(RECOVERY_SECONDS):
        while late:
            await trio.sleep(0.1)
            late -= {
                name
                for name in late
                if verdicts[name].synced and verdicts[name].books > before[name]
            }
    if late:
        raise RuntimeError(f"no book came back of {', '.join(sorted(late))}")


def main() -> None:
    """Run it over sockets, and print a line for each venue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    async def go() -> Mapping[str, Verdict]:
        return await run(seconds=options.minutes * 60, seed=options.seed, network=None)

    for name, verdict in trio.run(go).items():
        print(
            f"{name:16} {verdict.breaks:5} breaks {verdict.gaps:6} gaps {verdict.events:8} events "
            f"{verdict.books:8} books, {len(verdict.wrong)} wrong"
        )
        for what in verdict.wrong[:3]:
            print(f"    {what}")


if __name__ == "__main__":
    main()
