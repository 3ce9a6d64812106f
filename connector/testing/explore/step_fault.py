"""A fault at a step: its effect, and the steps at which it can make a difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from connector.testing.explore.stage import Stage


@attrs.frozen
class StepFault:
    """One row of the table."""

    strike: Callable[[Stage], None]
    needs_connection: bool = False
    """Whether it does nothing while no connection is open."""
    ends: bool = False
    """Whether the program ends because of it."""
    silent: bool = False
    """Whether only a watchdog notices."""
    loud: bool = False
    """Whether a connection is broken so that whoever reads it notices."""
    needs_handshake: bool = False
    """Whether it does nothing to a connection whose handshake the exchange has not completed."""
    slow: bool = False
    """Whether a run takes many more steps because of it."""
    needs_served: int = 0
    """With how many connections that the exchange serves it does something of its own."""
    needs_order: bool = False
    """Whether it does nothing while no order is open at the exchange."""
    waits_for: tuple[str, ...] = ()
    """Of a fault that lies in wait: for what (`connector.testing.exchange.trading.script.Script`),
    as patterns. Until the exchange does such a thing it changes nothing, so that one step stands
    for all up to there."""
