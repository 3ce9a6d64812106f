"""A scenario: a program, the world that it runs in, and the bounds that it must keep."""

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
    """What is explored. Times in virtual seconds."""

    name: str
    """As in ``--replay name/…``; of a scenario of your own ``package.module:VARIABLE``."""
    program: Program = attrs.field(repr=False)
    """Connects, uses and leaves; everything that it opens must be gone when it returns."""
    links: int = 1
    """The most connections that may be open or being opened at once."""
    links_per_route: int | None = None
    """The most connections that the exchange may see at once on one route; None: `links`."""
    most_tasks: int = 8
    """The most tasks that the program may have at once, its own included."""
    venue: SimulatedName = "binance_usdm"
    tls: bool = False
    """Whether the exchange speaks TLS."""
    source: Source = attrs.field(factory=Numbered, repr=False)
    exchange_options: dict[str, Any] = attrs.field(factory=dict, repr=False)
    """Further arguments of `connector.testing.open_exchange`."""
    stride: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    """A fault is tried at every so many-th step: a sample, for a program of many steps."""
    notice_seconds: float = math.inf
    """Longest time until a connection that breaks audibly (a reset, a FIN, a close frame, a bad
    frame) is closed on this side; a program that does not read does not notice."""
    limit_seconds: float = 120.0
    """A program that has not ended by then hangs."""
    leave_seconds: float = 3.0
    """Longest time that leaving politely may take."""
    cancel_seconds: float = 0.0
    """Longest time that leaving may take once the program is cancelled or interrupted."""
    lasting_seconds: float = 30.0
    """When an operation fails for ever after, the program is told to leave after so long."""
    faults: tuple[str, ...] = ()
    """Further faults at a step that mean something here: `TRADING_FAULTS` for an account."""
    errors: tuple[type[BaseException], ...] = ()
    """What the program may raise, besides what the plan makes it raise."""
    groups: bool = False
    """Whether it may raise them in a group, because it has a nursery of its own."""
    dials_at_once: int = 6
    """Per link: so many dials may happen within one second, and …"""
    dials_per_second: float = 0.5
    """… in the long run so many per second."""
