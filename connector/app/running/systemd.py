"""Messages to a supervisor such as systemd: the run is ready, alive, reloading or stopping.

The protocol is that of ``sd_notify(3)``: datagrams of ``NAME=value`` lines to the Unix socket that
``NOTIFY_SOCKET`` names. Without one nothing is sent, and nothing that goes wrong is an error: the
supervisor notices by itself.
"""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Mapping
from contextlib import suppress

import attrs
import trio

from connector.app.running.readiness import unready
from connector.app.running.service import Service

STATUS_SECONDS = 10.0
"""Between two looks at whether everything is there, for ``systemctl status``."""


@attrs.frozen
class Supervisor:
    """Who watches over this process."""

    address: str = ""
    """Of its socket; empty if there is none."""
    watchdog_seconds: float = math.inf
    """It ends a process that it has not heard of for so long."""

    @staticmethod
    def of(environment: Mapping[str, str], pid: int) -> Supervisor:
        """The one that the variables of `environment` name for the process `pid`."""
        address = environment.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return Supervisor()
        if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
            return Supervisor(address)
        try:
            microseconds = int(environment.get("WATCHDOG_USEC", ""))
        except ValueError:
            return Supervisor(address)
        return Supervisor(address, microseconds / 1e6 if microseconds > 0 else math.inf)

    def tell(self, *lines: str) -> None:
        """Send `lines`, such as ``READY=1``; never waits."""
        family = getattr(socket, "AF_UNIX", None)
        if not self.address or family is None:
            return
        # An address that begins with @ is in the abstract name space.
        address = "\0" + self.address[1:] if self.address[0] == "@" else self.address
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as notices:
            notices.setblocking(False)
            notices.sendto("\n".join(lines).encode(), address)

    async def keep_informed(self, service: Service) -> None:
        """Report the watchdog and the state of `service` twice per interval, until cancelled."""
        if not self.address:
            return
        while True:
            reasons = unready(service)
            status = "not ready: " + "; ".join(reasons)[:200] if reasons else "ready"
            self.tell("WATCHDOG=1", f"STATUS={status}")
            await trio.sleep(min(self.watchdog_seconds / 2, STATUS_SECONDS))


def supervisor_of_process() -> Supervisor:
    """The one of this process."""
    return Supervisor.of(os.environ, os.getpid())
