"""The validated arguments of `open_adapter`, shared by all links."""

from __future__ import annotations

import time

import attrs

from connector.errors import ConfigError
from connector.exchanges.endpoints import headers_of
from connector.exchanges.protocol import AnyExchange, Limits
from connector.inputs.validation import check_seconds
from connector.link.pacing import Reconnect
from connector.link.raw_frames import Recorders
from connector.link.source import FrameSource, Supply
from connector.transport import Dialer, TcpDialer, way_to


@attrs.frozen
class Settings:
    """The arguments of `open_adapter`, and what all links share."""

    exchange: AnyExchange
    reconnect: Reconnect
    stale_after: float | None
    """Seconds without data after which a stream is broken; None: the exchange decides."""
    close_timeout: float
    """Seconds that the closing handshake of a connection may take."""
    dialer: Dialer
    recorders: Recorders
    supply: Supply | None = None
    """The source of frames, if nothing is dialled (`connector.link.source`)."""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Additional headers of every handshake."""
        return headers_of(self.exchange)

    def now_ns(self) -> int:
        """The time for the stamps of gaps and lifecycle events."""
        return time.time_ns() if self.supply is None else self.supply.now_ns()

    def way_to(self, route: str) -> str:
        """Describe the way of connections of `route` to the exchange; empty if direct."""
        return "" if self.supply is not None else way_to(self.dialer, self.exchange.url(route))


def check(
    exchange: AnyExchange,
    *,
    reconnect: Reconnect | None,
    stale_after: float | None,
    close_timeout: float,
    dialer: Dialer | None,
    source: FrameSource | None,
) -> Settings:
    """Check the settings of an adapter before it runs.

    Raises:
        ConfigError: an argument is wrong, and would only fail later in a task of ours.
    """
    if not isinstance(getattr(exchange, "limits", None), Limits):
        raise ConfigError(f"{exchange!r} is not an exchange; write one such as binance.Spot()")
    if not isinstance(reconnect, Reconnect | None):
        raise ConfigError(f"reconnect={reconnect!r}: write a Reconnect, such as Reconnect(cap=30)")
    dials = TcpDialer() if dialer is None else dialer
    if isinstance(dials, type) or not callable(getattr(dials, "connect", None)):
        raise ConfigError(f"dialer={dialer!r}: write a Dialer, such as TcpDialer()")
    if source is not None and not callable(getattr(source, "begin", None)):
        raise ConfigError(f"source={source!r} is not a source of frames; see connector.link.source")
    return Settings(
        exchange=exchange,
        reconnect=Reconnect() if reconnect is None else reconnect,
        stale_after=None if stale_after is None else check_seconds("stale_after", stale_after),
        close_timeout=check_seconds("close_timeout", close_timeout, zero=True),
        dialer=dials,
        recorders=Recorders(exchange),
    )
