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
    """Whether it has no effect while no connection is open."""
    ends: bool = False
    """Whether it ends the program."""
    silent: bool = False
    """Whether only a watchdog can notice it."""
    loud: bool = False
    """Whether it breaks a connection such that the connection's reader notices."""
    needs_handshake: bool = False
    """Whether it has no effect on a connection before the exchange has completed the handshake."""
    slow: bool = False
    """Whether it makes a run many steps longer."""
    needs_served: int = 0
    """Number of served connections from which on its effect differs."""
    needs_order: bool = False
    """Whether it has no effect while no order is open at the exchange."""
    waits_for: tuple[str, ...] = ()
    """Patterns of the exchange's actions (`connector.testing.exchange.trading.script.Script`) that
    trigger a waiting fault. It has no effect before such an action, so the steps up to there are
    equivalent, and a sweep tries one of them."""
