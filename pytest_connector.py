"""What pytest loads of this distribution: one option, three marks, two fixtures.

It stands outside of the package, so that a run of pytest that uses none of it imports nothing of
the package and nothing of trio; `connector.testing.plugin` does the work.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from connector.testing import MemoryNetwork, SimulatedExchange

MARKS = {
    "every_step(*faults, kinds=..., seeds=0, **bounds)": (
        "run an async test once for every step and every fault, with the bounds of a "
        "connector.testing.explore.Scenario"
    ),
    "no_leaks(grace_seconds=1.0)": (
        "fail if the test leaves tasks, sockets or other descriptors behind; the garbage "
        "collector is off meanwhile"
    ),
    "simulated_exchange(venue, **options)": (
        "what the fixture simulated_exchange opens: arguments of connector.testing.open_exchange"
    ),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that replays a finding."""
    parser.getgroup("connector").addoption(
        "--connector-replay",
        metavar="CASE",
        help="run the tests marked every_step in this one case, such as fifo/17=reset",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Say which marks there are."""
    for mark, meaning in MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {meaning}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of every fault."""
    if metafunc.definition.get_closest_marker("every_step") is not None:
        from connector.testing import plugin  # noqa: PLC0415  # only for those who use it

        plugin.parametrize(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what a mark asks for around the test's function, before pytest-trio sees it."""
    for item in items:
        if isinstance(item, pytest.Function):
            every_step = item.get_closest_marker("every_step") is not None
            if every_step or item.get_closest_marker("no_leaks") is not None:
                from connector.testing import plugin  # noqa: PLC0415  # only for those who use it

                item.obj = plugin.exploring(item) if every_step else plugin.checking(item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many runs there were."""
    runs = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == "connector_runs"
    ]
    if runs:
        terminalreporter.write_line(f"every_step: {sum(runs):,} runs in {len(runs):,} tests")


@pytest.fixture
def memory_network() -> MemoryNetwork:
    """A network in memory; as a dialer it leads nowhere else."""
    from connector.testing import MemoryNetwork  # noqa: PLC0415  # only for those who use it

    return MemoryNetwork()


@pytest.fixture
async def simulated_exchange(
    request: pytest.FixtureRequest, memory_network: MemoryNetwork
) -> AsyncIterator[SimulatedExchange]:
    """A simulated exchange on `memory_network`, as the mark ``simulated_exchange`` says."""
    from connector.testing import plugin  # noqa: PLC0415  # only for those who use it

    async with plugin.exchange_of(request.node, memory_network) as exchange:
        yield exchange
