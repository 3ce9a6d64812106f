"""``connector top``: the live page of a running program, in the terminal."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import click
import httpx2
import msgspec
import trio
from rich.console import Console
from rich.live import Live

from connector.app.demo.svg_picture import save_svg
from connector.app.options import duration_options, epilog, json_option
from connector.app.running.state import State
from connector.app.running.top_screen import TopScreen
from connector.app.stopping import stop_when_interrupted
from connector.errors import ConfigError, ExchangeUnavailable

REFRESH_SECONDS = 1.0
ANSWER_SECONDS = 5.0
DEFAULT_URL = "http://127.0.0.1:9090"


@attrs.frozen
class Source:
    """A running program.

    Args:
        client: for HTTP.
        url: of its pages.
    """

    client: httpx2.AsyncClient
    url: str

    async def fetch(self) -> State:
        """Ask for its state.

        Raises:
            ExchangeUnavailable: there is no answer; the message says why.
            ConfigError: the answer is not the state of a run, or a token is needed.
        """
        try:
            answer = await self.client.get(f"{self.url.rstrip('/')}/state")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            reason = str(error) or type(error).__name__
            raise ExchangeUnavailable(
                f"{self.url}: {reason}; start `connector run` with [metrics] in its configuration, "
                "and pass the address of its bind, such as http://127.0.0.1:9090"
            ) from error
        if answer.status_code == 401:
            raise ConfigError(f"{self.url} requires a token: add --token VARIABLE")
        if answer.status_code != 200:
            raise ConfigError(
                f"{self.url} answered with status {answer.status_code}; "
                "is it the address of connector run?"
            )
        try:
            return msgspec.json.decode(answer.content, type=State)
        except msgspec.DecodeError as error:
            raise ConfigError(
                f"{self.url} is not served by connector run of this version"
            ) from error


async def watch(source: Source, live: Live, stop: trio.Event, seconds: float) -> None:
    """Show the state once a second until `stop`; the last one while there is no answer.

    Raises:
        ConfigError: the answer is not the state of a run.

    Cancellation: the screen keeps the last state.
    """
    state: State | None = None
    with trio.move_on_after(seconds):
        while not stop.is_set():
            trouble = ""
            try:
                state = await source.fetch()
            except ExchangeUnavailable as error:
                trouble = str(error)
            live.update(TopScreen(state, trouble), refresh=True)
            with trio.move_on_after(REFRESH_SECONDS):
                await stop.wait()


async def run_top(source_url: str, token: str, live: Live | None, seconds: float) -> State | None:
    """Show a program on `live`, or return its state once if there is no screen."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(
        headers=headers, timeout=ANSWER_SECONDS, trust_env=False
    ) as client:
        source = Source(client, source_url)
        if live is None:
            return await source.fetch()
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop_when_interrupted, stop)
            await watch(source, live, stop, seconds)
            nursery.cancel_scope.cancel()
    return None


@contextmanager
def _screen(console: Console) -> Iterator[Live]:
    # Without a thread of its own.
    with Live(console=console, auto_refresh=False, screen=True) as live:
        yield live


@click.command(
    "top",
    short_help="Watch a running program in the terminal.",
    epilog=epilog("top", "top http://10.0.0.7:9090 --token METRICS_TOKEN", "top --json"),
)
@click.argument("url", metavar="[URL]", default=DEFAULT_URL)
@click.option(
    "--token",
    metavar="VARIABLE",
    help="The environment variable that holds the token of the pages.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw the state once, into this .svg file.",
)
@duration_options(default_seconds=None, least_seconds=0.1)
@json_option
def top_command(
    *, url: str, token: str | None, out: Path | None, seconds: float | None, as_json: bool
) -> None:
    """Watch a program of 'connector run': rates, lag, books, sinks, market.

    URL is the address that [metrics] of its configuration says, by default http://127.0.0.1:9090.
    The screen shows what its live page shows, once a second. Without a terminal, or with --json,
    the command prints the state once.
    """
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url!r} is not a URL, such as {DEFAULT_URL}", param_hint="URL")
    secret = ""
    if token is not None:
        secret = os.environ.get(token, "")
        if not secret:
            raise click.UsageError(f"the environment variable {token} is not set")
    console = Console()
    if console.is_terminal and not as_json and out is None:
        with _screen(console) as live:
            trio.run(run_top, url, secret, live, math.inf if seconds is None else seconds)
        return
    state = trio.run(run_top, url, secret, None, 0.0)
    if out is not None:
        save_svg(TopScreen(state), out, title=f"connector top {url}", width=100)
        click.echo(f"drawn: {out}", err=True)
    elif as_json:
        click.echo(msgspec.json.encode(state))
    else:
        console.print(TopScreen(state))
