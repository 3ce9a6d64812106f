"""The pytest plugin, in runs of pytest of its own: each promise with a test that breaks it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

# What the inner runs import lazily is there already, and stays.
from connector.testing import plugin

TRIO_MODE = "[pytest]\ntrio_mode = true\nfilterwarnings = error\n"
PRELUDE = """
import socket
import pytest
import trio
from connector import open_adapter
from connector.channels import BestQuote
from connector.exchanges import binance

@pytest.fixture
def kept():
    sockets = []
    yield sockets
    for each in sockets:
        each.close()

def adapter_on(exchange, network):
    return open_adapter(
        binance.UsdMFutures(endpoints=exchange.endpoints), dialer=network, stale_after=3.0
    )

async def one_quote(exchange, network):
    async with adapter_on(exchange, network) as adapter:
        async with adapter.subscribe(BestQuote("ETHUSDC")) as quotes:
            assert (await quotes.receive()).ask_price > 0
"""


def run(
    pytester: pytest.Pytester, test: str, *arguments: str, ini: str = TRIO_MODE
) -> pytest.RunResult:
    pytester.makeini(ini)
    pytester.makepyfile(test_mine=PRELUDE + test)
    return pytester.runpytest_inprocess(
        "-p", "pytest_connector", "-p", "no:cacheprovider", *arguments
    )


def replayed(pytester: pytest.Pytester, result: pytest.RunResult) -> pytest.RunResult:
    """The run that the finding itself asks for."""
    (line,) = {line for line in result.outlines if line.startswith("  again: pytest ")}
    arguments = shlex.split(line.removeprefix("  again: pytest "))
    return pytester.runpytest_inprocess("-p", "pytest_connector", *arguments)


# --- every_step


def test_a_test_without_a_mistake_passes_with_every_fault(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.every_step("cancel", "interrupt", "half_open", stride=3)
async def test_quotes(simulated_exchange, memory_network):
    await one_quote(simulated_exchange, memory_network)
""",
        "-v",
    )

    result.assert_outcomes(passed=4)
    for fault in ("cancel", "interrupt", "half_open", "operations"):
        result.stdout.fnmatch_lines([f"*test_quotes[[]{fault}[]] PASSED*"])
    (runs,) = re.findall(r"every_step: ([\d,]+) runs in 4 tests", result.stdout.str())
    assert int(runs.replace(",", "")) > 100


MISTAKES = {
    "a task that nobody owns": (
        "cancel",
        """
    async def unowned():
        await trio.sleep(1)
    trio.lowlevel.spawn_system_task(unowned)
    await trio.sleep(2)
""",
        r"I4: 1 task\(s\) alive after the program has ended: test_mine.*unowned",
    ),
    "a socket between dial and owner": (
        "cancel",
        """
    exchange = simulated_exchange
    stream = await memory_network.open_stream(exchange.host, exchange.port)
    await trio.lowlevel.checkpoint()
    stream.close()
""",
        r"I4: 1 socket\(s\) open after the program has ended: connection 1",
    ),
    "a real socket that is kept": (
        "cancel",
        """
    kept.append(socket.socket())
    await trio.lowlevel.checkpoint()
    kept.pop().close()
""",
        r"I4: descriptor \d+: socket 0.0.0.0:0, open after the program has ended",
    ),
    "a real socket that is forgotten": (
        "cancel",
        """
    mine = socket.socket()
    await trio.lowlevel.checkpoint()
    mine.close()
""",
        r"I4: unclosed <socket.socket",
    ),
    "a strategy that hangs": (
        "mute",
        """
    async with trio.open_nursery() as nursery:
        async with adapter_on(simulated_exchange, memory_network) as adapter:
            async with adapter.subscribe(BestQuote("ETHUSDC")) as quotes:
                await quotes.receive()
                for connection in simulated_exchange.connections:
                    if connection.subscriptions and struck(memory_network):
                        await trio.sleep_forever()
                await quotes.receive()
""",
        r"I7: does not notice the silence: still running .* needs stale_after in open_adapter",
    ),
    "an exception that only a fault provokes": (
        "reset",
        """
    async with memory_network.connect(simulated_exchange.host, simulated_exchange.port) as stream:
        await stream.send_all(b"GET / HTTP/1.1\\r\\n\\r\\n")
        await stream.receive_some()
""",
        r"I12: the program raised BrokenResourceError",
    ),
    "an error that a cancellation is turned into": (
        "cancel",
        """
    try:
        await trio.sleep(1)
    except trio.Cancelled:
        raise ValueError("what I was doing is lost")
""",
        r"I12: the program raised ValueError\('what I was doing is lost'\)",
    ),
}
"""Mistake: the fault that shows it, a body, and what is said."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_with_the_case_that_replays_it(
    pytester: pytest.Pytester, mistake: str
) -> None:
    fault, body, said = MISTAKES[mistake]
    body = f"""
def struck(network):
    return len(network.ledger) > 1

@pytest.mark.every_step({fault!r}, kinds=["steps"])
async def test_strategy(memory_network, simulated_exchange, kept):
{body}
"""

    result = run(pytester, body)

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines([said])
    result.stdout.re_match_lines([rf"  in test_mine.py::test_strategy, .* plan \d+={fault}"])
    again = replayed(pytester, result)
    again.assert_outcomes(failed=1)
    again.stdout.re_match_lines([said])
    assert "every_step: 1 runs in 1 tests" in again.stdout.str()


def test_a_case_without_a_finding_passes_when_it_is_replayed(pytester: pytest.Pytester) -> None:
    test = """
@pytest.mark.every_step
async def test_quotes(simulated_exchange, memory_network):
    await one_quote(simulated_exchange, memory_network)
"""

    result = run(pytester, test, "--connector-replay", "seed-3/17=reset,40=mute", "-v")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_quotes[[]seed-3/17=reset,40=mute[]] PASSED*"])


def test_the_stage_says_where_the_test_fails_and_leaves(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.every_step("consumer", kinds=["steps"], seeds=2)
@pytest.mark.simulated_exchange("usdm", ping_seconds=60.0)
@pytest.mark.parametrize("channel", [BestQuote("ETHUSDC")])
async def test_quotes(stage, channel):
    async with adapter_on(stage.exchange, stage.network) as adapter:
        assert stage.exchange.rules.ping_seconds == 60.0
        with stage.body:
            async with adapter.subscribe(channel, gaps=True) as quotes:
                reader = stage.reader(gaps=True)
                while reader.events < 2 or not stage.settled:
                    reader.saw(await quotes.receive())
                    stage.turn()
        stage.leaving()
""",
    )

    result.assert_outcomes(passed=2)


def test_more_tasks_than_usual_are_found(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.every_step("reset", kinds=["steps"], errors=(trio.BrokenResourceError,))
async def test_growth(memory_network, simulated_exchange):
    exchange = simulated_exchange
    async with trio.open_nursery() as nursery:
        try:
            async with memory_network.connect(exchange.host, exchange.port) as stream:
                with trio.move_on_after(1):
                    await stream.receive_some()
        except trio.BrokenResourceError:
            for _ in range(9):
                nursery.start_soon(trio.sleep, 1)
""",
    )

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines([r"I3: 10 tasks at once, more than 4"])


WRONG = {
    "an unknown fault": (
        '@pytest.mark.every_step("rest")\nasync def test(stage): ...',
        "*unknown fault 'rest'; the faults are cancel, *",
    ),
    "an unknown kind": (
        '@pytest.mark.every_step(kinds=["stepps"])\nasync def test(stage): ...',
        "*there are no kinds stepps; there are steps, *",
    ),
    "an unknown bound": (
        "@pytest.mark.every_step(most=3)\nasync def test(stage): ...",
        "*unexpected keyword argument 'most'*",
    ),
    "a test that is not async": (
        "@pytest.mark.every_step\ndef test(stage): ...",
        "*the test must be an async function*",
    ),
    "a test that has nothing of the run": (
        "@pytest.mark.every_step\nasync def test(): ...",
        "*must take one of stage, memory_network, simulated_exchange*",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_exist_is_refused_when_tests_are_collected(
    pytester: pytest.Pytester, what: str
) -> None:
    test, said = WRONG[what]

    result = run(pytester, test)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"every_step of test_mine.py::test: {said}"])


def test_a_case_that_cannot_be_read_is_refused(pytester: pytest.Pytester) -> None:
    test = "@pytest.mark.every_step\nasync def test(stage): ..."

    result = run(pytester, test, "--connector-replay", "reset")

    result.assert_outcomes(errors=1)


def test_a_mark_of_the_whole_module_does_not_matter(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
pytestmark = pytest.mark.trio

@pytest.mark.every_step("reset", kinds=["steps"])
async def test_quotes(simulated_exchange, memory_network):
    await one_quote(simulated_exchange, memory_network)

async def test_other(simulated_exchange, memory_network, autojump_clock):
    await one_quote(simulated_exchange, memory_network)
""",
        ini="[pytest]\nfilterwarnings = error\n",
    )

    result.assert_outcomes(passed=2)


def test_ctrl_c_ends_the_run_of_pytest(pytester: pytest.Pytester) -> None:
    test = """
@pytest.mark.every_step("reset")
async def test_interrupted(memory_network):
    raise KeyboardInterrupt
"""

    pytester.makepyfile(test_mine=PRELUDE + test)
    result = pytester.runpytest_subprocess("-p", "pytest_connector")

    assert result.ret == pytest.ExitCode.INTERRUPTED


# --- no_leaks and the fixtures

LEAKS = {
    "a task": (
        "async def test_leak(nursery):\n    nursery.start_soon(trio.sleep_forever)",
        "*task sleep_forever*",
    ),
    "a socket": (
        "async def test_leak(kept):\n    kept.append(socket.socket())",
        "*descriptor *: socket 0.0.0.0:0*",
    ),
    "a socket of a test without trio": (
        "def test_leak(kept):\n    kept.append(socket.socket())",
        "*descriptor *: socket 0.0.0.0:0*",
    ),
    "a connection in memory": (
        """async def test_leak(simulated_exchange, memory_network, autojump_clock):
            await memory_network.open_stream("127.0.0.1", simulated_exchange.port)""",
        "*connection 1 to 127.0.0.1:*, dialled at 0.000 s, is open*",
    ),
    "a task of one example": (
        """@given(st.just(1))
async def test_leak(number):
    trio.lowlevel.spawn_system_task(trio.sleep_forever)""",
        "*task sleep_forever*",
    ),
}


@pytest.mark.parametrize("what", LEAKS)
def test_a_leak_is_reported(pytester: pytest.Pytester, what: str) -> None:
    test, said = LEAKS[what]
    prelude = "from hypothesis import given, strategies as st\n"

    result = run(pytester, prelude + "@pytest.mark.no_leaks(grace_seconds=0.01)\n" + test)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Leaked: 1 left behind:*", said])


def test_a_test_that_leaves_nothing_passes(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.no_leaks
async def test_quotes(simulated_exchange, memory_network, autojump_clock):
    await one_quote(simulated_exchange, memory_network)

@pytest.mark.no_leaks
@pytest.mark.simulated_exchange("spot", network=None)
async def test_loopback(simulated_exchange):
    async with open_adapter(binance.Spot(endpoints=simulated_exchange.endpoints)) as adapter:
        async with adapter.subscribe(BestQuote("ETHUSDC")) as quotes:
            await quotes.receive()
""",
    )

    result.assert_outcomes(passed=2)


# --- to be there without being noticed


def test_a_run_that_uses_nothing_of_it_imports_nothing_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
import sys

def test_nothing_is_imported():
    assert "pytest_connector" in sys.modules
    assert [name for name in sys.modules if name.partition(".")[0] in ("connector", "trio")] == []
"""
    )

    result = pytester.runpytest_subprocess(
        "-p", "pytest_connector", "-p", "no:trio", "-p", "no:anyio", "--strict-markers",
        "-W", "error",
    )  # fmt: skip

    result.assert_outcomes(passed=1)


def test_the_marks_are_explained(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("-p", "pytest_connector", "--markers")

    for mark in ("every_step", "no_leaks", "simulated_exchange"):
        result.stdout.fnmatch_lines([f"@pytest.mark.{mark}(*): *"])


def test_the_distribution_works_where_neither_pytest_nor_hypothesis_is_installed() -> None:
    code = """
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys(["pytest", "hypothesis", "pytest_trio"]))
import connector.testing
for module in pkgutil.walk_packages(connector.testing.__path__, "connector.testing."):
    needs = (".plugin", ".strategies", ".__main__")
    if not module.name.endswith(needs) and ".conformance" not in module.name:
        importlib.import_module(module.name)
"""

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)

    assert (ended.returncode, ended.stderr) == (0, b"")


def test_every_argument_of_a_run_is_one_that_the_plugin_names() -> None:
    assert set(plugin.STAGED) == {"stage", "memory_network", "simulated_exchange"}
