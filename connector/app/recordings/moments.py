"""``--from`` and ``--to``: the part of a recording that a command reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from connector.recording import Span

F = TypeVar("F", bound=Callable[..., Any])

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nanoseconds(text: str) -> int:
    """A moment in nanoseconds since the epoch, from a date, or a date and a time, of ISO 8601.

    Raises:
        click.BadParameter: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a time; write 2026-11-25, 2026-11-25T17:49:23 (UTC) or "
            "2026-11-25T18:49:23+01:00"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _moment(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    return None if text is None else nanoseconds(text)


def span_options(command: F) -> F:
    """The two options, as `since_ns` and `until_ns`."""
    until = click.option(
        "--to", "until_ns", metavar="TIME", callback=_moment, help="Only before this time (UTC)."
    )
    since = click.option(
        "--from",
        "since_ns",
        metavar="TIME",
        callback=_moment,
        help="Only from this time on (UTC), such as 2026-11-25T17:49.",
    )
    return since(until(command))


def span_between(since_ns: int | None, until_ns: int | None) -> Span:
    """What the two options say.

    Raises:
        click.UsageError: there is nothing between them.
    """
    if since_ns is not None and until_ns is not None and since_ns >= until_ns:
        raise click.UsageError("--from must be before --to")
    return Span(since_ns, until_ns)
