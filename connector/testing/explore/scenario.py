"""A scenario: a program, its environment, and the limits that it must keep."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from connector.testing.explore.numbered import Numbered
from connector.testing.explore.stage import Stage
from connector.testing.market.sources import Source
from connector.testing.venues.rules import SimulatedName

Program = Callable[[Stage], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Scenario:
    """A program to explore, with its limits. Times are virtual seconds."""

    name: str
    """The name in ``--replay name/…``; for your own scenario ``package.module:VARIABLE``."""
    program: Program = attrs.field(repr=False)
    """The program. It must have closed everything that it opened when it returns."""
    links: int = 1
    """Most connections that may be open, or being opened, at once."""
    links_per_route: int | None = None
    """Most connections that the exchange may see at once on one route; None means `links`."""
    most_tasks: int = 8
    """Most tasks that the program may have at once, its main task included."""
    venue: SimulatedName = "binance_usdm"
    tls: bool = False
    """Whether the exchange speaks TLS."""
    source: Source = attrs.field(factory=Numbered, repr=False)
    exchange_options: dict[str, Any] = attrs.field(factory=dict, repr=False)
    """Further arguments of `connector.testing.open_exchange`."""
    stride: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    """A fault is tried at every `stride`-th step and operation: more than 1 takes a sample."""
    notice_seconds: float = math.inf
    """Longest time from an audible break of a connection (a reset, a FIN, a close frame, a bad
    frame) until this side closes it; infinite for a program that does not read."""
    limit_seconds: float = 120.0
    """A program that still runs after this time is considered to hang."""
    leave_seconds: float = 3.0
    """Longest time that a graceful exit may take."""
    cancel_seconds: float = 0.0
    """Longest time that the exit may take after the program is cancelled or interrupted."""
    lasting_seconds: float = 30.0
    """If an operation keeps failing, the program is asked to leave after this time."""
    faults: tuple[str, ...] = ()
    """Further faults at a step that apply here: `TRADING_FAULTS` for an account."""
    errors: tuple[type[BaseException], ...] = ()
    """Exceptions that the program may raise, besides those that the plan causes."""
    groups: bool = False
    """Whether it may raise them in a group, because it opens a nursery itself."""
    dials_at_once: int = 6
    """Most dials per link within one second."""
    dials_per_second: float = 0.5
    """Most dials per link and second in the long run."""
