"""The table of checks, and the functions that a test calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import attrs

from connector.testing.conformance import (
    books,
    decoding,
    interruptions,
    leaving,
    reception,
    refusals,
    requests,
    stage,
)
from connector.testing.conformance.venue import Venue

Run: TypeAlias = Callable[[Venue], Awaitable[None]]

CHECKS: Mapping[str, Run] = MappingProxyType(
    {
        "channels": reception.every_channel_brings_its_events,
        "not-offered": refusals.what_is_not_offered_says_what_is,
        "unknown-symbol": refusals.an_unknown_symbol_is_rejected,
        "reconnect": interruptions.a_broken_connection_is_replaced_once,
        "at-once": interruptions.everything_is_subscribed_at_once,
        "quiet": interruptions.a_quiet_connection_lives,
        "busy": interruptions.a_busy_connection_lives,
        "shards": interruptions.more_streams_than_a_connection_takes_are_spread,
        "books": books.a_synced_book_is_the_servers_own,
        "requests": requests.what_is_asked_once_is_what_the_venue_knows,
        "decoding": decoding.frames_are_read_alike_both_ways,
        "damaged-frames": decoding.nothing_but_the_declared_errors_is_raised,
        "leaving": leaving.nothing_is_left_whenever_it_is_left,
    }
)
"""The checks for every venue, by name."""


@attrs.frozen
class Check:
    """One check of one venue; call it to run it."""

    venue: Venue
    name: str

    def __call__(self) -> None:
        """Run the check in virtual time; no event loop may be running.

        Raises:
            NotConforming: it does not hold.
        """
        stage.run(self.venue, CHECKS[self.name])

    def __str__(self) -> str:
        return f"{self.venue}-{self.name}"


def checks(*venues: Venue) -> list[Check]:
    """List all checks for these venues.

    Checks that cannot run are omitted: "unknown-symbol" without `Venue.unknown`.
    """
    return [
        Check(venue, name)
        for venue in venues
        for name in CHECKS
        if name != "unknown-symbol" or venue.unknown is not None
    ]
