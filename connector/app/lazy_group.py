"""A group that imports a command when it runs: help and completion import none of them."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

import attrs
import click
from click.shell_completion import CompletionItem

from connector.app.endings import Commands
from connector.app.interruption import leave_on_interrupt


@attrs.frozen
class Listed:
    """A command as the group lists it."""

    place: str
    """Its module and its name there: ``package.module:name``."""
    help: str
    """What it does, in one line: its own short help."""


class LazyGroup(Commands):
    """A group of commands that are imported when they are looked up.

    Args:
        listed: the commands by name.
        arguments: of `click.Group`.
    """

    def __init__(self, *, listed: Mapping[str, Listed], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._listed = listed

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, sorted."""
        del ctx
        return sorted(self._listed)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of that name."""
        del ctx
        listed = self._listed.get(cmd_name)
        if listed is None:
            return None
        module, _, name = listed.place.partition(":")
        with leave_on_interrupt():
            found = getattr(importlib.import_module(module), name)
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` begin with, or fail with a suggestion."""
        name = args[0]
        if name not in self._listed and not name.startswith("-"):
            similar = difflib.get_close_matches(name, self._listed, 1)
            ctx.fail(
                f"No such command {name!r}; did you mean {similar[0]!r}?"
                if similar
                else f"No such command {name!r}; '{ctx.command_path} --help' lists the commands."
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands into the help of the group."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, self._listed[name].help) for name in self.list_commands(ctx)]
            )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """List the commands and options that begin with `incomplete`."""
        names = (each for each in self.list_commands(ctx) if each.startswith(incomplete))
        commands = [CompletionItem(name, help=self._listed[name].help) for name in names]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]
