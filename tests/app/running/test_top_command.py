"""`connector top`: what a running program answers, and what is said when it does not."""

from __future__ import annotations

import io
import json

import httpx2
import pytest
import trio
from click.testing import CliRunner
from rich.console import Console
from rich.live import Live

from connector.app.commands import group
from connector.app.running.top_command import Source, run_top, watch
from connector.app.secret import Secret
from connector.errors import ConfigError, ExchangeUnavailable
from tests.app.running.test_pages import served

NOWHERE = "http://127.0.0.1:1"


async def test_the_state_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", "hunter2")
    async with served(Secret(env="METRICS_TOKEN")) as (_, _, url):
        while True:
            state = await run_top(url, "hunter2", None, 0.0)
            assert state is not None
            if state.tops and state.trades:
                break
            await trio.sleep(0.01)
        with pytest.raises(ConfigError, match="add --token VARIABLE"):
            await run_top(url, "", None, 0.0)

    assert [each.name for each in state.adapters] == ["futures"]
    assert {link.state for link in state.adapters[0].links} == {"streaming"}
    assert state.tops[0].symbol == state.trades[0].symbol == "ETHUSDC"
    assert [(each.name, each.state) for each in state.sinks] == [("log", "works")]


async def test_the_screen_keeps_the_last_state_while_there_is_no_answer() -> None:
    out = io.StringIO()
    stop = trio.Event()
    answers = iter([b"{}", b""])

    def answer(request: httpx2.Request) -> httpx2.Response:
        body = next(answers)
        if not body:
            stop.set()
            raise httpx2.ConnectError("refused", request=request)
        return httpx2.Response(200, content=state)

    async with served() as (_, _, url), httpx2.AsyncClient() as client:
        state = (await client.get(f"{url}/state")).content
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        with Live(
            console=Console(file=out, width=100, force_terminal=True), auto_refresh=False
        ) as live:
            await watch(Source(client, NOWHERE), live, stop, 60.0)

    shown = out.getvalue().rpartition("no answer")[2]
    assert "refused" in shown
    assert "binance_usdm/market" in shown


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx2.Response(404), "answered with status 404; is it the address of connector run?"),
        (
            httpx2.Response(200, content=b'{"version": 1}'),
            "is not served by connector run of this version",
        ),
    ],
)
async def test_another_server(answer: httpx2.Response, said: str) -> None:
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: answer)) as client:
        with pytest.raises(ConfigError, match=said):
            await Source(client, NOWHERE).fetch()


async def test_nobody_answers() -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        with pytest.raises(ExchangeUnavailable, match=NOWHERE):
            await Source(client, NOWHERE).fetch()


def test_the_command_says_it_in_a_line() -> None:
    nobody = CliRunner().invoke(group, ["top", NOWHERE, "--json"])
    unset = CliRunner().invoke(group, ["top", "--token", "NO_SUCH_VARIABLE"])

    assert (nobody.exit_code, unset.exit_code) == (1, 2)
    assert nobody.output.startswith(f"Error: {NOWHERE}: ")
    assert "NO_SUCH_VARIABLE is not set" in unset.output
    assert json.dumps(nobody.output).count("\\n") == 1


@pytest.mark.parametrize("url", ["foo", "127.0.0.1:9090"])
def test_an_address_without_a_scheme_is_answered_with_a_url(url: str) -> None:
    ended = CliRunner().invoke(group, ["top", url])

    assert ended.exit_code == 2
    assert f"'{url}' is not a URL, such as http://127.0.0.1:9090" in ended.output
