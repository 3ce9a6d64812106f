"""Whatever configurations follow each other, with whatever breaks between: the last one holds."""

from __future__ import annotations

import random
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from connector.app.running.configuration import Configuration, read_configuration
from connector.app.running.readiness import unready
from connector.app.running.service import Service, open_service
from connector.app.running.venues import SimulatedWorld, open_simulated_world

SYMBOLS = ("BTCUSDC", "ETHUSDC", "SOLUSDC")
EXCHANGES = {"futures": "binance_usdm", "spot": "binance_spot"}

groups = st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.fixed_dictionaries(
        {
            "adapter": st.sampled_from(sorted(EXCHANGES)),
            "channels": st.lists(
                st.sampled_from(["trades", "best_quote", "partial_book"]), min_size=1, unique=True
            ),
            "symbols": st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True),
            "overflow": st.sampled_from(["block", "conflate"]),
        }
    ),
    min_size=1,
)
steps = st.lists(
    st.tuples(groups, st.sampled_from([0.0, 0.001, 0.05, 3.0]), st.booleans()),
    min_size=1,
    max_size=5,
)


def configuration(of: dict[str, dict[str, Any]]) -> Configuration:
    text = "".join(
        f'[adapters.{name}]\nexchange = "{exchange}"\nreconnect = {{ initial = 0.05, cap = 0.2 }}\n'
        for name, exchange in EXCHANGES.items()
    )
    for name, group in of.items():
        text += f"[groups.{name}]\n" + "".join(
            f"{key} = {str(value).replace(chr(39), chr(34))}\n"
            if isinstance(value, list)
            else f'{key} = "{value}"\n'
            for key, value in group.items()
        )
    return read_configuration(text + '[[sinks]]\nkind = "log"\n')


def check_equal(service: Service, world: SimulatedWorld, last: Configuration) -> None:
    for name, exchange_name in EXCHANGES.items():
        adapter = service.adapters[name]
        wanted = {
            adapter.exchange.stream(channel).name
            for group in last.groups.values()
            if group.adapter == name
            for channel in group.channels
        }
        assert set(adapter.statistics().streams) == wanted
        # By the exchange's own books: what is subscribed, and by how many connections.
        connections = world.exchanges[exchange_name].connections
        subscribed = [stream for each in connections for stream in each.subscriptions]
        assert sorted(subscribed) == sorted(wanted)
        assert adapter.statistics().sockets_open <= len(adapter.statistics().links)
    assert set(service.pumps) == {(group, "log") for group in last.groups}
    for (group, _), pump in service.pumps.items():
        assert pump.plan == last.groups[group]


@given(steps, st.integers(0, 1 << 32))
@settings(max_examples=10)
def test_the_last_configuration_holds(
    plan: list[tuple[dict[str, dict[str, Any]], float, bool]], seed: int
) -> None:
    random.seed(seed)
    configurations = [configuration(of) for of, _, _ in plan]

    async def scenario() -> None:
        async with open_simulated_world(configurations[0]) as world:
            async with open_service(configurations[0], world) as service:
                for each, (_, seconds, breaks) in zip(configurations, plan, strict=True):
                    await service.apply(each)
                    await trio.sleep(seconds)
                    if breaks:
                        for exchange in world.exchanges.values():
                            exchange.break_connections("reset")
                with trio.fail_after(120):
                    while unready(service):
                        await trio.sleep(0.05)
                await trio.sleep(2)
                check_equal(service, world, configurations[-1])
        assert service.ended_clean

    trio.run(scenario, clock=MockClock(autojump_threshold=0))
