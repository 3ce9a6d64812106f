"""Options and arguments that several commands share, with one spelling and one meaning."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click
from click.shell_completion import CompletionItem

from connector.app.examples import examples
from connector.app.naming import CHANNELS, EXCHANGES, find_exchange
from connector.app.numbers import FiniteRange
from connector.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])

_WIDTH = 76


class ExchangeName(click.ParamType):  # type: ignore[type-arg]  # it has none in click 8.1
    """The name of an exchange, such as ``binance_usdm``."""

    name = "exchange"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return `value`, or fail with a suggestion if no exchange has that name."""
        if value.partition(":")[0] in CHANNELS:
            self.fail(f"{value!r} is a channel; write the exchange before it", param, ctx)
        try:
            find_exchange(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)
        return str(value)

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """List the exchanges, for who has named none."""
        del param, ctx
        named = ", ".join(EXCHANGES)
        indented = textwrap.fill(named, _WIDTH, initial_indent="  ", subsequent_indent="  ")
        return f"Choose from:\n{indented}"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """List the exchanges that begin with `incomplete`."""
        del ctx, param
        return [CompletionItem(each) for each in EXCHANGES if each.startswith(incomplete)]


class ChannelText(click.ParamType):  # type: ignore[type-arg]  # as above
    """A channel as text, such as ``trades:ETHUSDC``. The command parses it."""

    name = "channel"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """List the kinds of channels that begin with `incomplete`.

        A colon follows the kinds whose symbol or name must follow.
        """
        del ctx, param
        return [
            CompletionItem(f"{name}:" if _needs_more(kind) else name)
            for name, kind in CHANNELS.items()
            if name.startswith(incomplete)
        ]


def _needs_more(kind: Any) -> bool:
    return attrs.fields(kind)[0].default is attrs.NOTHING


def epilog(*lines: str, names: bool = False) -> str:
    """The part of a command's help below its options.

    Args:
        lines: command lines, without ``connector``.
        names: whether to list the exchanges and the channels.
    """
    if not names:
        return examples(*lines)
    listed = [*_wrapped("Exchanges", EXCHANGES), *_wrapped("Channels", CHANNELS)]
    return "\n".join([examples(*lines), "", "\b", *listed])


def _wrapped(title: str, names: Iterable[str]) -> list[str]:
    return textwrap.wrap(f"{title}: {', '.join(names)}", _WIDTH, subsequent_indent="  ")


def duration_options(*, default_seconds: float | None, least_seconds: float) -> Callable[[F], F]:
    """Add ``--seconds`` and ``--minutes``; the command receives `seconds`.

    Args:
        default_seconds: the duration when neither is given; None: until Ctrl-C.
        least_seconds: the shortest duration that is accepted.
    """
    otherwise = "until Ctrl-C" if default_seconds is None else f"{default_seconds:g} seconds"

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def run(
            *, seconds: float | None, minutes: float | None, duration: float | None, **rest: Any
        ) -> Any:
            given = [each for each in (seconds, minutes, duration) if each is not None]
            if len(given) > 1:
                raise click.UsageError("write either --seconds or --minutes")
            chosen = given[0] if given else default_seconds
            if minutes is not None:
                chosen = 60 * minutes
            if chosen is not None and chosen < least_seconds:
                raise click.BadParameter(
                    f"{chosen:g} seconds are not in the range x>={least_seconds:g}.",
                    param_hint="--seconds" if minutes is None else "--minutes",
                )
            return command(seconds=chosen, **rest)

        # The last one stands first in the help.
        older = click.option("--duration", type=FiniteRange(min=0), hidden=True)
        in_minutes = click.option(
            "--minutes",
            type=FiniteRange(min=0),
            metavar="MINUTES",
            help="The same in minutes.",
        )
        in_seconds = click.option(
            "--seconds",
            type=FiniteRange(min=0),
            metavar="SECONDS",
            help=f"How long to run, at least {least_seconds:g}.  [default: {otherwise}]",
        )
        return in_seconds(in_minutes(older(run)))  # type: ignore[return-value]

    return decorate


def simulate_option(command: F) -> F:
    """Add ``--simulate / --live``; the command receives `simulate`."""
    return click.option(
        "--simulate/--live",
        "simulate",
        default=False,
        help="Connect to a simulated exchange in memory, or to the real one over the network.  "
        "[default: live]",
    )(command)


def simulation_options(command: F) -> F:
    """Add `simulate_option` and what only a simulated exchange has: `seed` and `break_every`."""

    @functools.wraps(command)
    def run(*, simulate: bool, **rest: Any) -> Any:
        if not simulate and (given := _given("break_every", "seed")):
            raise click.UsageError(f"{given} is for a simulated exchange: add --simulate")
        return command(simulate=simulate, **rest)

    break_every = click.option(
        "--break-every",
        type=FiniteRange(min=0),
        metavar="SECONDS",
        default=0.0,
        help="With --simulate: seconds between two breaks of all connections.  [default: never]",
    )
    seed = click.option(
        "--seed",
        type=int,
        metavar="NUMBER",
        default=0,
        help="With --simulate: each number is another market.  [default: 0]",
    )
    return simulate_option(break_every(seed(run)))  # type: ignore[return-value]


def _given(*parameters: str) -> str:
    """The first of `parameters` on the command line, as an option; or ""."""
    context = click.get_current_context()
    chosen = (
        f"--{name.replace('_', '-')}"
        for name in parameters
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    )
    return next(chosen, "")


def exchange_option(default: str) -> Callable[[F], F]:
    """Add ``--exchange``; the command receives `exchange`."""
    return click.option(
        "--exchange",
        type=ExchangeName(),
        metavar="NAME",
        default=default,
        show_default=True,
        help="Name of the exchange, such as binance_spot.",
    )


def out_folder(what: str, *, default: Path | None = None) -> Callable[[F], F]:
    """Add ``--out`` for a folder of `what`; the command receives `out`."""
    otherwise = "" if default is None else "  [default: the current folder]"
    # An explicit default of None would count as given.
    needed: dict[str, Any] = {"required": True} if default is None else {"default": default}
    return click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="FOLDER",
        **needed,
        help=f"Folder for the {what}. It is created if it does not exist.{otherwise}",
    )


def paths_argument(command: F) -> F:
    """Add the recordings, at least one; the command receives `paths`."""
    return click.argument(
        "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
    )(command)


def json_option(command: F) -> F:
    """Add ``--json``; the command receives `as_json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."
    )(command)
