"""Estimate the exchange's time from our monotonic clock, unaffected by wall clock changes."""

from __future__ import annotations

from connector.errors import NotSynced

_MOST_DOUBT_SECONDS = 60.0
_FORGET_SECONDS = 600.0
"""A sample that is older gives way to a newer one, even if its round trip was shorter."""


class ExchangeClock:
    """The offset between the exchange's clock and ours, from the sample with the least doubt."""

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self._doubt = 0.0
        self._sampled_at = 0.0

    @property
    def known(self) -> bool:
        """Whether there is a sample."""
        return self._offset_ns is not None

    @property
    def doubt_seconds(self) -> float:
        """Maximum error of the estimate, if neither clock has drifted since."""
        return self._doubt

    def observe(self, sent: float, received: float, server_ns: int) -> None:
        """A sample: asked at `sent`, answered at `received`, both of our monotonic clock."""
        doubt = (received - sent) / 2
        if self.known and received - self._sampled_at < _FORGET_SECONDS and doubt > self._doubt:
            return
        self._offset_ns = server_ns - round((sent + received) / 2 * 1e9)
        self._doubt = doubt
        self._sampled_at = received

    def distrust(self) -> None:
        """The exchange refused a timestamp: the next sample replaces the estimate."""
        self._doubt = float("inf")

    def earliest_ns(self, now: float) -> int:
        """The exchange's time, at the least, at `now` of our monotonic clock.

        Raises:
            NotSynced: it was never asked for.
        """
        return self.now_ns(now) - round(min(self._doubt, _MOST_DOUBT_SECONDS) * 1e9)

    def now_ns(self, now: float) -> int:
        """The exchange's time at `now` of our monotonic clock.

        Raises:
            NotSynced: it was never asked for.
        """
        if self._offset_ns is None:
            raise NotSynced(
                "the exchange's time is not known yet; wait until the account is synced"
            )
        return round(now * 1e9) + self._offset_ns
