"""End a command: one line for an error, and no output for Ctrl-C or a closed pipe."""

from __future__ import annotations

import errno
from typing import Any

import click

from connector.app.interruption import INTERRUPTED
from connector.errors import ConnectorError


class Commands(click.Group):
    """A group whose commands may let errors out, alone or in the groups of their nurseries."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command.

        Raises:
            click.exceptions.Exit: it was interrupted by Ctrl-C.
            click.ClickException: it failed with a `ConnectorError` or an `OSError`.
            BrokenPipeError: the reader of its output is gone; click ends without a word.
        """
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, BaseExceptionGroup, ConnectorError, OSError) as error:
            ending = ending_of(error)
            if ending is error:
                raise
            raise ending from error


def ending_of(error: BaseException) -> BaseException:
    """What click shows of `error`; the error itself if it is a bug and needs its traceback."""
    from connector.transport.error_groups import leaves  # noqa: PLC0415 - imports trio

    found = [*leaves(error)]
    if any(isinstance(each, KeyboardInterrupt) for each in found):
        return click.exceptions.Exit(INTERRUPTED)
    if all(isinstance(each, BrokenPipeError) for each in found):
        return BrokenPipeError(errno.EPIPE, "the reader of the output is gone")
    if all(isinstance(each, ConnectorError | OSError) for each in found):
        return click.ClickException(str(found[0]))
    return error
