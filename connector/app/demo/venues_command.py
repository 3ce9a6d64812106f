"""``connector demo --venues``: every venue on a screen, as lines, or as JSON."""

from __future__ import annotations

from functools import partial

from connector.app.demo.showing import Demo
from connector.app.demo.venues import VenuesOptions, VenuesScreen, run_venues
from connector.app.demo.venues_report import VenuesReport
from connector.app.demo.venues_screen import VenuesDashboard, VenuesLines, VenuesNowhere, summary


def show_venues(options: VenuesOptions, *, as_json: bool) -> int:
    """Run it and show it; the exit status, 1 if a promise was broken."""
    demo = Demo[VenuesScreen, VenuesReport](
        run=partial(run_venues, options),
        dashboard=VenuesDashboard,
        lines=VenuesLines,
        nowhere=VenuesNowhere,
        summary=summary,
    )
    return demo.show(as_json=as_json)
