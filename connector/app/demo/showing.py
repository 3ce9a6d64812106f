"""Run a simulated demo, and show it on a screen, as lines, or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Generic, Protocol, TextIO, TypeVar

import attrs
import click
import trio
from rich.console import Console

from connector.app.stopping import run_until_interrupted


class Report(Protocol):
    """The result of a demo."""

    @property
    def violations(self) -> Sequence[str]:
        """The promises that were broken."""
        ...

    def to_json(self) -> str: ...


S = TypeVar("S")
R = TypeVar("R", bound=Report)


@attrs.frozen(kw_only=True)
class Demo(Generic[S, R]):
    """A demo, and the three ways of showing it."""

    run: Callable[[S, trio.Event], Awaitable[R]]
    """Runs it until it is over or the event is set."""
    dashboard: Callable[[Console], AbstractContextManager[S]]
    lines: Callable[[TextIO], S]
    nowhere: Callable[[], S]
    summary: Callable[[R], list[str]]

    def show(self, *, as_json: bool) -> int:
        """Run it and show it; the exit status, 1 if a promise was broken."""
        console = Console()
        if as_json:
            report = self._run(self.nowhere())
            click.echo(report.to_json())
        elif console.is_terminal:
            with self.dashboard(console) as dashboard:
                report = self._run(dashboard)
            click.echo("\n".join(self.summary(report)))
        else:
            report = self._run(self.lines(sys.stdout))
            click.echo("\n" + "\n".join(self.summary(report)))
        return 1 if report.violations else 0

    def _run(self, screen: S) -> R:
        return trio.run(run_until_interrupted, lambda stop: self.run(screen, stop))
